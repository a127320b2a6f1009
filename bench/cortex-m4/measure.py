#!/usr/bin/env python3
"""Measures what TLS and MQTT cost on a Cortex-M4, in QEMU against live servers.

  measure.py             builds and runs everything; writes docs/footprint.md and footprint-tables.md, the
                         chart, and bench/cortex-m4/baseline.json, which accepts the new numbers
  measure.py --features  builds TLS with all cargo features and without each; writes their section
  measure.py --options   builds the whole client with and without each option; writes their section
  measure.py --check     compares two images with baseline.json; then checks that the heap and the stack
                         that the Zephyr build requires suffice, and that
                         thread_mqtt_init() is fast enough
  measure.py --init      measures thread_mqtt_init(); fails if it takes more than 10 ms
  measure.py --comparable
                         checks whether the baseline is from the same compilers; if not, exits with 3
  measure.py --least-heap tls-soft mqtt-psa
                         runs these images with less and less heap until the connection fails; exits with
                         an error if one fails in any way other than with an error message
  measure.py --only tls-psa client-soft
                         builds and runs these images and prints the numbers; writes nothing

Needs rustc-web cargo-web rust-web-src gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
openssl mosquitto (./footprint installs them if it can).
"""
import argparse
import json
import os
import sys
from pathlib import Path

import build
import init
import needs
import plan
import report
import run
from sizes import Sizes

# The exit status of --comparable; 1 is a failure.
NOT_COMPARABLE = 3
BASELINE = build.HERE / "baseline.json"
# A number has grown if it exceeds the baseline by more than this.
TOLERANCE = 0.02
# Servers choose random numbers, which change the cost of Mbed TLS's X25519 by some percent: the
# median of this many runs counts.
REPEATS = 3
MEASURED = ("flash", "heap", "stack", "instructions", "start")
# Bytes by which the heap shrinks per step.
STEP = 128
UNITS = {"flash": "bytes of flash", "heap": "bytes of heap", "stack": "bytes of stack",
         "instructions": "instructions", "start": "instructions at the start"}


def numbers(sizes, phases):
    """Returns the numbers of a run for the baseline and for the report."""
    handshake = phases["handshake"]
    # The whole client makes its first key before it reports the TCP connection.
    before = phases.get("resolve", run.Phase(0, 0, 0, 0, 0, 0, 0))
    return {
        "flash": sizes.of("rust", "mbedtls-tls", "mbedtls-crypto"),
        "heap": max(phase.heap_most for phase in phases.values()),
        "heap_own": max(phase.heap_own for phase in phases.values()),
        "stack": max(phase.stack for phase in phases.values()),
        "instructions": before.instructions + handshake.instructions,
        "start": phases["provider"].instructions + phases["configure"].instructions,
        "idle": phases["exchange"].heap_now,
        "sent": before.sent + handshake.sent,
        "received": handshake.received,
    }


def measure(builder, runs):
    """Builds and runs images; returns ({image: Sizes}, {image: {handshake: numbers}})."""
    sizes, results = {}, {}
    for name, handshakes in runs.items():
        print(f"{name}: build", file=sys.stderr, flush=True)
        elf, table = builder.image(plan.IMAGES[name])
        sizes[name] = Sizes(table)
        results[name] = {}
        for handshake in handshakes:
            repeats = [numbers(sizes[name], run.measure(elf, handshake)) for _ in range(REPEATS)]
            result = sorted(repeats, key=lambda one: one["instructions"])[REPEATS // 2]
            results[name][str(handshake)] = result
            print(f"  {handshake}: " + ", ".join(f"{result[key]:,} {UNITS[key]}" for key in MEASURED),
                  file=sys.stderr, flush=True)
    return sizes, results


def measure_features(builder):
    """Measures flash of TLS with all features and without each: {provider: {feature: bytes}}."""
    table = {}
    for provider in ("psa", "soft"):
        table[provider] = {}
        for feature, image in plan.feature_images(provider).items():
            print(f"{image.name}: build", file=sys.stderr, flush=True)
            table[provider][feature] = Sizes(builder.image(image)[1]).of("rust")
    return table


def measure_options(builder):
    """Measures flash of the whole client with and without each option: {what: bytes}."""
    table = {}
    for what, image in plan.option_images().items():
        print(f"{image.name}: build", file=sys.stderr, flush=True)
        table[what] = Sizes(builder.image(image)[1]).of("rust")
    return table


def comparable():
    """Returns whether the compilers are those of the baseline; prints the difference if not."""
    here, there = build.versions(), json.loads(BASELINE.read_text())["versions"]
    if here != there:
        print("the baseline was made with " + ", ".join(f"{name} {there[name]}" for name in there)
              + "; installed: " + ", ".join(f"{name} {here[name]}" for name in here))
    return here == there


def check(builder):
    """Compares the short form with the baseline; returns the number of values that have grown."""
    baseline = json.loads(BASELINE.read_text())
    grown = 0
    for name, runs in measure(builder, plan.CHECKED)[1].items():
        for handshake, now in runs.items():
            before = baseline["runs"][name][handshake]
            for key in MEASURED:
                change = now[key] / before[key] - 1
                if change > TOLERANCE:
                    grown += 1
                    print(f"error: {name}, {handshake}: grew from {before[key]:,} to {now[key]:,} "
                          f"{UNITS[key]} ({change:+.1%})")
                elif change < -TOLERANCE:
                    print(f"{name}, {handshake}: shrank from {before[key]:,} to {now[key]:,} {UNITS[key]} "
                          f"({change:+.1%}): accept it with ./footprint")
    if grown:
        print("  cure: undo the growth, or accept it: run ./footprint, then commit "
              "docs/footprint*.md and bench/cortex-m4/baseline.json with the reason")
    return grown


def least_heap(builder, names):
    """Finds the least heap for each handshake; returns the number of runs that ended in a fault."""
    faults = 0
    for name in names:
        elf, _ = builder.image(plan.IMAGES[name])
        for handshake in plan.RUNS[name]:
            phases = run.measure(elf, handshake)
            # Do not go below what is allocated before there is a connection.
            before = phases["configure"].heap_now
            limit = least = max(phase.heap_most for phase in phases.values())
            while limit > before:
                try:
                    run.measure(elf, handshake, limit)
                    least = limit
                except build.Failed as failure:
                    # Creating the configuration may fault, because the product does it once at start-up.
                    if "error: a fault" in str(failure) and "phase configure" in str(failure):
                        faults += 1
                        print(f"error: {name}, {handshake}: a fault with {limit:,} bytes of heap")
                limit -= STEP
            print(f"{name}, {handshake}: {least:,} bytes of heap suffice", flush=True)
    return faults


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--check", action="store_true", help="compare with baseline.json")
    options.add_argument("--comparable", action="store_true", help="check that the compilers are those of the baseline")
    options.add_argument("--init", action="store_true", help="measure thread_mqtt_init()")
    options.add_argument("--features", action="store_true", help="measure each cargo feature")
    options.add_argument("--options", action="store_true", help="measure each option of the whole client")
    options.add_argument("--least-heap", nargs="+", metavar="IMAGE",
                         choices=[name for name in plan.IMAGES if not name.startswith("mbedtls")],
                         help="find the least heap for these images")
    options.add_argument("--only", nargs="+", metavar="IMAGE", choices=plan.IMAGES, help="measure only these images")
    options.add_argument("--build-dir", type=Path, metavar="DIR",
                         default=Path(os.environ.get("CARGO_TARGET_DIR", build.ROOT / "target")) / "cortex-m4")
    options = options.parse_args()
    try:
        if options.comparable:
            return 0 if comparable() else NOT_COMPARABLE
        builder = build.Builder(options.build_dir)
        if options.check:
            if not comparable():
                return 1
            grown = check(builder)
            return 1 if grown + needs.prove(builder) + init.check(builder) else 0
        if options.init:
            return 1 if init.check(builder) else 0
        if options.least_heap:
            return 1 if least_heap(builder, options.least_heap) else 0
        if options.only:
            measure(builder, {name: plan.RUNS[name] for name in options.only})
            return 0
        if options.features:
            report.write_features(measure_features(builder), build.versions())
            return 0
        if options.options:
            report.write_options(measure_options(builder), build.versions())
            return 0
        sizes, results = measure(builder, plan.REPORTED)
        versions = build.versions()
        report.write(sizes, results, versions)
        report.write_init(init.measure(builder), build.c_api_versions())
        text = json.dumps({"versions": versions, "runs": results}, indent=1) + "\n"
        BASELINE.write_text(text)
        return 0
    except build.Failed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
