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

    def slow(request, connection):
        if request.path == "/quick":
            return respond(connection, b"quick")
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
            idle.sendall(b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"quick"):
                more = idle.recv(65536)
                expect(more, f"the keep-alive connection ended after {answer!r}")
                answer += more
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


def access_log(context):
    """One line per request, whatever its end; a whole answer is not called broken, a cut one is."""
    def answer(request, connection):
        if request.path.startswith("/cut"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
            return False
        return respond(connection, b"logged")

    source = context.file("log.yml", distribution(["web"]))
    asked = [("/one", "--http1.1"), ("/one", "--http2"), ("/two", "--http2"), ("/cut", "--http1.1"), ("/none", "--head")]
    with Origin(answer) as origin, context.program(source, "--origin", f"web={origin.url}") as program:
        for path, how in asked:
            curl(program, program.https + path, how)
        refused = curl(program, program.http + "/refused", "--data", "x=1")
        expect(refused.status == 403, f"POST: {refused}")
        end, lines = time.monotonic() + 5, []
        while len(lines) < len(asked) + 1 and time.monotonic() < end:
            time.sleep(0.05)
            lines = [line for line in program.said().splitlines() if f":{program.https_port}/" in line
                     or f":{program.http_port}/" in line if line[:2] == "20"]
        shown = "\n    ".join(lines)
        expect(len(lines) == len(asked) + 1, f"{len(lines)} lines for {len(asked) + 1} requests:\n    {shown}")
        for line in lines:
            expect(("broken" in line) == ("/cut" in line), f"whole or broken? {line}")
    return f"{len(asked) + 1} requests, {len(lines)} lines, the cut one is called broken"


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


CHECKS = [("HTTP/2", http2), ("drain", drain), ("access log", access_log), ("busy port", busy_port)]
