#!/usr/bin/env python3
"""The C API on an emulated Cortex-M4: a C application, compiled by arm-none-eabi-gcc with its short
enums, the C API's Rust library and a port without an operating system, against Mosquitto.

    python3 tests/cortex-m4/c_api.py

Prints the image's output. Fails if one of its checks fails, or if the broker's log does not show
what the application configured. Needs what bench/cortex-m4/measure.py needs.
"""
import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "bench/cortex-m4"), str(ROOT / "tests/brokers")]
import build  # noqa: E402
import init  # noqa: E402
import needs  # noqa: E402
import run  # noqa: E402
from cutter import Cutter  # noqa: E402
from ports import free_ports  # noqa: E402
from relay import Forgetful, Relay  # noqa: E402
from usage import arguments  # noqa: E402

# The same as in measure.py --init, so that it is compiled once for both.
FEATURES = init.features("soft provider")
SHARED = [HERE / name for name in ("client.c", "check.c", "port.c", "store.c", "cooperative.c")] + [
    ROOT / "zephyr/src/abi.c", build.C / "board.c"]
EVERYTHING = [HERE / name for name in ("main.c", "offline.c", "stored.c", "pieces.c")] + SHARED
LARGE = [HERE / "large.c"] + SHARED
CERTIFICATES = run.Handshake("1.3", "rsa", "X25519")
# The defaults of CONFIG_THREAD_MQTT_MAX_CHAIN and _TLS_INBOUND; outbox and largest packet of config.h.
CHAIN, RECORD, OUTBOX, PACKET = 4, 18437, 4096, 4096
# The connections of the port that cuts connections, in the order of the tests in pieces.c: cut after this many bytes
# from the board, not cut, cut after this many bytes from the broker.
CUTS = (("up", 20_000), None, ("down", 20_000))
# What Mosquitto must have received of the configurations in offline.c and main.c.
LOGGED = (
    r"as thread-mqtt-f4ce360102030405 \(p5, c1, k60\)",
    r"as board-4 \(p2, c1, k123\)",
    r"as board-session \(p5, c0, k60\)",
    r"as board-password \(p5, c1, k321, u'ann'\)",
    r"Will message specified \(4 bytes\) \(r1, q1\)",
    r"board/will",
)
# What large.c is told to do: with the heap required for MQTT 3.1.1, and with that of the release.
RELEASE = ROOT / "snippets/thread-mqtt-release/release.conf"
LARGE_TOTAL = 15_900
SKIPPED, ANEW = 1, 2


def image(folder, sources, *defined):
    """Builds the program. abi.c has no code; it asserts how this compiler laid out the structures."""
    flags = [*build.CFLAGS, "-Wall", "-Wextra", "-Werror", f"-I{build.C}", f"-I{ROOT / 'include'}",
             f"-I{ROOT / 'zephyr/src'}", f"-I{HERE}", *defined, "-include", HERE / "config.h"]
    objects = []
    for source in sources:
        objects.append(folder / (source.stem + ".o"))
        build.run([build.GCC, *flags, "-c", source, "-o", objects[-1]])
    elf = folder / "image.elf"
    build.run([build.GCC, *build.CPU, "--specs=nano.specs", "-nostartfiles", "-T", build.C / "link.ld",
               "-Wl,--gc-sections", "-o", elf, *objects, *build.DIVISION, build.c_api_library(FEATURES, folder),
               "-Wl,--start-group", "-lc", "-lgcc", "-lnosys", "-Wl,--end-group"])
    return elf


@contextlib.contextmanager
def mosquitto(folder):
    """Runs Mosquitto with an open listener, one that requires a password and one with TLS.
    Yields their ports and the log."""
    ports = free_ports(3)
    log = folder / "mosquitto.log"
    command = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    passwords = folder / "passwords"
    build.run(["mosquitto_passwd", "-b", "-c", passwords, "ann", "secret"])
    acl = folder / "acl"
    acl.write_text("topic readwrite board/#\ntopic readwrite from/#\nuser ann\ntopic readwrite board/#\n")
    chain = run.PKI / CERTIFICATES.chain
    (folder / "mosquitto.conf").write_text(
        f"per_listener_settings true\nlog_type all\n"
        f"listener {ports[0]} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
        f"listener {ports[1]} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"listener {ports[2]} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {chain}-leaf.pem\nkeyfile {chain}-leaf.key.pem\n"
        # If started by root it would switch to a user that cannot read this folder.
        "user root\n")
    with open(log, "wb") as out:
        process = subprocess.Popen([command, "-c", str(folder / "mosquitto.conf")], stdout=out,
                                   stderr=subprocess.STDOUT)
    with run.ended(process):
        run.until(lambda: log.read_bytes().count(b"Opening ipv4") == len(ports), process, "mosquitto")
        yield ports, log


def heap_of_the_release():
    return int(re.search(r"^CONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE=(\d+)$", RELEASE.read_text(), re.M)[1])


def emulate(elf, folder, port, heap_limit, task=0):
    """Runs the image. Returns its output and how it ended. An instruction takes 16 ns, as on an nRF52840."""
    told = folder / "parameters.bin"
    told.write_bytes(run.parameters(dataclasses.replace(CERTIFICATES, mqtt=str(task)), heap_limit))
    command = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none",
               "-icount", "shift=4,sleep=off", "-serial", f"tcp:127.0.0.1:{port}",
               "-semihosting-config", "enable=on,target=native",
               "-device", f"loader,file={told},addr={run.PARAMETERS:#x},force-raw=on", "-kernel", str(elf)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=run.PATIENCE * 3)
    except subprocess.TimeoutExpired as late:
        raise build.Failed(f"no end within {run.PATIENCE * 3} s\n{(late.stdout or b'').decode()}") from None
    return done.stdout, done.returncode


def test_everything(folder):
    elf = image(folder, EVERYTHING)
    # The heap that refuse.cmake requires for messages in pieces.
    heap_limit = needs.arena(CHAIN, OUTBOX, PACKET, soft=True) + RECORD + needs.numbers()["record_beside"]
    forgetful = Forgetful()
    forgetful.start()
    with mosquitto(folder) as ((plain, passwords, tls), log), Cutter(plain, CUTS) as cutter:
        broker = "203.0.113.10"
        relay = Relay({
            (broker, 1883): plain, (broker, 8883): tls, (broker, 1885): passwords, (broker, 1884): None,
            (broker, 1886): forgetful.port, (broker, 1887): cutter.own_port, ("203.0.113.66", 1883): None,
        }, run.UNIX_TIME + 86400)
        relay.start()
        said, status = emulate(elf, folder, relay.port, heap_limit)
        relay.join(10)
        logged = log.read_text()
    check(said, status, relay, logged)
    missing = [line for line in LOGGED if not re.search(line, logged)]
    if missing:
        raise build.Failed("the broker's log lacks " + "\nand ".join(missing) + f"\n{logged}")
    print(f"and {len(LOGGED)} lines in the broker's log, with {heap_limit:,} bytes of heap")


def check(said, status, relay, logged):
    print(said, end="")
    if relay.error is not None:
        raise build.Failed(f"the board's network: {relay.error}")
    if status != 0 or not re.search(r"^[1-9]\d* passed, 0 failed$", said, re.M):
        raise build.Failed(f"the image exited with {status}; the broker's log:\n{logged[-3000:]}")


def test_large(folder):
    """Publishes messages that do not fit: kept by the broker for a session, and retained."""
    elf = image(folder, LARGE, "-DCONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES=0")
    payload = folder / "payload"
    payload.write_bytes(b"x" * LARGE_TOTAL)
    for task, heap_limit in (
            (SKIPPED, needs.arena(2, OUTBOX, PACKET, soft=True, any_record=True)), (ANEW, heap_of_the_release())):
        with mosquitto(folder) as ((plain, _, tls), log):
            at = ["-h", "127.0.0.1", "-p", str(plain), "-V", "mqttv311", "-q", "1"]
            build.run(["mosquitto_sub", *at, "-i", "board-large", "-c", "-E", "-t", "board/large"])
            build.run(["mosquitto_pub", *at, "-r", "-t", "board/retained", "-f", payload])
            build.run(["mosquitto_pub", *at, "-t", "board/large", "-f", payload])
            build.run(["mosquitto_pub", *at, "-t", "board/large", "-m", "after"])
            relay = Relay({("203.0.113.10", 8883): tls}, run.UNIX_TIME + 86400)
            relay.start()
            said, status = emulate(elf, folder, relay.port, heap_limit, task)
            relay.join(10)
            logged = log.read_text()
        check(said, status, relay, logged)
        sent = len(re.findall(rf"Sending PUBLISH to board-large .*board/large.*\({LARGE_TOTAL} bytes\)", logged))
        acknowledged = len(re.findall("Received PUBACK from board-large", logged))
        print(f"with {heap_limit:,} bytes of heap, the broker sent the large message {sent} times")
        if task == SKIPPED and (sent, acknowledged) != (1, 3):
            raise build.Failed(f"sent {sent} times and {acknowledged} messages acknowledged; the broker's log:\n{logged}")


def main():
    try:
        with tempfile.TemporaryDirectory() as folder:
            test_everything(Path(folder))
            test_large(Path(folder))
        return 0
    except build.Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    arguments(__doc__, 0, 0)
    sys.exit(main())
