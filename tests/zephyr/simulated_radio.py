"""OpenThread's simulated radio co-processor (ot-rcp) on a serial port.

    python3 tests/zephyr/simulated_radio.py OT_RCP NODE

Prints the port, which an image with the snippet thread-mqtt-rcp accepts as -uart_1_port=PORT, and serves it until
interrupted. OT_RCP is the program, NODE its number on the simulated radio, different for each.

A real serial line transfers about ten bytes per millisecond, a simulated one any number. Zephyr decodes everything
it has read at once into a buffer of 2 kB and waits forever if it does not fit, so the port delivers the data in
parts.
"""

import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import tty

PART = 512  # bytes delivered at once; Zephyr's buffer holds four of these parts
POLL = 0.001  # seconds
# Zephyr's driver passes on the data before the end of its ring buffer of 4096 bytes, but the data at its beginning only
# when more bytes arrive. A frame that crossed the end and was followed by silence was answered half a second later,
# with the next frame, after TCP had retransmitted. An empty HDLC frame makes bytes arrive.
FLAG = b"\x7e"
IDLE = 0.02  # seconds


def unread(terminal):
    """Returns how many bytes in the terminal wait for its reader."""
    return struct.unpack("i", fcntl.ioctl(terminal, termios.FIONREAD, bytes(4)))[0]


def to_firmware(radio, port, terminal, over):
    """Forwards the radio's output until it ends. Sends the next part only after the last one was read and the firmware
    has run."""
    while not over.is_set():
        if not select.select([radio], [], [], IDLE)[0]:
            if not unread(terminal):
                os.write(port, FLAG)
            continue
        if not (data := os.read(radio, PART)):
            break
        os.write(port, data)
        while unread(terminal) and not over.is_set():
            time.sleep(POLL)
        time.sleep(POLL)


def to_radio(port, radio):
    """Forwards the firmware's output until its end of the port is closed."""
    with contextlib.suppress(OSError):
        while data := os.read(port, 4096):
            os.write(radio, data)


def started(program, node, folder, given, taken):
    """Starts a radio that reads from `given` and writes to `taken`."""
    try:
        return subprocess.Popen([os.path.abspath(program), str(node)], cwd=folder, bufsize=0, stdin=given, stdout=taken)
    except OSError as error:
        sys.exit(f"error: {error}: OT_RCP is the program ot-rcp of OpenThread's platform \"simulation\"")


def announced(said, program, node):
    """Reads the radio's output at its start. The firmware, which first resets the radio, must not mistake it for the
    answer."""
    if not os.read(said, 4096):
        sys.exit(f"error: {program} {node} ended at once; NODE is a number from 1")


@contextlib.contextmanager
def connected_radio(program, node, folder):
    """Runs a radio with its settings in the folder until the block ends. Yields the socket to it."""
    ours, its = socket.socketpair()
    with ours:
        with its:
            radio = started(program, node, folder, its, its)
        try:
            announced(ours.fileno(), program, node)
            yield ours
        finally:
            radio.kill()
            radio.wait()


@contextlib.contextmanager
def simulated_radio(program, node, folder=None):
    """Runs a radio with its settings in the folder until the block ends, and yields its port. Whatever opened the port
    must have closed it by then."""
    radio = started(program, node, folder, subprocess.PIPE, subprocess.PIPE)
    port, terminal = os.openpty()
    tty.setraw(terminal)
    announced(radio.stdout.fileno(), program, node)
    over = threading.Event()
    ways = [threading.Thread(target=to_firmware, args=(radio.stdout.fileno(), port, terminal, over)),
            threading.Thread(target=to_radio, args=(port, radio.stdin.fileno()))]
    for way in ways:
        way.start()
    try:
        yield os.ttyname(terminal)
    finally:
        over.set()
        radio.kill()
        radio.wait()
        ways[0].join()
        os.close(terminal)
        ways[1].join()
        os.close(port)
        radio.stdin.close()
        radio.stdout.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with contextlib.suppress(KeyboardInterrupt), simulated_radio(*sys.argv[1:]) as path:
        print(path, flush=True)
        threading.Event().wait()
