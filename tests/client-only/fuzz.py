#!/usr/bin/env python3
"""Fuzzes TLS with client-only rustls, guided by coverage (LLVM's libFuzzer), and then compares the
outcome of every input with that of full rustls.

    python3 tests/client-only/fuzz.py [--seconds N] [--target-dir DIR]

Each build gets half of the time, because inputs that reach new code in one should also be tried in the other. The
corpus stays in DIR/fuzz/corpus, and the next run resumes from it. The inputs are what a server sends over two
connections (the crate thread-mqtt-fuzz). Altered inputs can still be read, because that crate's cryptography hides
nothing.
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
# The instrumentation that libFuzzer needs, by its names in stable rustc.
COVERAGE = ["-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
            "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-pc-table",
            "-Cllvm-args=-sanitizer-coverage-trace-compares"]
LIMITS = ["-max_len=8192", "-timeout=10", "-rss_limit_mb=1024", "-use_value_profile=1"]

# The known differences, with the outcomes of client-only and full rustls (docs/footprint.md).
DIFFERENCES = {
    "a certificate's OCSP status, which client-only rustls did not request": (r"\((UnsolicitedServerHelloExtension|UnknownCertificateExtension)\)", ""),
    "a malformed message of an unexpected type, refused for its type before it is decoded":
        (r"sent an unexpected TLS message", r"a TLS message that cannot be decoded"),
}


def cargo(folder, *arguments, **environment):
    subprocess.run(["cargo", "build", "--quiet", "--offline", "-pthread-mqtt-fuzz", *arguments], cwd=folder, check=True,
                   env={**os.environ, **environment})


def build(folder, target, name):
    """Builds the fuzzer and the program that prints outcomes in one workspace; returns both."""
    host = re.search(r"^host: (.*)", subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, text=True).stdout,
                     re.MULTILINE)[1]
    made = target / "fuzz"
    # With an explicit target, build scripts are not instrumented.
    cargo(folder, "--profile=fuzz", f"--target={host}", "--features=libfuzzer", "--bin=fuzz-tls",
          CARGO_TARGET_DIR=str(made / "build"), RUSTFLAGS=" ".join(COVERAGE))
    cargo(folder, "--bin=outcomes", CARGO_TARGET_DIR=str(target))
    programs = []
    for built in (made / "build" / host / "fuzz/fuzz-tls", target / "debug/outcomes"):
        programs.append(made / f"{built.name}-{name}")
        shutil.copy(built, programs[-1])
    return programs


def fuzz(program, corpus, seconds, name):
    """Extends the corpus. Exits if an input crashes the program."""
    log, found = corpus.parent / f"{name}.log", corpus.parent / "found"
    found.mkdir(exist_ok=True)
    with open(log, "w") as output:
        done = subprocess.run([program, f"-max_total_time={seconds}", *LIMITS, f"-artifact_prefix={found}/",
                               "-print_final_stats=1", corpus, SEEDS], stdout=output, stderr=output)
    text = log.read_text(errors="replace")
    if done.returncode != 0:
        sys.exit(f"{text[-4000:]}\nerror: {name} rustls crashes on the input above (in {found})\n  reproduce: {program} FILE")
    edges = re.findall(r"cov: (\d+)", text)[-1]
    runs = re.search(r"number_of_executed_units: (\d+)", text)[1]
    print(f"{name} rustls: {int(runs):,} inputs, {edges} edges covered, no crash", flush=True)


def outcomes(program, corpus):
    """Returns {input: [outcome of the first connection, outcome of the second]}."""
    told = subprocess.run([program, SEEDS, corpus], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = (line.split("\t", 1) for line in told.splitlines())
    return {name: outcome.split(" || ") for name, outcome in lines}


def difference(cut, whole):
    """Returns the kind of the first difference; None without one, "" if it is unknown."""
    for ours, theirs in zip(cut, whole, strict=True):
        if ours != theirs:
            # After a known difference anything may follow, because the session to resume differs.
            return next((kind for kind, (of_cut, of_whole) in DIFFERENCES.items()
                         if re.search(of_cut, ours) and re.search(of_whole, theirs)), "")
    return None


def compare(programs, corpus):
    """Compares the outcomes of both builds. Exits if there is an unknown difference."""
    cut, whole = (outcomes(program, corpus) for program in programs)
    kinds = {name: difference(cut[name], whole[name]) for name in cut}
    for name in [name for name, kind in kinds.items() if kind == ""][:10]:
        print(f"\n{name}\n  client-only: {' || '.join(cut[name])}\n  full:        {' || '.join(whole[name])}")
    counts = collections.Counter(kinds.values())
    print(f"{len(cut)} inputs kept, {counts[None]} with the same outcome in both")
    for kind in DIFFERENCES:
        print(f"  {counts[kind]:5} differ by {kind}")
    if counts[""]:
        sys.exit(f"error: {counts['']} differ for another reason, the first of them above; the inputs are in {corpus} and {SEEDS}")


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
    for name, folder in (("client-only", run.cut_workspace(target)), ("full", run.ROOT)):
        print(f"building the fuzzer, {name} rustls", flush=True)
        programs[name] = build(folder, target, name.replace(" ", "-"))
    for name, (fuzzer, _) in programs.items():
        fuzz(fuzzer, corpus, max(1, options.seconds // 2), name)
    compare([tells for _, tells in programs.values()], corpus)


if __name__ == "__main__":
    main()
