"""The origin behind the browser's check: JSON, cookies, and a WebSocket that says back what it hears.

Standard library only. It knows no CORS: what a preflight is told comes from the edge.
"""

import base64
import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANDSHAKE = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MAX_MESSAGE = 1 << 20


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/socket":
            return self.socket()
        if self.path == "/session/start":
            return self.answer({}, ("Set-Cookie", "id=abc; Path=/; Secure; HttpOnly; SameSite=Lax"),
                               ("Set-Cookie", "shown=yes; Path=/; Secure"))
        if self.path == "/items/login":
            return self.answer({}, ("Set-Cookie", "api=1; Path=/; Secure; HttpOnly; SameSite=Lax"))
        return self.answer(self.seen())

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(self.seen() | {"body": json.loads(body), "token": self.headers.get("X-Token")},
                    ("X-Item", "1"), ("X-Hidden", "1"))

    def do_OPTIONS(self):
        self.server.preflights += 1
        self.answer({})

    def seen(self):
        cookies = sorted(filter(None, (self.headers.get("Cookie") or "").split("; ")))
        return {"method": self.command, "cookie": "; ".join(cookies)}

    def answer(self, content, *headers):
        body = json.dumps(content).encode()
        self.send_response(200)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def socket(self):
        """RFC 6455: the handshake, then every message back as it came."""
        digest = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + HANDSHAKE).digest()
        self.send_response(101)
        for name, value in [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Protocol", "echo"),
                            ("Sec-WebSocket-Accept", base64.b64encode(digest).decode())]:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        kind, message = TEXT, b""
        while True:
            final, code, payload = self.frame()
            if code == CLOSE:
                return self.send_frame(CLOSE, payload)
            if code == PING:
                self.send_frame(PONG, payload)
            elif code in (CONTINUATION, TEXT, BINARY):
                kind, message = (code, payload) if code else (kind, message + payload)
                if len(message) > MAX_MESSAGE:
                    return None
                if final:
                    self.send_frame(kind, message)

    def frame(self):
        first, second = self.exactly(2)
        size = second & 127
        if size > 125:
            size = int.from_bytes(self.exactly(2 if size == 126 else 8), "big")
        if size > MAX_MESSAGE or not second & 128:
            raise ConnectionError("too long, or not masked")
        mask = self.exactly(4)
        payload = self.exactly(size)
        return bool(first & 128), first & 15, bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))

    def exactly(self, size):
        read = self.rfile.read(size)
        if len(read) < size:
            raise ConnectionError("the viewer has gone")
        return read

    def send_frame(self, code, payload):
        size = len(payload)
        if size < 126:
            head = bytes([128 | code, size])
        elif size < 65536:
            head = bytes([128 | code, 126]) + struct.pack("!H", size)
        else:
            head = bytes([128 | code, 127]) + struct.pack("!Q", size)
        self.wfile.write(head + payload)


class BrowserOrigin(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.preflights = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A browser that closes a connection is no news."""

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
