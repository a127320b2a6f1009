"""A Thread network on this machine: OpenThread's border router with NAT64 (ot-daemon), radio
co-processors (ot-rcp) on OpenThread's simulated radio, and an Internet that has IPv4 only.

Both programs are built from the crate openthread-sys, a dependency of rust/port/sim, which carries
OpenThread's sources. They run in separate network, mount and process namespaces: they do not touch the
machine's network, and nothing is left when the test ends.
"""

import contextlib
import ctypes
import fcntl
import functools
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from native_sim import PATIENCE, ROOT, cached, run
from simulated_radio import simulated_radio

NETWORK_KEY = "00112233445566778899aabbccddeeff"
CHANNEL = 15
PAN_ID = 0xABCD
EXTENDED_PAN_ID = "dead00beef00cafe"

BROKER = "10.77.0.2"  # in the Internet
ROUTER = "10.77.0.1"
NAT64_POOL = "192.168.255.0/24"
PUBLIC_DNS = ["9.9.9.9", "8.8.8.8"]  # what the device asks if its border router cannot answer

RADIO_PROGRAM = "rcp/examples/apps/ncp/ot-rcp"  # in the folder of build()

CMAKE = ["-GNinja", "-DCMAKE_BUILD_TYPE=MinSizeRel", "-DBUILD_TESTING=OFF", "-DOT_FTD=ON",
         "-DOT_COMPILE_WARNING_AS_ERROR=OFF"]
RADIO = ["-DOT_PLATFORM=simulation", "-DOT_RCP=ON", "-DOT_MTD=OFF", "-DOT_APP_CLI=OFF",
         "-DOT_APP_NCP=OFF", "-DOT_APP_RCP=ON"]
BORDER_ROUTER = ["-DOT_PLATFORM=posix", "-DOT_DAEMON=ON", f"-DOT_POSIX_NAT64_CIDR={NAT64_POOL}"] + [
    f"-DOT_{feature}=ON" for feature in (
        "BORDER_ROUTER", "BORDER_ROUTING", "NAT64_TRANSLATOR", "NAT64_BORDER_ROUTING",
        "DNS_CLIENT", "DNS_UPSTREAM_QUERY", "DNSSD_SERVER", "SRP_CLIENT", "SRP_SERVER", "ECDSA",
        "SERVICE", "SLAAC", "UPTIME")]


def missing():
    """Returns why no such network can run here, or None."""
    for program in ("cargo", "cmake", "ninja", "ip", "setpriv", "unshare", "mosquitto"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            return f"{program} is not installed"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    if subprocess.run([*namespaces(), "true"], capture_output=True).returncode != 0:
        return "namespaces are not permitted here (unshare -n -m -p); run it as root"
    return None


def namespaces():
    """Returns the command that runs another in new namespaces and ends all its processes, also when this one ends."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *root, "--net", "--mount", "--pid", "--fork", "--mount-proc",
            "--kill-child"]


def colons(key):
    """Formats a key for Kconfig."""
    return bytes.fromhex(key).hex(":")


@functools.cache
def metadata():
    return json.loads(run(["cargo", "metadata", "--format-version=1", "--locked"], cwd=ROOT))


def target():
    """Returns the folder where cargo builds, and which is kept between runs."""
    return pathlib.Path(metadata()["target_directory"])


PROGRAMS = {"rcp": (RADIO, ["ot-rcp"]), "border-router": (BORDER_ROUTER, ["ot-daemon", "ot-ctl"])}


def build(*names):
    """Builds the named PROGRAMS, or all. Returns their folder."""
    manifest = next(package["manifest_path"] for package in metadata()["packages"]
                    if package["name"] == "openthread-sys")
    source = pathlib.Path(manifest).parent / "openthread"
    folder = target() / "openthread"
    # As in Zephyr's build, the results of one checkout serve the next.
    launchers = [f"-DCMAKE_{language}_COMPILER_LAUNCHER=ccache" for language in ("C", "CXX") if shutil.which("ccache")]
    for name in names or PROGRAMS:
        options, programs = PROGRAMS[name]
        print(f"building {' and '.join(programs)}", flush=True)
        run(["cmake", "-S", source, "-B", folder / name, *CMAKE, *launchers, *options], env=cached())
        run(["ninja", "-C", folder / name, *programs], env=cached())
    return folder


@contextlib.contextmanager
def process(command, output, **options):
    """Runs a process that writes to a file, until the block ends."""
    with open(output, "a") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   **options)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def tap(name, namespace=None):
    """Creates an Ethernet interface whose frames this process reads and writes. Returns its descriptor."""
    created = []

    def create():  # in a separate thread, because it cannot return from the namespace
        if namespace is not None:
            with open(f"/run/netns/{namespace}") as entered:
                if ctypes.CDLL(None, use_errno=True).setns(entered.fileno(), 0) != 0:
                    sys.exit(f"error: setns: {os.strerror(ctypes.get_errno())}")
        descriptor = os.open("/dev/net/tun", os.O_RDWR)
        iff_tap, iff_no_pi, tunsetiff = 0x0002, 0x1000, 0x400454CA  # linux/if_tun.h
        fcntl.ioctl(descriptor, tunsetiff, struct.pack("16sH22x", name.encode(), iff_tap | iff_no_pi))
        created.append(descriptor)

    thread = threading.Thread(target=create)
    thread.start()
    thread.join()
    return created[0]


class Uplink:
    """The link between the border router and the Internet. Its delay can be set, and it counts retransmitted
    segments."""

    def __init__(self):
        self.delay = 0  # seconds in each direction
        self.segments = 0  # TCP segments with data, to the Internet
        self.repeated = 0  # those of them that had been sent before
        self.seen = set()
        ends = tap("backbone"), tap("uplink", "internet")
        for source, sink, hears in (*ends, self.count), (*reversed(ends), lambda frame: None):
            frames = queue.SimpleQueue()
            for target, arguments in ((self.take, (source, frames, hears)), (self.give, (frames, sink))):
                threading.Thread(target=target, args=arguments, daemon=True).start()

    def take(self, source, frames, hears):
        while True:
            frame = os.read(source, 2048)
            hears(frame)
            frames.put((time.monotonic() + self.delay, frame))

    @staticmethod
    def give(frames, sink):
        while True:
            due, frame = frames.get()
            time.sleep(max(0, due - time.monotonic()))
            with contextlib.suppress(OSError):  # lost if the interface is not up yet
                os.write(sink, frame)

    def count(self, frame):
        """Decodes Ethernet, IPv4 (RFC 791, 3.1) and TCP (RFC 9293, 3.1)."""
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return
        packet = frame[14:14 + int.from_bytes(frame[16:18], "big")]
        segment = packet[4 * (packet[0] & 15):]
        if len(segment) > 4 * (segment[12] >> 4):
            self.segments += 1
            key = segment[:8]  # ports and sequence number
            self.repeated += key in self.seen
            self.seen.add(key)


class Internet:
    """A network namespace without IPv6, where the broker and DNS servers are."""

    enter = ["ip", "netns", "exec", "internet"]

    def __init__(self):
        def ip(*arguments):
            run(["ip", *arguments])

        # The mount namespace is ours: sockets and namespace names stay in it.
        run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        os.makedirs("/run/netns")
        ip("link", "set", "lo", "up", "multicast", "on")
        ip("netns", "add", "internet")
        self.uplink = Uplink()
        ip("address", "add", f"{ROUTER}/24", "dev", "backbone")
        ip("link", "set", "backbone", "up")
        ip("route", "add", "default", "via", BROKER)
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        run([*self.enter, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"])
        ip("-n", "internet", "link", "set", "lo", "up")
        ip("-n", "internet", "address", "add", f"{BROKER}/24", "dev", "uplink")
        ip("-n", "internet", "link", "set", "uplink", "up")
        ip("-n", "internet", "route", "add", NAT64_POOL, "via", ROUTER)
        for address in PUBLIC_DNS:
            ip("-n", "internet", "address", "add", f"{address}/32", "dev", "lo")

    @contextlib.contextmanager
    def dns(self, folder, name):
        """Runs DNS servers, also as the machine's own upstream, that know only the broker's A record."""
        (folder / "resolv.conf").write_text(f"nameserver {BROKER}\n")
        run(["mount", "--bind", folder / "resolv.conf", os.path.realpath("/etc/resolv.conf")])
        script = pathlib.Path(__file__).with_name("dns_server.py")
        with process([*self.enter, sys.executable, script, name, BROKER, BROKER, *PUBLIC_DNS],
                     folder / "dns.log"):
            yield


class BorderRouter:
    """Leader of the network and its border router, with fresh settings: ot-daemon, or the otbr-agent named.

    A leader picks its Router ID, and with it its short address, at random. A leader that replaces another one needs a
    different ID. Otherwise its radio acknowledges frames that children send to their lost parent, and they notice the
    loss only with their next keep-alive, after up to 240 seconds."""

    def __init__(self, programs, folder, router_id, agent=None):
        self.programs = programs
        self.folder = folder
        self.router_id = router_id
        daemons = programs / "border-router/src/posix"
        self.daemon, self.client = (agent, "ot-ctl") if agent else (daemons / "ot-daemon", daemons / "ot-ctl")
        folder.mkdir()
        if agent:
            run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"])  # where it stores its settings

    def control(self, *words):
        """Runs one of its command-line commands. Returns the answer."""
        try:
            return run([self.client, "-I", "wpan0", *words], timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            sys.exit((self.folder / "log").read_text(errors="replace")
                     + f"error: the border router did not answer ot-ctl {' '.join(words)}")

    def wait(self, *words, answer="", lacks=None):
        """Waits until a command's answer contains a text, or no longer contains another one."""
        deadline = time.monotonic() + PATIENCE
        while answer not in (printed := self.control(*words)) or lacks is not None and lacks in printed:
            if time.monotonic() > deadline:
                wanted = f"come to {answer!r}" if lacks is None else f"lose {lacks!r}"
                sys.exit(f"{printed}\nerror: ot-ctl {' '.join(words)} did not {wanted}")
            time.sleep(0.2)
        return printed

    def simulated(self, node):
        """The radio of OpenThread's simulation with this number, in the form that run() expects."""
        return f"spinel+hdlc+forkpty://{self.programs / RADIO_PROGRAM}?forkpty-arg={node}"

    @contextlib.contextmanager
    def run(self, url):
        """Runs on a radio co-processor, with NAT64 and DNS as on a home's router, until the block ends."""
        # When the daemon is killed, its radio co-processor receives a hangup. Under nohup that would be ignored, and
        # the radio of a dead border router would continue to acknowledge the device's frames.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        control = pathlib.Path("/run/openthread-wpan0.sock")
        control.unlink(missing_ok=True)
        with process([self.daemon, "-I", "wpan0", "-B", "backbone", url],
                     self.folder / "log", cwd=self.folder) as running:
            deadline = time.monotonic() + PATIENCE
            while not control.exists():
                if running.poll() is not None or time.monotonic() > deadline:
                    sys.exit((self.folder / "log").read_text() + f"error: {self.daemon} did not start")
                time.sleep(0.1)
            for line in ("dataset init new", f"dataset networkkey {NETWORK_KEY}",
                         f"dataset channel {CHANNEL}", f"dataset panid {PAN_ID:#x}",
                         f"dataset extpanid {EXTENDED_PAN_ID}", "dataset commit active",
                         f"preferrouterid {self.router_id}", "ifconfig up", "thread start",
                         "nat64 enable", "br enable",
                         "dns server upstream enable", "srp server enable"):
                self.control(*line.split())
            self.wait("state", answer="leader")
            self.wait("netdata", "show", answer="::/96 sn ")
            yield


class Air:
    """Receives every frame: the simulated radio sends them to a multicast group, each after its channel number."""

    def __init__(self):
        self.frames = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1)
        self.socket.bind(("224.0.0.116", 9000))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                               socket.inet_aton("224.0.0.116") + socket.inet_aton("127.0.0.1"))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.frames.append(self.socket.recv(256)[1:])

    def count(self):
        """Returns the number of frames received so far."""
        return len(self.frames)

    def since(self, start):
        """Counts frames, bytes, and the polls among the frames, after the first `start`."""
        frames = self.frames[start:]
        polls = sum(frame[0] & 7 == 3 for frame in frames)  # a MAC command
        return len(frames), sum(map(len, frames)), polls


@contextlib.contextmanager
def device(image, programs, folder, name, node):
    """Runs a firmware whose radio co-processor is the simulated one, until the block ends. Yields the process and the
    file with its output."""
    home = folder / name  # holds its flash, so that the same name restarts as the same device
    home.mkdir(exist_ok=True)
    printed = home / f"printed-{len(list(home.iterdir()))}.txt"
    with simulated_radio(programs / RADIO_PROGRAM, node, home) as port, \
         process([image, f"-uart_1_port={port}", f"-seed={node}"], printed, cwd=home) as running:
        yield running, printed


if __name__ == "__main__":
    print(missing() or "", end="")
