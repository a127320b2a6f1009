"""Builds the sample mutual_tls for native_sim and runs it against a Mosquitto that asks for a
certificate of the client: online and a message there and back, and with a broker that does not know
the device's CA the sentence that says so.

    python3 tests/zephyr/mutual_tls.py WORKSPACE     (the folder above zephyr/)

Needs what native_sim.py needs.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from native_sim import PATIENCE, ROOT, environment, free_port, run, wait_for, west_build


def certificates(folder):
    """A CA, another one, a broker for localhost and a device, each key ECDSA with P-256."""
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


@contextlib.contextmanager
def broker(folder, port, clients):
    """Mosquitto on the port, for clients whose certificate the CA `clients` signed."""
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {os.environ.get('USER', 'root')}\n"
        f"cafile {folder}/{clients}.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n"
        "require_certificate true\nuse_identity_as_username true\n")
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    log = folder / "mosquitto.log"
    with open(log, "w") as output:
        process = subprocess.Popen([program, "-c", str(folder / "mosquitto.conf")],
                                   stdout=output, stderr=output)
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


def main(workspace):
    env = environment(workspace)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        certificates(folder)
        port = free_port()
        print("building mutual_tls", flush=True)
        west_build(folder / "build", ROOT / "samples" / "mutual_tls",
                   [f'-DCONFIG_SAMPLE_CA_FILE="{folder}/ca.pem"',
                    f'-DCONFIG_SAMPLE_CERTIFICATE_FILE="{folder}/device.pem"',
                    f'-DCONFIG_SAMPLE_KEY_FILE="{folder}/device.key"',
                    f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://localhost:{port}"'], env)

        for clients, wanted in (("ca", ["online", "received thread-mqtt/mutual-tls: hello"]),
                                ("other", ["does not know the authority that issued the client"])):
            printed = folder / f"{clients}.txt"
            with broker(folder, port, clients) as log, open(printed, "w") as output:
                image = subprocess.Popen([str(folder / "build/zephyr/zephyr.exe")],
                                         stdout=output, stderr=output)
                try:
                    for text in wanted:
                        wait_for(printed, text, 1, image)
                finally:
                    image.kill()
                    image.wait()
                if clients == "ca" and "u'device'" not in log.read_text():
                    sys.exit(f"{log.read_text()}\nerror: the broker did not see the device's certificate")
            print(f"mutual_tls: {wanted[-1]}", flush=True)
    print("2 passed, 0 failed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
