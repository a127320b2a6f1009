"""Runs the samples as Thread devices with the real radio driver: Zephyr's board nrf52_bsim, a model of the nRF52833,
on BabbleSim's simulated radio, behind a real border router with NAT64 whose radio is a second such board. The broker's
Internet has no IPv6.

    python3 tests/zephyr/radio.py WORKSPACE [NAME...]

WORKSPACE is the folder above zephyr/, NAME one of the scenarios below (default: all), or measure. Needs what
thread_network.py needs, BSIM_OUT_PATH, and gcc for 32-bit programs. Prints SKIPPED if something is
missing. The border router is the otbr-agent on the PATH, otherwise OpenThread's ot-daemon, built here. With
CAPTURE=FOLDER in the environment each scenario writes captures for Wireshark there.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import babblesim
import measure_radio
import openthread
import thread_network
from babblesim import BOARD
from native_sim import ROOT, certificates, chosen, environment, kept, psa_works, run, west_build
from openthread import BROKER, BorderRouter
from thread_network import NAME, TLS_1_2, TLS_1_3, Device, told
from usage import arguments

BAUD = 1000000
MOST = 1800  # seconds for a scenario; each wait has its own limit, this one covers everything else


def missing():
    """Returns why the scenarios cannot run here, or an empty string."""
    return babblesim.missing() or compiler_missing() or openthread.missing() or ""


def compiler_missing():
    """Returns why no 32-bit program can be built here, or an empty string."""
    if shutil.which("gcc") is None:
        return "gcc is not installed"
    tried = subprocess.run(["gcc", "-m32", "-x", "c", "-o", "/dev/null", "-"], input="int main(void) { return 0; }",
                           capture_output=True, text=True)
    return "" if tried.returncode == 0 else "gcc makes no programs of 32 bits; install gcc-multilib"


def agent():
    """Returns the border router of OpenThread's ot-br-posix if it is installed."""
    return shutil.which("otbr-agent", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin")


class World(thread_network.World):
    """One border router and one device on BabbleSim's simulated radio."""

    @contextlib.contextmanager
    def network(self, image, outages=()):
        """Runs the device, the border router and the medium until the block ends."""
        folder = self.folder / f"network-{image}-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        air = self.air = babblesim.Air(image, folder, 2)
        rcp, printed = folder / "rcp.log", folder / "printed.txt"
        images = {name: self.images / name / "zephyr/zephyr.exe" for name in ("rcp", image)}
        with air.run(outages), \
             air.device(0, images["rcp"], rcp, "-uart0_pty", "-uart_pty_wait",
                        "-uart_pty_pollT=1000") as radio, \
             air.device(1, images[image], printed) as running:
            port = babblesim.serial_port(rcp, radio)
            router = BorderRouter(self.programs, folder / "router", router_id=1, agent=agent())
            try:
                with router.run(f"spinel+hdlc+uart://{port}?uart-baudrate={BAUD}"):
                    yield Device(running, printed), router
            finally:
                capture = folder / f"{folder.name}.pcap"
                air.capture(capture)
                if "CAPTURE" in os.environ:
                    shutil.copy(capture, os.environ["CAPTURE"])
            self.read(capture, len(air.frames()))

    @staticmethod
    def read(capture, frames):
        """Checks the capture with tshark, the program that users read it with."""
        if shutil.which("tshark") is None:
            told("SKIPPED: reading the capture with Wireshark; tshark is not installed")
            return
        flags = [row for row in babblesim.packets(capture, openthread.NETWORK_KEY, "tcp.flags.syn",
                                                  "tcp.flags.ece", "tcp.flags.cwr") if row[0]]
        syn = [row for row in flags if row[0] in ("1", "True")]
        if not syn or any(set(row[1:]) & {"1", "True"} for row in syn):
            sys.exit(f"error: the capture shows no SYN, or one that requests ECN: {syn}")
        told(f"tshark reads the capture: {frames} frames, {len(syn)} SYN, none requests ECN")


def publish(world):
    """With the radio driver: a broker that restarts, a border router that is lost and found."""
    with world.network("publish") as (device, router):
        with world.broker(TLS_1_2):
            psa_works(device.printed, device.running)
            device.comes_to("TLS 1.2, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
            device.comes_to("received ", 2)
        told("online over TLS 1.2 ECDHE_RSA, messages sent and received")

        # According to the logs of its upstream server and of two public ones.
        asked = (world.folder / "dns.log").read_text()
        if f"{BROKER} was asked by {openthread.ROUTER} " not in asked or asked.count("asked by") != asked.count(BROKER):
            sys.exit(f"{asked}error: not only the border router was queried for the broker's name")
        told("only the border router was queried for the broker's name")

        with world.broker(TLS_1_3):
            device.comes_to("TLS: TLS 1.3")
            device.goes_on_to("received ", 2)
            told("online again after the broker restarted, over TLS 1.3")

            router.control("thread", "stop")
            device.goes_on_to("<err>")
            router.control("thread", "start")
            device.goes_on_to("online")
            device.goes_on_to("received ", 2)
            told("online again after the border router was lost and found")


def loss(world):
    """No frame is received for a tenth of each second, which is longer than the radios' own retries last."""
    outages = [(begin, begin + 100_000) for begin in range(1_000_000, 600_000_000, 1_000_000)]
    with world.network("publish", outages) as (device, _), world.broker(TLS_1_2):
        device.comes_to("received ", 10)
    frames = [frame for _, _, frame in world.air.frames() if len(frame) > babblesim.ACKNOWLEDGEMENT]
    again = len(frames) - len(set(frames))
    if again == 0:
        sys.exit("error: no frame was lost")
    told(f"online, messages sent and received; {again} of {len(frames)} frames were retransmitted")


def sleepy(world):
    """A battery device: its radio sleeps between polls, and commands reach it late but reliably."""
    with world.broker(TLS_1_3), world.network("sleepy") as (device, router):
        thread_network.asleep(world, device, router)


def mutual_tls(world):
    """A broker that requires a client certificate from the device."""
    log = world.folder / "mosquitto.log"
    for tls, version in ((TLS_1_2, "TLS 1.2, TLS_ECDHE_RSA_"), (TLS_1_3, "TLS 1.3, TLS_")):
        seen = log.read_text().count("u'device'") if log.exists() else 0
        with world.broker(tls, "require_certificate true\nuse_identity_as_username true\n"), \
             world.network("mutual_tls") as (device, _):
            device.comes_to(version)
            device.comes_to("received thread-mqtt/mutual-tls: hello")
        if log.read_text().count("u'device'") == seen:
            sys.exit("error: the broker did not see the device's certificate")
        told(f"{version.split(',')[0]}: a message sent and received")


def measure(world):
    """Frames and bytes of a connection and of a message, over several runs, as a documentation page."""
    world.internet.uplink.delay = 0.010
    pki = ROOT / "rust/test/testkit/pki"
    for name, source in (("server.pem", "rsa-leaf.pem"), ("server.key", "rsa-leaf.key.pem"),
                         ("ca.pem", "rsa-root.pem")):
        shutil.copy(pki / source, world.folder / name)
    results = {}
    for image, tls, version in MEASURED:
        found = results[image, version] = []
        for _ in range(2 * RUNS):
            with world.network(image) as (device, _), world.broker(tls):
                device.comes_to("mark: end")
                run_ = measure_radio.one_run(device.printed.read_text(errors="replace"), world.air.frames())
            if run_ is not None:
                found.append(run_)
                told(f"{image}, {version}: {len(found)} of {RUNS} runs")
            if len(found) == RUNS:
                break
        else:
            sys.exit(f"error: {image} needed more than one attempt to connect too often")
    router = f"The border router is {ROUTERS[bool(agent())]}, its radio a second such board"
    measure_radio.PAGE.write_text("\n".join(measure_radio.page(router, RUNS, results)) + "\n")
    told(f"written: {measure_radio.PAGE}")


# What runs if no name is given, and what runs only if it is named.
SCENARIOS = {"publish": publish, "loss": loss, "sleepy": sleepy, "mutual_tls": mutual_tls}
NAMED = {"measure": measure}
RUNS = 3
# The image, the broker's TLS, and its name in the page.
MEASURED = (("measure", TLS_1_2, "TLS 1.2"), ("measure", TLS_1_3, "TLS 1.3"), ("mqtt_c", TLS_1_2, "TLS 1.2"))
MEASURED_NAME = "broker.example.com"  # as in the certificates of the simulator's measurements
ROUTERS = {True: "OpenThread's otbr-agent", False: "OpenThread's ot-daemon"}
# The images that a scenario runs, if they do not have its name.
IMAGES = {"loss": ["publish"], "measure": ["measure", "mqtt_c"]}


def images(folder, env, names):
    """Builds the border router's radio and the firmware of each scenario, each in its own folder."""
    own = ROOT / "tests/zephyr/radio"
    print(f"building rcp for {BOARD}", flush=True)
    west_build(folder / "images" / "rcp", own / "rcp", [], env, BOARD)
    common = thread_network.options(folder)
    # With Zephyr's client, OpenThread uses the Mbed TLS of its TLS sockets, and none of our options.
    of_openthread = [option for option in common if "CONFIG_OPENTHREAD_" in option]
    ca = f'-DCONFIG_SAMPLE_CA_FILE="{ROOT}/rust/test/testkit/pki/rsa-root.pem"'
    sources = {
        "publish": (ROOT / "samples/publish",
                    [*common, "-DCONFIG_SAMPLE_INTERVAL=2", '-DCONFIG_THREAD_MQTT_DNS_SERVERS=""',
                     "-DCONFIG_THREAD_MQTT_KEEP_ALIVE=10",
                     "-DCONFIG_THREAD_MQTT_BACKOFF_MIN=1000", "-DCONFIG_THREAD_MQTT_BACKOFF_MAX=5000"]),
        "sleepy": (ROOT / "samples/sensor_sleepy", common),
        "mutual_tls": (ROOT / "samples/mutual_tls",
                       [*common, f'-DCONFIG_SAMPLE_CERTIFICATE_FILE="{folder}/device.pem"',
                        f'-DCONFIG_SAMPLE_KEY_FILE="{folder}/device.key"']),
        "measure": (own / "measure", [*common, ca, f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://{MEASURED_NAME}"']),
        "mqtt_c": (own / "mqtt_c", [*of_openthread, ca]),
    }
    for name in dict.fromkeys(image for name in names for image in IMAGES.get(name, [name])):
        print(f"building {name} for {BOARD}", flush=True)
        source, options = sources[name]
        west_build(folder / "images" / name, source, options, env, BOARD)


def device_certificate(folder):
    """The device's own certificate, signed by the broker's CA."""
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "device.key",
         "-out", "device.csr", "-subj", "/CN=device"], cwd=folder)
    (folder / "extensions").write_text("extendedKeyUsage=clientAuth\n")
    run(["openssl", "x509", "-req", "-in", "device.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
         "-days", "30", "-out", "device.pem", "-extfile", "extensions"], cwd=folder)


def inside(programs, folder, *names):
    """The part that runs in its own namespaces."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # for ip and mosquitto, if root's PATH lacks them
    folder = pathlib.Path(folder)
    home = folder / "run"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for name in ("ca.pem", "server.pem", "server.key"):
        shutil.copy(folder / name, home)
    world = World(pathlib.Path(programs), folder / "images", home)
    print(f"border router: {agent() or 'ot-daemon'}", flush=True)
    for name in names:
        signal.signal(signal.SIGALRM, lambda *_, stuck=name: sys.exit(f"error: {stuck} did not end in {MOST} s"))
        signal.alarm(MOST)
        scenario = (SCENARIOS | NAMED)[name]
        print(f"{name}: {scenario.__doc__}", flush=True)
        with world.internet.dns(home, MEASURED_NAME if scenario == measure else NAME):
            scenario(world)
    print(f"{len(names)} passed, 0 failed")


def main(workspace, *names):
    names = chosen(names, SCENARIOS | NAMED) if names else list(SCENARIOS)
    if why := missing():
        print(f"SKIPPED: {why}")
        return
    env = environment(pathlib.Path(workspace).resolve(), BOARD)
    components = pathlib.Path(os.environ["BSIM_OUT_PATH"]) / "components"
    env.setdefault("BSIM_COMPONENTS_PATH", str(components))
    folder = kept() / "zephyr-radio"
    folder.mkdir(parents=True, exist_ok=True)
    certificates(folder, f"DNS:{NAME}")
    device_certificate(folder)
    programs = folder if agent() else openthread.build("border-router")
    images(folder, env, names)
    command = [*openthread.namespaces(), sys.executable, __file__, "--inside", programs, folder]
    sys.exit(subprocess.run([*command, *names]).returncode)


if __name__ == "__main__":
    if sys.argv[1:] == ["--missing"]:
        print(missing(), end="")
    elif sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        main(*arguments(__doc__, 1))
