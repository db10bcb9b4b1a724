"""A WebSocket server and a client of it that goes through the edge."""

import json
import ssl
import sys

from websockets.sync.client import connect
from websockets.sync.server import serve

LARGE = 1 << 20


def echo(connection):
    for message in connection:
        if message == "close":
            return connection.close(4001, "as asked")
        connection.send(message)
    return None


def server():
    with serve(echo, "127.0.0.1", 0, subprotocols=["chat"], max_size=2 * LARGE) as serving:
        print(serving.socket.getsockname()[1], flush=True)
        serving.serve_forever()


def client(port, ca):
    trust = ssl.create_default_context(cafile=ca)
    options = {"ssl": trust, "subprotocols": ["other", "chat"], "max_size": 2 * LARGE, "proxy": None}
    with connect(f"wss://localhost:{port}/socket", **options) as connection:
        saw = {"subprotocol": connection.subprotocol}
        saw["compressed"] = "permessage-deflate" in connection.response.headers.get("Sec-WebSocket-Extensions", "")
        connection.send("hello")
        saw["text"] = connection.recv(timeout=20)
        connection.send(bytes(range(256)) * (LARGE // 256))
        saw["bytes"] = len(connection.recv(timeout=20))
        for number in range(200):
            connection.send(str(number))
        saw["many"] = sum(connection.recv(timeout=20) == str(number) for number in range(200))
        connection.send("close")
        try:
            connection.recv(timeout=20)
        except Exception as ended:
            saw["close"] = ended.rcvd.code
    print(json.dumps(saw))


if __name__ == "__main__":
    server() if sys.argv[1] == "server" else client(*sys.argv[2:4])
