"""Compiles the C port (zephyr/src) with stubs of Zephyr's and OpenThread's headers, in several
configurations and with the sanitizers, and runs its tests.

    python3 tests/port/run.py [NAME...]     (all tests, or those with these names)

Each test is a separate process, so that a deadlock or a broken lock order ends only that test.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "scripts"))
from usage import arguments  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
SANITIZERS = {
    "address, undefined behaviour": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "threads": ["-fsanitize=thread"],
}
THREAD = {"NET_L2_OPENTHREAD": 1, "OPENTHREAD_DNS_CLIENT": 1, "NET_NATIVE_IPV6": 1,
          "THREAD_MQTT_FAST_POLL": 200, "THREAD_MQTT_FAST_POLL_HOLD": 1000}
OTHER = {"NET_NATIVE_IPV4": 1, "NET_NATIVE_IPV6": 1, "NET_IPV4": 1}
STORES = {"THREAD_MQTT_STORAGE": 1, "THREAD_MQTT_DURABLE": 1, "TLS_CREDENTIALS": 1}
ZVFS = {"ZVFS_POLL": 1, "ZVFS_POLL_MAX": 3}

# Configuration, Zephyr version, options in addition to COMMON; MBEDTLS is the version of Mbed TLS.
CONFIGURATIONS = {
    "Thread": (0x040200, THREAD | STORES | ZVFS | {"MBEDTLS": 3}),
    "Thread, Zephyr 3.5": (0x030500, THREAD | STORES | {"NET_SOCKETS_POLL_MAX": 3}),
    "Thread without a DNS client, Zephyr 4.4": (
        0x040400, {**THREAD, "OPENTHREAD_DNS_CLIENT": None, "THREAD_MQTT_FAST_POLL": 0} | ZVFS),
    "Thread and another interface": (
        0x040200, THREAD | OTHER | STORES | ZVFS
        | {"NET_MGMT_EVENT": 1, "THREAD_MQTT_OTHER_INTERFACE": 1}),
    "another interface before Thread": (
        0x040100, THREAD | OTHER | {"NET_SOCKETS_POLL_MAX": 3, "THREAD_MQTT_FAST_POLL": 0}
        | {"NET_MGMT_EVENT": 1, "THREAD_MQTT_OTHER_INTERFACE": 1, "THREAD_MQTT_INTERFACE_OTHER": 1}),
    "Ethernet, Zephyr 4.5": (0x040500, OTHER | STORES | {"ZVFS_POLL_MAX": 3, "NET_MGMT_EVENT": 1,
                                                         "HWINFO": 1, "MBEDTLS": 4}),
    "Ethernet without events, Zephyr 3.5": (
        0x030500, OTHER | {"NET_SOCKETS_POLL_MAX": 3, "HWINFO": 1}),
}
# Otherwise the defaults of thread_mqtt_config.h.
COMMON = {
    "LOG": 1,
    "THREAD_MQTT_LOG_LEVEL": 4,
    "THREAD_MQTT_MAX_CLIENTS": 2,
    "THREAD_MQTT_STACK_SIZE": 13312,
    "THREAD_MQTT_THREAD_PRIORITY": 10,
    "THREAD_MQTT_TIME_SERVERS": '""',
}


def openthread_headers():
    """Returns the headers of the OpenThread that the simulator links: those of the real library."""
    host = next(line.split()[1] for line in
                subprocess.check_output(["rustc", "-vV"], cwd=ROOT, text=True).splitlines()
                if line.startswith("host:"))
    metadata = json.loads(subprocess.check_output(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host],
        cwd=ROOT))
    manifest = next(package["manifest_path"] for package in metadata["packages"]
                    if package["name"] == "openthread-sys")
    return pathlib.Path(manifest).parent / "openthread/include"


def port_sources(options):
    """The sources, as listed in zephyr/CMakeLists.txt."""
    names = ["credentials", "network", "options", "resolve", "socket", "storage", "system"]
    if options.get("NET_L2_OPENTHREAD"):
        names.append("openthread")
    if not options.get("NET_L2_OPENTHREAD") or options.get("THREAD_MQTT_OTHER_INTERFACE"):
        names.append("interface")
    if options.get("THREAD_MQTT_FAST_POLL"):
        names.append("poll")
    if options.get("MBEDTLS"):
        names.append("mbedtls_threading")
    return [ROOT / "zephyr/src" / f"{name}.c" for name in names]


def compile_tests(program, version, options, sanitizer, openthread):
    options = {name: value for name, value in (COMMON | options).items() if value is not None}
    tests = [path for path in sorted((HERE / "src").glob("*.c"))
             if path.name != "openthread.c" or options.get("NET_L2_OPENTHREAD")]
    command = ["cc", "-std=gnu11", "-O1", "-g", "-pthread", *WARNINGS, *sanitizer,
               f"-DKERNEL_VERSION_NUMBER={version:#x}", "-DTHREAD_MQTT_BUILD_TIME=1700000000LL",
               *(f"-DCONFIG_{name}={value}" for name, value in options.items()),
               "-include", f"{ROOT}/include/thread_mqtt_config.h", f"-I{HERE}/src", f"-I{HERE}/include",
               f"-I{HERE}/{'new' if version >= 0x030700 else 'old'}",
               f"-I{ROOT}/zephyr/src", f"-I{ROOT}/include", f"-I{openthread}",
               f"-I{HERE}/mbedtls{options.get('MBEDTLS', '-none')}", f"-I{ROOT}/zephyr/mbedtls",
               *map(str, port_sources(options)), *map(str, tests), "-o", str(program)]
    subprocess.run(command, check=True)


# ThreadSanitizer of older compilers exits at once if addresses are randomised over a wide range (vm.mmap_rnd_bits).
STEADY = ["setarch", "-R"] if shutil.which("setarch") and not subprocess.run(
    ["setarch", "-R", "true"], stderr=subprocess.DEVNULL).returncode else []


def run_test(program, name):
    """Returns None, or how the test failed."""
    result = subprocess.run([*STEADY, program, name], capture_output=True, text=True, errors="replace",
                            env=dict(os.environ, UBSAN_OPTIONS="print_stacktrace=1"))
    if name == "panic":
        # The text is truncated, and the image stops.
        shown = "".join(chr(ord("a") + i % 26) for i in range(160))
        well = result.returncode == 77 and result.stdout == f"E {shown}\n"
    else:
        well = result.returncode == 0
    return None if well else f"exit status {result.returncode}\n{result.stdout}{result.stderr}"


def main(names):
    openthread = openthread_headers()
    passed = failed = 0
    jobs = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        variants = [(configuration, sanitizer) for configuration in CONFIGURATIONS
                    for sanitizer in SANITIZERS]
        programs = [pathlib.Path(folder) / f"port-{i}" for i in range(len(variants))]
        builds = [pool.submit(compile_tests, program, *CONFIGURATIONS[configuration],
                              SANITIZERS[sanitizer], openthread)
                  for (configuration, sanitizer), program in zip(variants, programs)]
        for (configuration, sanitizer), program, build in zip(variants, programs, builds):
            build.result()
            tests = [name for name in subprocess.check_output([*STEADY, program], text=True).split()
                     if not names or name in names]
            if not tests and not names:
                sys.exit(f"error: {configuration} ({sanitizer}) has no tests")
            results = list(pool.map(lambda name: run_test(program, name), tests))
            wrong = [(name, why) for name, why in zip(tests, results) if why is not None]
            passed += len(tests) - len(wrong)
            failed += len(wrong)
            print(f"{configuration} ({sanitizer}): {len(tests) - len(wrong)} of {len(tests)} passed",
                  flush=True)
            for name, why in wrong:
                print(f"FAILED {name}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main(arguments(__doc__)))
