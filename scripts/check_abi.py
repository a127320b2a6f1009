#!/usr/bin/env python3
"""Checks that C and Rust lay out alike what they hand to each other, for every ABI of the product.

The table zephyr/src/abi.def says where each field is. abi.c asserts it for C, the build script of the
bindings for Rust; both are compiled here for each target, C with and without short enums (the
default of arm-none-eabi-gcc differs from that of others). Then each side is given a header that
differs from the table, and must refuse it. Nothing is linked or run.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ROOT / "rust/port/platform"
TYPES, PORT = "include/thread_mqtt_types.h", "include/thread_mqtt_port.h"
HEADERS = ["include/thread_mqtt.h", TYPES, PORT, "zephyr/src/shell.h"]
C_SIDE = [*HEADERS, "include/thread_mqtt_config.h", "zephyr/src/abi.c", "zephyr/src/abi.def"]

# The targets: Rust's name, and how C is compiled for the same.
ARM = ["arm-none-eabi-gcc", "-mthumb"]
TARGETS = {
    "thumbv7em-none-eabihf": [*ARM, "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "thumbv8m.main-none-eabihf": [*ARM, "-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
    "i686-unknown-linux-gnu": ["gcc", "-m32"],
    "x86_64-unknown-none": ["gcc", "-m64"],
}
ENUMS = ["-fshort-enums", "-fno-short-enums"]

failed = []


def report(ok, what, why=""):
    print(f"{'ok    ' if ok else 'FAILED'}  {what}")
    if not ok:
        failed.append(what)
        print(why[-3000:])


def copy(files, folder):
    for name in files:
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to)


def edit(path, old, new):
    """Changes one place of a file; a place that is not there is an error of this script."""
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{path.name} has no single {old!r}: give this check another field to move")
    path.write_text(text.replace(old, new))


def compiles(command, folder):
    """Whether C's side below a folder keeps to the table, and what the compiler says."""
    if shutil.which(command[0]) is None:
        return False, f"{command[0]} is not installed\n"
    done = subprocess.run(
        [*command, "-std=c11", "-ffreestanding", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Iinclude",
         "-Izephyr/src", "zephyr/src/abi.c"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


class Rust:
    """The bindings as a crate of their own, so that nothing else has to be compiled for a target."""

    MANIFEST = """[package]
name = "bindings"
version = "0.0.0"
edition = "2024"
[lib]
path = "lib.rs"
[build-dependencies]
bindgen = {bindgen}
[workspace]
"""

    def __init__(self, target_dir):
        self.target_dir = target_dir
        self.rustc = os.environ.get("RUSTC", "/usr/bin/rustc")
        source = subprocess.run([self.rustc, "--print=sysroot"], capture_output=True, text=True, check=False)
        library = Path(source.stdout.strip() or "/nonexistent") / "lib/rustlib/src/rust/library/core/Cargo.toml"
        # Without the library's source a toolchain has the targets that it was installed with.
        self.build_std = library.exists()
        if not self.build_std:
            self.rustc = shutil.which("rustc") or self.rustc

    def has(self, target):
        if self.build_std:
            return True
        found = subprocess.run([self.rustc, "--print=target-libdir", f"--target={target}"], capture_output=True,
                               text=True, check=False)
        return found.returncode == 0 and Path(found.stdout.strip()).is_dir()

    def place(self, folder):
        """Puts the crate below a folder, at the same distance from the headers as the real one."""
        crate = folder / BINDINGS.relative_to(ROOT)
        crate.mkdir(parents=True)
        bindgen = re.search(r"^bindgen = (.*)$", (BINDINGS / "Cargo.toml").read_text(), re.M)
        if bindgen is None:
            sys.exit("the bindings' Cargo.toml has no bindgen")
        (crate / "Cargo.toml").write_text(self.MANIFEST.format(bindgen=bindgen[1]))
        shutil.copy(ROOT / "Cargo.lock", crate)
        shutil.copy(BINDINGS / "build.rs", crate)
        (crate / "lib.rs").write_text("#![no_std]\n" + (BINDINGS / "src/ffi.rs").read_text().replace("//!", "//"))
        return crate

    def compiles(self, crate, target):
        environment = {**os.environ, "RUSTC": self.rustc}
        environment.pop("RUSTUP_TOOLCHAIN", None)
        build_std = []
        if self.build_std:
            environment["RUSTC_BOOTSTRAP"] = "1"
            build_std = ["-Zbuild-std=core"]
        done = subprocess.run(
            [Path(self.rustc).with_name("cargo"), "check", "--quiet", *build_std, f"--target={target}",
             f"--target-dir={self.target_dir}"], cwd=crate, env=environment, capture_output=True, text=True,
            check=False)
        return done.returncode == 0, done.stderr


def every_structure_is_listed():
    """A structure that a header defines and the table lacks would cross unchecked."""
    table = set(re.findall(r"^STRUCT\((\w+),", (ROOT / "zephyr/src/abi.def").read_text(), re.M))
    defined = set()
    for header in HEADERS:
        defined |= set(re.findall(r"^struct (\w+) \{", (ROOT / header).read_text(), re.M))
    report(table == defined, f"abi.def lists the {len(defined)} structures of the headers",
           f"only on one side: {sorted(table ^ defined)}")


# What a careless edit of a header does: the header, what stands there, what then stands there, and
# what the compiler must name.
MUTATIONS = {
    "two fields change places": (
        TYPES,
        "\tuint8_t type;\n\t/** The stage: a #thread_mqtt_stage. */\n\tuint8_t stage;\n",
        "\tuint8_t stage;\n\tuint8_t type;\n",
        "ABI: thread_mqtt_event.type"),
    "a field has an enum's type": (
        TYPES,
        "\tuint8_t stage;\n\t/** Reason code",
        "\tenum thread_mqtt_stage stage;\n\t/** Reason code",
        "ABI: thread_mqtt_event.stage"),
    "a field is wider": (PORT, "\tuint16_t receive_maximum;", "\tuint32_t receive_maximum;",
                         "ABI: tmq_options.receive_maximum"),
}
# One that hides in padding changes no size: Rust must name every field.
HIDDEN = (TYPES, "\tbool retain;\n", "\tbool retain;\n\tbool dup;\n", "`dup`")


def refusals(rust, target, folder):
    """Each side alone gets a header that is not the table's."""
    for what, (header, old, new, named) in MUTATIONS.items():
        mutant = folder / what.replace(" ", "-")
        copy(C_SIDE, mutant)
        edit(mutant / header, old, new)
        said = [compiles([*compiler, enums], mutant)[1] for compiler in TARGETS.values() for enums in ENUMS]
        report(any(named in text for text in said), f"C refuses it if {what}", said[0])
    for what, (header, old, new, named) in {**MUTATIONS, "a field is added in padding": HIDDEN}.items():
        mutant = folder / ("rust-" + what.replace(" ", "-"))
        copy(C_SIDE, mutant)
        crate = rust.place(mutant)
        edit(mutant / header, old, new)
        done, said = rust.compiles(crate, target)
        report(not done and named in said, f"Rust refuses it if {what}", said)


def main():
    every_structure_is_listed()
    rust = Rust(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "abi")
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        copy(C_SIDE, whole)
        for target, compiler in TARGETS.items():
            for enums in ENUMS:
                done, said = compiles([*compiler, enums], whole)
                report(done, f"C     {target} {enums}", said)
        crate = rust.place(whole)
        available = [target for target in TARGETS if rust.has(target)]
        for target in TARGETS:
            if target in available:
                done, said = rust.compiles(crate, target)
                report(done, f"Rust  {target}", said)
            else:
                print(f"SKIPPED Rust  {target}: no core library; install rustc-web, cargo-web and rust-web-src")
        if available:
            refusals(rust, available[0], Path(folder))
        else:
            report(False, "a target for Rust", "none of the targets is installed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
