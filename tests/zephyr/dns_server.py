"""A DNS server that knows the A record of one name; at an address followed by "=" and an IPv6 address, an AAAA record
as well.

    python3 dns_server.py NAME ADDRESS LISTEN[=ADDRESS]...
"""

import selectors
import socket
import struct
import sys

A, AAAA, IN, TTL = 1, 28, 1, 5
NO_SUCH_NAME = 3


def question(message):
    """Returns the name and type asked for, and where the question ends."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1:at + 1 + length].decode("ascii").lower())
        at += 1 + length
    kind, _ = struct.unpack_from("!HH", message, at + 1)
    return ".".join(labels), kind, at + 5


def answer(message, name, addresses):
    """Returns the answer to a query."""
    asked, kind, end = question(message)
    found = asked == name
    address = addresses.get(kind, b"")
    records = 1 if found and address else 0
    flags = 0x8180 | (0 if found else NO_SUCH_NAME)
    header = message[:2] + struct.pack("!HHHHH", flags, 1, records, 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, kind, IN, TTL, len(address)) + address
    return header + message[12:end] + record * records


def main(name, address, *listen):
    selector = selectors.DefaultSelector()
    for place in listen:
        own, _, native = place.partition("=")
        addresses = {A: socket.inet_aton(address)}
        if native:
            addresses[AAAA] = socket.inet_pton(socket.AF_INET6, native)
        server = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((own, 53))
        selector.register(server, selectors.EVENT_READ, (own, addresses))
    while True:
        for key, _ in selector.select():
            message, client = key.fileobj.recvfrom(1500)
            own, addresses = key.data
            try:
                reply = answer(message, name.lower(), addresses)
                asked, kind, _ = question(message)
            except (IndexError, struct.error, UnicodeDecodeError):
                continue
            print(f"{own} was asked by {client[0]} for {asked}, type {kind}", flush=True)
            key.fileobj.sendto(reply, client)


if len(sys.argv) < 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
