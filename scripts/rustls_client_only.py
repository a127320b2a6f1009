#!/usr/bin/env python3
"""Creates client-only rustls and webpki from the published crates.

  rustls_client_only.py FOLDER   writes both crates below FOLDER, and FOLDER/config.toml, which cargo
                                 uses with --config instead of the published ones

The crates come from cargo's download cache and must have the checksum in Cargo.lock. The list of names to
remove is for one version of each crate (scripts/client_only/cuts.py): any other version is refused, and so is
a name that does not occur exactly once.
"""
import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).resolve().parent / "client_only"))
import cut  # noqa: E402
import cuts  # noqa: E402
from source import NoMatch, Source  # noqa: E402


class Refused(Exception):
    """Why nothing was written: the cause and the cure."""


def locked(lock, crate):
    """Returns the checksum in Cargo.lock of the version that the list is for."""
    wanted = cuts.VERSIONS[crate]
    found = re.findall(rf'\nname = "{crate}"\nversion = "(.+)"\n(?:source = .+\n)?(?:checksum = "(.+)")?', lock.read_text())
    if (versions := [version for version, _ in found]) != [wanted] or not found[0][1]:
        raise Refused(f"the client-only {crate} requires version {wanted}, but {lock} has "
                      f"{', '.join(versions) or 'none'}\n  cure: set CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY=n, or "
                      f"`cargo update -p {crate} --precise {wanted}`")
    return found[0][1]


def published(crate, checksum, lock):
    """Returns the published archive."""
    name = f"{crate}-{cuts.VERSIONS[crate]}.crate"
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    for fetched in (False, True):
        for path in sorted(home.glob(f"registry/cache/*/{name}")):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == checksum:
                return data
        if not fetched:
            cargo = os.environ.get("CARGO", "cargo")
            subprocess.run([cargo, "fetch", "--locked", "--quiet", "--manifest-path", lock.with_name("Cargo.toml")])
    raise Refused(f"{home}/registry/cache has no {name} with the checksum of {lock}\n  cure: run "
                  f"`cargo fetch --locked` in its folder")


def unpack(crate, archive):
    """Returns {path inside the crate: bytes} of what a build reads."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        files = {member.name.split("/", 1)[1]: tar.extractfile(member).read() for member in members}
    return {name: data for name, data in files.items()
            if re.match(r"src/|build\.rs$|Cargo\.toml$|LICENSE", name)}


def write(folder, files):
    """Writes only what has changed, so that cargo does not rebuild the rest."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, data in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def without_others(manifest):
    """Removes targets whose files are missing from the manifest. Dependencies stay, because cargo compares them."""
    parts = re.split(r"(?m)^(?=\[)", manifest)
    return "".join(part for part in parts if not re.match(r"\[\[(example|bench|test)\]\]", part))


def make(folder, lock, linked, p384):
    """Writes both crates and cargo's configuration."""
    made = []
    for crate in cuts.VERSIONS:
        files = unpack(crate, published(crate, locked(lock, crate), lock))
        for name, edits in cuts.cuts(crate, p384).items():
            source = Source(files[name].decode())
            try:
                cut.apply(edits, source)
            except NoMatch as fault:
                raise Refused(f"{crate} {cuts.VERSIONS[crate]}, {name}: {fault}") from None
            files[name] = source.text.encode()
        root = files["src/lib.rs"].decode()
        # Unreachable code is no reason for a warning here.
        root = re.sub(r"(?m)^#!\[(?:warn|deny)\((?:[^()]|\([^()]*\))*\)\]", "", root)
        files["src/lib.rs"] = ("#![allow(warnings)]\n" + root).encode()
        manifest = without_others(files["Cargo.toml"].decode())
        if linked:
            manifest = manifest.replace("[dependencies.webpki]\n", '[dependencies.webpki]\npath = "../rustls-webpki"\n')
        files["Cargo.toml"] = manifest.encode()
        write(folder / crate, files)
        made.append(folder / crate)
    config = "paths = " + json.dumps([str(path) for path in made]) + "\n"
    write_config = folder / "config.toml"
    if not write_config.exists() or write_config.read_text() != config:
        write_config.write_text(config)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("folder", type=Path, metavar="FOLDER")
    options.add_argument("--lock", type=Path, default=ROOT / "Cargo.lock", metavar="FILE", help="Cargo.lock of the build")
    options.add_argument("--linked", action="store_true",
                         help="let rustls's manifest use webpki by its path, for a manifest that uses both by path\n"
                              "(with --config they must have the dependencies of the published ones)")
    options.add_argument("--without-p384", action="store_true",
                         help="for an image that verifies no P-384 signatures: also removes the P-384 keys that\n"
                              "webpki distrusts")
    options = options.parse_args()
    try:
        make(options.folder.resolve(), options.lock.resolve(), options.linked, not options.without_p384)
    except Refused as refused:
        sys.exit(f"error: {refused}")
    except OSError as fault:
        sys.exit(f"error: {fault.filename or fault}: {fault.strerror}\n"
                 "  cure: give a folder that can be created and written, and with --lock a readable file")


if __name__ == "__main__":
    main()
