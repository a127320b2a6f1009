"""Runs samples/publish on a Cortex-M4 emulated by QEMU (Zephyr's board mps2/an386): Zephyr's own TCP on the
board's Ethernet, against Mosquitto, on each crypto backend, with the heap that 4 kB packets need. The image goes online
over TLS 1.2, sends and receives a message, skips one that is too large, and reconnects over TLS 1.3 after the broker
restarted. Prints each thread's stack use, the peak use of the heap and the instructions executed.

    python3 tests/zephyr/cortex_m.py WORKSPACE [soft|psa...]     (the folder above zephyr/)

Needs what native_sim.py needs, qemu-system-arm, and gcc for Cortex-M: Zephyr's SDK, or arm-none-eabi-gcc.
The image can reach only one address and port, Mosquitto's, and nothing else on the machine.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from native_sim import (
    BROKER_GONE, ROOT, broker, certificates, chosen, environment, kept, psa_works, wait_for, west_build)
from ports import free_port
from usage import arguments

sys.path.append(str(ROOT / "bench/cortex-m4"))
import needs  # noqa: E402

BOARD = "mps2/an386"
BROKER = "10.0.2.100"  # in the network that QEMU provides to the image
# Each instruction takes 16 ns of the board's time, as on a chip that runs one instruction per cycle at 62.5 MHz. The
# board counts cycles of 40 ns.
SHIFT = 4
CYCLE = 40


# Largest packet and outbox, and the heap in docs/footprint.md for these, chains of two certificates, and a protocol
# that cannot tell a broker what fits: it has room for any record.
PACKET = 4096
SIZES = [f"-DCONFIG_THREAD_MQTT_MAX_PACKET_SIZE={PACKET}", f"-DCONFIG_THREAD_MQTT_OUTBOX_BYTES={PACKET}",
         "-DCONFIG_THREAD_MQTT_VERSION=4", "-DCONFIG_THREAD_MQTT_MAX_CHAIN=2",
         f"-DCONFIG_COMMON_LIBC_MALLOC_ARENA_SIZE={needs.arena(2, PACKET, PACKET, soft=True, any_record=True)}"]
# Size of a message that a broker sends in one record, close to the largest possible record.
LARGE = 15_900


def missing():
    """Returns why no image can run here, or an empty string."""
    if shutil.which("qemu-system-arm") is None:
        return "qemu-system-arm is not installed"
    if shutil.which("arm-none-eabi-gcc") is None and "ZEPHYR_SDK_INSTALL_DIR" not in os.environ:
        return "no compiler for Cortex-M; install arm-none-eabi-gcc, or set ZEPHYR_SDK_INSTALL_DIR"
    return ""


def figures_and(*modules):
    """Returns options for the module that prints figures, which needs more room for the log, and for other modules."""
    folders = ";".join(map(str, [ROOT / "tests/zephyr/figures", *modules]))
    return [f"-DEXTRA_ZEPHYR_MODULES={folders}", "-DCONFIG_THREAD_MQTT_FIGURES=y", "-DCONFIG_LOG_BUFFER_SIZE=8192"]


@contextlib.contextmanager
def emulated(image, printed, *options, files=()):
    """Runs QEMU with the image until the block ends, with open files that options name. The image's output goes to a
    file."""
    with open(printed.with_suffix(".qemu"), "w") as log:
        process = subprocess.Popen(
            ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none",
             "-icount", f"shift={SHIFT}", "-serial", f"file:{printed}", "-kernel", image, *options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=files)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def to_broker(port):
    """Returns an Ethernet on which the image can reach the broker and nothing else."""
    relay = f"{sys.executable} {ROOT}/tests/zephyr/relay.py {port}"
    return ["-nic", f"user,model=lan9118,restrict=on,guestfwd=tcp:{BROKER}:8883-cmd:{relay}"]


class Figures:
    """The last figures printed by the module tests/zephyr/figures."""

    def __init__(self, text):
        text = text[:text.rindex("figures: end")].rsplit("figures: end", 1)[-1]
        self.stacks = {name: (int(used), int(size)) for name, used, size in re.findall(
            r"figures: (?:thread )?(\S+) used (\d+) of (\d+)", text)}
        self.cycles = {name: int(cycles) for name, cycles in re.findall(
            r"figures: thread (\S+) used .* cycles (\d+)", text)}
        self.heap = sum(int(used) for used in re.findall(r"figures: heap \d+ used (\d+)", text))

    def instructions(self, before=None):
        """Returns the million instructions of all threads except the idle thread, this module's and the log's."""
        cycles = sum(count - (before.cycles.get(name, 0) if before else 0)
                     for name, count in self.cycles.items() if name not in ("idle", "figures", "logging"))
        return cycles * CYCLE / (1 << SHIFT) / 1e6

    def lines(self):
        """Describes the stacks and the heap, the deepest stack first."""
        for name, (used, size) in sorted(self.stacks.items(), key=lambda stack: -stack[1][0]):
            yield f"stack of {name}: {used:,} of {size:,} bytes"
        yield f"heap: {self.heap:,} bytes"


def figures(printed, image):
    """Waits for the next complete figures."""
    wait_for(printed, "figures: end", printed.read_text(errors="replace").count("figures: end") + 2, image)
    return Figures(printed.read_text(errors="replace"))


def skips_a_large_message(folder, port, printed, image):
    """Checks that the message is skipped once, and that those after it arrive on the same connection."""
    text = printed.read_text(errors="replace")
    skipped, received, online = (text.count(word) for word in ("message skipped", "received ", "online"))
    payload = folder / "large"
    payload.write_bytes(b"x" * LARGE)
    subprocess.run(["mosquitto_pub", "--cafile", folder / "ca.pem", "--insecure", "-h", "127.0.0.1", "-p", str(port),
                    "-V", "mqttv311", "-q", "1", "-t", "thread-mqtt/publish", "-f", payload], check=True)
    wait_for(printed, "message skipped", skipped + 1, image)
    wait_for(printed, "received ", received + 2, image)
    text = printed.read_text(errors="replace")
    if text.count("message skipped") != skipped + 1 or text.count("online") != online:
        sys.exit(f"{text}\nerror: the large message was sent again")


def check(backend, options, folder, env):
    """Builds one image and runs it against a broker that restarts."""
    build = folder / f"publish-{backend}"
    print(f"building publish for {BOARD}, {backend}", flush=True)
    west_build(build, ROOT / "samples" / "publish",
               [f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://{BROKER}"', "-DCONFIG_SAMPLE_INTERVAL=1",
                f'-DCONFIG_SAMPLE_CA_FILE="{folder}/ca.pem"',
                *figures_and(), *SIZES, *options], env, BOARD)

    port = free_port()
    printed = folder / f"{backend}.txt"
    printed.write_text("")
    with contextlib.ExitStack() as running:
        with broker(folder, port, "TLSv1.2"):
            image = running.enter_context(
                emulated(build / "zephyr" / "zephyr.elf", printed, *to_broker(port)))
            wait_for(printed, "TLS 1.2, TLS_ECDHE_RSA_WITH_", 1, image)
            wait_for(printed, "online", 1, image)
            wait_for(printed, "received ", 1, image)
            first = figures(printed, image)
            skips_a_large_message(folder, port, printed, image)
        wait_for(printed, BROKER_GONE, 1, image)
        with broker(folder, port, "TLSv1.3"):
            before = printed.read_text(errors="replace").count("received ")
            wait_for(printed, "TLS 1.3, TLS_", 1, image)
            wait_for(printed, "online", 2, image)
            wait_for(printed, "received ", before + 1, image)
            second = figures(printed, image)
            skips_a_large_message(folder, port, printed, image)
    text = printed.read_text(errors="replace")
    acknowledged = [int(token) for token in re.findall(r"acknowledged (\d+)", text)]
    if not acknowledged or acknowledged != sorted(set(acknowledged)):
        sys.exit(f"{text}\nerror: the tokens of the events do not match those of the calls: {acknowledged}")
    if backend == "psa":
        psa_works(printed, image)
    print(f"{backend}: online over TLS 1.2, and over 1.3 after the broker restarted")
    report(first, second, text)


def report(first, second, text):
    """Checks instructions, stacks and heap of two connections, the second over TLS 1.3. A full stack ends the test."""
    full = [name for name, (used, size) in second.stacks.items() if used >= size]
    if full:
        sys.exit(f"{text}\nerror: no stack left: {', '.join(full)}")
    # The last figures before the second connection.
    offline = Figures(text[:text.rindex("TCP: connected", 0, text.index("TLS 1.3, TLS_"))])
    print(f"  {first.instructions():.1f} M instructions from the start until online over TLS 1.2, "
          f"{second.instructions(offline):.1f} M again over 1.3")
    print("\n".join(f"  {line}" for line in second.lines()), flush=True)


def main(workspace, *names):
    why = missing()
    if why:
        print(f"SKIPPED: {why}")
        return
    backends = {"soft": [], "psa": [f"-DEXTRA_CONF_FILE={ROOT}/tests/zephyr/psa.conf"]}
    names = chosen(names, backends)
    env = environment(workspace, BOARD)
    folder = kept() / "zephyr-cortex-m"
    folder.mkdir(parents=True, exist_ok=True)
    certificates(folder, f"IP:{BROKER}")
    for name in names:
        check(name, backends[name], folder, env)
    print(f"{len(names)} passed, 0 failed")


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1] == "--missing":
        print(missing(), end="")
    else:
        where, *wanted = arguments(__doc__, 1)
        main(pathlib.Path(where).resolve(), *wanted)
