"""Checks the Kconfig files without Zephyr, by Kconfiglib and a stub of what Zephyr brings: they
parse, every option has a help text and every number a range, defaults fit, the .conf files assign
what exists, and each of our options named anywhere in the repository is defined.

With a west workspace (ZEPHYR_BASE, or ~/zephyrproject) Zephyr's own options are looked up as well.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

try:
    import kconfiglib
except ImportError as error:
    missing = error.name
else:
    missing = None

ROOT = pathlib.Path(__file__).resolve().parents[1]
OWN = ("THREAD_MQTT", "APP_", "SAMPLE_")

# What zephyr/Kconfig and the applications take from Zephyr. Symbols that they only imply or
# depend on need no definition to parse.
KCONFIG_ZEPHYR = """
config NETWORKING
	bool "Networking"
	help
	  A stub.

config LOG
	bool "Logging"
	help
	  A stub.

config SHELL
	bool "Shell"
	help
	  A stub.

source "{root}/zephyr/Kconfig"
"""
LOG_TEMPLATE = """
config $(module)_LOG_LEVEL
	int "Log level of $(module-str)"
	default 3
	range 0 4
	help
	  A stub.
"""

# Options that are not in every Zephyr: of the nRF Connect SDK, read in sdk-nrf 3.4, and names
# that changed.
ELSEWHERE = set("""
EVENTFD EVENTFD_MAX MBEDTLS_LEGACY_CRYPTO_C MBEDTLS_THREADING_C POSIX_MAX_FDS
MQTT_HELPER_LAST_WILL MQTT_HELPER_PORT MQTT_HELPER_PROVISION_CERTIFICATES MQTT_HELPER_SEC_TAG
MQTT_HELPER_STACK_SIZE MQTT_HELPER_STATIC_IP_ADDRESS NRF_SECURITY
OPENTHREAD_LIBRARY OPENTHREAD_NORDIC_LIBRARY_MTD OPENTHREAD_NRF_SECURITY_PSA_CHOICE
OPENTHREAD_ZEPHYR_DNS_OFFLOAD
""".split())


def tracked(*patterns):
    """The files of the repository that match, also those not committed yet."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT, text=True)
    return [ROOT / name for name in sorted(set(listed.splitlines())) if (ROOT / name).is_file()]


def relative(path):
    return pathlib.Path(path).resolve().relative_to(ROOT)


def is_own(name):
    return name.startswith(OWN)


def parse(entry, stub):
    """The tree of one application, and what is wrong with it."""
    os.environ["srctree"] = str(stub)
    errors = []
    tree = kconfiglib.Kconfig(str(entry), warn_to_stderr=False)
    errors += [f"{relative(entry)}: {text}" for text in tree.warnings]
    for symbol in tree.unique_defined_syms:
        for node in symbol.nodes:
            where = f"{node.filename}:{node.linenr}: {symbol.name}"
            if node.prompt and not (node.help or "").strip():
                errors.append(f"{where} has no help text")
            if node.prompt and symbol.type == kconfiglib.INT and not node.ranges:
                errors.append(f"{where} is a number without a range")
    return tree, errors


def check_conf(tree, paths):
    """What .conf files, one merged over the other, assign to our own options."""
    known = len(tree.warnings)
    for index, path in enumerate(paths):
        tree.load_config(str(path), replace=index == 0)
    for symbol in tree.unique_defined_syms:
        _ = symbol.str_value  # a value out of its range is noticed here
    errors = [text for text in tree.warnings[known:]
              if any(is_own(name) for name in re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", text))]
    for symbol in tree.unique_defined_syms:
        if is_own(symbol.name) and symbol.user_value is not None and symbol.visibility == 0:
            errors.append(f"{relative(paths[-1])}: {symbol.name} cannot be set: its dependencies are off")
    return errors


def mentioned(path):
    """The options that a file names, with the line of each."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for match in re.finditer(r"\bCONFIG_([A-Z0-9_]+)(\*?)", line):
            if not match[2] and not match[1].endswith("_"):
                yield number, match[1]


def check_features(tree):
    """The cryptography of Kconfig, of the platform's crate, of which CMake makes cargo's features,
    and of the application in Rust, whose manifest must repeat them."""
    manifests = [tomllib.loads((ROOT / path).read_text())
                 for path in ("rust/port/platform/Cargo.toml", "rust/app/Cargo.toml")]
    features = {name for name in manifests[0]["features"]
                if "THREAD_MQTT_" + name.upper().replace("-", "_") in tree.syms or name.startswith("log-")}
    options = {symbol.name.removeprefix("THREAD_MQTT_").lower().replace("_", "-")
               for symbol in tree.unique_defined_syms
               if symbol.type == kconfiglib.BOOL
               and any(pathlib.Path(node.filename).name == "Kconfig.crypto" for node in symbol.nodes)}
    repeated = set(re.findall(r'thread_mqtt = "([a-z0-9-]+)"', " ".join(manifests[1]["target"])))
    options -= {"mbedtls-threading", "p256m", "sha512-smaller"}  # C's
    errors = [f"rust/port/platform/Cargo.toml: no feature {name} for Kconfig's option"
              for name in sorted(options - features)]
    errors += [f"rust/app/Cargo.toml: the feature {name} of the platform's crate is "
               f"{'missing' if name in features else 'unknown'}"
               for name in sorted(features ^ repeated)]
    return errors


def zephyr_symbols():
    """Every option that a workspace defines; None without a workspace."""
    base = pathlib.Path(os.environ.get("ZEPHYR_BASE") or pathlib.Path.home() / "zephyrproject/zephyr")
    if not (base / "Kconfig.zephyr").is_file():
        return None
    found = subprocess.run(
        ["grep", "-rhoE", r"^\s*(menu)?config [A-Z0-9_]+", "--include=Kconfig*",
         str(base), str(base.parent / "modules")], capture_output=True, text=True).stdout
    return {line.split()[-1] for line in found.splitlines()}


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if missing:
        sys.exit(f"error: the Python package {missing} is missing\n"
                 "  cure: run it with the Python that scripts/python_tools.sh makes and names")
    errors, defined = [], set()
    with tempfile.TemporaryDirectory() as name:
        stub = pathlib.Path(name)
        (stub / "Kconfig.zephyr").write_text(KCONFIG_ZEPHYR.format(root=ROOT))
        template = stub / "subsys/logging/Kconfig.template.log_config"
        template.parent.mkdir(parents=True)
        template.write_text(LOG_TEMPLATE)

        entries = [path for path in tracked("Kconfig", "samples/*/Kconfig", "tests/**/Kconfig")]
        for entry in entries:
            tree, found = parse(entry, stub)
            errors += found + (check_features(tree) if entry.parent == ROOT else [])
            defined |= {symbol.name for symbol in tree.unique_defined_syms}
            project = entry.parent / "prj.conf"
            if project.is_file():
                errors += check_conf(tree, [project])
                folders = [entry.parent, *([ROOT] if entry.parent.parent == ROOT / "samples" else [])]
                for board in sorted(path for folder in folders for path in (folder / "boards").glob("*.conf")):
                    errors += check_conf(tree, [project, board])

    zephyr = zephyr_symbols()
    count = 0
    for path in tracked("*.conf", "*.md", "*.c", "*.h", "*.cpp", "*.txt", "*.cmake", "*.yaml",
                        "*.yml", "*.py", "*.rs", "*.sh", "*Kconfig*"):
        for number, option in mentioned(path):
            count += 1
            where = f"{relative(path)}:{number}: CONFIG_{option}"
            if is_own(option):
                if option not in defined:
                    errors.append(f"{where} is not defined by any Kconfig file here")
            elif zephyr is not None and option not in zephyr and option not in ELSEWHERE:
                errors.append(f"{where} is not an option of this workspace's Zephyr")

    for text in dict.fromkeys(errors):
        print(text)
    against = "Zephyr's too" if zephyr is not None else "ours only: no workspace"
    print(f"{len(entries)} trees, {len(defined)} options, named {count} times ({against}): "
          f"{len(set(errors))} errors")
    return bool(errors)


if __name__ == "__main__":
    sys.exit(main())
