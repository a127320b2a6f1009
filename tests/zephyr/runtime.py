"""Builds tests/zephyr/runtime for native_sim in a west workspace and runs it against Mosquitto and an SNTP server on
loopback. Tests credentials by their tag, the time from SNTP, the stored floor of the time, also during power failures;
with PSA Crypto a private key by its identifier; and Ed25519, with and without it in the image.

    python3 tests/zephyr/runtime.py WORKSPACE     (the folder above zephyr/)

Needs what native_sim.py needs.
"""

import calendar
import contextlib
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from native_sim import PATIENCE, ROOT, environment, run, west_build
from ports import free_port, free_ports
from usage import arguments

DAY = 86_400
EPOCH = 1_987_200_000  # day 0 of the image's option "keep": CONFIG_SAMPLE_EPOCH
CUTS = 200
PARTITION = 4 * 4096  # size of the settings partition on native_sim
NTP = 2_208_988_800  # seconds from 1900 to 1970


def certificates(folder):
    """Creates a CA, a server that is valid for 30 days, one for 5 days, one with an Ed25519 key, a client, and a key
    without a certificate."""
    def openssl(*arguments):
        run(["openssl", *arguments], cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "60", "-subj", "/CN=test CA", "-addext", "basicConstraints=critical,CA:TRUE")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name, days in (("server", 30), ("short", 5), ("client", 30), ("eddsa", 30)):
        if name == "eddsa":
            openssl("genpkey", "-algorithm", "ed25519", "-out", f"{name}.key")
        else:
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.sec1")
            openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{name}.sec1", "-out", f"{name}.key")
        openssl("req", "-new", "-key", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", str(days), "-out", f"{name}.pem", "-extfile", "names")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "other.sec1")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "other.sec1", "-out", "other.key")
    for name in ("client", "other"):
        # As PSA imports it: the number alone, which follows seven bytes in SEC 1 (RFC 5915).
        openssl("ec", "-in", f"{name}.sec1", "-outform", "DER", "-out", f"{name}.der")
        (folder / f"{name}.raw").write_bytes((folder / f"{name}.der").read_bytes()[7:39])


class Brokers:
    """Mosquitto with four listeners: TLS, TLS that requires a client certificate, TLS with a certificate that ends in
    five days, and TLS with an Ed25519 key."""

    def __init__(self, folder):
        self.folder = folder
        self.plain, self.mutual, self.short, self.eddsa = free_ports(4)

    def __enter__(self):
        folder = self.folder
        text = f"per_listener_settings true\nuser {os.environ.get('USER', 'root')}\n"
        for port, name, more in ((self.plain, "server", ""), (self.short, "short", ""),
                                 (self.eddsa, "eddsa", ""),
                                 (self.mutual, "server", "require_certificate true\n")):
            text += (f"listener {port} 127.0.0.1\nallow_anonymous true\ncafile {folder}/ca.pem\n"
                     f"certfile {folder}/{name}.pem\nkeyfile {folder}/{name}.key\n{more}")
        (folder / "mosquitto.conf").write_text(text)
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = open(folder / "mosquitto.log", "w")
        self.process = subprocess.Popen([program, "-v", "-c", str(folder / "mosquitto.conf")],
                                        stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        for port in (self.plain, self.mutual, self.short, self.eddsa):
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit((folder / "mosquitto.log").read_text() + "error: mosquitto did not start")
                time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class TimeServer:
    """An SNTP server (RFC 5905) whose clock is `ahead` of this machine's, in seconds. Before each valid answer it sends
    a forged one, like a peer that has not seen the request."""

    def __init__(self, ahead=0):
        self.ahead = ahead
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def serve(self):
        while True:
            question, client = self.socket.recvfrom(512)
            if len(question) < 48:
                return
            self.asked += 1
            for cookie, ahead in ((bytes(8), 40 * 365 * DAY), (question[40:48], self.ahead)):
                stamp = (int(time.time()) + ahead + NTP) & 0xFFFFFFFF
                head = struct.pack(">BBbb8x4s8x", 4 << 3 | 4, 2, 6, -20, b"TEST")
                answer = head + cookie + bytes(8) + struct.pack(">II", stamp, 1)
                self.socket.sendto(answer, client)

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"end", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


class Image:
    """The image, its flash, and the errors found in its runs."""

    def __init__(self, executable, folder):
        self.executable, self.folder = executable, folder
        self.flash = folder / "flash.bin"
        self.failed, self.passed = 0, 0

    def forget(self):
        """Erases the flash."""
        self.flash.unlink(missing_ok=True)

    def has_code_of(self, crate):
        """Returns whether a symbol of the image belongs to this crate."""
        return crate in run(["nm", str(self.executable)])

    def check(self, name, well):
        """Counts a check."""
        self.passed, self.failed = self.passed + bool(well), self.failed + (not well)
        print(f"{'ok' if well else 'FAILED':6}  {name}", flush=True)

    def run(self, name, options, *expected, absent=()):
        """Runs the device once: everything expected must be printed in this order, and nothing of what must be
        absent."""
        command = [str(self.executable), f"-flash={self.flash}", "-seed-random",
                   *(f"-{option}" for option in options)]
        place, wrong = 0, []
        try:
            printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, timeout=PATIENCE).stdout
        except subprocess.TimeoutExpired as late:
            printed = late.stdout or b""
            wrong.append(f"it did not end in {PATIENCE} s")
        printed = printed.decode(errors="replace")
        for text in expected:
            found = printed.find(text, place)
            if found < 0:
                wrong.append(f"not printed, or not in its place: {text!r}")
            else:
                place = found + len(text)
        wrong += [f"printed: {text!r}" for text in absent if text in printed]
        if wrong:
            self.failed += 1
            print(f"FAILED  {name}\n{printed}" + "\n".join(wrong), flush=True)
        else:
            self.passed += 1
            print(f"ok      {name}", flush=True)


def credentials(image, brokers):
    """The CA and, with mutual TLS, certificate and key, by the tag alone."""
    plain, mutual = (f"broker=mqtts://localhost:{port}" for port in (brokers.plain, brokers.mutual))
    online, unusable = "event online", "init: -5, "
    image.run("CA by its tag", [plain, "credentials=ca"], "init: 0", online, "deinit: 0")
    image.run("mutual TLS by the tag", [mutual, "credentials=all"], "init: 0", online)
    image.run("no certificate although one is required", [mutual, "credentials=ca"],
              "init: 0", "event failed: TLS: ", absent=[online])
    image.run("nothing under the tag", [plain, "credentials=none"],
              "credential 42 CA is missing: add it with tls_credential_add()", unusable)
    # The client's thread reads what exists.
    image.run("a broken CA", [plain, "credentials=broken-ca"], "init: 0", "event failed: TLS: credential 42 CA: ",
              absent=["event stage"])
    identity = "init: -6, "
    image.run("no key", [mutual, "credentials=no-key"], "credential 42 PK is missing", identity)
    image.run("no certificate", [mutual, "credentials=no-certificate"],
              "credential 42 SELF_CERT is missing", identity)
    # Credentials from the application are not combined with those under the tag.
    image.run("a certificate handed over, a key under the tag", [mutual, "credentials=all", "handed=certificate"],
              "thread_mqtt_config has a certificate but no private key: set private_key or private_key_id", identity)
    image.run("a key handed over, a certificate under the tag", [mutual, "credentials=all", "handed=key"],
              "thread_mqtt_config has a private key but no certificate: set certificate", identity)
    image.run("neither a tag nor a CA", [plain, "credentials=all", "handed=nothing"],
              "thread_mqtt_config has no CA: set ca, or sec_tag", unusable)
    for name, credentials in (("a broken key", "broken-key"), ("the key of another", "other-key")):
        image.run(name, [mutual, f"credentials={credentials}"], "init: 0", "event failed: TLS: credential 42 PK: ",
                  absent=["event stage"])


def no_such_keys(image, brokers):
    """A PSA identifier in an image without PSA."""
    image.run("a key in PSA, without PSA", [f"broker=mqtts://localhost:{brokers.mutual}",
                                            "credentials=no-key", "key=any"],
              "private_key_id 1: private_key_id names a key in PSA Crypto; set "
              "CONFIG_THREAD_MQTT_CRYPTO_PSA=y", "init: -6, ")


def key_in_psa(image, brokers):
    """The private key by its PSA identifier, the certificate by the tag."""
    broker, certificate = f"broker=mqtts://localhost:{brokers.mutual}", "credentials=no-key"
    image.run("a key in PSA", [broker, certificate, "key=good"], "import: 0", "init: 0", "event online",
              "deinit: 0")
    refused = "event failed: TLS: "
    image.run("an unknown key identifier", [broker, certificate, "key=missing"], "init: 0",
              refused + "private_key_id 4711: PSA Crypto has no key with this identifier: generate or import")
    image.run("a key that may not sign", [broker, certificate, "key=no-sign"], "import: 0", "init: 0", refused,
              "permits no signature for TLS: it needs PSA_KEY_USAGE_SIGN_HASH")
    image.run("a key for another purpose", [broker, certificate, "key=no-ecdsa"], "import: 0", "init: 0", refused,
              "permits no signature for TLS: it needs PSA_KEY_USAGE_SIGN_HASH")
    image.run("the key of another certificate", [broker, certificate, "key=other"], "import: 0", "init: 0", refused,
              "the private key does not belong to the client certificate")
    image.run("a key and no certificate", [broker, "credentials=ca", "key=good"], "import: 0",
              "credential 42 SELF_CERT is missing", "init: -6, ")
    image.run("a key destroyed while the client exists", [broker, certificate, "key=destroyed"],
              "init: 0", "destroy: 0", "event failed: TLS: ", "psa_", "cure: ", "deinit: 0",
              absent=["event online"])


def without_ed25519(image, brokers):
    """An image without the option neither contains nor offers it."""
    image.run("no Ed25519", [f"broker=mqtts://localhost:{brokers.eddsa}"], "event failed: TLS: ", "cure: ",
              "an Ed25519 key needs a crypto provider with Ed25519", absent=["event online"])
    image.check("no code for Ed25519", not image.has_code_of("ed25519_dalek"))


def with_ed25519(image, brokers):
    """CONFIG_THREAD_MQTT_ED25519."""
    image.run("Ed25519", [f"broker=mqtts://localhost:{brokers.eddsa}"], "event online", "deinit: 0")
    image.run("ECDSA as before", [f"broker=mqtts://localhost:{brokers.plain}"], "event online")
    image.check("code for Ed25519", image.has_code_of("ed25519_dalek"))


def clock(image, brokers):
    """Strict and lenient, with and without a time server."""
    broker = f"broker=mqtts://localhost:{brokers.plain}"
    with TimeServer() as right, TimeServer(ahead=365 * DAY) as wrong:
        image.run("strict, by SNTP", [broker, "strict", f"time-servers={right.address}"],
                  "event stage reached: time: 20", "event online", absent=["time unknown"])
        asked = right.asked
        assert asked > 0
        # 2040: every certificate issued today has expired.
        image.run("a clock that was set", [broker, "set-time=2208988800", f"time-servers={right.address}"],
                  "set_time: 0", "event failed: TLS: ", "expired")
        assert right.asked == asked
        image.run("a time at which the certificate has expired",
                  [broker, f"time-servers={wrong.address}"], "event stage reached: time: 20",
                  "event failed: TLS: ", "expired", absent=["event online"])
        image.run("the second server", [broker, "strict",
                                        f"time-servers=127.0.0.1:{free_port()} {right.address}"],
                  "event stage reached: time: 20", "event online")
    image.run("strict, and no server answers", [broker, "strict", f"time-servers=127.0.0.1:{free_port()}"],
              "event failed: time: certificates cannot be checked: no time server answered in time",
              "cure: allow UDP to port 123", absent=["event online"])
    image.run("strict, and no server is asked", [broker, "strict"],
              "event failed: time: certificates cannot be checked: no clock is set", "cure: ",
              absent=["event online"])
    image.run("lenient, and no server is asked", [broker], "event time unknown: time: ",
              "not yet valid are accepted", "cure: ", "event online", "time 0")
    image.run("an invalid time server", [broker, "time-servers=a..b"],
              "time_servers: ", "init: -10, ")


def storage(image, brokers):
    """The floor survives a restart. Damaged or full storage is reported, and has no other effect."""
    broker, short = (f"broker=mqtts://localhost:{port}" for port in (brokers.plain, brokers.short))
    in_ten_days = int(time.time()) + 10 * DAY
    kept = time.strftime("expired before %Y-%m-%d", time.gmtime(in_ten_days))

    image.forget()
    # The day of the build, as the image reports it: it may have been the day before.
    printed, told = first_words(image)
    if told is None:
        sys.exit(printed)
    built = f"expired before {told[:10]}"
    image.run("before any time is stored", [short], built, "event online")
    # A time server's time is not proven, the application's is.
    with TimeServer(ahead=10 * DAY) as ahead:
        image.run("ten days later by a server", [broker, f"time-servers={ahead.address}", "stay=1"], "event online")
    image.run("unknown after the next restart", [short], built, "event online")
    later = f"set-time={in_ten_days}"
    image.run("ten days later by the application", [broker, later, "stay=1"], "event online")
    image.run("known after the next restart", [broker], kept, "event online")
    image.run("a certificate that has expired since is refused", [short], kept, "event failed: TLS: ", "expired",
              absent=["event online"])
    image.run("a damaged record is discarded", [short, "damage"], "damage: 0",
              "unknown layout", built, "event online")
    image.run("a damaged record is reported once", [short], built, "event online", absent=["unknown layout"])

    image.forget()
    image.run("a full storage", [broker, "fill", later, "stay=1"],
              "storage filled: -28", "the storage is full", "event online", "deinit: 0")
    image.run("a full storage is no worse than none", [short], built, "event online")


def first_words(image):
    """Starts the image. Returns its output and the floor of the time in it, None if something is wrong."""
    command = [str(image.executable), f"-flash={image.flash}", "-seed-random",
               f"-broker=mqtts://127.0.0.1:{free_port()}"]
    life = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          timeout=PATIENCE)
    told = re.search(r"expired before (\S+ \S+) UTC", life.stdout)
    if life.returncode != 0 or "init: 0" not in life.stdout or "deinit: 0" not in life.stdout or not told:
        return f"exit status {life.returncode}\n{life.stdout}", None
    return life.stdout, told[1]


def day_kept(image):
    """Starts the image. Returns the day of the floor of the time, None for the build date; or what is wrong."""
    printed, told = first_words(image)
    if told is None:
        return printed
    seconds = calendar.timegm(time.strptime(told, "%Y-%m-%d %H:%M")) - EPOCH
    return seconds // DAY if seconds >= 0 else None


def keep(image, day, times=1):
    """Runs the image, which stores this many days, one after the other."""
    command = [str(image.executable), f"-flash={image.flash}", f"-keep={day}", f"-times={times}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def cut_at_any_moment(image):
    """The power fails while the client's time is stored repeatedly, which fills and erases sectors."""
    seed = int(os.environ.get("THREAD_MQTT_SEED", random.SystemRandom().randrange(1 << 32)))
    chance = random.Random(seed)
    image.forget()
    keep(image, 0).communicate()
    old, wrong, most = 0, None, 0
    for _ in range(CUTS):
        life = keep(image, old + 1, 1 << 20)
        text = b""
        while b"kept" not in text:
            piece = life.stdout.read1()
            if not piece:
                break
            text += piece
        pause = threading.Timer(chance.uniform(0, 0.05), life.kill)
        pause.start()
        text += life.stdout.read()
        life.wait()
        pause.cancel()
        lines = re.findall(rb"kept (\d+): (-?\d+)\n", text)
        told = int(lines[-1][0]) if lines else old
        found = day_kept(image)
        # The last one reported, or the next, which may have been completely written.
        if found not in (told, told + 1) or any(int(code) != 0 for _, code in lines):
            wrong = f"told {told}, found {found}"
            break
        most = max(most, found - old)
        old = found
    image.check(f"{CUTS} power cuts at any moment of up to {most:,} times kept, seed {seed}", wrong is None)
    if wrong:
        print(wrong)


def cut_at_every_byte(image):
    """The power fails after each byte that storing a time writes: the result is the earlier time or the new one."""
    image.forget()
    keep(image, 0, 5).communicate()
    before = image.flash.read_bytes()
    keep(image, 5).communicate()
    after = image.flash.read_bytes()
    changed = [i for i, (old, new) in enumerate(zip(before, after)) if old != new]
    # As NVS writes: data upwards from the start of a sector, then entries of eight bytes downwards from its end.
    is_entry = lambda i: i % 4096 >= 2048
    changed.sort(key=lambda i: (is_entry(i), -(i // 8) if is_entry(i) else 0, i))
    wrong, found = None, []
    for count in range(len(changed) + 1):
        torn = bytearray(before)
        for place in changed[:count]:
            torn[place] = after[place]
        image.flash.write_bytes(torn)
        found.append(day_kept(image))
        keep(image, 6).communicate()
        then = day_kept(image)
        if found[-1] not in (4, 5) or then != 6:
            wrong = f"after {count} bytes found {found[-1]}, and then {then}"
            break
    if wrong is None and (found[0] != 4 or found[-1] != 5):
        wrong = f"found {found}"
    image.check(f"a power cut after each of {len(changed)} bytes", wrong is None)
    if wrong:
        print(wrong)


def power_cuts(image, brokers):
    """Whenever the power fails, the next start finds the old value or the new one."""
    cut_at_any_moment(image)
    cut_at_every_byte(image)
    # A partition that can no longer be read.
    begin = next(i for i, byte in enumerate(image.flash.read_bytes()) if byte != 0xff)
    for name, content in (("zeros", bytes(PARTITION)), ("anything", random.Random(1).randbytes(PARTITION))):
        flash = bytearray(image.flash.read_bytes())
        flash[begin:begin + PARTITION] = content
        image.flash.write_bytes(flash)
        image.run(f"a partition of {name}", [f"broker=mqtts://localhost:{brokers.plain}"],
                  "the stored time cannot be read (errno ", "erase the settings partition", "init: 0", "event online")


def main(workspace):
    env = environment(workspace)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        certificates(folder)
        psa = f"-DEXTRA_CONF_FILE={ROOT}/tests/zephyr/psa.conf"
        with Brokers(folder) as brokers:
            for backend, options, tests in (("soft", [], (credentials, no_such_keys, without_ed25519, clock,
                                                           storage, power_cuts)),
                                            ("ed25519", ["-DCONFIG_THREAD_MQTT_ED25519=y"], (with_ed25519,)),
                                            ("psa", [psa], (credentials, key_in_psa))):
                print(f"building tests/zephyr/runtime, {backend}", flush=True)
                build = folder / backend
                west_build(build, ROOT / "tests" / "zephyr" / "runtime",
                           [f'-DCONFIG_SAMPLE_CERTIFICATES="{folder}"', f"-DEXTRA_ZEPHYR_MODULES={ROOT}",
                            *options], env)
                image = Image(build / "zephyr" / "zephyr.exe", folder)
                for test in tests:
                    test(image, brokers)
                passed, failed = passed + image.passed, failed + image.failed
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    where, = arguments(__doc__, 1, 1)
    sys.exit(main(pathlib.Path(where).resolve()))
