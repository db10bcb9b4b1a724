"""A shop that tells caches what to do: python3 origin.py [PORT], 0 for any. Counts how often it was asked."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = 0


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global asked
        asked += 1
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        page = f"<h1>Product {name}</h1>\n<p>Request {asked} of the shop.</p>\n" + "<p>Words about it.</p>\n" * 500
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{asked}"')
        # Fresh for 10 s, then for a minute stale behind one refresh, and for a day stale while the shop fails.
        self.send_header("Cache-Control", "max-age=10, stale-while-revalidate=60, stale-if-error=86400")
        self.send_header("Cache-Tag", f"product:{name}, catalog")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 3000), Shop)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
