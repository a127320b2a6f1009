#!/usr/bin/env python3
"""Checks that C and Rust agree on the layout of the data they exchange, for every ABI of the product.

The table zephyr/src/abi.def lists the position of each field. abi.c asserts it for C, the build script of
the bindings for Rust. Both are compiled here for each target, C with and without short enums (the default
of arm-none-eabi-gcc differs from that of other compilers). Then each side gets a header that differs from
the table, and must refuse it. Nothing is linked or run.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import device_rust

ROOT = Path(__file__).resolve().parent.parent
BINDINGS = ROOT / "rust/port/platform"
TYPES, PORT = "include/thread_mqtt_types.h", "include/thread_mqtt_port.h"
HEADERS = ["include/thread_mqtt.h", TYPES, PORT, "zephyr/src/shell.h"]
C_SIDE = [*HEADERS, "include/thread_mqtt_config.h", "zephyr/src/abi.c", "zephyr/src/abi.def"]

# The targets: Rust's name, and the matching C compiler.
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
    """Replaces one passage of a file. A missing passage is an error in this script."""
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{path.name} does not contain {old!r} exactly once: let this check move another field")
    path.write_text(text.replace(old, new))


def c_compiles(command, folder):
    """Returns whether C's side below a folder matches the table, and the compiler's output."""
    if shutil.which(command[0]) is None:
        return False, f"{command[0]} is not installed\n"
    done = subprocess.run(
        [*command, "-std=c11", "-ffreestanding", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Iinclude",
         "-Izephyr/src", "zephyr/src/abi.c"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


# The bindings as a separate crate, so that nothing else has to be compiled for a target. bindgen uses the profile
# of the workspace's release builds, so that it is already compiled.
MANIFEST = """[package]
name = "bindings"
version = "0.0.0"
edition = "2024"
[lib]
path = "lib.rs"
[build-dependencies]
bindgen = {bindgen}
[workspace]
{profile}"""


def place(folder):
    """Writes that crate below a folder, at the same relative distance from the headers as the real one."""
    crate = folder / BINDINGS.relative_to(ROOT)
    crate.mkdir(parents=True)
    bindgen = re.search(r"^bindgen = (.*)$", (BINDINGS / "Cargo.toml").read_text(), re.M)
    if bindgen is None:
        sys.exit("the bindings' Cargo.toml has no bindgen")
    profile = re.search(r"^\[profile\.release\]\n(?:\S.*\n)*", (ROOT / "Cargo.toml").read_text(), re.M)
    if profile is None:
        sys.exit("the workspace's Cargo.toml has no profile for releases")
    (crate / "Cargo.toml").write_text(MANIFEST.format(bindgen=bindgen[1], profile=profile[0]))
    shutil.copy(ROOT / "Cargo.lock", crate)
    shutil.copy(BINDINGS / "build.rs", crate)
    (crate / "lib.rs").write_text("#![no_std]\n" + (BINDINGS / "src/ffi.rs").read_text().replace("//!", "//"))
    return crate


def has_rust(target):
    try:
        return bool(device_rust.builds(target))
    except device_rust.Failed:
        return False


def rust_compiles(crate, target):
    """Returns whether Rust's side matches the table, and the compiler's output."""
    builds = device_rust.builds(target)
    done = subprocess.run(builds.command("check", "--quiet"), cwd=crate, env=builds.environment,
                          capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def every_structure_is_listed():
    """Checks that the table lists every structure of the headers: a missing one would be exchanged unchecked."""
    table = set(re.findall(r"^STRUCT\((\w+),", (ROOT / "zephyr/src/abi.def").read_text(), re.M))
    defined = set()
    for header in HEADERS:
        defined |= set(re.findall(r"^struct (\w+) \{", (ROOT / header).read_text(), re.M))
    report(table == defined, f"abi.def lists the {len(defined)} structures of the headers",
           f"only on one side: {sorted(table ^ defined)}")


# Careless edits of a header: the header, the old text, the new text, and what the compiler must name.
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
# A new field in padding changes no size, so Rust must list every field.
HIDDEN = (TYPES, "\tbool retain;\n", "\tbool retain;\n\tbool dup;\n", "`dup`")


def refusals(target, folder):
    """Gives each side alone a header that does not match the table."""
    for what, (header, old, new, named) in MUTATIONS.items():
        mutant = folder / what.replace(" ", "-")
        copy(C_SIDE, mutant)
        edit(mutant / header, old, new)
        said = [c_compiles([*compiler, enums], mutant)[1] for compiler in TARGETS.values() for enums in ENUMS]
        report(any(named in text for text in said), f"C refuses it if {what}", said[0])
    for what, (header, old, new, named) in {**MUTATIONS, "a field is added in padding": HIDDEN}.items():
        mutant = folder / ("rust-" + what.replace(" ", "-"))
        copy(C_SIDE, mutant)
        crate = place(mutant)
        edit(mutant / header, old, new)
        done, said = rust_compiles(crate, target)
        report(not done and named in said, f"Rust refuses it if {what}", said)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    every_structure_is_listed()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        copy(C_SIDE, whole)
        for target, compiler in TARGETS.items():
            for enums in ENUMS:
                done, said = c_compiles([*compiler, enums], whole)
                report(done, f"C     {target} {enums}", said)
        crate = place(whole)
        available = [target for target in TARGETS if has_rust(target)]
        for target in TARGETS:
            if target in available:
                done, said = rust_compiles(crate, target)
                report(done, f"Rust  {target}", said)
            else:
                print(f"SKIPPED Rust  {target}: no core library; rustup target add {target}, or install rustc-web, cargo-web and rust-web-src")
        if available:
            refusals(available[0], Path(folder))
        else:
            report(False, "a target for Rust", "none of the targets is installed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
