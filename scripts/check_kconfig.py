"""Checks the Kconfig files without Zephyr, using Kconfiglib and a stub of what Zephyr provides. The files
must parse, every option must have a help text and every number a range, defaults must be in range, the .conf
files must assign existing options, and each of our options named anywhere in the repository must be defined.

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

# What zephyr/Kconfig and the applications need from Zephyr. Symbols that they only imply or depend on
# need no definition to parse.
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

# Limits in Zephyr 4.2 and in the nRF Connect SDK 2.5, as their Kconfig files define them after the module's.
LIMITS_4_2 = """
config ZVFS
	bool "A stub"

config ZVFS_POLL
	bool "A stub"

config ZVFS_OPEN_MAX
	int "A stub"
	default 24 if NRF70_ENABLE_DUAL_VIF
	default 16 if WIFI_NM_WPA_SUPPLICANT
	default 16 if POSIX_API
	default 4

config ZVFS_POLL_MAX
	int "A stub"
	depends on ZVFS_POLL
	default NET_SOCKETS_POLL_MAX if NET_SOCKETS_POLL_MAX > 0
	default 3

config NET_SOCKETS_POLL_MAX
	int "A stub"
	default 0
"""
LIMITS_4_5 = LIMITS_4_2[:LIMITS_4_2.index("config NET_SOCKETS_POLL_MAX")].replace(
    "\tdefault NET_SOCKETS_POLL_MAX if NET_SOCKETS_POLL_MAX > 0\n", "")
LIMITS_3_4 = """
config POSIX_MAX_FDS
	int "A stub"
	default 16 if POSIX_API
	default 16 if WPA_SUPP
	default 4

config NET_SOCKETS_POLL_MAX
	int "A stub"
	default 3
"""
CONNECTIONS = """
config NET_IPV4
	bool "A stub"

config NET_IPV6
	bool "A stub"

config NET_MAX_CONN
	int "A stub"
	default 8 if NET_IPV6 && NET_IPV4
	default 4

config NET_MAX_CONTEXTS
	int "A stub"
	default 6
"""
SWITCHES = ("POSIX_API", "WPA_SUPP", "WIFI_NM_WPA_SUPPLICANT", "NRF70_ENABLE_DUAL_VIF")

# Options that not every Zephyr has: those of the nRF Connect SDK, taken from sdk-nrf 3.4, and renamed
# ones.
ELSEWHERE = set("""
EVENTFD EVENTFD_MAX MBEDTLS_LEGACY_CRYPTO_C MBEDTLS_THREADING_C POSIX_MAX_FDS
MQTT_HELPER_LAST_WILL MQTT_HELPER_PORT MQTT_HELPER_PROVISION_CERTIFICATES MQTT_HELPER_SEC_TAG
MQTT_HELPER_STACK_SIZE MQTT_HELPER_STATIC_IP_ADDRESS NRF_SECURITY
OPENTHREAD_LIBRARY OPENTHREAD_NORDIC_LIBRARY_MTD OPENTHREAD_NRF_SECURITY_PSA_CHOICE
OPENTHREAD_ZEPHYR_DNS_OFFLOAD
""".split())


def tracked(*patterns):
    """Returns the matching files of the repository, including those not committed yet."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT, text=True)
    return [ROOT / name for name in sorted(set(listed.splitlines())) if (ROOT / name).is_file()]


def relative(path):
    return pathlib.Path(path).resolve().relative_to(ROOT)


def is_own(name):
    return name.startswith(OWN)


def parse(entry, stub):
    """Returns the tree of one application, and its errors."""
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
    """Returns the errors in what .conf files, merged in order, assign to our own options."""
    known = len(tree.warnings)
    for index, path in enumerate(paths):
        tree.load_config(str(path), replace=index == 0)
    for symbol in tree.unique_defined_syms:
        _ = symbol.str_value  # reports a value that is out of range
    errors = [text for text in tree.warnings[known:]
              if any(is_own(name) for name in re.findall(r"\b[A-Z][A-Z0-9_]{3,}\b", text))]
    for symbol in tree.unique_defined_syms:
        if is_own(symbol.name) and symbol.user_value is not None and symbol.visibility == 0:
            errors.append(f"{relative(paths[-1])}: {symbol.name} cannot be set: its dependencies are off")
    return errors


def limit(stub, zephyr, name, options, module=True):
    """Returns the value of one of Zephyr's limits, with or without the module."""
    switches = "".join(f'config {switch}\n\tbool "A stub"\n' for switch in SWITCHES)
    path = stub / "Kconfig.limits"
    path.write_text(switches + (KCONFIG_ZEPHYR.format(root=ROOT) if module else "") + zephyr)
    tree = kconfiglib.Kconfig(str(path), warn=False)
    for option, value in {"NETWORKING": "y", "THREAD_MQTT": "y", **options}.items():
        if option in tree.syms:
            tree.syms[option].set_value(value)
    return int(tree.syms[name].str_value)


def check_limits(stub):
    """Checks that Zephyr's own descriptors remain, plus four per client, and that a product's own limits stay."""
    errors = []
    for zephyr, name, users in ((LIMITS_4_2, "ZVFS_OPEN_MAX", SWITCHES), (LIMITS_3_4, "POSIX_MAX_FDS", SWITCHES[:2])):
        for user in ("", *users):
            own = limit(stub, zephyr, name, {user: "y"}, module=False)
            for clients in range(1, 9):
                value = limit(stub, zephyr, name, {user: "y", "THREAD_MQTT_MAX_CLIENTS": str(clients)})
                if value < own + 4 * clients:
                    errors.append(f"zephyr/kconfig/Kconfig.zephyr: {name} is {value} for {clients} clients, and {own} without "
                                  f"the module ({user or 'nothing else'})")
    for name in ("NET_MAX_CONN", "NET_MAX_CONTEXTS"):
        for family in ({"NET_IPV4": "n"}, {"NET_IPV4": "y", "NET_IPV6": "y"}):
            own = limit(stub, CONNECTIONS, name, family, module=False)
            for clients in range(1, 9):
                value = limit(stub, CONNECTIONS, name, {**family, "THREAD_MQTT_MAX_CLIENTS": str(clients)})
                if value < own + 3 * (clients - 1) or clients == 1 and value != own:
                    errors.append(f"zephyr/kconfig/Kconfig.zephyr: {name} is {value} for {clients} clients, and {own} without "
                                  f"the module ({family})")
    for zephyr, name, options, wanted in ((LIMITS_4_2, "ZVFS_POLL_MAX", {}, 6),
                                          (LIMITS_4_2, "ZVFS_POLL_MAX", {"ZVFS_POLL_MAX": "9"}, 9),
                                          (LIMITS_4_2, "ZVFS_POLL_MAX", {"NET_SOCKETS_POLL_MAX": "12"}, 12),
                                          (LIMITS_4_5, "ZVFS_POLL_MAX", {}, 6),
                                          (LIMITS_3_4, "NET_SOCKETS_POLL_MAX", {}, 6),
                                          (LIMITS_3_4, "NET_SOCKETS_POLL_MAX", {"NET_SOCKETS_POLL_MAX": "12"}, 12)):
        value = limit(stub, zephyr, name, options)
        if value != wanted:
            errors.append(f"zephyr/kconfig/Kconfig.zephyr: {name} is {value} instead of {wanted} with {options}")
    return errors


def mentioned(path):
    """Yields the options that a file names, each with its line."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for match in re.finditer(r"\bCONFIG_([A-Z0-9_]+)(\*?)", line):
            if not match[2] and not match[1].endswith("_"):
                yield number, match[1]


def check_features(tree):
    """Compares the cryptography options of Kconfig with the features of the platform's crate, which CMake passes to
    cargo, and with those of the Rust application, whose manifest must repeat them."""
    manifests = [tomllib.loads((ROOT / path).read_text())
                 for path in ("rust/port/platform/Cargo.toml", "rust/app/Cargo.toml")]
    features = {name for name in manifests[0]["features"]
                if "THREAD_MQTT_" + name.upper().replace("-", "_") in tree.syms or name.startswith("log-")}
    options = {symbol.name.removeprefix("THREAD_MQTT_").lower().replace("_", "-")
               for symbol in tree.unique_defined_syms
               if symbol.type == kconfiglib.BOOL
               and any(pathlib.Path(node.filename).name == "Kconfig.crypto" for node in symbol.nodes)}
    repeated = set(re.findall(r'thread_mqtt = "([a-z0-9-]+)"', " ".join(manifests[1]["target"])))
    options -= {"mbedtls-threading", "p256m", "sha512-smaller"}  # options of the C code
    errors = [f"rust/port/platform/Cargo.toml: no feature {name} for Kconfig's option"
              for name in sorted(options - features)]
    errors += [f"rust/app/Cargo.toml: the feature {name} of the platform's crate is "
               f"{'missing' if name in features else 'unknown'}"
               for name in sorted(features ^ repeated)]
    return errors


def zephyr_symbols():
    """Returns every option that a workspace defines; None without a workspace."""
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
                 "  cure: run it with the Python that scripts/python_tools.sh prints")
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

        errors += check_limits(stub)

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
