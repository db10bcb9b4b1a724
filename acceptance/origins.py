"""Origins on loopback that do exactly what a check needs: raw bytes, holds, cuts, resets, gigabytes."""

import socket
import struct
import threading


class Origin:
    """A raw HTTP/1.1 server. `answer(request, connection)` writes what it likes to the socket.

    It counts requests by path. Connections close after each answer unless `answer` returns True.
    """

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, path):
        with self._lock:
            return sum(1 for request in self.requests if request.path == path)

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            connection.settimeout(120)
            unread = b""
            try:
                while True:
                    while b"\r\n\r\n" not in unread:
                        more = connection.recv(65536)
                        if not more:
                            return
                        unread += more
                    head, _, unread = unread.partition(b"\r\n\r\n")
                    request = Request(head.decode("latin-1"))
                    with self._lock:
                        self.requests.append(request)
                    if not self.answer(request, connection):
                        return
            except OSError:
                return

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Request:
    """The head of a request as it arrived."""

    def __init__(self, head):
        first, *fields = head.split("\r\n")
        self.method, self.target, self.version = first.split(" ", 2)
        self.path = self.target.split("?", 1)[0]
        self.headers = {}
        for field in fields:
            name, _, value = field.partition(":")
            self.headers[name.strip().lower()] = value.strip()


def respond(connection, body, status="200 OK", **headers):
    """A whole answer with a length. Header names take `_` for `-`."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return True


def reset(connection):
    """Closes with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def pattern(size):
    """A body in which every cut and every mix-up shows."""
    block = b"".join(i.to_bytes(4, "big") for i in range(16384))
    return (block * (size // len(block) + 1))[:size]
