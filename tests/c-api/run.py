#!/usr/bin/env python3
"""Builds the C API for this computer and runs its test cases against Mosquitto, over TLS on the loopback.

The program is built several times, from the cases and the C files of rust/port/posix: plain, with
AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer; the plain one also runs
under Valgrind. The Rust library is the same each time and not instrumented: the sanitizers and
Valgrind check its allocations, locks, system calls and accesses through memcpy(), and all of the C code.
The variants run at the same time, each with its own brokers, because most of a run is waiting.

    run.py [NAME...]    only the variants whose names begin so; "plain Valgrind" for that

Prints what ran, and what could not run and why. Needs cargo, a C compiler, openssl and mosquitto.
"""
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import brokers
import scripted

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "scripts"))
from ports import free_ports  # noqa: E402
from usage import arguments  # noqa: E402

POSIX = ROOT / "rust/port/posix"

WRAPPED = [
    "malloc", "calloc", "realloc", "posix_memalign", "free",
    *("tmq_port_" + name for name in (
        "lock", "unlock", "lock_wait", "wake", "thread_start", "thread_join", "await_answer", "wait", "log",
        "store_read", "store_write", "store_delete", "store_each", "network", "tcp_connect", "tcp_state", "tcp_send",
        "tcp_receive", "tcp_close", "resolve", "random")),
    *("tmq_client_" + name for name in ("enter", "leave", "close", "may_wait")),
]

VARIANTS = {
    "plain": [],
    "AddressSanitizer and UndefinedBehaviorSanitizer": [
        "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "ThreadSanitizer": ["-fsanitize=thread"],
}

# ThreadSanitizer of older compilers exits at once if addresses are randomised over a wide range (vm.mmap_rnd_bits).
STEADY = ["setarch", "-R"] if shutil.which("setarch") and not subprocess.run(
    ["setarch", "-R", "true"], stderr=subprocess.DEVNULL).returncode else []

ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:suppressions={HERE}/tsan.supp",
}


def library():
    """Builds libthread_mqtt.a as scripts/install_linux.sh installs it. Returns its path."""
    subprocess.run(["cargo", "build", "--locked", "--release", "-p", "thread-mqtt-posix"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release/libthread_mqtt.a"


def compile_program(archive, flags, program):
    sources = sorted(HERE.glob("*.c")) + sorted((POSIX / "c").glob("*.c"))
    command = [
        os.environ.get("CC", "cc"), "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
        "-fno-omit-frame-pointer", *flags, f"-I{ROOT / 'include'}", f"-I{POSIX / 'c'}",
        f"-DTHREAD_MQTT_BUILD_TIME={int(time.time())}LL", "-DCONFIG_THREAD_MQTT_MAX_SIZE_IN_PIECES=1100000",
        *(f"-Wl,--wrap={name}" for name in WRAPPED),
        *map(str, sources), str(archive), "-lpthread", "-ldl", "-lm", "-lgcc_s", "-o", str(program),
    ]
    return subprocess.run(command, capture_output=True, text=True)


def certificates(folder):
    """Creates a CA with a server certificate for localhost and 127.0.0.1, and a second CA."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2",
                "-subj", f"/CN=Test CA {name}", "-config", "empty.cnf", *ca)
    (folder / "server.ext").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    for name, curve in (("server", "prime256v1"), ("server521", "secp521r1")):
        openssl("req", "-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost", "-config", "empty.cnf")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "server.ext")


def pin(folder, *openssl):
    """Returns openssl's output as a pin."""
    written = subprocess.run(["openssl", *openssl], cwd=folder, check=True, capture_output=True).stdout
    return "sha256:" + hashlib.sha256(written).hexdigest()


class Broker:
    """Mosquitto with two listeners, plain and TLS, or with other settings and one listener. Ends with the block. Its
    files are in a separate folder, the certificates in that of the whole run."""

    def __init__(self, folder, shared, limits=None):
        folder.mkdir()
        self.folder = folder
        self.shared = shared
        self.limits = limits

    def __enter__(self):
        mosquitto = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        if mosquitto is None:
            sys.exit("error: mosquitto is not installed (Debian: apt install mosquitto)")
        (self.folder / "acl").write_text("topic readwrite #\ntopic deny forbidden\n")
        # Another program may take a port before Mosquitto does; other ports are tried then.
        for _ in range(10):
            self.plain, self.tls = free_ports(2)
            self.ports = (self.plain, self.tls) if self.limits is None else (self.plain,)
            (self.folder / "mosquitto.conf").write_text(self.configuration())
            self.process = subprocess.Popen(
                [mosquitto, "-c", str(self.folder / "mosquitto.conf")],
                stdout=subprocess.DEVNULL, stderr=(self.folder / "mosquitto.log").open("w"))
            if self.is_up():
                return self
            self.__exit__()
        sys.exit("error: mosquitto did not start:\n" + (self.folder / "mosquitto.log").read_text())

    def configuration(self):
        # If started by root it would switch to a user that cannot read below this run's folder.
        if self.limits is not None:
            return f"user root\nlistener {self.plain} 127.0.0.1\n{self.limits}"
        return f"""\
user root
per_listener_settings false
allow_anonymous true
acl_file {self.folder}/acl
listener {self.plain} 127.0.0.1
listener {self.tls} 127.0.0.1
certfile {self.shared}/server.pem
keyfile {self.shared}/server.key
"""

    def is_up(self):
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                for port in self.ports:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def credentials(folder):
    """Creates certificates and keys, and what the client finds under tags: valid, damaged, invalid and too many."""
    folder.chmod(0o755)
    (folder / "empty.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    certificates(folder)
    for file in folder.glob("server.*"):
        file.chmod(0o644)
    right = (folder / "ca.pem").read_text()
    for tag, ca in ((42, right), (44, right.replace("MII", "M!I", 1)), (45, "no certificate\n"),
                    (46, right * 32)):
        (folder / f"credentials/{tag}").mkdir(parents=True)
        (folder / f"credentials/{tag}/ca").write_text(ca)


@contextlib.contextmanager
def peers(folder, shared):
    """Starts the brokers of one run below `folder`. Returns the environment that tells the program about them."""
    folder.mkdir(mode=0o755)
    with Broker(folder / "broker", shared) as broker, \
            Broker(folder / "limited", shared, brokers.LIMITS) as limited:
        old, moved = brokers.Old(broker.plain), brokers.Moved(broker.plain)
        alpn = brokers.Alpn(broker.plain, shared / "server.pem", shared / "server.key")
        p521 = brokers.Tls(broker.plain, shared / "server521.pem", shared / "server521.key")
        silent, full, odd = scripted.Silent(), scripted.Full(), scripted.Odd()
        yield {
            "TEST_BROKER": f"mqtt://127.0.0.1:{broker.plain}",
            "TEST_BROKER_TLS": f"mqtts://127.0.0.1:{broker.tls}",
            "TEST_BROKER_NAME": f"mqtts://localhost:{broker.tls}",
            "TEST_BROKER_LIMITED": f"mqtt://127.0.0.1:{limited.plain}",
            "TEST_BROKER_OLD": f"mqtt://127.0.0.1:{old.port}",
            "TEST_BROKER_MOVED": f"mqtt://127.0.0.1:{moved.port}",
            "TEST_BROKER_ALPN": f"mqtts://127.0.0.1:{alpn.port}",
            "TEST_BROKER_P521": f"mqtts://127.0.0.1:{p521.port}",
            "TEST_SILENT": f"127.0.0.1:{silent.port}",
            "TEST_FULL": f"mqtt://127.0.0.1:{full.port}",
            "TEST_BROKER_ODD": f"mqtt://127.0.0.1:{odd.port}",
            "THREAD_MQTT_STATE_DIR": str(folder / "state"),
        }


def run(what, command, folder, shared, files):
    """Runs a program with its own brokers and prints its output. Returns whether it passed."""
    with peers(folder, shared) as environment:
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               env={**os.environ, **ENVIRONMENT, **environment, **files})
    print(f"==> C API, {what}\n{ended.stdout}", end="", flush=True)
    return ended.returncode == 0


def of_files(shared):
    """Returns what the program is told about the files of the whole run."""
    return {
        "TEST_PIN": pin(shared, "x509", "-outform", "DER", "-in", "server.pem"),
        "TEST_KEY_PIN": pin(shared, "pkey", "-pubout", "-outform", "DER", "-in", "server.key"),
        "TEST_CA": str(shared / "ca.pem"), "TEST_OTHER_CA": str(shared / "other.pem"),
        "TEST_CERTIFICATE": str(shared / "server.pem"), "TEST_KEY": str(shared / "server.key"),
        "TEST_OTHER_KEY": str(shared / "other.key"),
        "THREAD_MQTT_CREDENTIALS": str(shared / "credentials"), "THREAD_MQTT_LOG": "warning",
    }


def build(wanted, archive, folder):
    """Builds the wanted variants. Returns what to run, by name."""
    commands = {}
    for number, (what, flags) in enumerate(VARIANTS.items()):
        if wanted and not any(what.startswith(name) for name in wanted):
            continue
        program = folder / f"program{number}"
        built = compile_program(archive, flags, program)
        if built.returncode != 0:
            if flags and "cannot find" in built.stderr:
                print(f"SKIPPED C API, {what}: the compiler lacks its library")
                continue
            sys.exit(built.stderr)
        commands[what] = [*(STEADY if "-fsanitize=thread" in flags else []), str(program)]
        if not flags and (not wanted or "Valgrind" in wanted):
            valgrind = shutil.which("valgrind")
            if valgrind is None:
                print("SKIPPED C API, Valgrind: it is not installed")
                continue
            commands["Valgrind"] = [
                valgrind, "--quiet", "--error-exitcode=9", "--leak-check=full",
                "--errors-for-leak-kinds=definite,indirect", "--fair-sched=yes",
                f"--suppressions={HERE}/valgrind.supp", str(program)]
    return commands


def main():
    wanted = arguments(__doc__)
    unknown = [name for name in wanted if not any(what.startswith(name) for what in (*VARIANTS, "Valgrind"))]
    if unknown:
        sys.exit(f"error: C API: unknown variant {unknown[0]}; choose from {', '.join(VARIANTS)} and Valgrind")
    archive = library()
    with tempfile.TemporaryDirectory(prefix="thread-mqtt-") as name:
        folder = pathlib.Path(name)
        credentials(folder)
        commands = build(wanted, archive, folder)
        if not commands:
            sys.exit("C API: nothing to run; Valgrind runs the plain variant: run.py plain Valgrind")
        files = of_files(folder)
        with ThreadPoolExecutor(len(commands)) as pool:
            runs = {what: pool.submit(run, what, command, folder / f"run{number}", folder, files)
                    for number, (what, command) in enumerate(commands.items())}
            failed = [what for what, ended in runs.items() if not ended.result()]
    print("C API: ran " + ", ".join(runs))
    if failed:
        sys.exit("C API: failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
