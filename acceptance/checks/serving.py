"""Listeners and life cycle: HTTP/2, a graceful drain, exit codes, a busy port."""

import signal
import socket
import subprocess
import threading
import time

from origins import Origin, respond
from program import curl, expect
from templates import distribution


def http2(context):
    """HTTP/2 by ALPN over TLS, HTTP/1.1 beside it, and the certificate verifies."""
    source = context.file("http2.yml", distribution(["web"]))
    with Origin(lambda request, connection: respond(connection, b"web", Cache_Control="max-age=60")) as origin:
        with context.program(source, "--origin", f"web={origin.url}") as program:
            two = curl(program, program.https + "/", "--http2")
            expect(two.exit == 0 and two.version == "2" and two.status == 200, f"curl {two.exit}, HTTP/{two.version}, {two}")
            one = curl(program, program.https + "/", "--http1.1")
            expect(one.version == "1.1" and one.cache.startswith("Hit"), f"HTTP/{one.version}, {one}")
            for name in ("via", "x-amz-cf-id", "x-amz-cf-pop"):
                expect(name in two.headers, f"{name} is missing: {two.headers}")
    return "HTTP/2 and HTTP/1.1, certificate verified"


def drain(context):
    """SIGTERM: what is under way is finished, idle connections close, nothing new is accepted, exit code 0."""
    body, begun, release = b"x" * 100_000, threading.Event(), threading.Event()

    def slow(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:50_000])
        begun.set()
        release.wait(20)
        connection.sendall(body[50_000:])
        return True

    source = context.file("drain.yml", distribution(["slow"]))
    with Origin(slow) as origin, context.program(source, "--origin", f"slow={origin.url}") as program:
        answers = {}

        def ask(protocol):
            answers[protocol] = curl(program, f"{program.https}/{protocol.strip('-')}", protocol)
        viewers = [threading.Thread(target=ask, args=(protocol,)) for protocol in ("--http1.1", "--http2")]
        for viewer in viewers:
            viewer.start()
        expect(begun.wait(10), "the origin was not asked")
        time.sleep(0.3)
        with socket.create_connection(("127.0.0.1", program.http_port), timeout=10) as idle:
            program.signal(signal.SIGTERM)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", program.https_port)) != 0:
                        break
                time.sleep(0.05)
            else:
                expect(False, "5 s after SIGTERM the port still accepts")
            expect(program.process.poll() is None, "it ended while two requests were under way")
            release.set()
            for viewer in viewers:
                viewer.join(30)
            idle.settimeout(10)
            expect(idle.recv(1) == b"", "the idle connection was not closed")
        for protocol, answer in answers.items():
            expect(answer.exit == 0 and answer.body == body, f"{protocol}: curl {answer.exit}, {answer.size} bytes")
        code = program.ended_within(35)
        expect(code == 0, f"exit code {code}")
    return "2 requests finished whole, port closed, exit code 0"


def busy_port(context):
    """A busy port is refused by name with exit code 3, and the first listener keeps it."""
    source = context.file("busy.yml", distribution(["web"]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [context.binary, "run", str(source), "--http", f"127.0.0.1:{port}", "--https", "off", "--admin", "off",
             "--state-dir", str(context.directory("busy-state"))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, text=True)
    expect(done.returncode == 3, f"exit code {done.returncode}: {done.stdout[-500:]}")
    expect(str(port) in done.stdout, f"the message does not name the port: {done.stdout[-500:]}")
    return "exit code 3, the port is named"


CHECKS = [("HTTP/2", http2), ("drain", drain), ("busy port", busy_port)]
