"""A TCP relay on the loopback that cuts connections: the network that fails at the worst moment."""
import contextlib
import socket
import threading


class Cutter:
    """Relays connections to `port`; ends the first len(cuts) of them after so many bytes each.

    A cut is (direction, bytes): "up" counts what the client sends, "down" what the broker sends. The
    byte that is counted last is still delivered. Both ends see a reset.
    """

    def __init__(self, port, cuts):
        self.port = port
        self.cuts = list(cuts)
        self.made = 0
        self.lock = threading.Lock()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    @property
    def own_port(self):
        return self.listener.getsockname()[1]

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with self.lock:
                    cut = self.cuts.pop(0) if self.cuts else None
                try:
                    broker = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    client.close()
                    continue
                for name, source, sink in (("up", client, broker), ("down", broker, client)):
                    budget = cut[1] if cut and cut[0] == name else None
                    threading.Thread(target=self.relay, args=(source, sink, budget), daemon=True).start()

    def relay(self, source, sink, budget):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data[:budget])
                if budget is not None:
                    budget -= len(data)
                    if budget <= 0:
                        self.made += 1
                        # What was delivered has to arrive before the reset does.
                        with contextlib.suppress(OSError):
                            sink.shutdown(socket.SHUT_WR)
                        break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
