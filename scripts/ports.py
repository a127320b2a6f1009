"""Ports for the servers that tests and benchmarks start."""
import contextlib
import socket


def free_port():
    """A port of the loopback that is not in use."""
    return free_ports(1)[0]


def free_ports(count):
    """Different ones: none is closed before all are open."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
