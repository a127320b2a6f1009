#!/usr/bin/env python3
"""Runs the command-line client against third-party brokers: each scenario with each MQTT version.

    tests/brokers/run.py [--only BROKER] [--scenario NAME] [--write]

Brokers that are not installed are listed, with what to install. An unexpected result fails the run.
EXPECTED lists what a broker cannot do, with the reason; if it works anyway, the run reports that.
--write updates the table in docs/interop.md.

Needs cargo, Python and openssl. All servers listen on the loopback and are stopped at the end.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import brokers
import scenarios

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/interop.md"

LOST_AMQTT = "aMQTT discards messages in flight to a subscriber when the connection ends"
QUEUE_PAHO = "in MQTT 5 it counts each queued message twice against our Receive Maximum and then stops sending"

STATE_RUMQTTD = ("rumqttd keeps no QoS 2 state across connections: a message may arrive twice, and it closes each connection "
                 "that repeats a PUBREL of an earlier one, until the client gives up that message")

# What a broker does not support, by broker, version (None: each) and scenario; the text goes into the table.
EXPECTED = {
    ("aMQTT", None, "cuts, receiving"): LOST_AMQTT,
    ("rumqttd", None, "cuts, publishing"): STATE_RUMQTTD,
    ("rumqttd", None, "cuts, receiving"): STATE_RUMQTTD,
    ("paho.mqtt.testing", "5", "offline"): QUEUE_PAHO,
    ("paho.mqtt.testing", "5", "cuts, receiving"): QUEUE_PAHO,
}


def program():
    subprocess.run(["cargo", "build", "--locked", "--quiet", "-p", "thread-mqtt-cli"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/thread-mqtt"


def certificates(folder):
    """Creates a CA, a certificate for 127.0.0.1 with an RSA key, and a CA that signed nothing."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "empty.cnf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-days", "2", "-subj", f"/CN=Test CA {name}", "-config", "empty.cnf",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=127.0.0.1", "-config", "empty.cnf")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "2", "-extfile", "server.ext")
    (folder / "server-and-key.pem").write_text(
        (folder / "server.pem").read_text() + (folder / "server.key").read_text())


def expected(broker, version, name):
    """Returns why the scenario cannot work with this broker, or None."""
    return EXPECTED.get((broker.name, version, name)) or EXPECTED.get((broker.name, None, name))


def limited(broker, name):
    """Runs the broker with the configuration that the scenario needs."""
    wanted = name == "too large"
    if broker.process is None or broker.is_limited != wanted:
        broker.is_limited = wanted
        broker.restart()


def try_scenario(run, name, scenario):
    """Returns None, or what went wrong."""
    try:
        limited(run.broker, name)
        scenario(run)
        return None
    except (scenarios.Wrong, subprocess.TimeoutExpired) as wrong:
        return str(wrong)


def row(run, release, wanted):
    """Runs the scenarios. Returns the cells of the table and the failures."""
    cells, failures = [], []
    for name, scenario in scenarios.ALL.items():
        if wanted and name != wanted:
            continue
        if name == "too large" and run.broker.limit is None:
            cells.append("no limit")
            continue
        if name in ("TLS 1.2, 1.3", "wrong CA") and not run.broker.has_tls:
            cells.append("not tried")
            continue
        began = time.monotonic()
        wrong = try_scenario(run, name, scenario)
        reason = expected(run.broker, run.version, name)
        if wrong is None:
            verdict, cell = "ok", "works"
            if reason is not None:
                verdict = f"ok, although not expected: {reason}"
            elif name.startswith("cuts") and run.broker.repeats_qos2:
                cell = run.broker.repeats_qos2
            elif name == "cuts, publishing" and run.broker.leaves_pubrel:
                cell = run.broker.leaves_pubrel
        elif reason is not None:
            verdict, cell = f"as expected: {wrong}", reason
        else:
            verdict, cell = f"FAILED: {wrong}", "fails"
            failures.append(f"{run.broker.name} {release}, MQTT {run.version}, {name}: {wrong}")
        print(f"  {name:18} {time.monotonic() - began:5.1f} s  {verdict}", flush=True)
        cells.append(cell)
    return cells, failures


def table(rows):
    """Returns the table of docs/interop.md and its notes."""
    notes = {}

    def mark(cell):
        if cell in ("works", "no limit", "not tried", "fails"):
            return cell
        letter = notes.setdefault(cell, chr(ord("a") + len(notes)))
        return f"({letter})"

    lines = ["| broker | MQTT | " + " | ".join(scenarios.ALL) + " |",
             "| --- | --- |" + " --- |" * len(scenarios.ALL)]
    for (name, version), cells in rows.items():
        lines.append(f"| {name} | {version} | " + " | ".join(map(mark, cells)) + " |")
    lines += ["", *(f"- ({letter}) {text}" for text, letter in notes.items())]
    return "\n".join(lines).strip()


def write(rows):
    text = PAGE.read_text()
    new, count = re.subn(r"(<!-- brokers -->\n).*?(<!-- end -->)",
                         lambda found: found[1] + table(rows) + "\n" + found[2], text, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"error: {PAGE} has no markers for the table")
    PAGE.write_text(new)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", metavar="BROKER", help="only this broker")
    options.add_argument("--scenario", metavar="NAME", choices=list(scenarios.ALL), help="only this scenario")
    options.add_argument("--write", action="store_true", help="update the table in docs/interop.md")
    options = options.parse_args()
    if options.write and (options.only or options.scenario):
        sys.exit("error: --write requires all brokers and scenarios")
    chosen = [kind for kind in brokers.ALL if not options.only or kind.name.lower() == options.only.lower()]
    if not chosen:
        sys.exit(f"error: unknown broker {options.only}; choose from: "
                 + ", ".join(dict.fromkeys(kind.name for kind in brokers.ALL)))

    tools = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "brokers"
    client = program()
    rows, failures, skipped = {}, [], []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        # Brokers that drop root's privileges must be able to read it.
        scratch.chmod(0o755)
        pki = scratch / "pki"
        pki.mkdir()
        certificates(pki)
        for number, kind in enumerate(chosen):
            broker = kind(scratch / f"{number}", tools, pki)
            try:
                release = broker.install()
                for version in broker.versions:
                    print(f"{broker.name} {release}, MQTT {version}", flush=True)
                    run = scenarios.Run(client, broker, version, pki)
                    cells, wrong = row(run, release, options.scenario)
                    rows[f"{broker.name} {release}", version] = cells
                    failures += wrong
            except brokers.NotHere as reason:
                skipped.append(f"SKIPPED {kind.name}, MQTT {', '.join(kind.versions)}: {reason}")
                print(skipped[-1], flush=True)
            except RuntimeError as error:
                failures.append(str(error))
                print(f"FAILED: {error}", flush=True)
            finally:
                broker.kill()
    if options.write:
        write(rows)
    print("\n".join(["", *skipped, *failures]))
    if failures:
        sys.exit(f"{len(failures)} failed")
    print(f"{sum(map(len, rows.values()))} scenarios as expected, with {len(rows)} combinations of broker and version")


if __name__ == "__main__":
    main()
