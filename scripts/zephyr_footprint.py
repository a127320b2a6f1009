"""Builds and measures the images of docs/footprint-tables.md, and writes its tables.

    python3 scripts/zephyr_footprint.py WORKSPACE [NAME ...]     (the folder above zephyr/)

Builds all configurations if no name is given. The images and the results of earlier runs stay in
WORKSPACE/build-footprint, or in the folder that FOOTPRINT_BUILD names; a name updates its rows only.
Needs west, openssl, Rust for the boards' processors, and the toolchain that ZEPHYR_TOOLCHAIN_VARIANT
names.
"""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import typing

from usage import arguments, refuse_other_folder

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "footprint-tables.md"
BEGIN, END = "<!-- begin: zephyr -->", "<!-- end: zephyr -->"
SLOT = 0x76000  # an MCUboot slot of the nrf52840dk

DK = "nrf52840dk/nrf52840"
PUBLISH, MUTUAL_TLS, SENSOR = "samples/publish", "samples/mutual_tls", "samples/sensor_sleepy"
C_SAMPLE = "zephyr/samples/net/mqtt_publisher"  # in the workspace

# Zephyr's own sample as the same Thread device, with our sample's board configuration. Its POSIX API needs a
# full C library, and Debian has no suitable one. The sample uses only four names of that API.
C_THREAD = """POSIX_API=n NET_IPV6=y LOG=y OPENTHREAD_THREAD_VERSION_1_4=y OPENTHREAD_UPTIME=y
OPENTHREAD_SLAAC=y OPENTHREAD_DNS_CLIENT=y
COMMON_LIBC_MALLOC_ARENA_SIZE=0 MAIN_STACK_SIZE=4096 NET_LOG=n NET_SHELL=n NET_CONFIG_SETTINGS=n
NET_IPV6_RA_RDNSS=n TEST_RANDOM_GENERATOR=n"""
C_NAMES = "-Dpollfd=zsock_pollfd -DPOLLIN=ZSOCK_POLLIN -Dpoll=zsock_poll -Dinet_pton=zsock_inet_pton"
# Its TLS uses the Mbed TLS that OpenThread has by default, without PSA: ECDHE_RSA needs the older functions
# in any case, and adding PSA would duplicate the cryptography.
C_TLS = """MQTT_LIB_TLS=y NET_SOCKETS_SOCKOPT_TLS=y MBEDTLS_TLS_VERSION_1_2=y MBEDTLS_SERVER_NAME_INDICATION=y
MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED=y MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED=y MBEDTLS_RSA_C=y
MBEDTLS_PKCS1_V15=y MBEDTLS_ECP_C=y MBEDTLS_ECDH_C=y MBEDTLS_ECDSA_C=y MBEDTLS_ECP_DP_SECP256R1_ENABLED=y
MBEDTLS_ECP_DP_CURVE25519_ENABLED=y MBEDTLS_CIPHER_GCM_ENABLED=y MBEDTLS_SSL_MAX_CONTENT_LEN=4096
MBEDTLS_HEAP_SIZE=24576 MBEDTLS_OPENTHREAD_OPTIMIZATIONS_ENABLED=n"""
SMALL = "THREAD_MQTT_P384=n THREAD_MQTT_AES256=n THREAD_MQTT_CHACHA20=n THREAD_MQTT_CLIENT_AUTH=n"
ONLY = "THREAD_MQTT_RUSTLS_CLIENT_ONLY=y"
OFF = "P384 AES256 CHACHA20 X25519 CLIENT_AUTH RSA RSA_IN_RUST TLS12 SENTENCES RUST_BUILD_STD".split()


class Image(typing.NamedTuple):
    """A configuration to build."""

    what: str
    source: str = PUBLISH
    board: str = DK
    snippets: tuple = ()  # in addition to thread-mqtt-upstream-psa
    options: str = ""
    release: bool = False  # with the snippet, for an MCUboot slot


CONFIGURATIONS = {
    "mtd": Image("MTD"),
    "ftd": Image("FTD", snippets=("thread-mqtt-ftd",)),
    "sleepy": Image("sleepy end device", snippets=("thread-mqtt-sleepy",)),
    "dongle": Image("MTD", board="nrf52840dongle/nrf52840"),
    "small": Image("MTD, AES-128, P-256, X25519 and RSA only, no client certificate", options=SMALL),
    "soft": Image("MTD, RustCrypto beside PSA", options="THREAD_MQTT_CRYPTO_SOFT=y"),
    "mutual-tls": Image("`mutual_tls`, MTD", MUTUAL_TLS),
    "sensor": Image("`sensor_sleepy`, sleepy end device", SENSOR),
    "rust": Image("the application in Rust, MTD", "."),
    "release": Image("MTD, release", release=True),
    # Undoes the snippet thread-mqtt-p256.
    "release-general": Image("the same with generic curves, X25519 and P-384", release=True,
                             options="THREAD_MQTT_P256M=n THREAD_MQTT_X25519=y THREAD_MQTT_P384=y THREAD_MQTT_SHA512_SMALLER=n "
                                     "MBEDTLS_HEAP_SIZE=8192"),
    "release-sleepy": Image("sleepy end device, release", snippets=("thread-mqtt-sleepy",), release=True),
    "release-mutual-tls": Image("`mutual_tls`, MTD, release", MUTUAL_TLS, release=True),
    "release-sensor": Image("`sensor_sleepy`, sleepy end device, release", SENSOR, release=True),
    "release-small": Image("MTD, release, P-256, X25519 and RSA only, no client certificate", options=SMALL, release=True),
    "release-tls13": Image("MTD, release, TLS 1.3 only", options="THREAD_MQTT_TLS12=n", release=True),
    "release-only": Image("MTD, release, client-only rustls", options=ONLY, release=True),
    "release-only-tls13": Image("the same, TLS 1.3 only", options=ONLY + " THREAD_MQTT_TLS12=n", release=True),
    "release-only-least": Image("the same, MQTT 5 and DER only, no client certificate", release=True,
                                options=ONLY + " THREAD_MQTT_TLS12=n THREAD_MQTT_V311=n THREAD_MQTT_PEM=n THREAD_MQTT_CLIENT_AUTH=n"),
    # Does not fit the slot with the full rustls.
    "release-only-ftd": Image("FTD, release, client-only rustls", snippets=("thread-mqtt-ftd",), options=ONLY, release=True),
    "release-ftd": Image("FTD, release, TLS 1.3 only, no client certificate", snippets=("thread-mqtt-ftd",),
                         options=SMALL + " THREAD_MQTT_TLS12=n", release=True),
    "c": Image("Zephyr's mqtt_publisher, MTD, no TLS", C_SAMPLE, options=C_THREAD),
    "c-tls": Image("Zephyr's mqtt_publisher, MTD, Mbed TLS, TLS 1.2", C_SAMPLE, options=C_THREAD + " " + C_TLS),
    "c-release": Image("Zephyr's mqtt_publisher, MTD, Mbed TLS, TLS 1.2, release", C_SAMPLE,
                       options=C_THREAD + " " + C_TLS, release=True),
} | {f"no-{name.lower()}": Image(f"without `THREAD_MQTT_{name}`", options=f"THREAD_MQTT_{name}=n")
     for name in OFF}


def run(command, **options):
    """Runs a command. On failure shows the end of its output and exits."""
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
    if result.returncode != 0:
        lines = (result.stdout + result.stderr).splitlines()
        sys.exit("\n".join(line[:300] for line in lines[-40:]) + f"\nerror: {command[0]} failed")
    return result.stdout


def build(name, workspace, folder):
    """Builds a configuration and returns the build folder."""
    image = CONFIGURATIONS[name]
    ours = not image.source.startswith("zephyr/")
    source = (ROOT if ours else workspace) / image.source
    arguments = [f"-DCONFIG_{option}" for option in image.options.split()]
    if ours:
        ca, key = folder / "ca.pem", folder / "key.pem"
        if not ca.exists() or not key.exists():
            run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key),
                 "-out", str(ca), "-subj", "/CN=footprint", "-addext", "basicConstraints=critical,CA:TRUE"])
        if image.source == MUTUAL_TLS:
            arguments += [f'-DCONFIG_SAMPLE_CERTIFICATE_FILE="{ca}"', f'-DCONFIG_SAMPLE_KEY_FILE="{key}"']
        option = "APP" if source == ROOT else "SAMPLE"
        arguments += [f"-DEXTRA_ZEPHYR_MODULES={ROOT}", f'-DCONFIG_{option}_CA_FILE="{ca}"',
                      f"-DTHREAD_MQTT_CARGO_TARGET_DIR={folder / 'cargo'}",
                      '-DCONFIG_THREAD_MQTT_BROKER="mqtts://broker.example.org"',
                      "-DSNIPPET=" + ";".join(["thread-mqtt-upstream-psa", *image.snippets,
                                               *(["thread-mqtt-release", "thread-mqtt-p256"] if image.release else [])])]
    else:
        arguments += [f"-DEXTRA_CONF_FILE={ROOT}/boards/nrf52840dk_nrf52840.conf", f"-DEXTRA_CFLAGS={C_NAMES}"]
    if image.release:
        arguments += ["-DCONFIG_BOOTLOADER_MCUBOOT=y"]
        # The C sample gets the lines of the snippet that are not about this module.
        lines = (ROOT / "snippets/thread-mqtt-release/release.conf").read_text().splitlines()
        if not ours:
            arguments += [f"-D{line}" for line in lines if re.match("CONFIG_(?!THREAD_MQTT_|COMMON_LIBC_MALLOC_ARENA)", line)]
    env = dict(os.environ, ZEPHYR_BASE=str(workspace / "zephyr"))
    run(["west", "build", "-b", image.board, "-d", str(folder / name), str(source), "--", *arguments],
        cwd=workspace, env=env)
    return folder / name


def elf_sections(path):
    """Returns (virtual address, load address, file size, memory size) of every loadable segment."""
    data = path.read_bytes()
    offset, = struct.unpack_from("<I", data, 28)
    size, count = struct.unpack_from("<HH", data, 42)
    loads = [struct.unpack_from("<8I", data, offset + i * size) for i in range(count)]
    # type, offset, vaddr, paddr, filesz, memsz, flags, align
    return [(v, p, file, memory) for kind, _, v, p, file, memory, _, _ in loads if kind == 1]


def measure(folder):
    """Returns flash and RAM of an image, and their parts."""
    loads = elf_sections(folder / "zephyr" / "zephyr.elf")
    flash = [(p, p + file) for _, p, file, _ in loads if file]
    ram = [(v, v + memory) for v, _, _, memory in loads if v >= 0x20000000]
    settings = dict(re.findall(r"^CONFIG_(\w+)=(\S+)$", (folder / "zephyr" / ".config").read_text(), re.M))
    number = lambda name: int(settings.get(name, "0"), 0)
    libraries, ram_libraries = by_library(folder / "zephyr" / "zephyr.map")
    return {
        "flash": max(end for _, end in flash) - min(begin for begin, _ in flash),
        "ram": max(end for _, end in ram) - min(begin for begin, _ in ram),
        "arena": number("COMMON_LIBC_MALLOC_ARENA_SIZE"),
        "psa heap": number("MBEDTLS_HEAP_SIZE"),
        "client stack": number("THREAD_MQTT_STACK_SIZE") if "THREAD_MQTT_C_API" in settings else 0,
        "main stack": number("MAIN_STACK_SIZE"),
        "other stacks": sum(number(name) for name in (
            "OPENTHREAD_THREAD_STACK_SIZE", "SYSTEM_WORKQUEUE_STACK_SIZE", "NET_RX_STACK_SIZE",
            "NET_TX_STACK_SIZE", "NET_TCP_WORKQ_STACK_SIZE", "ISR_STACK_SIZE", "IDLE_STACK_SIZE",
            "IEEE802154_NRF5_RX_STACK_SIZE")),
        "libraries": libraries,
        "ram libraries": ram_libraries,
        "crates": by_crate(folder),
    }


GROUPS = (
    ("thread-mqtt in Rust", r"libthread_mqtt_c_api|librustapp"),
    ("thread-mqtt in C", r"libthread_mqtt\b"),
    ("OpenThread", r"libopenthread"),
    ("Mbed TLS", r"libmbedTLS|libmodules__mbedtls"),
    ("Zephyr's network stack", r"libsubsys__net|liblib__net_buf"),
    ("802.15.4 driver", r"libnrf-802154|libdrivers__ieee802154"),
    ("kernel, drivers, C library", r""),
)


def by_library(path):
    """Returns the bytes of flash and RAM per group of libraries, from the linker map."""
    flash, ram, output = {}, {}, ""
    text = path.read_text(errors="replace")
    text = re.sub(r"\n (\S+)\n +(0x)", r"\n \1 \2", text[text.index("Linker script and memory map"):])
    for line in text.splitlines():
        if line and not line[0].isspace():
            output = line.split()[0]
        found = re.match(r" \S+ +0x([0-9a-f]+) +0x([0-9a-f]+) (\S.*(?:\.a\(.*\)|\.o|\.obj))$", line)
        if not found or re.match(r"\.(debug|comment|ARM\.attributes)", output):
            continue
        address, size, file = int(found[1], 16), int(found[2], 16), found[3]
        group = next(name for name, pattern in GROUPS if re.search(pattern, file))
        where = ram if address >= 0x20000000 else flash
        where[group] = where.get(group, 0) + size
    return flash, ram


def by_crate(folder):
    """Returns the bytes of each crate's functions (without its constants), from the symbol table."""
    cache = (folder / "CMakeCache.txt").read_text()
    nm = re.search(r"^CMAKE_NM:\w+=(.+)$", cache, re.M)[1]
    crates = {}
    for line in run([nm, "-S", str(folder / "zephyr" / "zephyr.elf")]).splitlines():
        parts = line.split()
        if len(parts) != 4 or parts[2] not in "tT":
            continue
        found = re.search(r"Cs[0-9A-Za-z]+_(\d+)_?([A-Za-z]\w*)", parts[3]) if parts[3].startswith("_R") else None
        if found:
            crate = found[2][:int(found[1])].replace("thread_mqtt_", "").replace("_", "-")
            crates[crate] = crates.get(crate, 0) + int(parts[1], 16)
    return crates


def table(head, rows):
    """Returns a Markdown table with right-aligned numbers."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for row in rows:
        lines.append("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) + " |")
    return "\n".join(lines)


def section(results):
    """Returns the section of the page."""
    images = [name for name in CONFIGURATIONS if name in results and not name.startswith("no-")]
    parts = [f"""Made by `python3 scripts/zephyr_footprint.py WORKSPACE`; bytes. The workspace: {results['tree']}.
"Room" is the space left of the {SLOT:,} bytes (0x76000) of an MCUboot slot on the nrf52840dk. "Release" images use the
snippets `thread-mqtt-release` and `thread-mqtt-p256` with `CONFIG_BOOTLOADER_MCUBOOT=y`, so that the linker itself
limits the image to the slot.
"""]
    parts.append(table(
        ["image", "board", "flash", "room", "RAM", "heap arena", "Mbed TLS's heap", "client's stack", "main stack"],
        [(CONFIGURATIONS[name].what, CONFIGURATIONS[name].board.split("/")[0], r["flash"], SLOT - r["flash"], r["ram"],
          r["arena"], r["psa heap"], r["client stack"], r["main stack"])
         for name in images for r in [results[name]]]))
    base = results.get("mtd")
    if base:
        compared = [name for name in ("mtd", "small", "c-tls", "c") if name in results]
        for title, key in (("flash", "libraries"), ("RAM", "ram libraries")):
            parts.append(f"\nWhere the {title} goes:\n")
            parts.append(table(
                ["", *(CONFIGURATIONS[name].what for name in compared)],
                [(group, *(results[name][key].get(group, 0) for name in compared)) for group, _ in GROUPS]))
        largest = sorted(base["crates"].items(), key=lambda item: -item[1])[:16]
        parts.append("\nThe functions of the largest crates, without constants (`core` and `alloc` include "
                     "what others instantiate from them):\n")
        parts.append(table(["crate", "flash"], largest))
        switches = [name for name in CONFIGURATIONS if name.startswith("no-") and name in results]
        if switches:
            parts.append("\nWhat each option saves by itself in the first image:\n")
            parts.append(table(["", "flash", "RAM"], [
                (CONFIGURATIONS[name].what, base["flash"] - results[name]["flash"], base["ram"] - results[name]["ram"])
                for name in switches]))
    return "\n".join(parts) + "\n"


def main(workspace, names):
    refuse_other_folder(workspace)
    if unknown := [name for name in names if name not in CONFIGURATIONS]:
        sys.exit(f"error: unknown configuration {unknown[0]}; choose from {', '.join(CONFIGURATIONS)}")
    folder = pathlib.Path(os.environ.get("FOOTPRINT_BUILD", workspace / "build-footprint"))
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "results.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    version = dict(re.findall(r"^(\w+) = (\d+)$", (workspace / "zephyr" / "VERSION").read_text(), re.M))
    results["tree"] = "Zephyr {VERSION_MAJOR}.{VERSION_MINOR}.{PATCHLEVEL}".format(**version)
    for name in names or CONFIGURATIONS:
        print(f"building {name}", flush=True)
        results[name] = measure(build(name, workspace, folder))
        print(f"  flash {results[name]['flash']:,}, RAM {results[name]['ram']:,}", flush=True)
        store.write_text(json.dumps(results, indent=1))
    page = PAGE.read_text() if PAGE.exists() else f"# Footprint\n\n## In a Zephyr image\n\n{BEGIN}\n{END}\n"
    if BEGIN not in page:
        page += f"\n## In a Zephyr image\n\n{BEGIN}\n{END}\n"
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{section(results)}{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1)
    main(pathlib.Path(where).resolve(), wanted)
