"""Builds the sample mutual_tls for native_sim and runs it against a Mosquitto that requires a client certificate. The
image must go online and send and receive a message; with a broker that does not know the device's CA it must print the
sentence that says so. Then the same with a private key that the image generates in PSA Crypto, from its first start on,
over TLS 1.2 and 1.3.

    python3 tests/zephyr/mutual_tls.py WORKSPACE     (the folder above zephyr/)

Needs what native_sim.py needs.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from native_sim import PATIENCE, ROOT, environment, run, wait_for, west_build
from ports import free_port
from usage import arguments

SAMPLE = ROOT / "samples" / "mutual_tls"
RECEIVED = "received thread-mqtt/mutual-tls: hello"
# No server beyond the loopback is asked.
ALONE = '-DCONFIG_THREAD_MQTT_TIME_SERVERS=""'
PASSED = []  # a failure ends the program


def passed(what):
    print(f"ok      {what}", flush=True)
    PASSED.append(what)


def certificates(folder):
    """Creates a CA, another CA, a broker for localhost and a device, all with ECDSA P-256 keys."""
    def openssl(*arguments):
        run(["openssl", *arguments], cwd=folder)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "30",
                "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")
    for name, extensions in (("broker", "subjectAltName=DNS:localhost"),
                             ("device", "extendedKeyUsage=clientAuth")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "extensions").write_text(extensions + "\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-out", f"{name}.pem", "-extfile", "extensions")


def certificate_of(folder, public_key, name):
    """Issues a certificate for a public key whose private key is not here."""
    (folder / f"{name}.der").write_bytes(public_key)
    run(["openssl", "pkey", "-pubin", "-inform", "DER", "-in", f"{name}.der", "-out", f"{name}.pub"], cwd=folder)
    run(["openssl", "x509", "-new", "-force_pubkey", f"{name}.pub", "-subj", f"/CN={name}", "-days", "30",
         "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "extensions", "-out", f"{name}.pem"], cwd=folder)


@contextlib.contextmanager
def broker(folder, port, clients, version=None):
    """Runs Mosquitto on the port, for clients whose certificate the CA `clients` signed, with one TLS version or all
    that it supports."""
    openssl = folder / "openssl.cnf"
    only = f"MinProtocol = {version}\nMaxProtocol = {version}\n" if version else ""
    openssl.write_text("openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n" + only)
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {os.environ.get('USER', 'root')}\n"
        f"cafile {folder}/{clients}.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n"
        "require_certificate true\nuse_identity_as_username true\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    log = folder / "mosquitto.log"
    with open(log, "w") as output:
        process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")],
                                   stdout=output, stderr=output,
                                   env=dict(os.environ, OPENSSL_CONF=str(openssl)))
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(log.read_text() + "error: mosquitto did not start")
            time.sleep(0.1)
        yield log
    finally:
        process.kill()
        process.wait()


def talk(folder, port, program, clients, wanted, version=None, user=None, options=()):
    """Starts the image and a broker for it. Each of the texts must be printed, and the broker must see the user named
    in the device's certificate."""
    printed = folder / "printed.txt"
    with broker(folder, port, clients, version) as log, open(printed, "w") as output:
        image = subprocess.Popen([str(program), *options], stdout=output, stderr=output)
        try:
            for text in wanted:
                wait_for(printed, text, 1, image)
        finally:
            image.kill()
            image.wait()
        if user is not None and f"u'{user}'" not in log.read_text():
            sys.exit(f"{log.read_text()}\nerror: the broker did not see the certificate of {user}")
    passed(wanted[-1])


def key_file(folder, port, env):
    """A key that is compiled into the image."""
    print("building mutual_tls", flush=True)
    west_build(folder / "build", SAMPLE,
               [f'-DCONFIG_SAMPLE_CA_FILE="{folder}/ca.pem"',
                f'-DCONFIG_SAMPLE_CERTIFICATE_FILE="{folder}/device.pem"',
                f'-DCONFIG_SAMPLE_KEY_FILE="{folder}/device.key"',
                f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://localhost:{port}"', ALONE], env)
    program = folder / "build" / "zephyr" / "zephyr.exe"
    talk(folder, port, program, "ca", ["online", RECEIVED], user="device")
    talk(folder, port, program, "other", ["does not know the authority that issued the client"])


def key_in_psa(folder, port, env):
    """A key that is generated in the image and kept in its flash."""
    psa = "-DEXTRA_CONF_FILE=psa-key.conf"
    flash = [f"-flash={folder}/flash.bin", "-seed-random"]
    print("building mutual_tls for its first start", flush=True)
    west_build(folder / "first", SAMPLE, [psa, ALONE], env)
    printed = folder / "first.txt"
    found = []
    for _ in range(2):
        with open(printed, "w") as output:
            image = subprocess.Popen([str(folder / "first/zephyr/zephyr.exe"), *flash], stdout=output,
                                     stderr=output)
            try:
                wait_for(printed, "have a CA sign it", 1, image)
            finally:
                image.kill()
                image.wait()
        found += re.findall("public key: ([0-9a-f]+)", printed.read_text())
    if len(found) != 2 or found[0] != found[1]:
        sys.exit(f"error: expected the same public key at each start: {found}")
    passed("the key made at the first start is there at the second")

    certificate_of(folder, bytes.fromhex(found[0]), "made-in-psa")
    print("building mutual_tls with a key in PSA", flush=True)
    west_build(folder / "psa", SAMPLE,
               [psa, f'-DCONFIG_SAMPLE_CA_FILE="{folder}/ca.pem"',
                f'-DCONFIG_SAMPLE_CERTIFICATE_FILE="{folder}/made-in-psa.pem"',
                f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://localhost:{port}"', ALONE], env)
    program = folder / "psa" / "zephyr" / "zephyr.exe"
    for version in ("1.2", "1.3"):
        talk(folder, port, program, "ca", [f"TLS {version}, TLS_", "online", RECEIVED], f"TLSv{version}",
             "made-in-psa", flash)
    # Another device, whose key does not match the certificate. The sentence has its own cure: nothing follows it.
    why = "the private key does not belong to the client certificate"
    talk(folder, port, program, "ca",
         ["making key", f"TLS: credential 1 SELF_CERT: {why}; use a certificate and key that belong together\x1b[0m\n", why],
         options=[f"-flash={folder}/empty.bin", "-seed-random"])


def main(workspace):
    env = environment(workspace)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        certificates(folder)
        port = free_port()
        key_file(folder, port, env)
        key_in_psa(folder, port, env)
    print(f"{len(PASSED)} passed, 0 failed")


if __name__ == "__main__":
    where, = arguments(__doc__, 1, 1)
    main(pathlib.Path(where).resolve())
