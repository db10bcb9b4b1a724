"""Real clients and servers at both ends of what passes through: gRPC (grpcio) and WebSockets (websockets).

Both come from PyPI into a virtual environment beside the build, once, in some ten seconds. The peers run in
it (`peers/grpc_peers.py`, `peers/websocket_peers.py`); the client says as JSON what it saw.
"""

import json
import subprocess
import venv
from pathlib import Path

from program import Failure, expect
from templates import distribution

PEERS = Path(__file__).resolve().parent.parent / "peers"
# Pinned: a newer one must not change what a check sees.
REQUIREMENTS = ["grpcio==1.85.3", "websockets==17.4"]
LIMIT = 120
ALL = """          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
          OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3"""


def _python(context):
    """The interpreter of an environment that has both; made anew when it has other versions."""
    root = context.repository / "target" / "acceptance-peers"
    python, stamp = root / "bin" / "python", root / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS)
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(root, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS]
        done = subprocess.run(install, capture_output=True, text=True, timeout=LIMIT, check=False)
        expect(done.returncode == 0, f"pip could not install {REQUIREMENTS}: {done.stderr[-1000:]}")
        stamp.write_text(wanted)
    return str(python)


def _play(context, template, peers):
    """Starts the peers' server, the program in front of it, and their client; gives what the client saw."""
    python, script = _python(context), str(PEERS / peers)
    server = subprocess.Popen([python, script, "server"], stdout=subprocess.PIPE, text=True)
    try:
        origin = f"web=http://127.0.0.1:{int(server.stdout.readline())}"
        source = context.file("tunnels.yml", template)
        with context.program(source, "--origin", origin) as program:
            client = [python, script, "client", str(program.https_port), str(program.ca)]
            done = subprocess.run(client, capture_output=True, text=True, timeout=LIMIT, check=False)
            if done.returncode != 0:
                raise Failure(f"{done.stderr[-2000:]}\n{program.said()}")
            return json.loads(done.stdout)
    finally:
        server.kill()
        server.wait()


def grpc(context):
    """A grpcio client and a grpcio server: all four kinds of calls, metadata, an error, a deadline."""
    default = ALL + "\n          GrpcConfig: { Enabled: true }"
    saw = _play(context, distribution(["web"], default=default), "grpc_peers.py")
    expected = {
        "unary": "echo of hello",
        "metadata": "seen v1",
        "trailer": "after",
        "server stream": ["0", "1", "2"],
        "client stream": "3 messages, 3145728 bytes",
        "both": ["echo of a", "echo of b", "echo of c"],
        "error": ["NOT_FOUND", "there is none"],
        "deadline": "DEADLINE_EXCEEDED",
    }
    expect(saw == expected, f"{saw}, expected {expected}")
    return "unary, client, server and both streams, status, metadata, deadline"


def websocket(context):
    """A client and a server of the library websockets: a subprotocol, compression, large messages, a close code."""
    saw = _play(context, distribution(["web"], default=ALL), "websocket_peers.py")
    expected = {"subprotocol": "chat", "compressed": True, "text": "hello", "bytes": 1 << 20, "many": 200, "close": 4001}
    expect(saw == expected, f"{saw}, expected {expected}")
    return "subprotocol, compression, 1 MiB messages, close code"


CHECKS = [("gRPC", grpc), ("WebSocket", websocket)]
