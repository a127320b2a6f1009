"""Builds an image with the shell commands for native_sim in a west workspace and types commands, with Mosquitto
running, not running, with another CA's certificate, at a time when it has expired, and with a CA certificate that does
not decode. Uses two clients, PSA Crypto, and an image without sentences.

    python3 tests/zephyr/shell.py WORKSPACE [NAME...]     (the folder above zephyr/)

NAME is one of two-clients, psa and without-sentences (default: all). Needs what native_sim.py needs.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from native_sim import PATIENCE, ROOT, broker, certificates, chosen, environment, west_build
from ports import free_port
from usage import arguments

PROMPT = "uart:~$ "


class Shell:
    """The image, and its output since the last command."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.printed = ""
        self.checked = 0
        self.wait_for(lambda printed: PROMPT in printed, "the prompt")

    def read(self):
        """Reads available output, or waits briefly."""
        if self.process.poll() is not None:
            sys.exit(f"{self.printed}\nerror: the image exited")
        piece = self.process.stdout.read()
        if piece:
            self.printed += piece.decode(errors="replace").replace("\r", "")
        else:
            time.sleep(0.02)

    def wait_for(self, found, wanted):
        """Reads until `found` returns true."""
        deadline = time.monotonic() + PATIENCE
        while not found(self.printed):
            if time.monotonic() > deadline:
                sys.exit(f"{self.printed}\nerror: {wanted} was not printed")
            self.read()

    def type(self, command):
        """Types a command and returns its output."""
        self.printed = ""
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        self.wait_for(lambda printed: "\n" + PROMPT in printed, f"the end of {command!r}")
        return self.printed

    def expect(self, command, *patterns, without=()):
        """Types a command. Each pattern must be found in its output, in this order. A message that arrives meanwhile
        prints its own prompt, so the first prompt is not the end.
        """
        self.type(command)
        whole = "(?ms)" + ".*?".join([*patterns, re.escape("\n" + PROMPT)])
        self.wait_for(lambda printed: re.search(whole, printed), f"{command!r}: {patterns}")
        for pattern in without:
            if re.search(pattern, self.printed, re.MULTILINE):
                sys.exit(f"{command}\n{self.printed}\nerror: {pattern!r} was printed")
        self.checked += 1

    def until(self, command, pattern):
        """Types a command until it prints the pattern."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, printed := self.type(command), re.MULTILINE):
            if time.monotonic() > deadline:
                sys.exit(f"{command}\n{printed}\nerror: {pattern!r} was not printed")
            time.sleep(0.2)

    def end(self):
        self.process.kill()
        self.process.wait()


def wrong_input(shell):
    """Commands that must be refused, each with a reason."""
    nobody = "no client: the application has not called"
    for command in ("status", "connect", "disconnect", "prefixes", "doctor", "pub t m", "sub t",
                    "unsub t", "resolve localhost"):
        shell.expect(f"thread_mqtt {command}", nobody)
    shell.expect("client mqtt://127.0.0.1:1", "success")
    shell.expect("thread_mqtt nonsense", "status", "doctor")
    shell.expect("thread_mqtt pub t", "wrong parameter count")
    shell.expect("thread_mqtt sub", "wrong parameter count")
    shell.expect("thread_mqtt status more", "wrong parameter count")
    shell.expect("thread_mqtt pub t m 3", "3 is not a number from 0 to 2")
    shell.expect("thread_mqtt pub t m x", "x is not a number from 0 to 2")
    shell.expect("thread_mqtt pub t m 1 keep", "expected \"retain\"")
    shell.expect("thread_mqtt pub a/# m", "error -8: the topic")
    shell.expect("thread_mqtt sub a/#/b", "error -8: the topic")
    shell.expect("thread_mqtt sub t -1", "-1 is not a number from 0 to 2")
    shell.expect("thread_mqtt unsub a+", "error -8: the topic")
    shell.expect("thread_mqtt doctor 1", "1 is not a number from 5 to 600")
    shell.expect("thread_mqtt doctor soon", "soon is not a number")
    shell.expect("thread_mqtt disconnect", "the client is not started")
    shell.expect("thread_mqtt resolve a..b", "the (host|name|label)")
    shell.expect("thread_mqtt resolve " + 70 * "x", "63")
    shell.expect("thread_mqtt resolve 1.2.3", "IPv4")
    shell.expect(r'thread_mqtt resolve "\xff"', "^error -1: [^\n]*not UTF-8")


def without_broker(shell):
    """A port without a listener."""
    shell.expect("thread_mqtt status", "network +attached, with IPv4", "time +unknown",
                 "broker +mqtt://127.0.0.1:1$", "state +stopped", "client id +shell-test-1",
                 "outbox +0 waiting")
    shell.expect("thread_mqtt pub t m", "queued until the client is online")
    shell.expect("thread_mqtt doctor", "ok +broker +mqtt://127.0.0.1:1$", "ok +network",
                 "FAILED +TCP +127.0.0.1: [^\n]*refused",
                 "what to do +make sure that the broker is up", "error -23", without=["all stages"])
    # Not started before or after.
    shell.until("thread_mqtt status", "state +stopped")
    shell.expect("thread_mqtt connect")
    shell.expect("thread_mqtt connect", "already started")
    shell.until("thread_mqtt status",
                "state +pausing[^$]*last failure +TCP, [0-9]+ s ago: [^\n]*refused[^\n]*\n"
                "what to do +make sure that the broker is up")
    shell.expect("thread_mqtt disconnect")
    shell.expect("thread_mqtt disconnect", "the client is not started")


def names(shell):
    """The resolver and the doctor."""
    shell.expect("thread_mqtt resolve localhost", "address +127.0.0.1$", "answer +platform resolver: ")
    shell.expect("thread_mqtt resolve 192.0.2.1", "address +192.0.2.1$")
    shell.expect("thread_mqtt resolve 2001:db8::1", "address +2001:db8::1$")
    shell.expect("thread_mqtt resolve nowhere.invalid", "failed +platform resolver: ", "error -22")
    shell.expect("thread_mqtt prefixes", "none is needed: this network has IPv4")
    shell.expect("client mqtt://nowhere.invalid", "success")
    shell.expect("thread_mqtt doctor", "FAILED +DNS +platform resolver: ",
                 "FAILED +resolve +no usable address of nowhere.invalid was found", "error -22", without=["all stages"])


def with_broker(shell, folder, port, sentences):
    """Online, and every command that needs it."""
    (folder / "rules").write_text("topic readwrite shell/#\n")
    uri = f"mqtts://localhost:{port}"
    shell.expect(f"client {uri}", "success")
    with broker(folder, port, "TLSv1.3", f"acl_file {folder}/rules\n"):
        shell.expect("thread_mqtt doctor", f"ok +broker +{uri}$", "ok +network",
                     "^ +time +unknown, but after 20", "ok +DNS +platform resolver: ",
                     "^ +time +still unknown: the time server's name did not resolve", "ok +resolve", "ok +TCP", "ok +TLS +TLS 1.3",
                     "certificate +CN=localhost$", "for localhost, 127.0.0.1$", "by CN=test CA$",
                     "valid from 20.* UTC until 20.* UTC$", "ok +MQTT +online",
                     "client id +shell-test-1", "keep-alive +60 s", "result +all stages OK",
                     without=["what to do"])
        shell.expect("thread_mqtt connect")
        shell.until("thread_mqtt status", "state +online")
        shell.expect("thread_mqtt sub shell/# 1", "^subscribed$")
        shell.expect("thread_mqtt pub shell/a 'hello there' 2", "^published$")
        shell.until("thread_mqtt pub shell/b again 0", "shell/a: hello there|shell/b: again")
        shell.expect("thread_mqtt pub shell/c kept 1 retain", "published")
        shell.expect("thread_mqtt pub forbidden m",
                     "^the broker refused the message: not authorized; check the credentials and the broker's "
                     "access rules .0x87.$" if sentences else "^the broker refused it, reason 0x87$")
        shell.expect("thread_mqtt unsub shell/#", "^unsubscribed$")
        # With the client online: created again, and online again.
        shell.expect("thread_mqtt doctor", "ok +MQTT +online", "result +all stages OK")
        shell.until("thread_mqtt status", "state +online")
        shell.expect(f"clock {int(time.time())}", "success")
        shell.expect("thread_mqtt doctor 60", "ok +time +20..-..-.. ..:.. UTC", "result +all stages OK")
        # Sixty days later the certificates, valid for thirty days, have expired.
        shell.expect(f"clock {int(time.time()) + 60 * 86400}", "success")
        shell.expect("thread_mqtt doctor", "FAILED +TLS +[^\n]*expired", "certificate +CN=localhost$",
                     "valid from", "what to do", "error -28", without=["all stages"])
        shell.expect(f"clock {int(time.time())}", "success")
    with tempfile.TemporaryDirectory() as name:
        other = pathlib.Path(name)
        certificates(other)
        with broker(other, port, "TLSv1.3"):
            shell.expect("thread_mqtt doctor", "ok +TCP", "FAILED +TLS", "certificate +CN=localhost$",
                         "by CN=test CA$", "what to do", "error -28", without=["all stages"])
    shell.expect("thread_mqtt disconnect")
    shell.until("thread_mqtt status", "state +stopped")


def damaged(shell, port):
    """A CA certificate that the client's thread cannot read: nothing is tried."""
    uri = f"mqtts://localhost:{port}"
    why = "CA certificate 1 cannot be decoded: it is damaged"
    shell.expect(f"client {uri} 1 damaged", "success")
    shell.expect("thread_mqtt status", "state +stopped", without=["last failure"])
    examined = [f"ok +broker +{uri}$", "ok +network", f"FAILED +TLS +{why}[^\n]*$", "error -5: "]
    shell.expect("thread_mqtt doctor", *examined, without=["all stages", "TCP"])
    shell.expect("thread_mqtt status", "state +stopped", f"last failure +TLS, [0-9]+ s ago: {why}")
    shell.expect("thread_mqtt connect")
    for _ in range(2):
        # Before and after an examination.
        shell.until("thread_mqtt status", "state +not connecting, see the last failure")
        shell.expect("thread_mqtt status", f"last failure +TLS, [0-9]+ s ago: {why}")
        shell.expect("thread_mqtt doctor", *examined, without=["all stages", "TCP"])
    shell.expect("thread_mqtt disconnect")
    shell.until("thread_mqtt status", "state +stopped")


def several(shell, port):
    """Two clients: the commands act on the first, or on the one chosen."""
    first, second = f"mqtts://localhost:{port}", f"mqtt://127.0.0.1:{free_port()}"
    shell.expect("drop 1", "success")
    shell.expect("thread_mqtt client", "no client: the application has not called")
    shell.expect(f"client {second} 2", "success")
    # The first existing one.
    shell.expect("thread_mqtt client", f"^> 1  {second}, client id shell-test-2, stopped$")
    shell.expect(f"client {first} 1", "success")
    shell.expect("thread_mqtt client", f"^> 1  {second}, ", f"^  2  {first}, client id shell-test-1, stopped$")
    for wrong in ("0", "3", "x", "-1"):
        shell.expect(f"thread_mqtt client {wrong}", f"{wrong} is not a number from 1 to 2")
    shell.expect("thread_mqtt client 1 2", "wrong parameter count")
    shell.expect("thread_mqtt client 2")
    shell.expect("thread_mqtt client", f"^  1  {second}, ", f"^> 2  {first}, ")
    shell.expect("thread_mqtt status", f"broker +{first}$", "state +stopped", without=[second])

    shell.expect(f"client {first} 2", "success")
    shell.expect("thread_mqtt client 1")
    for client in ("1", "2"):
        shell.expect(f"thread_mqtt client {client}")
        shell.expect("thread_mqtt connect")
        shell.until("thread_mqtt status", "state +online")
    shell.expect("thread_mqtt sub several/# 1", "^subscribed$")
    shell.expect("thread_mqtt client 1")
    shell.until("thread_mqtt pub several/a 'from one'", "^client 2, several/a: from one")
    shell.expect("thread_mqtt client", f"^> 1  {first}, client id shell-test-2, online$",
                 f"^  2  {first}, client id shell-test-1, online$")
    shell.expect("thread_mqtt disconnect")
    shell.expect("thread_mqtt client 2")
    # The application's second client is the shell's first, because it was created first.
    shell.expect("drop 1", "success")
    for command in ("status", "pub t m", "connect", "doctor"):
        shell.expect(f"thread_mqtt {command}", "client 2 has ended; choose another: thread_mqtt client NUMBER")
    shell.expect("thread_mqtt client 2", "there is no client 2; see: thread_mqtt client")
    shell.expect("thread_mqtt client 1")
    shell.expect("thread_mqtt status", f"broker +{first}$")


def check(name, options, folder, env):
    """One image."""
    build = pathlib.Path(os.environ.get("SHELL_BUILD_DIR", folder)) / name
    print(f"building shell, {name}", flush=True)
    west_build(build, ROOT / "tests" / "zephyr" / "shell", [f'-DCONFIG_APP_CA_FILE="{folder}/ca.pem"', *options], env)
    port = free_port()
    with contextlib.ExitStack() as stack:
        shell = Shell(str(build / "zephyr" / "zephyr.exe"))
        stack.callback(shell.end)
        wrong_input(shell)
        without_broker(shell)
        names(shell)
        with_broker(shell, folder, port, name != "without-sentences")
        damaged(shell, port)
        if name == "two-clients":
            with broker(folder, port, "TLSv1.3"):
                several(shell, port)
    print(f"{name}: {shell.checked} commands answered as expected", flush=True)


def main(workspace, *names):
    images = {
        "two-clients": ["-DCONFIG_THREAD_MQTT_MAX_CLIENTS=2"],
        "psa": [f"-DEXTRA_CONF_FILE={ROOT}/tests/zephyr/psa.conf"],
        "without-sentences": ["-DCONFIG_THREAD_MQTT_SENTENCES=n"],
    }
    names = chosen(names, images)
    env = environment(workspace)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        certificates(folder)
        for image in names:
            check(image, images[image], folder, env)
    print(f"{len(names)} passed, 0 failed")


where, *wanted = arguments(__doc__, 1)
main(pathlib.Path(where).resolve(), *wanted)
