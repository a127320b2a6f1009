"""Measures what thread_mqtt_init() costs the calling thread, and what the client's thread does for it."""
import base64
import re
import subprocess

import build
import run

TESTS = build.ROOT / "tests/cortex-m4"
# 10 ms at 64 MHz with two cycles per instruction, because of flash wait states.
LIMIT = 320_000
# With client certificates. The rest is as in tests/cortex-m4, which compiles the same library.
COMMON = ("v311", "v5", "pem", "summaries", "tls12", "rsa", "x25519", "properties", "outbox-policies", "pieces",
          "client-auth", "durable", "session-encryption")
BACKENDS = {
    "PSA provider": ("crypto-psa", "rsa-in-rust"),
    "soft provider": ("crypto-soft",),
}


def features(backend):
    return ("sentences", "runtime") + tuple(f"thread-mqtt-platform/{feature}" for feature in COMMON + BACKENDS[backend])


def credentials():
    """Returns the header with the credentials as C strings."""
    def pem(name):
        return (run.PKI / f"{name}.pem").read_text()

    def section(text):
        return base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-")))

    key = pem("p256-client.key")
    # PKCS#8 around SEC1: the private number follows its tag.
    at = section(key).index(b"\x04\x20") + 2
    number = section(key)[at:at + 32]
    # SEC1 (RFC 5915) with only the number and the curve's name.
    alone = b"\x30\x31\x02\x01\x01\x04\x20" + number + bytes.fromhex("a00a06082a8648ce3d030107")
    texts = {
        "ca_rsa": pem("rsa-root"), "ca_bundle": pem("rsa-root") * 10, "certificate_p256": pem("p256-client"), "key_p256": key,
        "key_p256_alone": "-----BEGIN EC PRIVATE KEY-----\n" + base64.encodebytes(alone).decode() + "-----END EC PRIVATE KEY-----\n",
    }
    lines = []
    for name, text in texts.items():
        strings = "\n".join(f'\t"{line}\\n"' for line in text.splitlines())
        lines.append(f"static const char {name}[] =\n{strings};\n")
    numbers = ", ".join(f"{byte:#x}" for byte in number)
    lines.append(f"static const unsigned char key_number[] __attribute__((unused)) = {{{numbers}}};\n")
    return "".join(lines)


def image(builder, backend):
    """Builds the program with this backend."""
    folder = builder.folder / f"init-{backend.split()[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "init_credentials.h").write_text(credentials())
    flags = [*build.CFLAGS, "-Wall", "-Wextra", "-Werror", f"-I{build.C}", f"-I{build.ROOT / 'include'}", f"-I{TESTS}",
             f"-I{folder}", "-include", TESTS / "config.h"]
    sources = [build.C / "init.c", build.C / "board.c", TESTS / "port.c", TESTS / "store.c", TESTS / "cooperative.c"]
    parts = []
    if "psa" in backend.lower():
        below = build.Image("init", mbedtls="board_psa.h")
        flags += [*builder.mbedtls_flags(below), f"-I{build.ROOT / 'rust/crypto/psa/c'}", "-DINIT_PSA"]
        sources += [build.ROOT / "rust/crypto/psa/c/thread_mqtt_psa.c", build.C / "psa_random.c"]
        parts.append(builder.mbedtls_library(below))
    objects = []
    for source in sources:
        objects.append(folder / (source.stem + ".o"))
        build.run([build.GCC, *flags, "-c", source, "-o", objects[-1]])
    elf = folder / "image.elf"
    library = build.c_api_library(features(backend), folder)
    build.run([build.GCC, *build.CPU, "--specs=nano.specs", "-nostartfiles", "-T", build.C / "link.ld", "-Wl,--gc-sections",
               "-o", elf, *objects, *build.DIVISION, library, *parts, "-Wl,--start-group", "-lc", "-lgcc", "-lnosys",
               "-Wl,--end-group"])
    return elf


def measure(builder):
    """Returns {backend: [(configuration, instructions, stack and heap of the call, instructions and heap in the
    thread)]}."""
    builder.folder.mkdir(parents=True, exist_ok=True)
    told = builder.folder / "init-parameters.bin"
    told.write_bytes(run.parameters(run.Handshake("1.3", "rsa", "X25519"), 0))
    table = {}
    for backend in BACKENDS:
        command = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none", "-serial", "null",
                   "-icount", "shift=0,sleep=off", "-semihosting-config", "enable=on,target=native",
                   "-device", f"loader,file={told},addr={run.PARAMETERS:#x},force-raw=on", "-kernel", image(builder, backend)]
        said = build.run(command, timeout=run.PATIENCE)
        rows = table[backend] = []
        for line in said.splitlines():
            if match := re.fullmatch(r"phase (.+?) ([\d ]+)", line):
                numbers = list(map(int, match[2].split()))
                if match[1] == "thread":
                    rows[-1] += tuple(numbers[:2])
                elif match[1] not in ("between", "start", "end"):
                    rows.append((match[1], numbers[0], numbers[4], numbers[1]))
        if len(rows) < 5 or any(len(row) != 6 for row in rows):
            raise build.Failed(f"{backend}: the image failed:\n{said}")
    return table


def check(builder):
    """Prints the measurements and returns the number of calls that take too long."""
    late = 0
    for backend, rows in measure(builder).items():
        for what, call, stack, heap, later, heap_later in rows:
            print(f"thread_mqtt_init(), {backend}, {what}: {call:,} instructions, {stack:,} bytes of stack, {heap:,} of heap; "
                  f"in the client's thread {later:,} instructions, {heap_later:,} bytes of heap", flush=True)
            if call > LIMIT:
                late += 1
                print(f"error: thread_mqtt_init() takes {call:,} instructions, more than {LIMIT:,}\n  cure: move what is expensive to "
                      "the client's thread (rust/c-api/src/setup.rs)")
    return late
