"""What the cache must never get wrong: one fetch for many, whole bodies, bounded memory, no truncated object."""

import asyncio
import hashlib
import shutil
import socket
import subprocess
import sys
import threading
import time

from origins import Origin, pattern, reset, respond
from program import Program, curl, expect
from templates import distribution


def collapse(context):
    """A thousand concurrent misses of one slow key: one origin request, a whole body for everyone."""
    viewers, body, release = 1000, pattern(256 * 1024), threading.Event()

    def slow(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body[:1000])
        release.wait(60)
        for at in range(1000, len(body), 50000):
            connection.sendall(body[at:at + 50000])
        return True

    source = context.file("collapse.yml", distribution(["slow"]))
    with Origin(slow) as origin, context.program(source, "--origin", f"slow={origin.url}") as program:
        got = asyncio.run(ask_together(program.http_port, "/slow", viewers, release))
        whole = sum(1 for digest in got if digest == hashlib.sha256(body).digest())
        broken = [digest for digest in got if isinstance(digest, str)]
        expect(whole == viewers, f"{whole} of {viewers} bodies are whole; {broken[:3]}")
        expect(origin.count("/slow") == 1, f"{origin.count('/slow')} origin requests")
        after = curl(program, program.http + "/slow")
        expect(after.cache.startswith("Hit") and after.body == body, f"afterwards: {after}")
    return f"{viewers} viewers, 1 origin request, {whole} whole bodies"


async def ask_together(port, path, viewers, release):
    """Opens all connections, sends all requests, then lets the origin go on."""
    async def one():
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 30)
            connected.append(1)
            await asyncio.wait_for(start.wait(), 60)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            sent.append(1)
            answer = await asyncio.wait_for(reader.read(-1), 90)
            writer.close()
            head, _, body = answer.partition(b"\r\n\r\n")
            return hashlib.sha256(body).digest() if b" 200 " in head[:20] else head[:60].decode("latin-1")
        except (OSError, asyncio.TimeoutError) as failure:
            return f"{type(failure).__name__} {failure}"

    connected, sent, start = [], [], asyncio.Event()
    tasks = [asyncio.create_task(one()) for _ in range(viewers)]
    end = time.monotonic() + 40
    while len(connected) < viewers and time.monotonic() < end and not all(t.done() for t in tasks):
        await asyncio.sleep(0.02)
    start.set()
    while len(sent) < viewers and time.monotonic() < end and not all(t.done() for t in tasks):
        await asyncio.sleep(0.02)
    # All are on their way; give the edge time to read the last of them before the origin goes on.
    await asyncio.sleep(1.0)
    release.set()
    return await asyncio.gather(*tasks)


def big(context):
    """A huge body passes with a small, constant amount of memory."""
    size = (512 << 20) if context.quick else (5 << 30)
    chunk = bytes(1 << 20)

    def huge(request, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(chunk)):
            connection.sendall(chunk)

    source = context.file("big.yml", distribution(["big"]))
    with Origin(huge) as origin, context.program(source, "--origin", f"big={origin.url}") as program:
        before, highest, done = program.resident_kib(), [0], threading.Event()

        def watch():
            while not done.wait(0.05):
                try:
                    highest[0] = max(highest[0], program.resident_kib())
                except (OSError, AttributeError):
                    return
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        # A slow reader as well: what it has not read must not pile up in memory.
        with socket.create_connection(("127.0.0.1", program.http_port), timeout=10) as idle:
            idle.sendall(b"GET /stalled HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = curl(program, program.http + "/big", limit=300, keep_body=False)
        done.set()
        watcher.join(5)
        grown = (highest[0] - before) / 1024
        expect(answer.exit == 0 and answer.size == size, f"curl {answer.exit}, {answer.size} of {size} bytes")
        expect(grown < 64, f"resident memory grew by {grown:.0f} MiB")
    rate = size / max(answer.seconds, 0.001) / (1 << 20)
    return f"{size / (1 << 30):.1f} GiB, {rate:.0f} MiB/s, resident memory +{grown:.0f} MiB"


def truncated(context):
    """An origin that dies mid-body: a broken stream for the viewer, nothing in the cache, then a whole object."""
    body = pattern(200_000)
    healthy = threading.Event()

    def dying(request, connection):
        kind = request.path.split("-")[0]
        if healthy.is_set():
            return respond(connection, body, Cache_Control="max-age=60")
        if kind == "/chunked":
            connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b"186a0\r\n" + body[:100_000] + b"\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 200000\r\n\r\n")
            connection.sendall(body[:100_000])
        if kind == "/reset":
            # The bytes must have left before the reset, or it would take them along.
            time.sleep(0.2)
            reset(connection)
        return False

    kinds = ["/length", "/chunked", "/reset"]
    source = context.file("dying.yml", distribution(["dying"]))
    with Origin(dying) as origin, context.program(source, "--origin", f"dying={origin.url}") as program:
        for kind in kinds:
            for protocol in ("--http1.1", "--http2"):
                path = f"{kind}-{protocol.strip('-')}"
                for _ in range(2):
                    answer = curl(program, program.https + path, protocol)
                    expect(answer.exit != 0, f"{path}: curl saw a clean end after {answer.size} bytes ({answer})")
                    expect(not answer.cache.startswith("Hit"), f"{path}: {answer}")
                expect(origin.count(path) >= 2, f"{path}: the second viewer was not sent to the origin")
        healthy.set()
        for kind in kinds:
            for protocol in ("--http1.1", "--http2"):
                path = f"{kind}-{protocol.strip('-')}"
                answer = curl(program, program.https + path, protocol)
                expect(answer.exit == 0 and answer.body == body, f"{path} healthy: curl {answer.exit}, {answer}")
                expect(answer.cache.startswith("Miss"), f"{path} healthy: {answer}")
    return f"{len(kinds)} kinds over HTTP/1.1 and 2: broken streams, nothing stored, then whole"


def example(context):
    """examples/product-cache as its README has it: compressed, purged by tag, stale without its shop, there after a restart."""
    # A copy, so that nothing is written into the repository.
    home = context.directory("example") / "product-cache"
    shutil.copytree(context.repository / "examples" / "product-cache", home)
    state, disk = context.directory("state"), context.directory("disk") / "cache"
    shop = subprocess.Popen([sys.executable, str(home / "origin.py"), "0"], stdout=subprocess.PIPE, text=True)
    try:
        options = ["--origin", f"shop={shop.stdout.readline().strip()}", "--cache-dir", str(disk)]

        def ask(number, encoding="br"):
            answer = curl(program, f"{program.http}/p/{number}?utm_source=x", "-H", f"Accept-Encoding: {encoding}")
            expect(answer.status == 200, f"/p/{number}: {answer}")
            return answer

        def purge(*items):
            done = subprocess.run([context.binary, "purge", "--admin", program.admin.removeprefix("http://"), *items],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
            expect(done.returncode == 0, f"purge {items}: {done.returncode}, {done.stdout}")
            return done.stdout

        with Program(context.binary, home / "template.yml", state, options) as program:
            first, second = ask(42), ask(42)
            expect(first.cache.startswith("Miss") and second.cache.startswith("Hit"), f"{first}, then {second}")
            expect(second.headers.get("content-encoding") == "br" and second.headers["etag"].startswith("W/"),
                   f"compressed: {second.headers}")
            ask(42, "gzip")
            ask(43)
            told = purge("#product:42")
            expect("2 objects" in told, f"both encodings of one product: {told}")
            expect(ask(42).cache.startswith("Miss") and ask(43).cache.startswith("Hit"), "a purge by tag takes that product")
            shop.kill()
            shop.wait(10)
            purge("#catalog", "--soft")
            stale = ask(43)
            expect("x-cache" in stale.headers and "Miss" not in stale.cache, f"stale without the shop: {stale}")
        with Program(context.binary, home / "template.yml", state, options) as program:
            after = ask(43)
            expect(after.body == stale.body, f"after a restart, without the shop: {after}")
    finally:
        shop.kill()
        shop.wait(10)
    return f"Miss, Hit in {second.size} bytes of br, purge by tag took 2 of 3, stale without the shop, there after a restart"


CHECKS = [("cache example", example), ("1,000 misses", collapse), ("big body", big), ("dying origin", truncated)]
