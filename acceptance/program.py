"""The program under test and the clients that ask it: start, readiness, curl, memory, stop.

Every wait here has a limit, and only processes started here are stopped, by their own id.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path


class Failure(Exception):
    """What was seen is not what must be true."""


class Skipped(Exception):
    """Not this time: the machine has not what the check needs, or the run is a quick one. The text says which."""


def expect(holds, text):
    if not holds:
        raise Failure(text)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """One `warmfront run`, on ports the kernel chose, with its own state directory."""

    def __init__(self, binary, source, state, options=(), ready_within=20.0, environment=None, https=None):
        self.http_port, self.https_port, self.admin_port = free_port(), https or free_port(), free_port()
        self.http = f"http://localhost:{self.http_port}"
        self.https = f"https://localhost:{self.https_port}"
        self.admin = f"http://127.0.0.1:{self.admin_port}"
        self.state = Path(state)
        self.state.mkdir(parents=True, exist_ok=True)
        self.ca = self.state / "ca.pem"
        self.log = self.state / "said.log"
        # A proxy of the environment must not stand between the program and its loopback origins.
        inherited = {k: v for k, v in os.environ.items()
                     if not k.lower().endswith("_proxy") and not k.startswith("WARMFRONT_")}
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [str(binary), "run", str(source), "--http", f"127.0.0.1:{self.http_port}",
                 "--https", f"127.0.0.1:{self.https_port}", "--admin", f"127.0.0.1:{self.admin_port}",
                 "--state-dir", str(self.state), *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env=inherited | (environment or {}))
        self._wait_until_ready(ready_within)

    def _wait_until_ready(self, limit):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failure(f"ended with {self.process.returncode} before it was ready:\n{self.said()}")
            try:
                with urllib.request.urlopen(f"{self.admin}/readyz", timeout=2) as reply:
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        self.stop()
        raise Failure(f"/readyz did not say 200 within {limit:.0f} s:\n{self.said()}")

    def said(self):
        return self.log.read_text(errors="replace")[-3000:]

    def resident_kib(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def signal(self, number):
        self.process.send_signal(number)

    def ended_within(self, seconds):
        """The exit code, or None when it still runs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            if self.ended_within(5) is None:
                self.process.kill()
                self.process.wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


@dataclass
class Answer:
    """One answer as curl saw it. `exit` is curl's: 0, 18 (cut short), 92 (stream reset), …"""
    exit: int
    status: int
    version: str
    headers: dict
    body: bytes
    seconds: float
    size: int

    @property
    def cache(self):
        return self.headers.get("x-cache", "")

    def __str__(self):
        return f"{self.status} {self.cache or '(no X-Cache)'}, {self.seconds * 1000:.0f} ms"


def curl(program, url, *arguments, limit=30, keep_body=True):
    """Asks with curl, trusting the program's development CA."""
    scratch = program.state / f"curl-{time.monotonic_ns()}"
    body_file = f"{scratch}.body" if keep_body else "/dev/null"
    command = ["curl", "--silent", "--noproxy", "*", "--max-time", str(limit), "--dump-header", f"{scratch}.head",
               "--output", body_file, "--write-out", "%{json}", *arguments, url]
    if url.startswith("https:"):
        command[1:1] = ["--cacert", str(program.ca)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limit + 10)
    facts = json.loads(done.stdout or b"{}")
    heads = Path(f"{scratch}.head")
    # The last head counts: a 100 Continue may come before it.
    blocks = [b for b in heads.read_bytes().decode("latin-1").split("\r\n\r\n") if b] if heads.exists() else []
    headers = {}
    for line in (blocks[-1].split("\r\n")[1:] if blocks else []):
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    body = Path(body_file).read_bytes() if keep_body and Path(body_file).exists() else b""
    for leftover in (heads, Path(body_file) if keep_body else heads):
        leftover.unlink(missing_ok=True)
    return Answer(done.returncode, int(facts.get("http_code", 0)), str(facts.get("http_version", "")), headers, body,
                  float(facts.get("time_total", 0)), int(facts.get("size_download", 0)))
