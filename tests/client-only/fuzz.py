#!/usr/bin/env python3
"""Fuzzes TLS as CONFIG_THREAD_MQTT_RUSTLS_CLIENT_ONLY makes it, led by coverage (LLVM's libFuzzer), and then compares
what comes of every input with that of the whole rustls.

    python3 tests/client-only/fuzz.py [--seconds N] [--target-dir DIR]

Half of the time goes to either build, for what reaches new code in one of them is to reach it in the other, too. What
was found is kept in DIR/fuzz/corpus, where the next run goes on. The inputs are what a server sends over two
connections (the crate thread-mqtt-fuzz): an altered one is still understood, because its cryptography hides nothing.
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import run

SEEDS = run.ROOT / "rust/test/fuzz/seeds"
# What libFuzzer wants to know of a run, told by the names that stable rustc has for it.
COVERAGE = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
            "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-pc-table",
            "-Cllvm-args=-sanitizer-coverage-trace-compares"]
LIMITS = ["-max_len=8192", "-timeout=10", "-rss_limit_mb=1024", "-use_value_profile=1"]

# How the two may differ: what is said of the cut one, and of the whole one (docs/footprint.md).
DIFFERENCES = {
    "the state of a certificate (OCSP), which the cut one did not ask for": (r"\((UnsolicitedServerHelloExtension|UnknownCertificateExtension)\)", ""),
    "a broken message of a kind that does not come here, refused for its kind before it is read":
        (r"a TLS message that has no place here", r"a TLS message that cannot be decoded"),
}


def cargo(folder, *arguments, **environment):
    subprocess.run(["cargo", "build", "--quiet", "--offline", "-pthread-mqtt-fuzz", *arguments], cwd=folder, check=True,
                   env={**os.environ, **environment})


def build(folder, target, name):
    """The fuzzer and the program that tells outcomes, of one workspace."""
    host = re.search(r"^host: (.*)", subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout,
                     re.MULTILINE)[1]
    made = target / "fuzz"
    # With a target named, build scripts stay as they are.
    cargo(folder, "--profile=fuzz", f"--target={host}", "--features=libfuzzer", "--bin=fuzz-tls",
          CARGO_TARGET_DIR=str(made / "build"), RUSTFLAGS=" ".join(COVERAGE))
    cargo(folder, "--bin=outcomes", CARGO_TARGET_DIR=str(target))
    programs = []
    for built in (made / "build" / host / "fuzz/fuzz-tls", target / "debug/outcomes"):
        programs.append(made / f"{built.name}-{name}")
        shutil.copy(built, programs[-1])
    return programs


def fuzz(program, corpus, seconds, name):
    """Adds to the corpus; ends the script where an input ends the program."""
    log, found = corpus.parent / f"{name}.log", corpus.parent / "found"
    found.mkdir(exist_ok=True)
    with open(log, "w") as output:
        done = subprocess.run([program, f"-max_total_time={seconds}", *LIMITS, f"-artifact_prefix={found}/",
                               "-print_final_stats=1", corpus, SEEDS], stdout=output, stderr=output)
    text = log.read_text(errors="replace")
    if done.returncode != 0:
        sys.exit(f"{text[-4000:]}\nerror: rustls, {name}: the input above (in {found}) ends it\n  see it again: {program} FILE")
    edges = re.findall(r"cov: (\d+)", text)[-1]
    runs = re.search(r"number_of_executed_units: (\d+)", text)[1]
    print(f"rustls, {name}: {int(runs):,} inputs, {edges} edges of its code reached, none ended it", flush=True)


def outcomes(program, corpus):
    """{input: [what came of its first connection, of its second]}"""
    told = subprocess.run([program, SEEDS, corpus], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = (line.split("\t", 1) for line in told.splitlines())
    return {name: outcome.split(" || ") for name, outcome in lines}


def difference(cut, whole):
    """The kind of the first difference, None where there is none, "" where it is not known."""
    for ours, theirs in zip(cut, whole, strict=True):
        if ours != theirs:
            # After a known one what follows may be anything: the session to resume is another.
            return next((kind for kind, (of_cut, of_whole) in DIFFERENCES.items()
                         if re.search(of_cut, ours) and re.search(of_whole, theirs)), "")
    return None


def compare(programs, corpus):
    """Whether both builds do the same."""
    cut, whole = (outcomes(program, corpus) for program in programs)
    kinds = {name: difference(cut[name], whole[name]) for name in cut}
    for name in [name for name, kind in kinds.items() if kind == ""][:10]:
        print(f"\n{name}\n  client only: {' || '.join(cut[name])}\n  whole:       {' || '.join(whole[name])}")
    counts = collections.Counter(kinds.values())
    print(f"{len(cut)} inputs kept, the same comes of {counts[None]} with either")
    for kind in DIFFERENCES:
        print(f"  {counts[kind]:5} differ by {kind}")
    if counts[""]:
        sys.exit(f"error: {counts['']} differ otherwise, the first of them above; the inputs are in {corpus} and {SEEDS}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=int, default=60, metavar="N")
    options.add_argument("--target-dir", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", run.ROOT / "target")))
    options = options.parse_args()
    target = options.target_dir.resolve()
    corpus = target / "fuzz" / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=run.ROOT, check=True)
    programs = {}
    for name, folder in (("for a client only", run.cut_workspace(target)), ("whole", run.ROOT)):
        print(f"building the fuzzer, rustls {name}", flush=True)
        programs[name] = build(folder, target, name.replace(" ", "-"))
    for name, (fuzzer, _) in programs.items():
        fuzz(fuzzer, corpus, max(1, options.seconds // 2), name)
    compare([tells for _, tells in programs.values()], corpus)


if __name__ == "__main__":
    main()
