"""Third-party brokers: how each is found, installed, configured, started and stopped.

Every broker listens on the loopback alone, with a plain port and one with TLS, and keeps what it
writes in a folder of its own. Debian's packages are used where they are installed; what Python's and
npm's registries carry is installed once, into the folder that the caller names.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "scripts"))
from ports import free_ports  # noqa: E402

PATH = os.environ["PATH"] + ":/usr/sbin:/usr/lib/rabbitmq/bin"


class NotHere(Exception):
    """A broker that is not installed; its text says what to install."""


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_line(command, **options):
    """Returns the first line that a command prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else ""


class Broker:
    """One broker. A subclass says how it is found, configured and started."""

    name = ""
    # The versions of MQTT that it speaks.
    versions = ("3.1.1", "5")
    # The highest quality of service at which it delivers.
    highest_qos = 2
    # Why the broker delivers a QoS 2 message twice after a lost connection.
    repeats_qos2 = None
    # Why a QoS 2 message that was released on an earlier connection may never complete.
    leaves_pubrel = None
    # User name and password, if it requires them.
    credentials = None
    # Whether its TLS can be used.
    has_tls = True
    # The largest packet that it accepts where `is_limited` is set, bytes; None where it has no such setting.
    limit = None
    # How long a start may take on a busy machine, seconds.
    patience = 60

    def __init__(self, folder, tools, pki):
        self.folder = folder
        self.tools = tools
        self.pki = pki
        self.process = None
        self.is_limited = False
        self.plain, self.tls = free_ports(2)
        folder.mkdir(parents=True, exist_ok=True)

    def install(self):
        """Finds the broker or installs it. Returns its version. Raises NotHere."""
        raise NotImplementedError

    def command(self):
        """Writes the configuration. Returns the command that starts the broker, and its environment."""
        raise NotImplementedError

    def start(self):
        command, environment = self.command()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, "PATH": PATH, **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + self.patience
        while not (listens(self.plain) and listens(self.tls)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self.last_lines()}")
            time.sleep(0.1)

    def last_lines(self):
        text = (self.folder / "log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-20:])

    def kill(self):
        """Kills the broker, as a power cut would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self):
        self.kill()
        self.start()

    def found(self, program, package):
        path = shutil.which(program, path=PATH)
        if path is None:
            raise NotHere(f"{program} is not installed (Debian: apt install {package})")
        return path

    def python(self, package):
        """Creates a virtual environment with `package`. Returns its folder of programs."""
        venv = self.tools / f"python-{package}"
        if not (venv / "complete").exists():
            subprocess.run(["python3", "-m", "venv", "--clear", venv], check=True)
            done = subprocess.run([venv / "bin/pip", "install", "--quiet", package],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                raise NotHere(f"pip could not install {package}: {done.stderr.strip()[-200:]}")
            (venv / "complete").touch()
        return venv / "bin"


class Mosquitto(Broker):
    name = "Mosquitto"
    limit = 2000

    def install(self):
        version = first_line([self.found("mosquitto", "mosquitto"), "-h"])
        return version.removeprefix("mosquitto version ")

    def command(self):
        (self.folder / "mosquitto.conf").write_text(f"""\
per_listener_settings false
allow_anonymous true
user root
persistence true
persistence_location {self.folder}/
autosave_on_changes true
autosave_interval 1
{f"max_packet_size {self.limit}" if self.is_limited else ""}
listener {self.plain} 127.0.0.1
listener {self.tls} 127.0.0.1
certfile {self.pki}/server.pem
keyfile {self.pki}/server.key
""")
        return [self.found("mosquitto", "mosquitto"), "-c", "mosquitto.conf"], {}


class Erlang(Broker):
    """A broker on Erlang, whose nodes find each other by a name server of their own."""

    patience = 180
    # The port of the name server. Nodes start one themselves where there is none, and leave it behind.
    epmd = None
    names = None

    def start(self):
        self.names = subprocess.Popen(["epmd", "-port", str(self.epmd), "-address", "127.0.0.1"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        while not listens(self.epmd):
            if self.names.poll() is not None:
                raise RuntimeError(f"epmd, Erlang's name server, did not start on port {self.epmd}")
            time.sleep(0.05)
        super().start()

    def kill(self):
        super().kill()
        if self.names is not None:
            self.names.kill()
            self.names.wait()
            self.names = None


class RabbitMq(Erlang):
    """Its MQTT plug-in of 3.10 speaks 3.1.1, delivers at most QoS 1, and TLS is Erlang's own."""

    name = "RabbitMQ"
    versions = ("3.1.1",)
    highest_qos = 1

    def install(self):
        self.found("rabbitmq-server", "rabbitmq-server")
        lib = next(pathlib.Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"), None)
        if lib is None:
            raise NotHere("rabbitmq-server has no server below /usr/lib/rabbitmq")
        self.server = lib / "sbin/rabbitmq-server"
        # The name services of Erlang's nodes.
        self.distribution, self.epmd = free_ports(2)
        return lib.name.removeprefix("rabbitmq_server-")

    def command(self):
        (self.folder / "rabbitmq.conf").write_text(f"""\
listeners.tcp = none
mqtt.listeners.tcp.default = 127.0.0.1:{self.plain}
mqtt.listeners.ssl.default = 127.0.0.1:{self.tls}
mqtt.allow_anonymous = true
ssl_options.cacertfile = {self.pki}/ca.pem
ssl_options.certfile = {self.pki}/server.pem
ssl_options.keyfile = {self.pki}/server.key
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
ssl_options.verify = verify_none
""")
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        return [self.server], {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.plain}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "ERL_EPMD_PORT": str(self.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }


class Ejabberd(Erlang):
    """An XMPP server with MQTT 3.1.1 and 5; TLS is OpenSSL's by its own binding."""

    name = "ejabberd"
    # Any credentials work: it admits anonymous users under a name of their choice.
    credentials = ("device", "secret")
    limit = 2000

    def install(self):
        self.found("ejabberdctl", "ejabberd")
        self.found("erl", "erlang-base")
        lib = next(pathlib.Path("/usr/lib").glob("*/ejabberd-*/ebin"), None)
        if lib is None:
            raise NotHere("ejabberd has no modules below /usr/lib")
        self.libraries = lib.parents[1]
        self.epmd = free_ports(1)[0]
        return lib.parent.name.removeprefix("ejabberd-")

    def command(self):
        limit = self.limit if self.is_limited else "infinity"
        (self.folder / "ejabberd.yml").write_text(f"""\
loglevel: info
hosts:
  - localhost
certfiles:
  - {self.pki}/server-and-key.pem
listen:
  -
    port: {self.plain}
    ip: 127.0.0.1
    module: mod_mqtt
    max_payload_size: {limit}
  -
    port: {self.tls}
    ip: 127.0.0.1
    module: mod_mqtt
    tls: true
auth_method: anonymous
anonymous_protocol: login_anon
allow_multiple_connections: true
acl:
  everyone:
    user_regexp: ""
modules:
  mod_mqtt:
    access_publish:
      "#":
        - allow
    access_subscribe:
      "#":
        - allow
""")
        return ["erl", "-sname", f"test{self.plain}@localhost", "-noinput",
                "-kernel", "inet_dist_use_interface", "{127,0,0,1}",
                "-mnesia", "dir", f'"{self.folder}/mnesia"', "-s", "ejabberd"], {
            "HOME": str(self.folder),
            "ERL_LIBS": str(self.libraries),
            "ERL_EPMD_PORT": str(self.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
        }

    def last_lines(self):
        log = self.folder / "ejabberd.log"
        more = "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""
        return super().last_lines() + "\n" + more


class Aedes(Broker):
    """A library for Node.js; TLS is that of Node.js."""

    name = "aedes"
    versions = ("3.1.1",)
    repeats_qos2 = (
        "nothing is lost, but a QoS 2 message may arrive twice: aedes answers a client without subscriptions "
        "with Session Present 0 although it kept the session, and a resumed session starts with PUBREL and "
        "the PUBLISH of the same message")

    def install(self):
        self.found("node", "nodejs")
        npm = self.found("npm", "npm")
        self.modules = self.tools / "node"
        if not (self.modules / "complete").exists():
            self.modules.mkdir(parents=True, exist_ok=True)
            (self.modules / "package.json").write_text('{"private": true}\n')
            done = subprocess.run([npm, "install", "--silent", "--no-audit", "aedes"],
                                  cwd=self.modules, capture_output=True, text=True)
            if done.returncode != 0:
                raise NotHere(f"npm could not install aedes: {done.stderr.strip()[-200:]}")
            (self.modules / "complete").touch()
        return json.loads((self.modules / "node_modules/aedes/package.json").read_text())["version"]

    def command(self):
        program = self.modules / "broker.js"
        shutil.copy(HERE / "aedes.js", program)
        return ["node", program, str(self.plain), str(self.tls),
                self.pki / "server.pem", self.pki / "server.key"], {}


class Amqtt(Broker):
    """A broker in Python; TLS is that of Python."""

    name = "aMQTT"
    versions = ("3.1.1",)
    leaves_pubrel = (
        "each message arrives once, but aMQTT does not answer a PUBREL repeated after a lost PUBCOMP, and the client "
        "waits for `ack_timeout`, which is longer than the scenario")
    # Any credentials work. Without them, it drops the session of an offline client, once a second.
    credentials = ("device", "secret")

    def install(self):
        self.programs = self.python("amqtt")
        return first_line([self.programs / "python", "-c",
                           "import importlib.metadata as m; print(m.version('amqtt'))"])

    def command(self):
        (self.folder / "broker.yaml").write_text(f"""\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{self.plain}
  tls:
    type: tcp
    bind: 127.0.0.1:{self.tls}
    ssl: true
    certfile: {self.pki}/server.pem
    keyfile: {self.pki}/server.key
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: false
""")
        return [self.programs / "amqtt", "-c", "broker.yaml"], {}


class Rumqttd(Broker):
    """A broker in Rust, with rustls on its side too."""

    name = "rumqttd"
    versions = ("3.1.1",)
    # What its configuration calls a listener of this version.
    listener = "v4"
    patience = 30

    def install(self):
        cargo_bin = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo")) / "bin"
        program = shutil.which("rumqttd", path=f"{PATH}:{cargo_bin}")
        if program is None:
            raise NotHere("rumqttd is not installed (cargo install rumqttd)")
        self.program = program
        return first_line([program, "--version"]).removeprefix("rumqttd ")

    def command(self):
        connections = """\
connection_timeout_ms = 60000
max_payload_size = 1000000
max_inflight_count = 100
dynamic_filters = true
"""
        (self.folder / "rumqttd.toml").write_text(f"""\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[{self.listener}.1]
name = "plain"
listen = "127.0.0.1:{self.plain}"
next_connection_delay_ms = 1
[{self.listener}.1.connections]
{connections}
[{self.listener}.2]
name = "tls"
listen = "127.0.0.1:{self.tls}"
next_connection_delay_ms = 1
[{self.listener}.2.tls]
certpath = "{self.pki}/server.pem"
keypath = "{self.pki}/server.key"
[{self.listener}.2.connections]
{connections}
""")
        return [self.program, "-c", "rumqttd.toml"], {}


class Rumqttd5(Rumqttd):
    versions = ("5",)
    listener = "v5"


class Paho(Broker):
    """The broker of Eclipse's conformance tests, from a checkout that PAHO_MQTT_TESTING names. Its TLS
    leaves records unread that came with the one before."""

    name = "paho.mqtt.testing"
    has_tls = False

    def install(self):
        folder = os.environ.get("PAHO_MQTT_TESTING")
        if not folder:
            raise NotHere("set PAHO_MQTT_TESTING to a checkout of eclipse-paho/paho.mqtt.testing")
        self.program = pathlib.Path(folder).resolve() / "interoperability/startbroker.py"
        if not self.program.exists():
            raise NotHere(f"PAHO_MQTT_TESTING has no {self.program}")
        return "checkout"

    def command(self):
        (self.folder / "broker.conf").write_text(
            f"maximum_packet_size 1000000\nreceive_maximum 100\nlistener {self.plain} 127.0.0.1\n"
            f"listener {self.tls} 127.0.0.1\ncafile {self.pki}/ca.pem\ncertfile {self.pki}/server.pem\n"
            f"keyfile {self.pki}/server.key\nrequire_certificate false\n")
        return ["python3", self.program, "-c", "broker.conf"], {}


ALL = [Mosquitto, RabbitMq, Ejabberd, Aedes, Amqtt, Rumqttd, Rumqttd5, Paho]
