"""Builds the Rust application and the C sample for native_sim in a west workspace and runs them against
Mosquitto, on each crypto backend. They go online over TLS 1.2, send and receive a message, and reconnect over
TLS 1.3 after the broker restarted.

    python3 tests/zephyr/native_sim.py WORKSPACE [NAME...]     (the folder above zephyr/)

NAME is one of application-soft, publish-soft, application-psa and publish-psa (default: all).
Needs west, Zephyr's build tools, zephyr-lang-rust in the workspace, mosquitto, openssl, and Rust for
x86_64-unknown-none or Debian's rustc-web with rust-web-src.
"""

import contextlib
import glob
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))
from ports import free_port  # noqa: E402
from usage import arguments, refuse_other_folder  # noqa: E402

PATIENCE = 120  # seconds for each wait; generous, since only the event is tested


def run(command, **options):
    """Runs a command. On failure prints its output and exits."""
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", **options)
    if result.returncode != 0:
        # A compiler's message may be in either output, long before the end of the other.
        lines = [*result.stdout.splitlines()[-40:], *result.stderr.splitlines()[-40:]]
        sys.exit("\n".join(line[:300] for line in lines) + f"\nerror: {command[0]} failed")
    return result.stdout


NATIVE = "native_sim/native/64"
# Rust's target for each board that a test runs on.
RUST = {NATIVE: "x86_64-unknown-none", "mps2/an386": "thumbv7em-none-eabihf",
        "nrf52_bsim": "i686-unknown-linux-gnu"}


def cached(env=os.environ):
    """Returns an environment in which ccache's results from one folder serve the next."""
    return {"CCACHE_BASEDIR": "/", "CCACHE_NOHASHDIR": "1", **env}


def environment(workspace, board=NATIVE):
    """Returns the environment for west: its tools first, a compiler for the board, and a Rust that supports it."""
    refuse_other_folder(workspace)
    env = dict(os.environ, ZEPHYR_BASE=str(workspace / "zephyr"))
    if not RUST[board].endswith("eabihf"):
        env["ZEPHYR_TOOLCHAIN_VARIANT"] = "host"
    elif not {"ZEPHYR_TOOLCHAIN_VARIANT", "ZEPHYR_SDK_INSTALL_DIR"} & env.keys():
        gcc = shutil.which("arm-none-eabi-gcc")
        if gcc:
            env.update(ZEPHYR_TOOLCHAIN_VARIANT="gnuarmemb",
                       GNUARMEMB_TOOLCHAIN_PATH=str(pathlib.Path(gcc).parents[1]))
    tools = workspace / ".venv" / "bin"
    if tools.is_dir():
        env["PATH"] = f"{tools}:{env['PATH']}"
    libdir = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", RUST[board]],
        capture_output=True, text=True, cwd=ROOT,
    ).stdout.strip()
    if not libdir or not os.path.isdir(libdir):
        env["PATH"] = f"{tools}:/usr/bin:/bin:/usr/sbin"
        env.update(RUSTC="/usr/bin/rustc", RUSTC_BOOTSTRAP="1", CARGO_UNSTABLE_BUILD_STD="core,alloc")
    if shutil.which("west", path=env["PATH"]) is None:
        sys.exit(f"error: west is neither in {tools} nor on the PATH\npip install west")
    llvm = sorted(glob.glob("/usr/lib/llvm-*/lib/libclang.so*"))
    if llvm:
        env.setdefault("LIBCLANG_PATH", os.path.dirname(llvm[-1]))
    env = cached(env)
    # Settings of the surrounding test run for its own builds.
    for name in ("CARGO_TARGET_DIR", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO"):
        env.pop(name, None)
    return env


def chosen(names, known):
    """Returns the names on a command line, or all known ones if there are none."""
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"error: unknown name: {', '.join(unknown)}\nchoose from: {', '.join(known)}")
    return list(names or known)


def kept():
    """Returns the folder that keeps cargo's artefacts and images between runs."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def west_build(build, source, options, env, board=NATIVE):
    """Builds an image. Starts over if the folder has one of another checkout or with other options, which CMake's cache
    would keep. All images of a board share what cargo compiles, which takes most of the time."""
    given = build.with_name(f"{build.name}.options")
    chosen_options = "\n".join([board, str(source), *options])
    same = given.exists() and given.read_text() == chosen_options
    given.unlink(missing_ok=True)
    build.parent.mkdir(parents=True, exist_ok=True)
    run(["west", "build", "-p", "auto" if same else "always", "-b", board, "-d", str(build), str(source), "--",
         f"-DTHREAD_MQTT_CARGO_TARGET_DIR={kept() / 'zephyr'}", *options],
        cwd=env["ZEPHYR_BASE"], env=env)
    given.write_text(chosen_options)


def certificates(folder, names="DNS:localhost,IP:127.0.0.1"):
    """Creates a CA and a certificate for the names, as PEM files in the folder."""
    def openssl(*arguments):
        run(["openssl", *arguments], cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "30", "-subj", "/CN=test CA", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=localhost")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-out", "server.pem", "-extfile", "names")


@contextlib.contextmanager
def broker(folder, port, version, more=""):
    """Runs Mosquitto with this TLS version on the port and `more` configuration, until the block ends."""
    # Mosquitto can set only the lowest version; OpenSSL below it can set both.
    openssl = folder / "openssl.cnf"
    openssl.write_text(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
        f"[tls]\nMinProtocol = {version}\nMaxProtocol = {version}\n"
    )
    configuration = folder / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {os.environ.get('USER', 'root')}\n"
        f"cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n{more}"
    )
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with open(folder / "mosquitto.log", "a") as log:
        process = subprocess.Popen([program, "-c", str(configuration)], stdout=log, stderr=log,
                                   env=dict(os.environ, OPENSSL_CONF=str(openssl)))
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit((folder / "mosquitto.log").read_text() + "error: mosquitto did not start")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def same_port(kept_port):
    """Returns the port in the file, that of the last run, so that the image need not be recompiled; another one if it
    is in use."""
    with contextlib.suppress(OSError, ValueError), socket.socket() as probe:
        port = int(kept_port.read_text())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return port
    port = free_port()
    kept_port.write_text(str(port))
    return port


# How a client detects that its broker was killed: by a FIN, or by a RST if it was just sending.
BROKER_GONE = ("closed the TCP connection", "the TCP connection was reset")


def wait_for(path, text, times, process):
    """Waits until the text, or any of several, occurs that many times in the image's output."""
    deadline = time.monotonic() + PATIENCE
    texts = (text,) if isinstance(text, str) else text
    while True:
        printed = path.read_text(errors="replace")
        if sum(map(printed.count, texts)) >= times:
            return
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{printed}\nerror: {text!r} was not printed {times} times")
        time.sleep(0.1)


def psa_works(path, process):
    """Waits until the image has probed PSA Crypto, all of which must work."""
    wait_for(path, " algorithms offered", 1, process)
    printed = path.read_text(errors="replace")
    offered, known = re.search(r"PSA Crypto: (\d+) of (\d+) algorithms offered", printed).groups()
    if offered != known:
        sys.exit(f"{printed}\nerror: {offered} of {known} algorithms of PSA Crypto work")


def check(name, source, options, folder, env):
    """Builds one image and runs it against a broker that restarts."""
    port = same_port(folder / f"{name}.port")
    build = folder / name
    print(f"building {name}", flush=True)
    # No server beyond the loopback is asked.
    alone = [f'-DCONFIG_THREAD_MQTT_BROKER="mqtts://localhost:{port}"', '-DCONFIG_THREAD_MQTT_TIME_SERVERS=""']
    west_build(build, source, [*alone, *options], env)

    printed = folder / f"{name}.txt"
    with open(printed, "w") as output:
        image = subprocess.Popen([str(build / "zephyr" / "zephyr.exe")], stdout=output, stderr=output)
    try:
        with broker(folder, port, "TLSv1.2"):
            wait_for(printed, "TLS 1.2, TLS_ECDHE_RSA_WITH_", 1, image)
            wait_for(printed, "online", 1, image)
            wait_for(printed, "received ", 1, image)
        wait_for(printed, BROKER_GONE, 1, image)
        with broker(folder, port, "TLSv1.3"):
            before = printed.read_text(errors="replace").count("received ")
            wait_for(printed, "TLS 1.3, TLS_", 1, image)
            wait_for(printed, "online", 2, image)
            wait_for(printed, "received ", before + 1, image)
    finally:
        image.kill()
        image.wait()
    if "psa.conf" in " ".join(options):
        psa_works(printed, image)
    print(f"{name}: online over TLS 1.2, and over 1.3 after the broker restarted", flush=True)


def locked():
    """Returns what the application's lock file says about this project's crates; the rest depends on the workspace."""
    packages = (ROOT / "rust/app/Cargo.lock").read_text().split("[[package]]")
    return [package.strip() for package in packages if 'name = "thread-mqtt' in package]


def main(workspace, *names):
    env = environment(workspace)
    lock = locked()
    folder = kept() / "zephyr-native_sim"
    folder.mkdir(parents=True, exist_ok=True)
    certificates(folder)
    ca = f'"{folder}/ca.pem"'
    psa = f"-DEXTRA_CONF_FILE={ROOT}/tests/zephyr/psa.conf"
    samples = (("application", ROOT, ["-DCONFIG_APP_INTERVAL=1", f"-DCONFIG_APP_CA_FILE={ca}"]),
               ("publish", ROOT / "samples" / "publish",
                ["-DCONFIG_SAMPLE_INTERVAL=1", f"-DCONFIG_SAMPLE_CA_FILE={ca}", f"-DEXTRA_ZEPHYR_MODULES={ROOT}"]))
    images = {f"{sample}-{backend}": (source, [*own, *options])
              for backend, options in (("soft", []), ("psa", [psa]))
              for sample, source, own in samples}
    names = chosen(names, images)
    for name in names:
        check(name, *images[name], folder, env)
    if locked() != lock:
        sys.exit("error: rust/app/Cargo.lock was out of date; the build has updated it: commit the change")
    print(f"{len(names)} passed, 0 failed")


if __name__ == "__main__":
    where, *wanted = arguments(__doc__, 1)
    main(pathlib.Path(where).resolve(), *wanted)
