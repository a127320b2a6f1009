"""A listener on a loopback port."""
import contextlib
import socket
import threading


class Listener(threading.Thread):
    """Accepts connections and runs `serve` for each in its own thread. Ends with the program."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            peer, _ = self.server.accept()
            threading.Thread(target=self.served, args=(peer,), daemon=True).start()

    def served(self, peer):
        with contextlib.suppress(OSError), peer:
            self.serve(peer)

    def serve(self, peer):
        """Handles a connection, which is closed afterwards."""
        raise NotImplementedError
