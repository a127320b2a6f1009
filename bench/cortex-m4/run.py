"""Runs an image in QEMU against a live server, over the emulated serial line."""
import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from build import ROOT, Failed
from ports import free_port

PKI = ROOT / "rust/test/testkit/pki"
# Within the certificates' validity; see rust/test/testkit/src/fixed.rs.
UNIX_TIME = 1_793_491_200
PARAMETERS = 0x21000000
VERSIONS = {"1.2": 0x0303, "1.3": 0x0304}
GROUPS = {"X25519": (0x001D, "X25519"), "P-256": (0x0017, "prime256v1"),
          "P-384": (0x0018, "secp384r1")}
KEYS = {"rsa": "RSA-2048", "p256": "ECDSA P-256", "p384": "ECDSA P-384"}
# In seconds. A handshake takes seconds here, and longer on a busy machine.
PATIENCE = 180


@dataclass(frozen=True)
class Handshake:
    """The parameters of client and server; always AES-128-GCM."""

    version: str
    # The chain of the testkit: a key of KEYS; "-deep" means four certificates instead of two.
    chain: str
    group: str
    # "4" (3.1.1) or "5" for the whole client.
    mqtt: str = ""

    def __str__(self):
        key, _, deep = self.chain.partition("-")
        certificate = KEYS[key] + (", chain of 4" if deep else "")
        mqtt = {"": "", "4": ", MQTT 3.1.1", "5": ", MQTT 5"}[self.mqtt]
        return f"TLS {self.version}, {certificate}, {self.group}{mqtt}"


@dataclass
class Phase:
    """The board's counts between two marks."""

    instructions: int
    heap_most: int
    # Without Mbed TLS's allocations.
    heap_own: int
    heap_now: int
    stack: int
    sent: int
    received: int


def until(condition, process, what):
    """Waits until a server is ready."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"{what} did not start")
        time.sleep(0.02)


@contextlib.contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def s_server(handshake, folder):
    """Runs OpenSSL's server for one connection; it reverses the lines it receives."""
    port, log = free_port(), Path(folder) / "server.log"
    kind = KEYS[handshake.chain.partition("-")[0]].split("-")[0].split()[0]
    suite = {"1.2": ["-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-GCM-SHA256"],
             "1.3": ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"]}[handshake.version]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-naccept", "1", "-rev",
               "-cert", PKI / f"{handshake.chain}-leaf.pem", "-key", PKI / f"{handshake.chain}-leaf.key.pem",
               "-cert_chain", PKI / f"{handshake.chain}-intermediate.pem",
               "-groups", GROUPS[handshake.group][1], *suite]
    with open(log, "wb") as out:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT)
    with ended(process):
        until(lambda: b"ACCEPT" in log.read_bytes(), process, "openssl s_server")
        yield port, log


@contextlib.contextmanager
def mosquitto(handshake, folder):
    """Runs Mosquitto with one TLS listener."""
    port, folder = free_port(), Path(folder)
    log, limits = folder / "server.log", folder / "openssl.cnf"
    (folder / "mosquitto.conf").write_text(
        # If started by root, it would switch to a user that may not read the key.
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {PKI / handshake.chain}-leaf.pem\nkeyfile {PKI / handshake.chain}-leaf.key.pem\n")
    # Mosquitto sets a minimum version only; OpenSSL's own configuration sets the maximum.
    limits.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                      f"MinProtocol = TLSv{handshake.version}\nMaxProtocol = TLSv{handshake.version}\n"
                      f"Groups = {GROUPS[handshake.group][1]}\n")
    command = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None:
        raise Failed("mosquitto is missing\n  cure: apt-get install mosquitto")
    with open(log, "wb") as out:
        process = subprocess.Popen([command, "-c", str(folder / "mosquitto.conf")], stdout=out,
                                   stderr=subprocess.STDOUT, env={**os.environ, "OPENSSL_CONF": str(limits)})

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with ended(process):
        until(listens, process, "mosquitto")
        yield port, log


def parameters(handshake, heap_limit):
    """Returns a struct board_parameters."""
    ca = (PKI / f"{handshake.chain}-root.pem").read_bytes() + b"\0"
    return struct.pack("<QIIIII8192s", UNIX_TIME, VERSIONS[handshake.version], GROUPS[handshake.group][0],
                       int(handshake.mqtt or 0), heap_limit, len(ca), ca)


def measure(elf, handshake, heap_limit=0):
    """Runs one handshake and returns its phases by name. A failure has the image's output as its text."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "parameters.bin"
        told.write_bytes(parameters(handshake, heap_limit))
        server = mosquitto if handshake.mqtt else s_server
        with server(handshake, folder) as (port, log):
            command = ["qemu-system-arm", "-M", "mps2-an386", "-display", "none", "-monitor", "none",
                       "-icount", "shift=0,sleep=off", "-serial", f"tcp:127.0.0.1:{port}",
                       "-semihosting-config", "enable=on,target=native",
                       "-device", f"loader,file={told},addr={PARAMETERS:#x},force-raw=on", "-kernel", str(elf)]
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      timeout=PATIENCE)
            except subprocess.TimeoutExpired as late:
                raise Failed(f"{handshake}: no end within {PATIENCE} s\n{late.stdout}") from None
            if done.returncode != 0:
                raise Failed(f"{handshake} failed:\n{done.stdout}\nthe server's log:\n{log.read_text()[-2000:]}")
    phases = {}
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"phase (\S+) ([\d ]+)", line):
            phases[match[1]] = Phase(*map(int, match[2].split()))
    return phases
