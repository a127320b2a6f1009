"""Ports for servers that tests and benchmarks start."""
import contextlib
import socket


def free_port():
    """Returns an unused loopback port."""
    return free_ports(1)[0]


def free_ports(count):
    """Returns different unused ports: all are open before any is closed."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
