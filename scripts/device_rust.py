#!/usr/bin/env python3
"""Release builds for targets without std, with a toolchain that this machine has or can install.

    device_rust.py TARGET COMMAND...     for example: device_rust.py thumbv7em-none-eabihf build --locked -pthread-mqtt

It uses the cargo on the PATH if that has the target's library (`rustup target add TARGET`). Otherwise it uses Debian's
cargo and rustc, which compile core and alloc from source; RUSTC names another rustc that has its library's source. Each
of the two has one folder and one profile for all builds, so that bindgen and other build tools are compiled once.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# The same as in zephyr/cmake/rust.cmake.
LOCALS = "-Cllvm-args=-inline-max-stacksize=256"


class Failed(Exception):
    """A build or a run failed; the message says what and why."""


def printed(rustc, *what):
    """Returns what a rustc prints about itself; empty if it does not run."""
    try:
        return subprocess.run([rustc, *what], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def with_source():
    """Returns a cargo and rustc that have the library source: Debian's, or those of RUSTC."""
    rustc = Path(os.environ.get("RUSTC", "/usr/bin/rustc"))
    sysroot = printed(rustc, "--print=sysroot")
    if not sysroot or not (Path(sysroot) / "lib/rustlib/src/rust/library/core/Cargo.toml").exists():
        raise Failed(f"{rustc} has no library source\n  cure: apt-get install rustc-web cargo-web "
                     "rust-web-src, or set RUSTC to rustup's rustc with the component rust-src")
    return rustc.with_name("cargo"), rustc


def environment_with_source(rustflags):
    """Returns the environment for that pair, without settings for another cargo."""
    cargo, rustc = with_source()
    kept = {name: value for name, value in os.environ.items()
            if name == "CARGO_HOME" or not name.startswith(("CARGO_", "RUSTUP_"))}
    return kept | {"PATH": f"{cargo.parent}:{os.environ['PATH']}", "RUSTC": str(rustc), "RUSTC_BOOTSTRAP": "1",
                   "RUSTFLAGS": rustflags}


class Builds(NamedTuple):
    """How to build for one target."""

    cargo: str
    environment: dict
    options: tuple
    folder: Path

    def command(self, subcommand, *arguments):
        return [self.cargo, subcommand, "--release", *self.options, f"--target-dir={self.folder}", *arguments]

    def artifact(self, target, name):
        return self.folder / target / "release" / name


def builds(target):
    """Returns the toolchain for a target; fails if there is none."""
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
    libraries = printed("rustc", "--print=target-libdir", f"--target={target}")
    if "RUSTC" not in os.environ and shutil.which("cargo") and libraries and Path(libraries).is_dir():
        return Builds("cargo", os.environ | {"RUSTFLAGS": LOCALS}, (f"--target={target}",), folder)
    cargo, _ = with_source()
    return Builds(str(cargo), environment_with_source(LOCALS), ("-Zbuild-std=core,alloc", f"--target={target}"),
                  folder / "no_std")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    target, *arguments = sys.argv[1:]
    try:
        chosen = builds(target)
    except Failed as failure:
        sys.exit(f"error: {failure}\n  or: rustup target add {target}")
    return subprocess.run(chosen.command(*arguments), env=chosen.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
