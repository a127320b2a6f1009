"""Unusual brokers on the loopback: with limits, without MQTT 5, moved to another address, or behind a proxy that
requires an ALPN protocol. Each is a thread that ends with the program.
"""
import contextlib
import socket
import ssl
import threading

from listener import Listener


def piped(here, there):
    """Forwards what one side sends until it ends."""
    with contextlib.suppress(OSError):
        while data := here.recv(4096):
            there.sendall(data)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)


class Door(Listener):
    """Accepts connections and forwards those that `admits` accepts to a broker's port."""

    def __init__(self, port):
        self.to = port
        super().__init__()

    def admits(self, peer):
        """Returns the connection to continue with and the data read from it, or None."""
        raise NotImplementedError

    def serve(self, peer):
        admitted = self.admits(peer)
        if admitted is None:
            return
        # Over TLS it is a different socket, which must be closed as well.
        peer, read = admitted
        with peer, socket.create_connection(("127.0.0.1", self.to)) as broker:
            broker.sendall(read)
            back = threading.Thread(target=piped, args=(broker, peer), daemon=True)
            back.start()
            piped(peer, broker)
            back.join()


def connect_packet(peer):
    """Reads CONNECT, of less than 128 bytes, and its protocol version (section 3.1.2.2)."""
    packet = b""
    while len(packet) < 2 or len(packet) < 2 + packet[1]:
        data = peer.recv(4096)
        if not data:
            raise OSError("no CONNECT")
        packet += data
    return packet, packet[8]


class Old(Door):
    """Supports only MQTT 3.1.1, and refuses others as that version does: return code 1."""

    def admits(self, peer):
        packet, version = connect_packet(peer)
        if version == 4:
            return peer, packet
        peer.sendall(bytes([0x20, 2, 0, 1]))
        return None


class Moved(Door):
    """Redirects to the broker with reason code 0x9D (server moved), a Server Reference and a Reason String
    (MQTT 5 sections 3.2.2.2, 3.2.2.3.16 and 3.2.2.3.9)."""

    def admits(self, peer):
        connect_packet(peer)

        def text(identifier, value):
            return bytes([identifier]) + len(value).to_bytes(2, "big") + value.encode()

        properties = text(0x1C, f"127.0.0.1:{self.to}") + text(0x1F, "moved over there")
        body = bytes([0, 0x9D, len(properties)]) + properties
        peer.sendall(bytes([0x20, len(body)]) + body)
        # Until the client closes the connection.
        while peer.recv(4096):
            pass
        return None


class Tls(Door):
    """Uses TLS with a certificate different from Mosquitto's."""

    def __init__(self, port, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        super().__init__(port)

    def admits(self, peer):
        return self.context.wrap_socket(peer, server_side=True), b""


class Alpn(Tls):
    """Ends a connection without the protocol that AWS IoT requires on port 443."""

    def admits(self, peer):
        self.context.set_alpn_protocols(["x-amzn-mqtt-ca"])
        secure, read = super().admits(peer)
        return (secure, read) if secure.selected_alpn_protocol() == "x-amzn-mqtt-ca" else None


# For Mosquitto, which announces some of them in its CONNACK.
LIMITS = """\
allow_anonymous true
max_packet_size 5000
max_inflight_messages 7
max_keepalive 30
retain_available false
max_qos 1
max_topic_alias 5
"""
