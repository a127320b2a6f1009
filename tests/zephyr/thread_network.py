"""Runs the samples as Thread devices, with OpenThread and TLS on PSA Crypto, behind a real border router with NAT64.
The radio is simulated, and the broker's Internet has no IPv6.

    python3 tests/zephyr/thread_network.py WORKSPACE [NAME...]

WORKSPACE is the folder above zephyr/, NAME one of the scenarios below (default: all). Needs what
native_sim.py needs, cmake, ninja and iproute2, and root or user namespaces. Prints SKIPPED if something
is missing.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import cortex_m
import dns_asked
import openthread
from dns_asked import NAME
from native_sim import (
    BROKER_GONE, NATIVE, ROOT, certificates, chosen, environment, kept, psa_works, refuse_other_folder, wait_for,
    west_build)
from openthread import BROKER, RADIO_PROGRAM, Air, BorderRouter, Internet, process
from simulated_radio import connected_radio
from usage import arguments

TLS_1_2, TLS_1_3 = "TLSv1.2", "TLSv1.3"


def told(line):
    print(f"  {line}", flush=True)


class Device:
    """A running firmware and its output."""

    def __init__(self, running, printed):
        self.running = running
        self.printed = printed

    def count(self, text):
        return self.printed.read_text(errors="replace").count(text)

    def comes_to(self, text, times=1):
        """Waits until the text was printed that many times in total."""
        wait_for(self.printed, text, times, self.running)

    def goes_on_to(self, text, times=1):
        """Waits until the text was printed that many more times."""
        self.comes_to(text, self.count(text) + times)


class World:
    """The Internet, border routers, brokers and devices of a scenario."""

    def __init__(self, programs, images, folder):
        self.programs = programs
        self.images = images
        self.folder = folder
        self.internet = Internet()
        self.air = Air()
        self.nodes = {}

    @contextlib.contextmanager
    def broker(self, tls, more=""):
        """Runs Mosquitto in the Internet, with TLS up to a version, one TLS 1.2 suite, and `more` configuration."""
        folder, log = self.folder, self.folder / "mosquitto.log"
        (folder / "mosquitto.conf").write_text(
            f"listener 8883 {BROKER}\nallow_anonymous true\nuser root\ncafile {folder}/ca.pem\n"
            f"certfile {folder}/server.pem\nkeyfile {folder}/server.key\n"
            f"ciphers ECDHE-RSA-AES128-GCM-SHA256\n{more}")
        (folder / "openssl.cnf").write_text(
            "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
            f"[tls]\nMinProtocol = TLSv1.2\nMaxProtocol = {tls}\n")
        log.touch()
        starts = log.read_text().count(" running\n")
        with process([*Internet.enter, "mosquitto", "-v", "-c", folder / "mosquitto.conf"], log,
                     env=dict(os.environ, OPENSSL_CONF=str(folder / "openssl.cnf"))) as running:
            wait_for(log, " running\n", starts + 1, running)
            yield

    def publish(self, *options):
        """Runs mosquitto_pub in the Internet."""
        subprocess.run([*Internet.enter, "mosquitto_pub", "-h", BROKER, "-p", "8883",
                        "--cafile", self.folder / "ca.pem", "--insecure", *options], check=True)

    def node(self, name):
        """Returns the number of a radio, which is always the same for the same name."""
        return self.nodes.setdefault(name, len(self.nodes) + 1)

    @contextlib.contextmanager
    def router(self):
        """Runs a border router with fresh settings: new addresses and prefixes, the same network."""
        name = f"router-{len(self.nodes)}"
        node = self.node(name)
        router = BorderRouter(self.programs, self.folder / name, router_id=node)
        with router.run(router.simulated(node)):
            yield router

    @contextlib.contextmanager
    def device(self, name, image=None):
        """Runs a device with the image, by default that of its name. The second time it is the same device, with its
        flash."""
        with openthread.device(self.images / (image or name) / "zephyr/zephyr.exe", self.programs,
                               self.folder, name, self.node(name)) as started:
            yield Device(*started)

    @contextlib.contextmanager
    def emulated(self, name):
        """Runs a device emulated by QEMU, with the image of its name."""
        home = self.folder / name
        home.mkdir()
        printed = home / "printed.txt"
        printed.write_text("")
        with connected_radio(self.programs / RADIO_PROGRAM, self.node(name), home) as radio, \
             cortex_m.emulated(self.images / name / "zephyr/zephyr.elf", printed,
                               "-chardev", f"socket,id=radio,fd={radio.fileno()}", "-serial", "chardev:radio",
                               files=[radio.fileno()]) as running:
            yield Device(running, printed)


def minimal(world):
    """A minimal device copes with a broker and a border router that come and go."""
    with contextlib.ExitStack() as whole:
        first = whole.enter_context(contextlib.ExitStack())
        router = first.enter_context(world.router())
        device = whole.enter_context(world.device("minimal"))
        with world.broker(TLS_1_2):
            device.comes_to("TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
            device.comes_to("received ", 2)
        told("online over TLS 1.2 ECDHE_RSA, messages sent and received")

        whole.enter_context(world.broker(TLS_1_3))
        device.comes_to("TLS: TLS 1.3")
        device.goes_on_to("received ", 2)
        told("online again after the broker restarted, over TLS 1.3")

        before = device.count("online")
        router.control("br", "omrconfig", "custom", "fd77:77:77:1::/64", "med")
        device.comes_to("online", before + 1)
        device.goes_on_to("received ", 2)
        told("online again after the device's address changed")

        router.control("nat64", "disable")
        device.comes_to("the border router withdrew the NAT64 prefix")
        device.comes_to("cure: enable NAT64 on the border router")
        told("without NAT64: cause and cure are logged")
        router.control("nat64", "enable")
        device.goes_on_to("online")
        device.goes_on_to("received ", 2)
        told("online again after NAT64 was enabled")

        before = device.count("received "), device.count("online")
        first.close()
        whole.enter_context(world.router())
        device.comes_to("online", before[1] + 1)
        device.comes_to("received ", before[0] + 2)
        told("online again behind another border router, with other prefixes")


def full(world):
    """A full device behind a border router whose upstream DNS is broken."""
    with world.router() as router, world.broker(TLS_1_2):
        router.control("dns", "server", "upstream", "disable")
        with world.device("full") as device:
            device.comes_to("resolve: public server 9.9.9.9")
            device.comes_to("received ", 2)
    told("the name came from a public server through NAT64; online, messages sent and received")


def asleep(world, device, router):
    """A sleepy child: its reports, and commands that reach it late but reliably. Returns the topic of its commands."""
    device.comes_to("online with a new session")
    device.comes_to("report acknowledged")
    children = [row.split("|")[7] == "0" for row in router.control("child", "table").splitlines() if "0x" in row]
    if children != [True]:
        sys.exit("error: the device did not attach as a sleepy child")
    topic = device.printed.read_text().split("commands come from ")[1].split()[0].rstrip("\x1b[0m")
    told("online as a sleepy child, a report acknowledged")

    world.publish("-q", "1", "-t", topic, "-m", "interval 30")
    device.comes_to("command: report every 30 s")
    told("received a command while sleeping")
    device.goes_on_to("report acknowledged")
    start = world.air.count()
    device.goes_on_to("report acknowledged")
    frames, size, polls = world.air.since(start)
    told(f"30 s with one report: {frames} frames, {size} bytes; {polls} of the frames are polls")

    world.publish("-q", "1", "-t", topic, "-m", "visit")
    device.comes_to("disconnected until the next report")
    world.publish("-q", "1", "-t", topic, "-m", "interval 20")
    device.comes_to("online with the kept session")
    device.comes_to("command: report every 20 s")
    told("received a command that waited for the next connection")
    return topic


def sleepy(world):
    """A battery device: its radio sleeps, and commands reach it late but reliably."""
    with world.router() as router, world.broker(TLS_1_3):
        with world.device("sleepy") as device:
            topic = asleep(world, device, router)
        world.publish("-q", "1", "-t", topic, "-m", "stay")
        with world.device("sleepy") as device:
            device.comes_to("online with the kept session")
            device.comes_to("command: stay")
            told("received a command that the broker kept while the device was off, with the session in its flash")


def distant(world):
    """A broker half a second away, as over a satellite: nothing is retransmitted before the answer can have arrived."""
    uplink = world.internet.uplink
    with world.router(), world.broker(TLS_1_2), world.device("distant", "minimal") as device:
        uplink.delay = 0.25
        before = uplink.segments, uplink.repeated
        device.comes_to("received ", 10)
        sent, again = uplink.segments - before[0], uplink.repeated - before[1]
        uplink.delay = 0
    told(f"online, messages sent and received: {sent} TCP segments with data, {again} of them retransmitted")
    if again:
        sys.exit("error: the device did not wait for the acknowledgement")


def emulated(world):
    """A minimal device on an emulated Cortex-M4."""
    with world.router(), world.emulated("emulated") as device:
        with world.broker(TLS_1_2):
            psa_works(device.printed, device.running)
            device.comes_to("TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
            device.comes_to("received ", 2)
            first = cortex_m.figures(device.printed, device.running)
        told("online over TLS 1.2 ECDHE_RSA, messages sent and received")
        device.comes_to(BROKER_GONE)
        with world.broker(TLS_1_3):
            device.comes_to("TLS: TLS 1.3")
            device.goes_on_to("received ", 2)
            second = cortex_m.figures(device.printed, device.running)
        told("online again after the broker restarted, over TLS 1.3")
    cortex_m.report(first, second, device.printed.read_text(errors="replace"))


def release(world):
    """The unmodified release with only P-256, on an emulated Cortex-M4; checked by the broker's log."""
    log, first = world.folder / "mosquitto.log", True
    with world.router(), world.emulated("release") as device:
        for tls in (TLS_1_2, TLS_1_3):
            with world.broker(tls):
                seen = {text: log.read_text().count(text) for text in ("Received PUBLISH", "Received PUBACK")}
                for text, before in seen.items():
                    wait_for(log, text, before + 3, device.running)
            told(f"{'' if first else 'online again after the broker restarted, '}over {tls}: messages sent and received")
            first = False


SCENARIOS = {"minimal": minimal, "full": full, "sleepy": sleepy, "distant": distant, "emulated": emulated,
             "release": release,
             "dns": dns_asked.scenario}
# The scenarios on an emulated Cortex-M4.
EMULATED = ("emulated", "release")
# The images of a scenario that does not have a single image with its own name.
IMAGES = {"distant": ["minimal"], "dns": dns_asked.IMAGES}


def options(folder):
    """Returns the options of all images for this machine's processor."""
    return [*network_options(folder, "thread-mqtt-rcp"),
            "-DCONFIG_MBEDTLS_HEAP_SIZE=16384"]  # for 64-bit pointers and words


def network_options(folder, *snippets):
    """Returns the options of all images: OpenThread and TLS on PSA Crypto, the network, the broker."""
    return ["-DSNIPPET=" + ";".join(["thread-mqtt-upstream-psa", *snippets]),
            '-DCONFIG_THREAD_MQTT_TIME_SERVERS=""',
            f'-DCONFIG_SAMPLE_CA_FILE="{folder}/ca.pem"',
            f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://{NAME}"',
            f"-DCONFIG_OPENTHREAD_CHANNEL={openthread.CHANNEL}",
            f"-DCONFIG_OPENTHREAD_PANID={openthread.PAN_ID}",
            f'-DCONFIG_OPENTHREAD_NETWORKKEY="{openthread.colons(openthread.NETWORK_KEY)}"',
            f'-DCONFIG_OPENTHREAD_XPANID="{openthread.colons(openthread.EXTENDED_PAN_ID)}"']


def images(folder, workspace, names):
    """Builds the firmware of each scenario in its own folder."""
    publish, common = ROOT / "samples/publish", [*options(folder), "-DCONFIG_SAMPLE_INTERVAL=2"]
    coprocessor = ROOT / "tests/zephyr/coprocessor"
    on_cortex_m = [f"-DEXTRA_CONF_FILE={coprocessor}/board.conf", f"-DEXTRA_DTC_OVERLAY_FILE={coprocessor}/board.overlay"]
    sources = {
        "minimal": (publish, common),
        "full": (publish, [*common, "-DCONFIG_OPENTHREAD_FTD=y"]),
        "sleepy": (ROOT / "samples/sensor_sleepy", [*options(folder), "-DEXTRA_CONF_FILE=durable.conf",
                                                    "-DCONFIG_OPENTHREAD_MTD_SED=y",
                                                    "-DCONFIG_OPENTHREAD_POLL_PERIOD=5000"]),
        "emulated": (publish, [*network_options(folder), "-DCONFIG_SAMPLE_INTERVAL=2", *on_cortex_m,
                               *cortex_m.figures_and(coprocessor)]),
        # Here the radio is on a serial port.
        "release": (publish, [*network_options(folder, "thread-mqtt-release", "thread-mqtt-p256"), *on_cortex_m,
                              "-DCONFIG_SAMPLE_INTERVAL=2", f"-DEXTRA_ZEPHYR_MODULES={coprocessor}", "-DCONFIG_SERIAL=y"]),
    }
    for name, own in dns_asked.images(folder).items():
        sources[name] = publish, [*common, *own]
    for name in dict.fromkeys(image for name in names for image in IMAGES.get(name, [name])):
        print(f"building {name}", flush=True)
        source, chosen_options = sources[name]
        board = cortex_m.BOARD if name in EMULATED else NATIVE
        west_build(folder / "images" / name, source, chosen_options, environment(workspace, board), board)


def library_missing(workspace):
    """Returns why the radio co-processor's driver cannot be linked for a Cortex-M, or an empty string."""
    if "ZEPHYR_SDK_INSTALL_DIR" in os.environ or (workspace / "modules/lib/picolibc").is_dir():
        return ""
    return "no C library but Zephyr's minimal one; add the module picolibc to the workspace, or set ZEPHYR_SDK_INSTALL_DIR"


def inside(programs, built, folder, name):
    """Runs a scenario in its own namespaces."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # for ip and mosquitto, if root's PATH lacks them
    folder = pathlib.Path(folder)
    for file in ("ca.pem", "server.pem", "server.key"):
        shutil.copy(pathlib.Path(built) / file, folder)
    world = World(pathlib.Path(programs), pathlib.Path(built) / "images", folder)
    print(f"{name}: {SCENARIOS[name].__doc__}", flush=True)
    with world.internet.dns(folder, NAME):
        SCENARIOS[name](world)


def main(workspace, *names):
    names = chosen(names, SCENARIOS)
    workspace = pathlib.Path(workspace).resolve()
    # Checked before OpenThread is built, which takes minutes.
    refuse_other_folder(workspace)
    why = openthread.missing()
    if why:
        print(f"SKIPPED: {why}")
        return
    if (wanted := [name for name in names if name in EMULATED]) and (why := cortex_m.missing() or library_missing(workspace)):
        print(f"SKIPPED {', '.join(wanted)}: {why}")
        names = [name for name in names if name not in EMULATED]
    built = kept() / "zephyr-thread"
    built.mkdir(parents=True, exist_ok=True)
    certificates(built, f"DNS:{NAME}")
    programs = openthread.build()
    images(built, workspace, names)
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = [*openthread.namespaces(), sys.executable, __file__, "--inside", programs, built, folder, name]
            failed += subprocess.run(command).returncode != 0
    print(f"{len(names) - failed} passed, {failed} failed")
    sys.exit(failed != 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        main(*arguments(__doc__, 1))
