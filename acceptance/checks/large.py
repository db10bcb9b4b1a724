"""An object larger than memory: it streams to everybody while it is fetched once, and lies on disk afterwards."""

import shutil
import socket
import threading
import time

from origins import Origin
from program import curl, expect
from templates import distribution

MIB = 1 << 20
EARLY = 512 << 10


class Large:
    """An origin with one object of `size` bytes, of which every MiB begins with its number. It stops after
    EARLY bytes and in the middle until it is told to go on."""

    def __init__(self, size):
        self.size, self.sent = size, 0
        self.go_on, self.finish = threading.Event(), threading.Event()

    def block(self, number):
        return number.to_bytes(16, "big") + bytes(MIB - 16)

    def part(self, first, last):
        blocks = b"".join(self.block(n) for n in range(first // MIB, last // MIB + 1))
        return blocks[first % MIB:first % MIB + last - first + 1]

    def __call__(self, request, connection):
        fields = b"Cache-Control: max-age=3600\r\nETag: \"large\"\r\n"
        if "range" in request.headers:
            first, last = (int(n) for n in request.headers["range"].removeprefix("bytes=").split("-"))
            last = min(last, self.size - 1)
            connection.sendall(b"HTTP/1.1 206 Partial Content\r\n%sContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
                               % (fields, first, last, self.size, last - first + 1))
            connection.sendall(self.part(first, last))
            return True
        connection.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (fields, self.size))
        for number in range(self.size // MIB):
            block = self.block(number)
            if number == 0:
                connection.sendall(block[:EARLY])
                self.sent = EARLY
                self.go_on.wait(120)
                block = block[EARLY:]
            if number == self.size // MIB // 2:
                self.finish.wait(120)
            connection.sendall(block)
            self.sent += len(block)
            time.sleep(0.01)  # At most 100 MiB a second, as over a network.
        return True


class Viewer(threading.Thread):
    """Reads the object and checks every MiB; tells how far it is."""

    def __init__(self, port, path):
        super().__init__(daemon=True)
        self.link = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        self.first, self.length, self.wrong, self.head = threading.Event(), 0, None, b""

    def run(self):
        try:
            self.read()
        except OSError as failure:
            self.wrong = f"{type(failure).__name__} {failure}"

    def read(self):
        unread = b""
        while b"\r\n\r\n" not in unread:
            more = self.link.recv(65536)
            if not more:
                raise OSError("no head")
            unread += more
        self.head, _, unread = unread.partition(b"\r\n\r\n")
        block = bytearray(unread)
        while True:
            if self.length + len(block) > 0:
                self.first.set()
            while len(block) >= MIB:
                number = self.length // MIB
                if block[:16] != number.to_bytes(16, "big"):
                    self.wrong = f"MiB {number} is another"
                    return
                del block[:MIB]
                self.length += MIB
            more = self.link.recv(MIB)
            if not more:
                self.length += len(block)
                return
            block += more

    def reaches(self, length, within):
        end = time.monotonic() + within
        while time.monotonic() < end and self.length < length and self.wrong is None:
            time.sleep(0.02)
        return self.length >= length


def wholes(origin):
    return sum(1 for request in origin.requests if "range" not in request.headers)


def large(context):
    """An object of 5 GiB: seen before it is fetched, joined, cut into ranges in mid-fill, in flat memory."""
    directory = context.directory("objects")
    size = (128 if context.quick else 5 << 10) * MIB
    while size > 256 * MIB and shutil.disk_usage(directory).free < 3 * size:
        size //= 2
    memory = 32 * MIB
    origin_of = Large(size)
    half = size // 2
    source = context.file("large.yml", distribution(["large"]))
    with Origin(origin_of) as origin, context.program(
            source, "--origin", f"large={origin.url}", "--cache-memory", "32MiB",
            "--cache-dir", str(directory), "--cache-disk", f"{size * 5 // 2}") as program:
        before, highest, done = program.resident_kib(), [0], threading.Event()

        def watch():
            while not done.wait(0.05):
                highest[0] = max(highest[0], program.resident_kib())
        threading.Thread(target=watch, daemon=True).start()
        try:
            one = Viewer(program.http_port, "/large")
            one.start()
            expect(one.first.wait(20), f"the first viewer has no byte after 20 s: {one.wrong}")
            seen_after = origin_of.sent
            expect(seen_after < MIB, f"the first byte came after the origin had sent {seen_after} bytes")
            origin_of.go_on.set()
            expect(one.reaches(half - MIB, 200), f"the first viewer is at {one.length} of {half}: {one.wrong}")

            # The origin stands in the middle of the object now.
            two = Viewer(program.http_port, "/large")
            two.start()
            expect(two.reaches(half - MIB, 200),
                   f"the second viewer has {two.length} of the {half} bytes that are there: {two.wrong}")
            slowest = 0.0
            for first in (0, half // 2 + 12_345, half - 3 * MIB):
                last = first + MIB
                answer = curl(program, program.http + "/large", "--range", f"{first}-{last}", limit=20)
                expect(answer.status == 206 and answer.body == origin_of.part(first, last),
                       f"bytes {first}-{last} in mid-fill: {answer}, {len(answer.body)} bytes, curl {answer.exit}")
                slowest = max(slowest, answer.seconds)
            expect(slowest < 2, f"a range that is there took {slowest:.1f} s")
            expect(wholes(origin) == 1, f"{wholes(origin)} origin requests for the whole in mid-fill")
            origin_of.finish.set()
            for viewer in (one, two):
                expect(viewer.reaches(size, 300), f"a viewer has {viewer.length} of {size} bytes: {viewer.wrong}")
                viewer.join(10)
            grown = (highest[0] - before) / 1024
        finally:
            origin_of.go_on.set()
            origin_of.finish.set()
            done.set()
        after = curl(program, program.http + "/large", "--range", f"{size - MIB}-{size - 1}", limit=20)
        expect(wholes(origin) == 1, f"{wholes(origin)} origin requests for the whole")
        # What the disk was too slow for and memory too small is asked for again, in parts.
        again = origin.count("/large") - 1
        is_right = after.status == 206 and after.body == origin_of.part(size - MIB, size - 1)
        expect(is_right and (again or after.cache.startswith("Hit")), f"its end afterwards: {after}")
        expect(grown < memory / MIB * 1.15 + 64, f"resident memory grew by {grown:.0f} MiB")
    return (f"{size / (1 << 30):.2f} GiB, first byte after {seen_after >> 10} KiB, joined in the middle, ranges in "
            f"{slowest * 1000:.0f} ms, 1 fill, {again} parts fetched again, resident memory +{grown:.0f} MiB")


CHECKS = [("large object", large)]
