"""Writes the generated parts of docs/footprint.md and docs/footprint-tables.md, and the chart."""
import chart
import needs
from build import EXTRA, FULL, ROOT, Failed

# The short page and the full tables.
SHORT = ROOT / "docs/footprint.md"
LONG = ROOT / "docs/footprint-tables.md"
PICTURE = ROOT / "docs/footprint.svg"

TITLES = {
    "tls-psa": "TLS, PSA provider",
    "tls-soft": "TLS, soft provider",
    "tls-psa-rsa": "TLS, PSA provider, RSA by PSA",
    "tls-psa-only": "TLS, PSA provider, client-only rustls",
    "tls-psa-codes": "TLS, PSA provider, no sentences",
    "mbedtls-1.2": "Mbed TLS client, TLS 1.2",
    "mbedtls-1.3": "Mbed TLS client, TLS 1.2 + 1.3",
    "tls-psa-full": "TLS, PSA provider, every suite",
    "tls-soft-full": "TLS, soft provider, every suite",
    "mqtt-psa": "TLS and MQTT, PSA provider",
    "mqtt-soft": "TLS and MQTT, soft provider",
    "client-psa": "whole client, PSA provider",
    "client-soft": "whole client, soft provider",
    "client-psa-full": "whole client, PSA, every suite",
    "client-psa-only": "whole client, PSA, client-only rustls",
    "client-psa-p256m": "whole client, PSA with p256-m, no X25519",
    "client-psa-p256m-x25519": "whole client, PSA with p256-m and X25519",
    "tls-psa-stable": "TLS, PSA provider",
}

# Parts of an image, as grouped in the tables and the chart.
GROUPS = ("rustls", "webpki", "tls", "client", "provider", "core", "constants", "PSA / crypto in C", "Mbed TLS's TLS")
OURS = {
    "rustls": "rustls", "rustls-pki-types": "rustls",
    "rustls-webpki": "webpki", "untrusted": "webpki",
    "thread-mqtt-tls": "tls",
    "thread-mqtt-client": "client", "thread-mqtt-driver": "client", "thread-mqtt-resolve": "client",
    "thread-mqtt-session": "client", "mqtt-proto": "client", "bytes": "client",
    "core": "core", "alloc": "core", "constants": "constants",
}


def grouped(sizes):
    """{group: bytes} of an image, without the harness and the C library."""
    groups = dict.fromkeys(GROUPS, 0)
    for (part, crate), size in sizes.crates.items():
        if part == "rust":
            groups[OURS.get(crate, "provider")] += size
        elif part == "mbedtls-crypto":
            groups["PSA / crypto in C"] += size
        elif part == "mbedtls-tls":
            groups["Mbed TLS's TLS"] += size
    return groups


def table(head, rows):
    """A Markdown table: the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for row in rows:
        lines.append("| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) + " |")
    return "\n".join(lines)


def millions(count):
    return f"{count / 1e6:.2f}"


def handshakes(results):
    """One table per handshake: what it costs each image."""
    by_handshake = {}
    for image, runs in results.items():
        if not image.endswith("-stable"):
            for handshake, numbers in runs.items():
                by_handshake.setdefault(handshake, []).append((image, numbers))
    parts = []
    for handshake, measured in by_handshake.items():
        rows = [(TITLES[image], n["heap"], n["heap_own"] if "psa" in image else "", n["idle"], n["stack"], millions(n["instructions"]), millions(n["start"]),
                 n["sent"], n["received"]) for image, n in measured]
        parts.append(f"### {handshake}\n\n" + table(
            ("", "heap, peak", "without PSA's", "heap, open", "stack", "M instr., handshake", "M instr., start-up", "sent", "received"),
            rows))
    return "\n\n".join(parts)


def flash(sizes, images):
    """Flash by group; the total leaves out the harness and the C library."""
    rows = []
    for image in images:
        groups = grouped(sizes[image])
        ours = sum(size for group, size in groups.items() if group in GROUPS[:7])
        rows.append((TITLES[image], *(groups[group] or "" for group in GROUPS), ours or "", sum(groups.values())))
    return table(("", *GROUPS, "Rust, total", "total"), rows)


def crates(sizes, images):
    """Flash of every crate of the Rust side."""
    names = {}
    for image in images:
        for (part, crate), size in sizes[image].crates.items():
            if part == "rust":
                names[crate] = max(names.get(crate, 0), size)
    names = sorted(names, key=names.get, reverse=True)
    shown = [name for name in names if any(sizes[i].crates["rust", name] >= 500 for i in images)]
    rows = [(name, *(sizes[image].crates["rust", name] or "" for image in images)) for name in shown]
    rest = [sum(sizes[image].crates["rust", name] for name in names if name not in shown) for image in images]
    return table(("crate", *(TITLES[image] for image in images)), [*rows, ("smaller crates", *rest)])


def features(measured):
    """What omitting each feature saves."""
    rows = [("all features", *(measured[p][""] for p in measured), *("" for _ in measured))]
    for feature in FULL:
        without = [measured[p][feature] for p in measured]
        saved = [measured[p][""] - measured[p][feature] for p in measured]
        rows.append((f"without `{feature}`", *without, *saved))
    for feature in EXTRA:
        having = [measured[p].get(feature, "") for p in measured]
        saved = [measured[p][""] - measured[p][feature] if feature in measured[p] else "" for p in measured]
        rows.append((f"with `{feature}`", *having, *saved))
    return table(("", *measured, *(f"saved, {p}" for p in measured)), rows)


def tools(versions):
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def generated(sizes, results, versions):
    small = [i for i in ("tls-psa", "tls-psa-rsa", "tls-psa-only", "tls-psa-codes", "tls-soft", "mqtt-psa", "mqtt-soft", "client-psa", "client-soft", "client-psa-full",
                         "client-psa-only", "client-psa-p256m", "client-psa-p256m-x25519", "mbedtls-1.2", "mbedtls-1.3") if i in sizes]
    return f"""Made by `./footprint` ({tools(versions)}); do not edit between the markers.

Each row is a run in QEMU (`mps2-an386`, Cortex-M4) against a live server: `openssl s_server` for TLS, Mosquitto for
MQTT. The suite is AES-128-GCM. The chain is a leaf and one intermediate below the root, or a leaf and three
intermediates. Records have at most 4 KiB. All sizes are in bytes. Instructions are counted by the emulated timer and
are not cycles. Heap is the memory requested from the allocator, including buffers and the C side. Stack is painted and
searched. "Open" is the heap while the connection is idle after its first exchange. Start-up happens once per boot and
reads the CA.

![Flash, heap, stack and instructions of one handshake](footprint.svg)

{handshakes(results)}

### Flash

These figures exclude start-up code and the C library. "Constants" are Rust's strings and tables, which have no crate
name in the linker map. "Whole client" adds to TLS 1.2 and 1.3: the session for MQTT 3.1.1 and 5, the resolver with
NAT64, the time, and the driver with its reconnects. All images include the error texts with cause and cure. With the
PSA provider, RSA signatures are verified in Rust (`THREAD_MQTT_RSA_IN_RUST`), except in the row "RSA by PSA".

{flash(sizes, small)}

### Flash by crate

{crates(sizes, [i for i in ("tls-psa", "tls-soft", "client-psa", "client-psa-only", "client-soft") if i in sizes])}
"""


def summary(sizes, results, versions):
    """The maximum that each image needs over all its handshakes."""
    rows = []
    for image in ("tls-psa", "client-psa", "client-psa-only", "client-psa-p256m", "client-psa-p256m-x25519", "client-psa-full", "client-soft",
                  "mbedtls-1.2", "mbedtls-1.3"):
        groups, runs = grouped(sizes[image]), results[image].values()
        most = {key: max(run[key] for run in runs) for key in ("heap", "stack", "instructions", "start")}
        rows.append((TITLES[image], sum(groups[group] for group in GROUPS[:7]) or "",
                     groups["PSA / crypto in C"] + groups["Mbed TLS's TLS"] or "", most["heap"], most["stack"],
                     millions(most["start"]), millions(most["instructions"])))
    return f"""Made by `./footprint` ({tools(versions)}); do not edit between the markers.

{table(("", "flash, Rust", "flash, Mbed TLS", "heap, peak", "stack", "M instr., start-up", "M instr., handshake"), rows)}
"""


def memory():
    """The memory that the Zephyr build requires."""
    head = ("certificates on the path", "largest packet and outbox", "heap arena, PSA", "heap arena, RustCrypto",
            "heap arena, any record", "stack, PSA", "stack, RustCrypto", "stack, RustCrypto with P-384")
    return f"""Made by `./footprint` from the numbers in `zephyr/cmake/refuse.cmake`, which `measure.py --check` verifies.

{table(head, needs.rows())}
"""


def write_init(measured, versions):
    """Writes the section on the cost of thread_mqtt_init()."""
    rows = [(backend, what, call, stack, later) for backend, runs in measured.items() for what, call, stack, _, later, _ in runs]
    lines = table(("", "configuration", "instructions of the call", "stack of the call", "instructions in the client's thread"), rows)
    replace(SHORT, "init", f"""Made by `./footprint` ({tools(versions)}); do not edit between the markers.

{lines}
""")


def replace(document, section, text):
    """Replaces the text between the markers of a section and leaves the rest of the document alone."""
    begin, end = f"<!-- begin: {section} -->", f"<!-- end: {section} -->"
    before, found, rest = document.read_text().partition(begin)
    _, found_too, after = rest.partition(end)
    if not found or not found_too:
        raise Failed(f"{document} does not contain the markers {begin} and {end}")
    document.write_text(f"{before}{begin}\n{text}{end}{after}")


def write(sizes, results, versions):
    """Writes the sections of the runs, and the chart."""
    replace(SHORT, "memory", memory())
    replace(SHORT, "summary", summary(sizes, results, versions))
    replace(LONG, "cortex-m4", generated(sizes, results, versions))
    PICTURE.write_text(chart.draw(sizes, results, grouped, TITLES))


def write_features(measured, versions):
    """Writes the section on the cargo features."""
    replace(LONG, "features", f"""Made by `./footprint --features` ({tools(versions)}): the Rust side of TLS with all cargo
features, then without one at a time, and with one that is off by default; bytes of flash.

{features(measured)}
""")


def write_options(measured, versions):
    """Writes the section on the options of the whole client."""
    whole = measured[""]
    rows = [("as built by Zephyr, without error texts", whole, "")]
    rows += [(what, size, f"{size - whole:+,}") for what, size in measured.items() if what]
    replace(SHORT, "options", f"""Made by `./footprint --options` ({tools(versions)}): the Rust side of the whole client with the PSA
provider; bytes of flash.

{table(("", "flash", "difference"), rows)}
""")
