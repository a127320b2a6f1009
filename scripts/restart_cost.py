#!/usr/bin/env python3
"""The cost of a restart, because TLS sessions are not stored: a full handshake instead of a resumed one.
Takes bytes and times from docs/measurements.md; prints the table of docs/durable.md.

    scripts/restart_cost.py [--milliamperes I] [--volts U]     the radio's, while it sends or listens
    scripts/restart_cost.py --check                            compares the page with it
"""
import argparse
import contextlib
import math
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUITES = [("TLS 1.2", "RSA-2048"), ("TLS 1.3", "RSA-2048"), ("TLS 1.2", "P-256"), ("TLS 1.3", "P-256")]
BITS_PER_SECOND = 250_000
# Bytes before each frame on the air (docs/measurements.md).
PREAMBLE = 6


def sums():
    """Returns milliseconds, frames and bytes from TCP to CONNACK, by the page's names."""
    text = (ROOT / "docs/measurements.md").read_text()
    rows = re.findall(r"^\| \*\*TCP to CONNACK, (.*), MQTT 5\*\* \| ([\d,]+).*? \| ([\d,]+).*? \| ([\d,]+)", text, re.M)
    return {name: tuple(int(number.replace(",", "")) for number in numbers) for name, *numbers in rows}


def table(milliamperes, volts):
    """Returns the rows, each with the energy for the frames and for a receiver that is always on."""
    found = sums()
    lines = ["| | full | resumed | a restart costs | the frames alone | a receiver that stays on |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for version, kind in SUITES:
        full, resumed = found[f"{version}, {kind}"], found[version]
        ms, frames, octets = (more - less for more, less in zip(full, resumed))
        air = (octets + PREAMBLE * frames) * 8 / BITS_PER_SECOND
        energy = [f"{seconds * milliamperes * volts:.1f} mJ" for seconds in (air, max(ms / 1000, air))]
        lines.append(f"| {version}, {kind} | {full[2]:,} bytes, {full[0]} ms | {resumed[2]:,} bytes, {resumed[0]} ms "
                     f"| {octets:,} bytes, {ms} ms | {' | '.join(energy)} |")
    return lines


def above_zero(text):
    """Parses a number above 0, from which energy can be computed."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, for example 6.4")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milliamperes", type=above_zero, default=6.4)
    parser.add_argument("--volts", type=above_zero, default=3.0)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    lines = table(given.milliamperes, given.volts)
    if given.check:
        page = (ROOT / "docs/durable.md").read_text().splitlines()
        missing = [line for line in lines if line not in page]
        if missing:
            sys.exit("error: the table in docs/durable.md is outdated; replace it with the output of scripts/restart_cost.py:\n"
                     + "\n".join(missing))
        print("ok: docs/durable.md matches docs/measurements.md")
        return
    print("\n".join(lines))


if __name__ == "__main__":
    main()
