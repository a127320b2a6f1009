"""Builds tests/zephyr/durable for native_sim in a west workspace: a session in the settings, on NVS and on ZMS, on
Zephyr's flash simulator, whose contents survive the process. Kills the image at random moments, with and without the
broker, restarts it, and counts the messages that reached Mosquitto. Then prints the flash simulator's counters.

    python3 tests/zephyr/durable.py WORKSPACE [NAME...]     (the folder above zephyr/)

NAME is one of nvs, zms, sealed (NVS, encrypted by a persistent key of PSA Crypto) and application (the Rust one, on
NVS); default: all.
THREAD_MQTT_SEED repeats a run's timing as far as the machine allows. Needs what native_sim.py needs.
"""

import collections
import contextlib
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from native_sim import PATIENCE, ROOT, chosen, environment, kept, same_port, wait_for, west_build
from ports import free_port
from usage import arguments

ROUNDS = 12
PER_ROUND = 1000  # more than a round can publish
DOWN = 60  # messages to the device
TOPIC = "durable/from/device1"
APPLICATION = ["-DCONFIG_APP_INTERVAL=1", '-DCONFIG_THREAD_MQTT_CLIENT_ID="application"', "-DCONFIG_SETTINGS=y",
               "-DCONFIG_NVS=y", "-DCONFIG_SETTINGS_NVS=y", "-DCONFIG_FLASH=y", "-DCONFIG_FLASH_MAP=y",
               "-DCONFIG_THREAD_MQTT_DURABLE=y"]


class Broker:
    """Mosquitto, whose sessions survive it; can be stopped and started as often as needed."""

    def __init__(self, folder, port=None):
        self.folder, self.port, self.process = folder, port or free_port(), None
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser {os.environ.get('USER', 'root')}\n"
            f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n")

    def start(self):
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = self.folder / "mosquitto.log"
        with open(log, "a") as output:
            self.process = subprocess.Popen([program, "-c", str(self.folder / "mosquitto.conf")],
                                            stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(log.read_text() + "error: mosquitto did not start")
            time.sleep(0.05)

    def stop(self):
        """Stops cleanly, so that it keeps its sessions."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def client(self, program, *arguments, **options):
        command = [shutil.which(program) or f"/usr/bin/{program}", "-h", "127.0.0.1", "-p", str(self.port),
                   *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                              timeout=PATIENCE, **options).stdout

    def listen(self, topic=TOPIC):
        """Creates a session that from now on receives what the device publishes, even while disconnected."""
        self.client("mosquitto_sub", "-c", "-i", "listener", "-q", "2", "-t", topic, "-E")

    def heard(self, topic=TOPIC):
        """Returns what has arrived since, up to a last message."""
        self.client("mosquitto_pub", "-q", "2", "-t", topic, "-m", "end")
        command = [shutil.which("mosquitto_sub") or "/usr/bin/mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port),
                   "-c", "-i", "listener", "-q", "2", "-t", topic]
        lines = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            alarm = threading.Timer(PATIENCE, listener.kill)
            alarm.start()
            for line in listener.stdout:
                if line.strip() == "end":
                    break
                lines.append(line.strip())
            else:
                sys.exit("error: the listener did not receive the last message")
            alarm.cancel()
            listener.kill()
        return lines

    def tell(self, first, count):
        """Publishes QoS 2 messages to the device."""
        numbers = "".join(f"{number}\n" for number in range(first, first + count))
        command = [shutil.which("mosquitto_pub") or "/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port),
                   "-q", "2", "-t", "durable/to", "-l"]
        subprocess.run(command, input=numbers, text=True, check=True, timeout=PATIENCE)


class Device:
    """The image and its flash."""

    def __init__(self, executable, folder, broker):
        self.executable, self.folder = executable, folder
        self.flash = folder / "flash.bin"
        self.uri = f"broker=mqtt://127.0.0.1:{broker.port}"

    def forget(self):
        self.flash.unlink(missing_ok=True)

    def start(self, **options):
        arguments = [f"-{name.replace('_', '-')}" + ("" if value is True else f"={value}")
                     for name, value in options.items()]
        command = [str(self.executable), f"-flash={self.flash}", "-seed-random", f"-{self.uri}", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL)

    def life(self, **options):
        """Runs the image until it exits. Returns its output."""
        life = self.start(wait=True, **options)
        try:
            printed = life.communicate(timeout=PATIENCE)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            life.kill()
            sys.exit(life.communicate()[0].decode(errors="replace") + f"\nerror: it did not end in {PATIENCE} s")
        if "deinit: 0" not in printed:
            sys.exit(printed + "\nerror: it failed")
        return printed

    def killed(self, chance, **options):
        """Runs the image and kills it some time after its client was created. Returns its output until then."""
        life = self.start(**options)
        printed, pause = b"", None
        deadline = threading.Timer(PATIENCE, life.kill)
        deadline.start()
        while piece := life.stdout.read1():
            printed += piece
            if pause is None and b"init: 0" in printed:
                pause = threading.Timer(chance.uniform(0, 0.5), life.kill)
                pause.start()
        life.wait()
        deadline.cancel()
        if pause is None:
            sys.exit(printed.decode(errors="replace") + "\nerror: it created no client")
        pause.cancel()
        return printed.decode(errors="replace")


class Checks:
    """The results of the checks."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, name, wrong):
        """`wrong` describes what is wrong, or is empty."""
        self.passed, self.failed = self.passed + (not wrong), self.failed + bool(wrong)
        print(f"{'FAILED' if wrong else 'ok':6}  {name}" + (f": {wrong}" if wrong else ""), flush=True)


def numbers(word, printed):
    return [int(number) for number in re.findall(rf"^{word} (\d+)", printed, re.M)]


def power_cuts(name, version, device, broker, checks, chance):
    """QoS 1 and 2 messages in turn, accepted in runs that are killed, half of them without the broker."""
    device.forget()
    broker.listen()
    device.life(count=0, mqtt=version)  # creates its session and its subscription
    accepted, received, unread, down = set(), [], [], 0
    for round_ in range(ROUNDS):
        if round_ % 2:
            broker.stop()
        else:
            broker.tell(down, DOWN // (ROUNDS // 2))
            down += DOWN // (ROUNDS // 2)
        printed = device.killed(chance, first=round_ * PER_ROUND, count=PER_ROUND, mqtt=version)
        accepted.update(numbers("accepted", printed))
        received += numbers("received", printed)
        unread += re.findall(r"^event (?!address failed).*", printed, re.M)
        if round_ % 2:
            broker.start()
    printed = device.life(first=ROUNDS * PER_ROUND, count=1, mqtt=version)
    received += numbers("received", printed)
    unread += re.findall(r"^event (?!address failed).*", printed, re.M)
    counts = collections.Counter(int(line.split()[0]) for line in broker.heard())
    what = f"{name}, MQTT {'5' if version == 5 else '3.1.1'}"
    lost = sorted(accepted - counts.keys())
    checks.check(f"{what}: {len(accepted)} messages accepted across {ROUNDS} power cuts, none lost",
                 f"lost {lost}" if lost else len(accepted) < ROUNDS and "too few")
    # Odd numbers have QoS 1 plus 1.
    twice = [number for number, count in counts.items() if number % 2 and count > 1]
    checks.check(f"{what}: no QoS 2 message arrived twice", twice)
    twice = [number for number, count in collections.Counter(received).items() if count > 1]
    # At each kill, one may be between the storage and the application (docs/durable.md).
    missing = down - len(set(received))
    checks.check(f"{what}: {len(received)} of {down} QoS 2 messages received, none twice",
                 twice or (missing > ROUNDS and f"{missing} missing"))
    checks.check(f"{what}: the storage never failed", unread)


def contents(name, device, broker, checks):
    """What a reader of the flash finds, and what a device with another key does."""
    sealed = name == "sealed"
    device.forget()
    device.life(count=0, mqtt=5)
    broker.stop()
    life = device.start(first=0, count=5, qos=1, mqtt=5)
    printed = b""
    while b"accepted 4" not in printed:
        piece = life.stdout.read1()
        if not piece:
            sys.exit(printed.decode(errors="replace") + "\nerror: it exited")
        printed += piece
    life.kill()
    life.communicate()
    broker.start()
    flash = device.flash.read_bytes()
    found = [text for text in (TOPIC.encode(), b"durable/to", b"durable-device") if text in flash]
    if sealed:
        checks.check(f"{name}: no topic and no identifier in the flash", found)
        printed = device.life(count=0, mqtt=5, other_key=True)
        checks.check(f"{name}: another key is reported",
                     "this key decrypts nothing in the session storage; provide the key" not in printed and printed)
        device.flash.write_bytes(flash)
    else:
        checks.check(f"{name}: topics and identifier are in the flash", len(found) != 3 and f"only {found}")
    printed = device.life(count=0, mqtt=5)
    checks.check(f"{name}: the messages are restored", numbers("restored", printed) != [5] and printed)


def statistics(printed):
    """Returns what a run has written between its two statistics."""
    found = {}
    for key in ("bytes_written", "flash_write_calls", "flash_erase_calls"):
        before, after = numbers(key, printed)
        found[key] = after - before
    return found


def flash_of_a_message(name, device, broker):
    """The flash simulator's counters per message, in a sector just begun and over many sectors."""
    print(f"\n{name}: messages of 100 bytes on a topic of 20, by the flash simulator")
    print("| per message | bytes written | writes to flash | messages until a sector was erased |")
    print("| --- | ---: | ---: | ---: |")
    few, many = 8, 400
    for what, qos, receive in (("QoS 1 sent", 1, False), ("QoS 2 sent", 2, False), ("QoS 2 received", 2, True)):
        device.forget()
        device.life(count=0, mqtt=5)
        lives = []
        for count in (few, many):
            if receive:
                broker.client("mosquitto_pub", "-q", "2", "-t", "durable/to", "-m", "x" * 100, "--repeat", str(count))
                lives.append(statistics(device.life(count=0, receive=count, mqtt=5)))
            else:
                lives.append(statistics(device.life(count=count, qos=qos, size=100, first=0, mqtt=5)))
        short, long = lives
        erases = long["flash_erase_calls"]
        print(f"| {what} | {short['bytes_written'] / few:.0f}, over many {long['bytes_written'] / many:.0f} "
              f"| {short['flash_write_calls'] / few:.1f} | {f'{many / erases:.0f}' if erases else 'none erased'} |",
              flush=True)


def application(build, broker, checks, folder):
    """The Rust application: what it published without the broker arrives after its next start."""
    flash, printed = folder / "flash.bin", folder / "printed.txt"
    topic = "thread-mqtt/app"

    def start():
        with open(printed, "w") as output:
            return subprocess.Popen([str(build / "zephyr" / "zephyr.exe"), f"-flash={flash}", "-seed-random"],
                                    stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    broker.listen(topic)
    broker.stop()
    life = start()
    deadline = time.monotonic() + PATIENCE
    while not flash.exists() or flash.read_bytes().count(topic.encode()) < 2:
        if life.poll() is not None or time.monotonic() > deadline:
            sys.exit(printed.read_text(errors="replace") + "\nerror: it did not store two messages")
        time.sleep(0.1)
    life.kill()
    life.wait()
    broker.start()
    life = start()
    wait_for(printed, "from the last boot are sent first", 1, life)
    # Each run counts from 1, and restored messages go first.
    wait_for(printed, "received thread-mqtt/app: count 3", 1, life)
    life.kill()
    life.wait()
    counts = collections.Counter(broker.heard(topic))
    checks.check("application in Rust: what was stored before the restart arrives",
                 (counts["count 1"] < 2 or counts["count 2"] < 2) and counts)


def main(workspace, *names):
    variants = {name: [f"-DEXTRA_CONF_FILE={name}.conf"] for name in ("nvs", "zms", "sealed")}
    names = chosen(names, [*variants, "application"])
    env = environment(workspace)
    seed = int(os.environ.get("THREAD_MQTT_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}")
    checks = Checks()
    images = kept() / "zephyr-durable"
    images.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name == "application":
            port = same_port(images / "application.port")
            source, options = ROOT, [f'-DCONFIG_THREAD_MQTT_BROKER="mqtt://127.0.0.1:{port}"', *APPLICATION]
        else:
            port = None
            source = ROOT / "tests" / "zephyr" / "durable"
            options = [f"-DEXTRA_ZEPHYR_MODULES={ROOT}", *variants[name]]
        print(f"building {name}", flush=True)
        west_build(images / name, source, options, env)
        with tempfile.TemporaryDirectory() as scratch, Broker(pathlib.Path(scratch), port) as broker:
            folder = pathlib.Path(scratch)
            if name == "application":
                application(images / name, broker, checks, folder)
                continue
            device = Device(images / name / "zephyr" / "zephyr.exe", folder, broker)
            chance = random.Random(seed)
            for version in (5, 4):
                power_cuts(name, version, device, broker, checks, chance)
            contents(name, device, broker, checks)
            flash_of_a_message(name, device, broker)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1)
    sys.exit(main(pathlib.Path(where).resolve(), *wanted))
