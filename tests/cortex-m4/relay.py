"""The emulated board's network: TCP and datagrams in the frames of relay.h."""
import contextlib
import ipaddress
import select
import socket
import struct
import threading
import time

HEADER = struct.Struct("!cBH")
# From relay.h.
MOST = 1024
# The NAT64 prefix that port.c advertises.
PREFIX = ipaddress.IPv6Address("2001:db8:64::")
NTP_EPOCH = 2_208_988_800


class Relay(threading.Thread):
    """Serves one board. `listeners` maps each address and port that the board connects to to a local port, or to
    None if the connection is refused; `unix_time` is the time server's time."""

    def __init__(self, listeners, unix_time):
        super().__init__(daemon=True)
        self.listeners = {(ipaddress.IPv4Address(host), port): local for (host, port), local in listeners.items()}
        self.unix_time = unix_time
        self.began = time.monotonic()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.board = None
        self.peer = None
        self.number = 0
        # An error here; the run has then failed, whatever the board reports.
        self.error = None

    def run(self):
        try:
            self.board, _ = self.server.accept()
            with contextlib.suppress(ConnectionError):  # the board is off
                while self.turn():
                    pass
        except (OSError, ValueError) as error:
            self.error = repr(error)
        finally:
            self.close_peer()
            self.server.close()

    def turn(self):
        readable, _, _ = select.select([one for one in (self.board, self.peer) if one], [], [])
        if self.peer in readable:
            self.from_peer()
        if self.board in readable:
            return self.from_board()
        return True

    def send(self, kind, payload=b""):
        self.board.sendall(HEADER.pack(kind, self.number, len(payload)) + payload)

    def from_peer(self):
        try:
            data = self.peer.recv(MOST)
        except ConnectionError:
            self.close_peer()
            self.send(b"R")
            return
        if data:
            self.send(b"D", data)
        else:
            self.close_peer()
            self.send(b"E")

    def exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.board.recv(length - len(data))
            if not piece:
                return None
            data += piece
        return data

    def from_board(self):
        """Handles one frame. Returns False when the board is off."""
        header = self.exactly(HEADER.size)
        if header is None:
            return False
        kind, number, length = HEADER.unpack(header)
        payload = self.exactly(length)
        if kind == b"C":
            self.close_peer()
            self.number = number
            self.connect(*self.address(payload))
        elif kind == b"D":
            if self.peer is not None and number == self.number:
                try:
                    self.peer.sendall(payload)
                except ConnectionError:
                    pass  # the next receive reports it
        elif kind == b"U":
            self.datagram(payload)
        elif kind in (b"F", b"A"):
            self.close_peer()
        else:
            raise ValueError(f"the board sends a frame of type {kind!r}")
        return True

    @staticmethod
    def address(payload):
        """Returns the IPv4 address embedded in NAT64's prefix, and the port, as the board sent them."""
        if len(payload) != 18:
            raise ValueError(f"an address of {len(payload)} bytes")
        if payload[:12] != PREFIX.packed[:12]:
            raise ValueError(f"{ipaddress.IPv6Address(payload[:16])} is not behind {PREFIX}/96")
        return ipaddress.IPv4Address(payload[12:16]), int.from_bytes(payload[16:], "big")

    def connect(self, host, port):
        if (host, port) not in self.listeners:
            raise ValueError(f"the board connects to {host}, port {port}")
        local = self.listeners[host, port]
        try:
            if local is None:
                raise ConnectionRefusedError
            self.peer = socket.create_connection(("127.0.0.1", local))
        except ConnectionRefusedError:
            self.send(b"N")
        else:
            self.send(b"O")

    def datagram(self, payload):
        """A time server at 203.0.113.123, port 123 (RFC 4330); drops everything else."""
        head, request = payload[:20], payload[20:]
        host, port = self.address(head[2:])
        if (str(host), port) != ("203.0.113.123", 123) or len(request) != 48:
            return
        now = self.unix_time + time.monotonic() - self.began + NTP_EPOCH
        stamp = struct.pack("!Q", int(now * 2**32) % 2**64)
        reply = bytes([0x24, 1, 0, 0xEC]) + bytes(8) + b"GPS\0" + stamp + request[40:48] + stamp + stamp
        self.send(b"U", head + reply)

    def close_peer(self):
        if self.peer is not None:
            self.peer.close()
            self.peer = None


class Forgetful(threading.Thread):
    """An MQTT 5 broker that does what Mosquitto cannot: it closes the first connection after granting a subscription,
    then has no session, and refuses the subscription (0x97, quota exceeded)."""

    REASONS = (0x01, 0x97)
    # Properties of CONNACK (MQTT 5 section 3.2.2.3), in no particular order: Maximum Packet Size, Session Expiry
    # Interval, Server Keep Alive, Receive Maximum, Topic Alias Maximum, Maximum QoS, Retain Available, Shared
    # Subscription Available, Response Information.
    PROPERTIES = (struct.pack("!BI", 0x27, 0x12345) + struct.pack("!BI", 0x11, 0x67890) + struct.pack("!BH", 0x13, 345)
                  + struct.pack("!BH", 0x21, 3) + struct.pack("!BH", 0x22, 0x123) + bytes([0x24, 1, 0x25, 0, 0x2A, 0])
                  + struct.pack("!BH", 0x1A, 8) + b"answers/")
    # Reason String of the SUBACK that refuses.
    WHY = struct.pack("!BH", 0x1F, 7) + b"no more"

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def run(self):
        with self.server:
            for reason in self.REASONS:
                peer, _ = self.server.accept()
                with peer, peer.makefile("rb") as stream:
                    self.serve(peer, stream, reason)

    @classmethod
    def serve(cls, peer, stream, reason):
        while head := stream.read(2):
            # Every packet of this test is shorter than 128 bytes.
            body = stream.read(head[1])
            if head[0] == 0x10:
                peer.sendall(bytes([0x20, 3 + len(cls.PROPERTIES), 0, 0, len(cls.PROPERTIES)]) + cls.PROPERTIES)
            elif head[0] == 0x82:
                why = cls.WHY if reason >= 0x80 else b""
                peer.sendall(bytes([0x90, 4 + len(why), *body[:2], len(why)]) + why + bytes([reason]))
                if reason < 0x80:
                    return
            elif head[0] == 0xE0:
                return
