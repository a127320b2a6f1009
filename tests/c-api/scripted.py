"""Loopback peers unlike any broker: one that is silent, one that TCP cannot connect to, and one that follows a
script. Each is a thread that ends with the program.
"""
import contextlib
import socket

from listener import Listener


class Silent(Listener):
    """Accepts connections and sends nothing."""

    def serve(self, peer):
        while peer.recv(4096):
            pass


class Full:
    """Has a full connection queue, so that Linux drops every SYN."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.server.getsockname()[1]
        self.waiting = []
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self.waiting.append(waiting)


def string(text):
    """Encodes a string as in MQTT (section 1.5.4)."""
    return len(text).to_bytes(2, "big") + text


def packet(head, body):
    """Encodes a packet with less than 128 bytes after its fixed header."""
    return bytes([head, len(body)]) + body


class Odd(Listener):
    """An MQTT 5 broker that answers a QoS 2 message with PUBACK and ends the connection on the topic "poison". To each
    subscriber of "formats" it sends a message with a Payload Format Indicator and an expiry of 0, and one without
    either."""

    def serve(self, peer):
        with contextlib.suppress(EOFError):
            stream = peer.makefile("rb")
            while True:
                head, body = self.read(stream)
                answer = self.answer(head, body)
                if answer is None:
                    return
                peer.sendall(answer)

    @staticmethod
    def read(stream):
        """Reads the first byte of a packet, and the data after its length (section 2.1.4)."""
        def byte():
            data = stream.read(1)
            if not data:
                raise EOFError
            return data[0]

        head, length, shift = byte(), 0, 0
        while True:
            part = byte()
            length |= (part & 0x7F) << shift
            shift += 7
            if part < 0x80:
                return head, stream.read(length)

    def answer(self, head, body):
        """Returns the answer to a packet, or None to end the connection."""
        kind = head >> 4
        if kind == 1:
            return packet(0x20, bytes([0, 0, 0]))
        if kind == 3:
            end = 2 + int.from_bytes(body[:2], "big")
            if body[2:end] == b"poison":
                return None
            return packet(0x40, body[end:end + 2]) if head & 6 else b""
        if kind == 8:
            begin = 3 + body[2]
            length = int.from_bytes(body[begin:begin + 2], "big")
            subscribed = packet(0x90, body[:2] + bytes([0, 0]))
            if body[begin + 2:begin + 2 + length] != b"formats":
                return subscribed
            zeroes = bytes([0x01, 0, 0x02, 0, 0, 0, 0])
            neither = b"\x03" + string(b"text/plain")
            messages = (packet(0x30, string(b"formats") + bytes([len(properties)]) + properties)
                        for properties in (zeroes, neither))
            return subscribed + b"".join(messages)
        return packet(0xD0, b"") if kind == 12 else None if kind == 14 else b""
