#!/usr/bin/env python3
"""Tests client-only rustls and webpki (CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY): what the script refuses, then the TLS
tests and the interop matrix with such a client.

    python3 tests/client-only/run.py [--target-dir DIR]

The tests are the usual ones, including those that randomly alter what the server sends; rustls servers stay
complete. They run in a folder of links to this workspace, which differs only in its Cargo.toml.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/rustls_client_only.py"
PACKAGES = ("thread-mqtt-tls", "thread-mqtt-interop", "thread-mqtt-fuzz")
KEPT = ("Cargo.toml", "Cargo.lock", "target", ".git", ".cargo")

sys.path.insert(0, str(ROOT / "scripts/client_only"))
import cut  # noqa: E402
from source import NoMatch, Source  # noqa: E402

TEXT = '''
impl Other { fn read(&self) -> u8 { 1 } }
/* fn read( { /* nested */ */ // impl One { fn read
impl One {
    /// Reads } of a "brace".
    #[inline]
    fn read(&self, a: [u8; 2]) -> char { let s = "}\\""; let r = r#"}"}"#; let l: &'static str = s; '}' }
    fn write(&self) {
        match self { Self::A => { one() } Self::B(x) if x => two(x, [3, 4]), _ => (), }
    }
}
struct Some { a: u8 }
fn make() { let some = Some { a: 1 }; other.sort(|x| { x }); let list = &[1, 2]; let is = one.is(1) && two; Some {} }
'''


def edits():
    """Checks the result of each edit, and that invalid ones are refused."""
    def becomes(edit, before, after):
        source = Source(TEXT)
        edit(source)
        if TEXT.replace(before, after, 1) != source.text or before not in TEXT:
            sys.exit(f"error: unexpected result of editing `{before}`:\n{source.text}")

    becomes(cut.body("impl One", "fn read"), TEXT[TEXT.index(" let s"):TEXT.index(" }\n    fn write")] + " ", " unreachable!() ")
    becomes(cut.left_out("impl One", "fn read"), TEXT[TEXT.index("    /// Reads"):TEXT.index("\n    fn write")], "")
    becomes(cut.arm("Self::A", "fn write"), "Self::A => { one() }", "")
    becomes(cut.arm("Self::B(x) if x", "fn write"), "Self::B(x) if x => two(x, [3, 4]),", "")
    becomes(cut.never("struct Some"), "Some {", "Some { never: core::convert::Infallible,")
    becomes(cut.condition("if x", "impl One", "fn write"), "if x", "false")
    becomes(cut.names_after("a:", "struct Some"), "a: u8 ", "")
    becomes(cut.without_fields("Some", "fn make"), "Some { a: 1 }", "Some {}")
    becomes(cut.call("other.sort", "fn make"), "other.sort(|x| { x });", "")
    becomes(cut.emptied("let list = &[", "fn make"), "&[1, 2]", "&[]")
    for what, edit in (("twice", cut.body("fn read")), ("never", cut.body("impl One", "fn reads")),
                       ("in a comment", cut.body("fn nested")), ("no braces", cut.never("let l")),
                       ("without fields", cut.without_fields("Other", "fn make")), ("used", cut.call("one.is", "fn make"))):
        try:
            edit(Source(TEXT))
        except NoMatch:
            continue
        sys.exit(f"error: the invalid edit \"{what}\" was not refused")


def refusals():
    """Checks that other versions and a wrong checksum are refused."""
    lock = (ROOT / "Cargo.lock").read_text()
    checksum = re.search(r'name = "rustls"\nversion = .*\nsource = .*\nchecksum = "(\w+)"', lock)[1]
    version = re.search(r'name = "rustls"\nversion = "(.*)"', lock)[1]
    for what, changed, sentence in (
            ("another version", lock.replace(f'name = "rustls"\nversion = "{version}"', 'name = "rustls"\nversion = "0.23.1"'),
             f"requires version {version}, but "),
            ("two versions", lock + '\n[[package]]\nname = "rustls"\nversion = "0.22.4"\n', f"{version}, 0.22.4\n  cure: "),
            ("another checksum", lock.replace(checksum, "0" * 64), f"has no rustls-{version}.crate with the checksum of")):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "Cargo.lock").write_text(changed)
            done = subprocess.run([sys.executable, SCRIPT, folder / "out", "--lock", folder / "Cargo.lock"],
                                  env={**os.environ, "CARGO": "false"}, capture_output=True, text=True)
            if done.returncode == 0 or sentence not in done.stderr or (folder / "out/config.toml").exists():
                sys.exit(f"error: {what} was not refused as expected: {done.returncode}\n{done.stderr}")


def workspace(folder, crates):
    """Writes a workspace of links whose client's rustls is the one below `crates`."""
    folder.mkdir(parents=True, exist_ok=True)
    # A target folder may serve several checkouts: no link of another one stays.
    for link in folder.iterdir():
        if link.is_symlink():
            link.unlink()
    for path in ROOT.iterdir():
        if path.name not in KEPT:
            (folder / path.name).symlink_to(path)
    manifest = (ROOT / "Cargo.toml").read_text()
    for name, package in (("rustls", "rustls"), ("webpki", "rustls-webpki")):
        place = f'{name} = {{ package = "{package}", path = "{crates / package}", '
        manifest, found = re.subn(rf'(?m)^{name} = {{(?: package = "{package}",)? version = "[^"]+", ', place, manifest)
        if found != 1:
            sys.exit(f"error: this script does not recognise the line for {name} in Cargo.toml")
    (folder / "Cargo.toml").write_text(manifest)
    (folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())


def cut_workspace(target):
    """Creates both crates and the workspace that uses them below the target folder. Returns the workspace."""
    crates = target / "client-only" / "crates"
    subprocess.run([sys.executable, SCRIPT, crates, "--linked"], check=True)
    folder = target / "client-only" / "workspace"
    workspace(folder, crates)
    return folder


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--target-dir", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")))
    options = options.parse_args()
    edits()
    refusals()
    target = options.target_dir.resolve()
    folder = cut_workspace(target)
    crates = target / "client-only" / "crates"
    tree = subprocess.run(["cargo", "tree", "--offline", "--quiet", "-pthread-mqtt-tls", "--edges=normal", "--prefix=none"],
                          cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    for crate in ("rustls", "rustls-webpki"):
        used = {line for line in tree.splitlines() if line.startswith(f"{crate} v")}
        if not used or any(str(crates) not in line for line in used):
            sys.exit(f"error: the client does not use the generated {crate}, but {', '.join(used) or 'none'}")
    packages = [f"-p{package}" for package in PACKAGES]
    return subprocess.run(["cargo", "test", "--offline", *packages], cwd=folder,
                          env={**os.environ, "CARGO_TARGET_DIR": str(target)}).returncode


if __name__ == "__main__":
    sys.exit(main())
