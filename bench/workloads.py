"""What is asked of each server, how a cache is filled first, and how a hit is known to be one."""

import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import Refused, get

RANDOM = Path(__file__).resolve().parent / "random.lua"


@dataclass(frozen=True)
class Workload:
    """One kind of request. With several objects, wrk asks for them at random."""
    text: str
    path: str
    size: int
    # What performance.md of the design asks of the ratio to nginx; shown, never asserted.
    goal: float | None
    objects: int = 1
    connections: int = 64
    passes: bool = False
    # Which servers it needs: those of one set share a start.
    setting: str = "memory"

    def url_path(self, number=0):
        return f"{self.path}/{number}" if self.objects > 1 else self.path


WORKLOADS = {
    "W1": Workload("cached hit 1 KiB, HTTP/1.1, 64 connections", "/cached/1k", 1 << 10, 0.55),
    "W2": Workload("cached hit 100 KiB, 64 connections", "/cached/100k", 100 << 10, 0.90),
    "W3": Workload("cached hit 10 MiB, 16 connections", "/cached/10m", 10 << 20, 1.00, connections=16),
    "W4": Workload("pass-through 1 KiB, HTTP/1.1, 64 connections", "/pass/1k", 1 << 10, 0.80, passes=True),
    "W8": Workload("100,000 objects of 1 KiB, random, 64 connections", "/cached/many1k", 1 << 10, 0.30,
                   objects=100_000, setting="many"),
    "WD": Workload("disk hits: 4,000 objects of 100 KiB, random, memory for 300 of them", "/cached/many100k",
                   100 << 10, None, objects=4_000, setting="disk"),
}
# Memory that Warmfront gets where objects are to come from its disk.
DISK_MEMORY, DISK_SIZE = "32MiB", "2GiB"


def body(size):
    """A body in which every cut shows."""
    return (bytes(range(33, 97)) * (size // 64 + 1))[:size]


def contents(directory):
    """The origin's files. A hundred thousand paths share one of them (origin.nginx.conf)."""
    for part in ("cached", "pass"):
        (directory / part).mkdir(parents=True)
        for name, size in (("1k", 1 << 10), ("100k", 100 << 10), ("10m", 10 << 20)):
            (directory / part / name).write_bytes(body(size))


def fill(server, workload, together=64):
    """Asks once for every object, over one connection with requests in batches."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as link:
        unread = b""
        for first in range(0, workload.objects, together):
            numbers = range(first, min(first + together, workload.objects))
            link.sendall(b"".join(f"GET {workload.url_path(n)} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
                                  for n in numbers))
            for number in numbers:
                while (end := unread.find(b"\r\n\r\n")) < 0:
                    unread += read_some(server, link)
                head, unread = unread[:end], unread[end + 4:]
                told = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
                if not head.startswith(b"HTTP/1.1 200") or not told or int(told.group(1)) != workload.size:
                    raise Refused(f"{server.name}, object {number}: {head[:200]!r}")
                while len(unread) < workload.size:
                    unread += read_some(server, link)
                unread = unread[workload.size:]


def read_some(server, link):
    more = link.recv(1 << 20)
    if not more:
        raise Refused(f"{server.name} closed the connection while its cache was filled")
    return more


def check_answers(server, workload, origin):
    """The server answers what the workload means: a hit that the origin never sees, or a pass that it does."""
    get(server.url + workload.url_path())
    before, asked = origin.served(), 0
    for number in range(0, workload.objects, max(1, workload.objects // 3)):
        path = workload.url_path(number)
        status, headers, got = get(server.url + path)
        asked += 1
        if status != 200 or got != body(workload.size):
            raise Refused(f"{server.name} {path}: status {status}, {len(got)} bytes instead of 200 and {workload.size}")
        cache = headers.get("X-Cache", "")
        if not workload.passes and not cache.lower().startswith("hit"):
            raise Refused(f"{server.name} {path}: X-Cache says {cache!r}, not a hit")
    fetched, expected = origin.served() - before, asked if workload.passes else 0
    if fetched != expected:
        raise Refused(f"{server.name} {workload.path}: {asked} requests made {fetched} origin requests "
                      f"instead of {expected}")


def load(server, workload, seconds, core):
    """Requests completed, requests a second and p99 in milliseconds, as wrk saw them."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{workload.connections}", f"-d{seconds}s",
               "--timeout", "20s", "--latency"]
    if workload.objects > 1:
        command += ["-s", str(RANDOM), server.url, "--", workload.path, str(workload.objects)]
    else:
        command += [server.url + workload.path]
    told = subprocess.run(command, check=True, timeout=seconds + 60, stdout=subprocess.PIPE, text=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", told)
    if bad:
        raise Refused(f"{server.url}{workload.path}: {bad.group(0)}")
    requests = int(re.search(r"(\d+) requests in", told).group(1))
    rate = float(re.search(r"Requests/sec: +([\d.]+)", told).group(1))
    number, unit = re.search(r"99% +([\d.]+)(us|ms|s)", told).groups()
    return requests, rate, float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def measure(server, name, origin, options):
    """CPU time per request, rate and p99 of one server under one workload."""
    workload = WORKLOADS[name]
    check_answers(server, workload, origin)
    served, cpu = origin.served(), server.cpu_ns()
    requests, rate, p99 = load(server, workload, options.seconds, options.load_core)
    cpu, served = server.cpu_ns() - cpu, origin.served() - served
    if requests < 100:
        raise Refused(f"{server.name} {name}: only {requests} requests completed")
    if not workload.passes and served > 0:
        raise Refused(f"{server.name} {name}: the origin saw {served} requests, so hits were not hits")
    if workload.passes and served < requests:
        raise Refused(f"{server.name} {name}: the origin saw {served} of {requests} requests, so some were cached")
    return {"us": cpu / requests / 1e3, "rate": rate, "p99": p99}
