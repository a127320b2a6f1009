#!/usr/bin/env python3
"""The command-line client beside brokers that others wrote: each scenario, each version of MQTT.

    tests/brokers/run.py [--only BROKER] [--scenario NAME] [--write]

Brokers that this machine does not have are named, with what to install. A result that is not the
expected one fails the run; what a broker cannot do stands in EXPECTED with its reason, and where it
could do it after all the run says so. --write renews the table in docs/interop.md.

Needs cargo, Python and openssl. All servers listen on the loopback and end with the run.
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
                 "that repeats a PUBREL of an earlier one, until the client gives that message up")

# What a broker does not do, by broker, version (None: each) and scenario; the text goes into the table.
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
    """A CA, a certificate for 127.0.0.1 with an RSA key, and a CA that signed nothing."""
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
    """Why the scenario cannot work with this broker, or None."""
    return EXPECTED.get((broker.name, version, name)) or EXPECTED.get((broker.name, None, name))


def limited(broker, name):
    """The broker with the configuration that the scenario wants, running."""
    wanted = name == "too large"
    if broker.process is None or broker.is_limited != wanted:
        broker.is_limited = wanted
        broker.restart()


def try_scenario(run, name, scenario):
    """None, or what went wrong."""
    try:
        limited(run.broker, name)
        scenario(run)
        return None
    except (scenarios.Wrong, subprocess.TimeoutExpired) as wrong:
        return str(wrong)


def row(run, release, wanted):
    """Runs the scenarios; the cells of the table and the failures."""
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
                verdict = f"ok, although {reason}"
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
    """The table of docs/interop.md, and its notes."""
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
        sys.exit(f"{PAGE} has no place for the table")
    PAGE.write_text(new)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", metavar="BROKER", help="this broker alone")
    options.add_argument("--scenario", metavar="NAME", choices=list(scenarios.ALL), help="this scenario alone")
    options.add_argument("--write", action="store_true", help="renew the table in docs/interop.md")
    options = options.parse_args()
    if options.write and (options.only or options.scenario):
        sys.exit("--write wants every broker and scenario")
    chosen = [kind for kind in brokers.ALL if not options.only or kind.name.lower() == options.only.lower()]
    if not chosen:
        sys.exit(f"no broker is called {options.only}; there are: "
                 + ", ".join(dict.fromkeys(kind.name for kind in brokers.ALL)))

    tools = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "brokers"
    client = program()
    rows, failures, skipped = {}, [], []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        # Brokers that leave root's rights behind have to read it.
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
    print(f"{sum(map(len, rows.values()))} scenarios as expected; {len(rows)} rows of broker and version")


if __name__ == "__main__":
    main()
