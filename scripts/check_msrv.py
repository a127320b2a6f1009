"""Checks that the crates named on the command line, and everything they pull into a device, declare a
rust-version no newer than their own. `cargo` picks dependencies for the machine it runs on; a device build uses
the oldest Rust that zephyr-lang-rust supports."""

import argparse
import json
import subprocess
import sys


def version(text):
    return tuple(int(part) for part in (text.split(".") + ["0"])[:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="CRATE", nargs="+", help="of this workspace, such as thread-mqtt-session")
    names = parser.parse_args().names
    metadata = json.loads(
        subprocess.check_output(["cargo", "metadata", "--locked", "--format-version=1"])
    )
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    by_name = {packages[i]["name"]: i for i in metadata["workspace_members"]}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        sys.exit(f"error: not a workspace member: {', '.join(unknown)}")

    too_new, seen = [], set()
    for name in names:
        root = by_name[name]
        declared = packages[root]["rust_version"]
        if declared is None:
            sys.exit(f"error: {name} declares no rust-version")
        queue = [root]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            package = packages[current]
            needs = package["rust_version"]
            if needs and version(needs) > version(declared):
                too_new.append(f"{package['name']} {package['version']} needs Rust {needs}, but {name} declares {declared}")
            queue += [
                dep["pkg"]
                for dep in nodes[current]["deps"]
                if any(kind["kind"] is None and device_target(kind["target"]) for kind in dep["dep_kinds"])
            ]
    for line in too_new:
        print(f"error: {line}")
    if too_new:
        sys.exit("  cure: pin an older version of these in Cargo.toml")
    print(f"{len(seen)} packages checked")


def device_target(target):
    """Returns whether a target-specific dependency can be part of a bare-metal build."""
    return target is None or not any(
        word in target for word in ("windows", "unix", "wasm", "x86", "aarch64", "loongarch", "hermit", "miri")
    )


if __name__ == "__main__":
    main()
