"""Checks which DNS servers a device asks, using the servers' logs and the traffic that leaves the Thread network.
This is the scenario `dns` of thread_network.py.

One of the test's servers has the address that OpenThread's DNS client uses by default, a public one. It may be
asked only if CONFIG_THREAD_MQTT_DNS_SERVERS names it.
"""

import contextlib
import pathlib
import re
import socket
import struct
import sys
import threading

from native_sim import ROOT, wait_for
from openthread import BROKER, PUBLIC_DNS, ROUTER, process, run

NAME = "broker.example.org"
DISCOVERY = "ipv4only.arpa"  # RFC 7050
# On the border router's machine: a server announced in the network data, and OpenThread's default.
ANNOUNCED, DEFAULT = "fd53::53", "2001:4860:4860::8888"
QUAD9, GOOGLE = PUBLIC_DNS
UNSPECIFIED = "::"
# The broker's IPv6 address, which the announced server returns. It is unreachable.
NOWHERE = "2001:db8::bad"

IMAGES = ("minimal", "dns-set", "dns-empty", "dns-release")
# Parts of the release that native_sim does not support: link-time optimisation and a Zephyr heap; and the serial ports,
# one of which leads to the radio here.
NOT_NATIVE = ("LTO", "ISR_TABLES_LOCAL_DECLARATION", "COMMON_LIBC_MALLOC_ARENA_SIZE", "CONSOLE", "SERIAL")


def images(folder):
    """Returns the images, and the options in which they differ."""
    release = (ROOT / "snippets/thread-mqtt-release/release.conf").read_text().splitlines()
    left_out = tuple(f"CONFIG_{option}=" for option in NOT_NATIVE)
    (folder / "release.conf").write_text("\n".join(line for line in release if not line.startswith(left_out)) + "\n")
    return {
        "minimal": [],
        "dns-set": [f'-DCONFIG_THREAD_MQTT_DNS_SERVERS="{DEFAULT} {GOOGLE}"'],
        "dns-empty": ['-DCONFIG_THREAD_MQTT_DNS_SERVERS=""'],
        "dns-release": [f"-DEXTRA_CONF_FILE={folder}/release.conf"],
    }


class Traffic:
    """Records the destinations of packets that leave the Thread network for port 53."""

    def __init__(self, interface):
        self.found = set()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        self.socket.bind((interface, 0))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):  # the interface disappears with the border router
            while packet := self.socket.recv(2048):
                self.hear(packet)

    def hear(self, packet):
        """Decodes IPv4 (RFC 791) or IPv6 (RFC 8200), and the UDP or TCP ports."""
        if packet[0] >> 4 == 4:
            protocol, address, ports = packet[9], packet[16:20], packet[4 * (packet[0] & 15):]
        else:
            protocol, address, ports = packet[6], packet[24:40], packet[40:]
        if protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP) and struct.unpack_from("!H", ports, 2)[0] == 53:
            family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
            self.found.add(socket.inet_ntop(family, address))


class Servers:
    """The logs of all DNS servers; `asked` returns what was added."""

    def __init__(self, *logs):
        self.logs = logs
        self.read = {}

    def asked(self):
        """Returns the server, the client and the name of each query since the last call."""
        found = set()
        for log in self.logs:
            text = log.read_text() if log.exists() else ""
            for server, client, name in re.findall(r"^(\S+) was asked by (\S+) for (\S+),",
                                                   text[self.read.get(log, 0):], re.MULTILINE):
                found.add((server, "border router" if client == ROUTER else "device", name))
            self.read[log] = len(text)
        return found


@contextlib.contextmanager
def announced(router, address):
    """Encodes a DNS server in the network data, as a border router announces one (Thread 1.3 section 14.3)."""
    data = "5d" + socket.inet_pton(socket.AF_INET6, address).hex() + "0035"
    router.control("service", "add", "44970", data)
    router.control("netdata", "register")
    router.wait("netdata", "show", answer=data)
    yield
    router.control("service", "remove", "44970", data)
    router.control("netdata", "register")
    router.wait("netdata", "show", lacks=data)


@contextlib.contextmanager
def border_router(router, mode, data):
    """The border router itself."""
    router.control("srp", "server", "addrmode", mode)
    router.control("srp", "server", "enable")
    router.wait("netdata", "show", answer=f"44970 {data}")
    yield
    router.control("srp", "server", "disable")
    router.wait("netdata", "show", lacks="44970 ")


def no_server(router):
    return contextlib.nullcontext()


def by_unicast(router):
    return border_router(router, "unicast", "5d")


def by_anycast(router):
    return border_router(router, "anycast", "5c")


def a_server(router):
    return announced(router, ANNOUNCED)


def a_server_without_an_address(router):
    return announced(router, UNSPECIFIED)


def device_asks(*servers):
    return {(server, "device", NAME) for server in servers}


# The image, what the network announces, the name that the announced server knows, the queries, and whether an address
# is found.
THROUGH_ROUTER = {(BROKER, "border router", NAME)}
CASES = [
    ("minimal", by_unicast, NAME, THROUGH_ROUTER, True),
    ("minimal", by_anycast, NAME, THROUGH_ROUTER, True),
    ("minimal", a_server, NAME, device_asks(ANNOUNCED), True),
    ("minimal", a_server, "other.example.org", device_asks(ANNOUNCED, QUAD9), True),
    ("minimal", no_server, NAME, device_asks(QUAD9), True),
    ("dns-set", a_server, NAME, device_asks(ANNOUNCED), True),
    ("dns-set", no_server, NAME, device_asks(DEFAULT), True),
    ("dns-empty", a_server, NAME, device_asks(ANNOUNCED), True),
    ("dns-empty", a_server, "other.example.org", device_asks(ANNOUNCED), False),
    ("dns-empty", no_server, NAME, set(), False),
    ("dns-empty", a_server_without_an_address, NAME, set(), False),
    ("dns-release", by_unicast, NAME, THROUGH_ROUTER, True),
    ("dns-release", no_server, NAME, device_asks(QUAD9), True),
]
WITHOUT_NAT64 = [
    ("minimal", no_server, NAME, set(), False),
    ("minimal", a_server, NAME, device_asks(ANNOUNCED) | {(ANNOUNCED, "device", DISCOVERY)}, False),
]


def check(world, router, servers, traffic, case, nat64=True):
    """Runs one device until it is online or reports why it is not."""
    image, announces, known, expected, found = case
    script = pathlib.Path(__file__).with_name("dns_server.py")
    broker_log = world.folder / "mosquitto.log"
    what = (f"{image}, {announces.__name__.replace('_', ' ')}"
            f"{'' if known == NAME else ' that does not know the name'}{'' if nat64 else ', without NAT64'}")
    # Without NAT64 the test is whether an address is found.
    own = f"{ANNOUNCED}={NOWHERE}" if nat64 else ANNOUNCED
    with process([sys.executable, script, known, BROKER, own, DEFAULT], servers.logs[-1]), \
         announces(router):
        servers.asked()
        traffic.found.clear()
        connected = broker_log.read_text().count("New client connected")
        with world.device(image) as device:
            if found:
                wait_for(broker_log, "New client connected", connected + 1, device.running)
            else:
                device.comes_to(": no address: ")
        asked = servers.asked()
    if asked != expected:
        sys.exit(f"{device.printed.read_text()}\nerror: {what}: queried {sorted(asked)} instead of {sorted(expected)}")
    strangers = traffic.found - {server for server, who, _ in expected if who == "device"}
    if strangers:
        sys.exit(f"error: {what}: unexpected DNS servers were queried: {sorted(strangers)}")
    told = ", ".join(f"{server} by the {who}" + (f" for {name}" if name != NAME else "")
                     for server, who, name in sorted(expected)) or "no server"
    print(f"  {what}: {told}", flush=True)


def scenario(world):
    """Checks which DNS servers are asked, using their own logs."""
    for address in (ANNOUNCED, DEFAULT):
        run(["ip", "address", "replace", f"{address}/128", "dev", "lo"])
    servers = Servers(world.folder / "dns.log", world.folder / "dns-router.log")
    with world.router() as router, world.broker("TLSv1.3"):
        for prefix in ("fd53::/64", "2001:4860:4860::/48"):
            router.control("route", "add", prefix, "s", "med")
        router.control("srp", "server", "disable")
        router.control("netdata", "register")
        router.wait("netdata", "show", answer="2001:4860:4860::/48")
        router.wait("netdata", "show", lacks="44970 ")
        traffic = Traffic("wpan0")
        for case in CASES:
            check(world, router, servers, traffic, case)
        router.control("nat64", "disable")
        router.wait("netdata", "show", lacks="::/96 sn ")
        for case in WITHOUT_NAT64:
            check(world, router, servers, traffic, case, nat64=False)
