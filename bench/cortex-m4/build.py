"""Builds an image for the emulated board from a Rust static library or Mbed TLS's client, with c/."""
import concurrent.futures
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT / "scripts"))
import device_rust  # noqa: E402
from device_rust import LOCALS, Failed, environment_with_source, with_source  # noqa: E402

FIRMWARE = HERE / "firmware"
C = FIRMWARE / "c"
TARGET = "thumbv7em-none-eabihf"
GCC = "arm-none-eabi-gcc"
CPU = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
# gcc's 64-bit division instead of the slower one in Rust's library, as in zephyr/CMakeLists.txt.
DIVISION = ["-Wl,-u,__aeabi_uldivmod", "-lgcc"]
CFLAGS = CPU + ["-Os", "-std=gnu11", "-ffunction-sections", "-fdata-sections", "-ffreestanding"]

# The minimum for TLS 1.2 and 1.3 with RSA and ECDSA certificates, X25519 and P-256.
LEAN = ("tls12", "rsa", "x25519")
FULL = LEAN + ("p384", "aes256", "chacha20", "client-auth")
# The default with PSA.
IN_RUST = ("rsa-in-rust",)
# Off by default, and not available in Mbed TLS.
EXTRA = ("ed25519",)


# The macro of c/board_psa_wants.h that selects p256-m for P-256.
P256M = "-DPSA_P256M"


@dataclass(frozen=True)
class Flags:
    """How the Rust side is compiled."""

    name: str
    cargo: tuple = ()
    rustc: tuple = ()
    # As in Rust's own target for the processor.
    frame_pointers: bool = True


# What a stable toolchain supports, and what needs nightly options. Both build the library from source,
# because Debian has no prebuilt one for this target.
STABLE = Flags("stable", rustc=(LOCALS,))
SMALL = Flags(
    "small",
    cargo=("-Zbuild-std-features=optimize_for_size", "-Zpanic-immediate-abort",
           "--config", 'profile.release.panic="immediate-abort"'),
    rustc=(LOCALS, "-Zfmt-debug=none", "-Zlocation-detail=none",
           '--cfg=aes_backend_soft="compact"', '--cfg=sha2_backend_soft="compact"'),
    frame_pointers=False,
)


@dataclass(frozen=True)
class Image:
    """One program: its contents and how it is compiled."""

    name: str
    # Cargo features; empty for Mbed TLS's own client.
    features: tuple = ()
    # The Mbed TLS configuration in c/ and its macros, if Mbed TLS is in the image.
    mbedtls: str = ""
    defines: tuple = field(default=())
    flags: Flags = STABLE
    # With client-only rustls and webpki.
    client_only: bool = False


def run(command, **options):
    """Runs a command and returns its output; raises with the output on failure."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def versions():
    """Returns the compilers that the numbers depend on."""
    return {
        "rustc": run([with_source()[1], "--version"]).split()[1],
        "gcc": run([GCC, "-dumpfullversion"]).strip(),
    }


def mbedtls_source():
    """Returns the source tree in the crate mbedtls-rs-sys, at the version that the workspace pins."""
    cargo, rustc = with_source()
    host = next(line.split()[1] for line in run([rustc, "-vV"]).splitlines() if line.startswith("host:"))
    metadata = json.loads(subprocess.run(
        [cargo, "metadata", "--locked", "--format-version=1", f"--filter-platform={host}", "--manifest-path",
         str(ROOT / "Cargo.toml")], check=True, stdout=subprocess.PIPE, cwd="/").stdout)
    for package in metadata["packages"]:
        if package["name"] == "mbedtls-rs-sys":
            return Path(package["manifest_path"]).parent / "mbedtls"
    raise Failed("the workspace has no mbedtls-rs-sys")


def c_api_versions():
    """Returns the compilers of c_api_library(), which may differ from those of the images."""
    rustc = device_rust.builds(TARGET).environment.get("RUSTC", "rustc")
    return {**versions(), "rustc": run([rustc, "--version"]).split()[1]}


def c_api_library(features, folder):
    """Builds the C API as a static library for the board, in `folder`."""
    builds = device_rust.builds(TARGET)
    run(builds.command("rustc", "--locked", "--quiet", "--lib", "--crate-type=staticlib", "--package=thread-mqtt-c-api",
                       "--no-default-features", f"--features={','.join(features)}"), cwd=ROOT, env=builds.environment)
    library = folder / "libthread_mqtt_c_api.a"
    library.write_bytes(builds.artifact(TARGET, library.name).read_bytes())
    return library


class Builder:
    """Builds images below one folder and reuses what is up to date."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.cargo, self.rustc = with_source()
        self.mbedtls = mbedtls_source()
        self.libraries = {}

    def image(self, image):
        """Builds an image; returns the linked program and its map."""
        folder = self.folder / image.name
        folder.mkdir(parents=True, exist_ok=True)
        sources = [C / "board.c"]
        flags = [f"-I{C}"] + list(image.defines)
        parts = []
        if image.mbedtls:
            flags += self.mbedtls_flags(image)
        if not image.features:
            sources.append(C / "mbedtls_client.c")
        elif "psa" in image.features:
            flags.append(f"-I{ROOT / 'rust/crypto/psa/c'}")
            sources.append(ROOT / "rust/crypto/psa/c/thread_mqtt_psa.c")
        if "psa" in image.features or image.mbedtls == "board_tls13.h":
            sources.append(C / "psa_random.c")
        for source in sources:
            out = folder / (source.stem + ".o")
            run([GCC, *CFLAGS, "-Wall", "-Wextra", *flags, "-c", source, "-o", out])
            parts.append(out)
        if image.features:
            parts.append(self.rust(image))
        if image.mbedtls:
            parts.append(self.mbedtls_library(image))
        elf, table = folder / "image.elf", folder / "image.map"
        # The C library comes first, so that all images use its memcpy and the like.
        run([GCC, *CPU, "--specs=nano.specs", "-nostartfiles", "-T", C / "link.ld", "-Wl,--gc-sections",
             f"-Wl,-Map={table}", "-o", elf, *parts[:1], "-lc", *DIVISION, *parts[1:], "-Wl,--start-group", "-lc", "-lgcc",
             "-lnosys", "-Wl,--end-group"])
        return elf, table

    def mbedtls_flags(self, image):
        flags = [f'-DMBEDTLS_CONFIG_FILE="{image.mbedtls}"', f"-I{self.mbedtls / 'include'}"]
        if P256M in image.defines:
            driver = self.mbedtls / "3rdparty/p256-m"
            flags += [f"-I{folder}" for folder in (driver, driver / "p256-m", self.mbedtls / "library")]
        return flags

    def mbedtls_library(self, image):
        """Builds Mbed TLS with one of the configurations in c/."""
        name = "-".join([Path(image.mbedtls).stem, *(word.lstrip("-D") for word in image.defines)])
        folder = self.folder / "mbedtls" / name
        archive = folder / "libmbedtls.a"
        newest = max(path.stat().st_mtime for path in C.glob("board_*.h"))
        if archive.exists() and archive.stat().st_mtime > newest:
            return archive
        folder.mkdir(parents=True, exist_ok=True)
        archive.unlink(missing_ok=True)
        flags = [*CFLAGS, f"-I{C}", *self.mbedtls_flags(image), *image.defines]

        def compile_one(source):
            out = folder / (source.stem + ".o")
            run([GCC, *flags, "-c", source, "-o", out])
            return out

        left_out = {"net_sockets", "timing", "entropy_poll", "psa_its_file"}
        sources = [s for s in sorted((self.mbedtls / "library").glob("*.c")) if s.stem not in left_out]
        if P256M in image.defines:
            sources += sorted((self.mbedtls / "3rdparty/p256-m").rglob("*.c"))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(compile_one, sources))
        run(["arm-none-eabi-ar", "rcs", archive, *objects])
        return archive

    def rust(self, image):
        """Builds the firmware crate as a static library."""
        target = self.folder / "cargo" / image.flags.name
        # Mangled names that tell the crate of a function, and stack sizes per function.
        environment = environment_with_source(" ".join(
            ["-Csymbol-mangling-version=v0", "-Zemit-stack-sizes", *image.flags.rustc]))
        triple = TARGET
        if not image.flags.frame_pointers:
            triple = self.target_without_frame_pointers()
            environment["CARGO_UNSTABLE_JSON_TARGET_SPEC"] = "true"
        overrides = []
        if image.client_only:
            made = self.folder / "client-only"
            run([sys.executable, ROOT / "scripts/rustls_client_only.py", made, "--lock", FIRMWARE / "Cargo.lock"])
            overrides = ["--config", made / "config.toml"]
        run([self.cargo, "build", "--locked", "--release", "--quiet", "-Zbuild-std=core,alloc",
             f"--target={triple}", f"--target-dir={target}", "--features", ",".join(image.features),
             *image.flags.cargo, *overrides], cwd=FIRMWARE, env=environment)
        library = self.folder / image.name / "libfirmware.a"
        library.write_bytes((target / TARGET / "release" / "libfirmware.a").read_bytes())
        return library

    def target_without_frame_pointers(self):
        """Derives a target without frame pointers from Rust's own, as zephyr/CMakeLists.txt does."""
        spec = json.loads(run([self.rustc, "-Zunstable-options", "--print=target-spec-json", f"--target={TARGET}"],
                              env={**os.environ, "RUSTC_BOOTSTRAP": "1"}))
        path = self.folder / f"{TARGET}.json"  # cargo names its folder after the file
        text = json.dumps(spec | {"frame-pointer": "may-omit"}, indent=2)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path


if __name__ == "__main__":
    sys.exit("error: this is a module of measure.py; run that instead")
