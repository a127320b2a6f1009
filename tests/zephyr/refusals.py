"""Configures a small application with option combinations that cannot work. Each must stop the configuration with a
sentence that names the cure. Combinations that may be intended cause a warning instead. Cases that need other versions
of Zephyr or the nRF Connect SDK are in tests/port/refusals.py.

    python3 tests/zephyr/refusals.py WORKSPACE [NAME...]     (the folder above zephyr/)

Needs west and Zephyr's build tools; nothing is compiled.
"""

import functools
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import yaml

from native_sim import ROOT, chosen, environment
from usage import arguments

NATIVE = "native_sim/native/64"
THREAD = "nrf52840dk/nrf52840"
EMULATED = "mps2/an386"
# Whether the machine's Rust has its library's source does not matter here.
RUSTS_LIBRARY = "THREAD_MQTT_RUST_BUILD_STD=n"
BASE = {
    NATIVE: ["NETWORKING=y", "NET_IPV4=y", "NET_DRIVERS=y", "THREAD_MQTT=y", "HEAP_MEM_POOL_SIZE=1024"],
    THREAD: ["NETWORKING=y", "NET_L2_OPENTHREAD=y", "OPENTHREAD_MTD=y", "FPU=y", "THREAD_MQTT=y",
             "COMMON_LIBC_MALLOC_ARENA_SIZE=49152", RUSTS_LIBRARY],
    EMULATED: ["NETWORKING=y", "NET_IPV4=y", "FPU=y", "THREAD_MQTT=y", "HEAP_MEM_POOL_SIZE=1024",
               "COMMON_LIBC_MALLOC_ARENA_SIZE=49152", RUSTS_LIBRARY],
}

# A compiler of this version, with or without the board's library, and without the library's source.
RUSTC = """#!/bin/sh
case "$*" in
--version) echo "rustc {version} (a test)" ;;
*target-libdir*) echo "{library}" ;;
*sysroot*) echo /nowhere ;;
esac
"""

# OpenThread and TLS on PSA Crypto.
PSA = [line.removeprefix("CONFIG_") for line in (ROOT / "snippets/thread-mqtt-upstream-psa/upstream-psa.conf").read_text().splitlines()
       if line.startswith("CONFIG_") and "OPTIMIZATIONS" not in line]
SMALL_NUMBERS = PSA + ["MBEDTLS_OPENTHREAD_OPTIMIZATIONS_ENABLED=y"]

# Name, board, options in addition to the base's, text that the output must contain. None: it must work without any
# output. A sentence that begins with "Warning: ": it must work and print that. A sentence with {} names the least value
# of an option: with that it must work, and with one less it must not.
CASES = [
    ("base", NATIVE, [], None),
    ("inert", NATIVE, ["THREAD_MQTT=n", "NET_TCP=n"], None),
    ("client-only rustls", NATIVE, ["THREAD_MQTT_RUSTLS_CLIENT_ONLY=y"], None),
    ("no TCP", NATIVE, ["NET_TCP=n"], "Set CONFIG_NET_TCP=y"),
    ("no UDP", NATIVE, ["NET_UDP=n"], "Set CONFIG_NET_UDP=y"),
    ("no sockets", NATIVE, ["NET_SOCKETS=n"], "Set CONFIG_NET_SOCKETS=y"),
    ("no IP", NATIVE, ["NET_IPV4=n", "NET_IPV6=n"], "Set CONFIG_NET_IPV6=y"),
    ("no kernel heap", NATIVE, ["HEAP_MEM_POOL_SIZE=0"], "Set CONFIG_HEAP_MEM_POOL_SIZE to 1024 or more"),
    ("no kernel heap, and the host's sockets", NATIVE,
     ["HEAP_MEM_POOL_SIZE=0", "NET_SOCKETS_OFFLOAD=y", "NET_NATIVE_OFFLOADED_SOCKETS=y"], None),
    ("small heap", NATIVE, ["MINIMAL_LIBC=y", "COMMON_LIBC_MALLOC_ARENA_SIZE=16384"],
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to {} or more"),
    ("small stack", NATIVE, ["THREAD_MQTT_STACK_SIZE=4096"], "THREAD_MQTT_STACK_SIZE"),
    ("few descriptors", NATIVE, ["ZVFS_OPEN_MAX=3"], "Set CONFIG_ZVFS_OPEN_MAX to 4"),
    ("few descriptors beside the socket service", NATIVE, ["DNS_RESOLVER=y", "ZVFS_OPEN_MAX=3"],
     "Set CONFIG_ZVFS_OPEN_MAX to {} or more"),
    ("few events", NATIVE, ["THREAD_MQTT_MAX_CLIENTS=2", "ZVFS_EVENTFD_MAX=1"],
     "CONFIG_ZVFS_EVENTFD_MAX to 2"),
    ("no event for the socket service", NATIVE, ["DNS_RESOLVER=y", "ZVFS_EVENTFD_MAX=1"],
     "Set CONFIG_ZVFS_EVENTFD_MAX to 2 or more"),
    ("an event for the socket service", NATIVE, ["DNS_RESOLVER=y"], None),
    ("events for clients and the socket service", NATIVE,
     ["DNS_RESOLVER=y", "THREAD_MQTT_MAX_CLIENTS=8"], None),
    ("few connections", NATIVE, ["THREAD_MQTT_MAX_CLIENTS=8", "NET_MAX_CONN=8"], "Set CONFIG_NET_MAX_CONN to {} or more"),
    ("few connections of one client", NATIVE, ["NET_MAX_CONN=1"], "Set CONFIG_NET_MAX_CONN to 2 or more"),
    ("few connections for DNS over TCP", NATIVE, ["NET_IPV6=n", "THREAD_MQTT_DNS_TCP=y", "NET_MAX_CONN=2"],
     "Set CONFIG_NET_MAX_CONN to 3 or more"),
    ("enough connections for DNS over TCP", NATIVE, ["THREAD_MQTT_DNS_TCP=y", "NET_MAX_CONN=3"], None),
    ("few contexts", NATIVE, ["THREAD_MQTT_MAX_CLIENTS=8", "NET_MAX_CONTEXTS=6"],
     "Set CONFIG_NET_MAX_CONTEXTS to {} or more"),
    ("a shortest keep-alive above the longest", NATIVE,
     ["THREAD_MQTT_KEEP_ALIVE_AUTO=y", "THREAD_MQTT_KEEP_ALIVE_MIN=4000"],
     "Set CONFIG_THREAD_MQTT_KEEP_ALIVE_MAX to {} or more"),
    ("a shortest pause above the longest", NATIVE, ["THREAD_MQTT_BACKOFF_MIN=600000"],
     "Set CONFIG_THREAD_MQTT_BACKOFF_MAX to {} or more"),
    ("a long name of a session", NATIVE, ["THREAD_MQTT_DURABLE=y", 'THREAD_MQTT_SESSION_NAME="my-long-session-name"'],
     "CONFIG_THREAD_MQTT_SESSION_NAME is my-long-session-name"),
    ("few polls", NATIVE, ["ZVFS_POLL_MAX=2"], "CONFIG_ZVFS_POLL_MAX to 3"),
    ("few polls for DNS over TCP", NATIVE, ["THREAD_MQTT_DNS_TCP=y", "ZVFS_POLL_MAX=4"], "CONFIG_ZVFS_POLL_MAX to {} or"),
    ("no such priority", NATIVE, ["NUM_PREEMPT_PRIORITIES=10"], "CONFIG_NUM_PREEMPT_PRIORITIES to {} or"),
    ("wrong DNS server", NATIVE, ['THREAD_MQTT_DNS_SERVERS="dns.example"'],
     "CONFIG_THREAD_MQTT_DNS_SERVERS contains dns.example"),
    ("wrong prefix", NATIVE, ['THREAD_MQTT_NAT64_PREFIX="64:ff9b::/97"'],
     "CONFIG_THREAD_MQTT_NAT64_PREFIX is 64:ff9b::/97"),
    ("a tag without credentials", NATIVE, ["THREAD_MQTT_SEC_TAG=1"], "Set CONFIG_TLS_CREDENTIALS=y"),
    ("a tag with credentials", NATIVE, ["THREAD_MQTT_SEC_TAG=1", "TLS_CREDENTIALS=y"], None),
    ("strict time without servers", NATIVE,
     ["THREAD_MQTT_TIME_STRICT=y", 'THREAD_MQTT_TIME_SERVERS=""'],
     "Warning: Set CONFIG_THREAD_MQTT_TIME_SERVERS"),
    ("strict time with servers", NATIVE, ["THREAD_MQTT_TIME_STRICT=y"], None),
    ("test generator on native_sim", NATIVE, ["TEST_RANDOM_GENERATOR=y"], None),
    ("test generator on hardware", THREAD, ["TEST_RANDOM_GENERATOR=y"],
     "Set CONFIG_TEST_RANDOM_GENERATOR=n"),
    ("test generator on an emulated board", EMULATED, ["TEST_RANDOM_GENERATOR=y"], None),
    ("large outbox", THREAD, ["THREAD_MQTT_OUTBOX_BYTES=32768"],
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to {} or more"),
    ("large packets", THREAD, ["THREAD_MQTT_MAX_PACKET_SIZE=65536"],
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to {} or more"),
    ("pieces without room for a record", NATIVE,
     ["MINIMAL_LIBC=y", "THREAD_MQTT_PIECES=y", "COMMON_LIBC_MALLOC_ARENA_SIZE=49152"],
     "THREAD_MQTT_MAX_SIZE_IN_PIECES=0"),
    ("pieces in a small heap", NATIVE,
     ["MINIMAL_LIBC=y", "THREAD_MQTT_PIECES=y", "COMMON_LIBC_MALLOC_ARENA_SIZE=16384"],
     "Set CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE to {} or more"),
    ("pieces in small records", NATIVE, ["THREAD_MQTT_PIECES=y", "THREAD_MQTT_TLS_INBOUND=4096"],
     "Warning: Set CONFIG_THREAD_MQTT_TLS_INBOUND to 18437"),
    ("small main stack", THREAD, ["MAIN_STACK_SIZE=2048"], "Warning: Set CONFIG_MAIN_STACK_SIZE to 4096"),
    ("OpenThread", THREAD, [], None),
    ("OpenThread's own TCP", THREAD, ["OPENTHREAD_TCP_ENABLE=y"],
     "Set CONFIG_OPENTHREAD_TCP_ENABLE=n"),
    ("a poll period that OpenThread refuses", THREAD, ["OPENTHREAD_MTD_SED=y", "THREAD_MQTT_FAST_POLL=9"],
     "Set CONFIG_THREAD_MQTT_FAST_POLL to {} or more"),
    ("long chains", THREAD, ["THREAD_MQTT_MAX_CHAIN=7", "THREAD_MQTT_STACK_SIZE=16384"],
     "Set CONFIG_THREAD_MQTT_STACK_SIZE to {} or more"),
    ("RSA by PSA with numbers of 256 bits", THREAD, [*SMALL_NUMBERS, "THREAD_MQTT_RSA_IN_RUST=n"],
     "Set CONFIG_THREAD_MQTT_RSA_IN_RUST=y"),
    ("P-384 with numbers of 256 bits", THREAD, SMALL_NUMBERS, "CONFIG_THREAD_MQTT_P384=n"),
    ("RSA in Rust with numbers of 256 bits", THREAD, [*SMALL_NUMBERS, "THREAD_MQTT_P384=n"], None),
    ("no SLAAC", THREAD, ["OPENTHREAD_SLAAC=n"], "Set CONFIG_OPENTHREAD_SLAAC=y"),
]


# Name, sample, options, the sentence: samples need files.
SAMPLES = [
    ("publish without a CA", "publish", [], "publish: no CA certificate"),
    ("sensor_sleepy without a CA", "sensor_sleepy", [], "sensor_sleepy: no CA certificate"),
    ("mutual_tls without files", "mutual_tls", [], "mutual_tls: three PEM files are needed"),
    ("a CA that is not there", "publish", ['SAMPLE_CA_FILE="/no/ca.pem"'],
     "CONFIG_SAMPLE_CA_FILE: there is no file /no/ca.pem; set it to the path of a PEM file"),
    ("a relative path to no CA", "publish", ['SAMPLE_CA_FILE="ca.pem"'], f"there is no file {ROOT}/samples/publish/ca.pem; set"),
    ("a folder as certificate", "mutual_tls",
     [f'SAMPLE_CA_FILE="{ROOT}/tests/zephyr/ca.pem"', 'SAMPLE_CERTIFICATE_FILE="/"', 'SAMPLE_KEY_FILE="/"'],
     "CONFIG_SAMPLE_CERTIFICATE_FILE: there is no file /;"),
]

# Name, board, options in addition to the base's, what .config must contain: defaults of Zephyr's options.
DEFAULTS = [
    ("descriptors", THREAD, [], "ZVFS_OPEN_MAX=8"),
    ("descriptors beside POSIX's", THREAD, ["POSIX_API=y"], "ZVFS_OPEN_MAX=20"),
    ("descriptors for two clients beside POSIX's", THREAD, ["POSIX_API=y", "THREAD_MQTT_MAX_CLIENTS=2"], "ZVFS_OPEN_MAX=24"),
    ("connections of one client", THREAD, [], "NET_MAX_CONN=4"),
    ("connections of two clients", THREAD, ["THREAD_MQTT_MAX_CLIENTS=2"], "NET_MAX_CONN=7"),
    ("connections of eight clients with IPv4", NATIVE, ["THREAD_MQTT_MAX_CLIENTS=8", "NET_IPV4=y"], "NET_MAX_CONN=29"),
    ("contexts of eight clients", THREAD, ["THREAD_MQTT_MAX_CLIENTS=8"], "NET_MAX_CONTEXTS=27"),
    ("polls", THREAD, [], "ZVFS_POLL_MAX=6"),
    ("polls by the older name", THREAD, ["NET_SOCKETS_POLL_MAX=12"], "ZVFS_POLL_MAX=12"),
]

# Name, what sysbuild is given for the sample publish, a file of that image and what it must contain. -S is SNIPPET, for
# all images.
ON_THREAD, SLEEPY = "CONFIG_NET_L2_OPENTHREAD=y\n", "CONFIG_OPENTHREAD_MTD_SED=y\n"
SYSBUILD = [
    ("sysbuild without a snippet", [], "zephyr/.config", [ON_THREAD]),
    ("sysbuild with a snippet", ["SNIPPET=thread-mqtt-sleepy"], "zephyr/.config", [ON_THREAD, SLEEPY]),
    ("sysbuild with snippets of the image", ["publish_SNIPPET=thread-mqtt-upstream-psa thread-mqtt-sleepy"], "zephyr/.config",
     [ON_THREAD, SLEEPY]),
    ("sysbuild with a folder for cargo", ["THREAD_MQTT_CARGO_TARGET_DIR={}/cargo"], "build.ninja", ["--target-dir {}/cargo"]),
]


def configure(folder, board, options, env):
    """Configures the application from scratch. Returns the exit status and the output."""
    (folder / "prj.conf").write_text("".join(f"CONFIG_{option}\n" for option in options))
    return west_configure(folder, folder, board, [], env)


def west_configure(source, folder, board, options, env, snippets=(), overlays=(), more=(), sysbuild=False,
                   pristine=True):
    """The same for an existing application; again in the same folder unless pristine."""
    more = [f"-D{name}={';'.join(values)}" for name, values in (("SNIPPET", snippets), ("EXTRA_CONF_FILE", overlays)) if values] + [
        f"-D{variable}" for variable in more]
    result = subprocess.run(
        ["west", "build", "--cmake-only", "-p", "always" if pristine else "never",
         "--sysbuild" if sysbuild else "--no-sysbuild", "-b", board, "-d", str(folder / "build"), str(source), "--",
         f"-DEXTRA_ZEPHYR_MODULES={ROOT}", *more,
         *(f"-DCONFIG_{option}" for option in options)],
        cwd=env["ZEPHYR_BASE"], env=env, capture_output=True, text=True, errors="replace")
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def passes(status, printed, sentence):
    """Returns whether a configuration ended as its case requires."""
    if sentence is None:
        return status == 0 and "thread-mqtt: " not in printed
    wanted = sentence.removeprefix("Warning: ")
    return wanted in printed and (status == 0) == (wanted != sentence)


def case_passes(folder, board, options, sentence, env):
    """Returns whether a case ends as required, and the output of the last configuration."""
    status, printed = configure(folder, board, options, env)
    if sentence is None or "{}" not in sentence:
        return passes(status, printed, sentence), printed
    pattern = re.escape(sentence).replace(r"\{\}", "([0-9]+)")
    found = re.search(pattern, printed)
    if status == 0 or not found:
        return False, printed
    option, least = re.search("CONFIG_([A-Z0-9_]+) to", sentence)[1], int(found[1])
    status, printed = configure(folder, board, [*options, f"{option}={least - 1}"], env)
    if status == 0 or found[0] not in printed:
        return False, printed
    status, printed = configure(folder, board, [*options, f"{option}={least}"], env)
    return passes(status, printed, None), printed


def compiler(folder, version="1.90.0", library="", suffix=""):
    """Writes cargo and rustc into the folder. Returns the path of rustc."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in ("cargo", "rustc"):
        path = folder / f"{program}{suffix}"
        path.write_text(RUSTC.format(version=version, library=library))
        path.chmod(0o755)
    return path


def without_rust(env):
    """Returns the environment without anything that selects a Rust compiler."""
    return {name: value for name, value in env.items()
            if name not in ("CARGO_HOME", "CARGO_UNSTABLE_BUILD_STD", "RUSTC", "RUSTC_BOOTSTRAP")}


def compilers(folder, env):
    """Returns name, board, option, required output and environment of images built with the wrong compiler."""
    own, home = compiler(folder / "own"), compiler(folder / "home/.cargo/bin")
    named = compiler(folder / "own", "1.89.0", suffix="-1.89")
    plain = without_rust(env)
    said = "{} (1.90.0) has no library for"
    for name, rustc, more in (("Rust by RUSTC", own, {"RUSTC": str(own)}),
                              ("Rust by CARGO_HOME", home, {"CARGO_HOME": str(home.parents[1])}),
                              ("rustup's Rust first", home, {"HOME": str(folder / "home")})):
        yield name, NATIVE, [], said.format(rustc), {**plain, **more}
    yield "Rust by RUSTC with another name", NATIVE, [], f"{named} (1.89.0) has no library for", {**plain, "RUSTC": str(named)}
    broken = compiler(folder / "broken")
    broken.write_text("#!/bin/sh\necho 'error: C:\\Users;\"${x}\" has no toolchain' >&2\nexit 1\n")
    yield "Rust without a toolchain", NATIVE, [], f"{broken} does not run: error: C:\\Users", {**plain, "RUSTC": str(broken)}
    yield "RUSTC that is not there", NATIVE, [], "names /no/rustc, which is not a program", {**plain, "RUSTC": "/no/rustc"}
    # As with rustup: the folder decides which one runs, and cargo runs in the build folder.
    override = compiler(folder / "override", "1.91.0")
    override.write_text(override.read_text().replace("1.91.0", '$(case $PWD in */build/*) echo 1.91.0 ;; *) echo 1.50.0 ;; esac)'))
    yield "Rust of the build's folder", NATIVE, [], f"{override} (1.91.0) has no library for", {**plain, "RUSTC": str(override)}
    for name, version, cure in (("Rust without its source", "1.95.0", "rustup component add rust-src"),
                                ("Rust that cannot compile its library", "1.90.0", "Update Rust to 1.92 or later")):
        rustc = compiler(folder / name.replace(" ", "-"), version, folder)
        yield name, THREAD, ["THREAD_MQTT_RUST_BUILD_STD=y"], f"Warning: {cure}", {**plain, "RUSTC": str(rustc)}


def cured_by(folder, env, by_rustup):
    """Returns whether a configuration, in the folder of one that failed, finds the compiler that was the cure, and the
    output. The compiler comes from rustup or is named by RUSTC, also for CMake's next run without RUSTC."""
    home = folder / ("cured-home" if by_rustup else "no-home")
    distribution = compiler(folder / "distribution")
    env = {**without_rust(env), "HOME": str(home), "PATH": f"{distribution.parent}:{env['PATH']}"}
    status, printed = configure(folder, NATIVE, BASE[NATIVE], env)
    if status == 0 or f"{distribution} (1.90.0) has no library" not in printed:
        return False, printed
    rustc = compiler(home / ".cargo/bin" if by_rustup else folder / "named", library=folder, suffix="" if by_rustup else "-1.90")
    cargo = rustc.with_name(rustc.name.replace("rustc", "cargo"))
    for more in [{}] if by_rustup else [{"RUSTC": str(rustc)}, {}]:
        status, printed = west_configure(folder, folder, NATIVE, [], {**env, **more}, pristine=False)
        cache = (folder / "build/CMakeCache.txt").read_text()
        if status != 0 or f"RUSTC:FILEPATH={rustc}\n" not in cache or f"CARGO:FILEPATH={cargo}\n" not in cache:
            return False, printed
    return True, printed


def sample_stops(folder, sample, options, sentence, env):
    """Returns whether a sample's configuration stops with the sentence, and the output."""
    status, printed = west_configure(ROOT / "samples" / sample, folder, NATIVE, options, env)
    return status != 0 and sentence in printed, printed


def has_default(folder, board, options, wanted, env):
    """Returns whether a configuration succeeds with the wanted option, and the output."""
    status, printed = configure(folder, board, options, env)
    return status == 0 and f"CONFIG_{wanted}\n" in (folder / "build/zephyr/.config").read_text(), printed


def sysbuild_passes_on(folder, given, name, wanted, env):
    """Returns whether what sysbuild is given reaches the image, and the output."""
    options = [f'SAMPLE_CA_FILE="{ROOT}/tests/zephyr/ca.pem"', RUSTS_LIBRARY]
    status, printed = west_configure(ROOT / "samples/publish", folder, THREAD, options, env,
                                     more=[variable.format(folder) for variable in given], sysbuild=True)
    if status != 0:
        return False, printed
    found = (folder / "build/publish" / name).read_text()
    return all(text.format(folder) in found for text in wanted), printed


def quoted_for_both(folder, env):
    """Returns whether a POSIX shell and Windows read the same environment in the Rust application's cargo command."""
    status, printed = west_configure(ROOT, folder, NATIVE, [f'APP_CA_FILE="{ROOT}/tests/zephyr/ca.pem"'], env)
    found = status == 0 and re.search("&& (.*) [^ ]* -E env BUILD_DIR=", (folder / "build/build.ninja").read_text())
    if not found:
        return False, printed
    windows = [(quoted or bare).replace('\\"', '"') for quoted, bare in re.findall(r'"((?:[^"\\]|\\")*)"|([^ ]+)', found[1])]
    well = windows == shlex.split(found[1]) and 'thread_mqtt="v5"' in windows[3] and windows[4].startswith("RUSTC=")
    return well, found[1]


def scenarios():
    """Returns name, application, board and description of what twister is to build, for the boards of these cases."""
    for path in (ROOT / "sample.yaml", *sorted((ROOT / "samples").glob("*/sample.yaml"))):
        described = yaml.safe_load(path.read_text())
        for name, scenario in described["tests"].items():
            options = described.get("common", {}).get("extra_configs", []) + scenario.get("extra_configs", [])
            allowed = scenario["platform_allow"]
            for board in {NATIVE, THREAD} & set(allowed.split() if isinstance(allowed, str) else allowed):
                yield f"{name} on {board}", path.parent, board, {**scenario, "extra_configs": options}


def scenario_configures(folder, source, board, scenario, env):
    """Returns whether the configuration of a scenario succeeds, and the output."""
    options = [option.removeprefix("CONFIG_") for option in scenario["extra_configs"]]
    status, printed = west_configure(source, folder, board, options, env, scenario.get("required_snippets", ()),
                                     scenario.get("extra_overlay_confs", ()))
    return status == 0, printed


def tries(folder, env):
    """Returns {name: (the required text, the function that tries it)}."""
    cases = [(*case, env) for case in CASES] + list(compilers(folder, env))
    found = {name: (sentence, functools.partial(case_passes, folder, board, BASE[board] + options, sentence, changed))
             for name, board, options, sentence, changed in cases}
    found.update({name: (sentence, functools.partial(sample_stops, folder, sample, options, sentence, env))
                  for name, sample, options, sentence in SAMPLES})
    found.update({f"Rust cured by {cure}": (None, functools.partial(cured_by, folder, env, cure == "rustup"))
                  for cure in ("rustup", "RUSTC")})
    found.update({name: (wanted, functools.partial(has_default, folder, board, BASE[board] + options, wanted, env))
                  for name, board, options, wanted in DEFAULTS})
    found["the application's environment"] = ("the same on POSIX and Windows", functools.partial(quoted_for_both, folder, env))
    found.update({name: (wanted, functools.partial(sysbuild_passes_on, folder, given, file, wanted, env))
                  for name, given, file, wanted in SYSBUILD})
    found.update({name: (None, functools.partial(scenario_configures, folder, source, board, scenario, env))
                  for name, source, board, scenario in scenarios()})
    return found


def main(workspace, names):
    env = environment(workspace)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20.0)\n"
            "find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})\n"
            "project(refusals)\ntarget_sources(app PRIVATE main.c)\n")
        (folder / "main.c").write_text("int main(void)\n{\n\treturn 0;\n}\n")
        runs = tries(folder, env)
        names = chosen(names, runs)
        for case in names:
            sentence, attempt = runs[case]
            well, printed = attempt()
            failed += not well
            print(f"{'ok' if well else 'FAILED':6}  {case}", flush=True)
            if not well:
                print(f"        wanted {sentence!r}: {printed[-1500:]}")
    print(f"{len(names) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1)
    sys.exit(1 if main(pathlib.Path(where).resolve(), wanted) else 0)
