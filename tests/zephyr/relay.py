"""Connects its standard input and output to a loopback TCP port. QEMU runs it for each connection that an image
makes to the broker.

    python3 tests/zephyr/relay.py PORT
"""

import contextlib
import os
import socket
import sys
import threading


def to_broker(connection):
    with contextlib.suppress(OSError):
        while data := os.read(0, 65536):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def main(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
        threading.Thread(target=to_broker, args=(connection,), daemon=True).start()
        while data := connection.recv(65536):
            os.write(1, data)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    main(int(sys.argv[1]))
