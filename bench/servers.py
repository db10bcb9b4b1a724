"""The servers that are measured, and the origin behind them: each a process on one core, on its own port.

Only what was started here is ever stopped, by its own pid, and a busy port is refused.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

BENCH = Path(__file__).resolve().parent
# A proxy of the environment must not stand between us and loopback.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The measurement would not mean what it says."""


def free_port():
    """A port the kernel calls free, checked again by connecting: a stale listener with
    SO_REUSEPORT would silently take half of the connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    refuse_busy(port)
    return port


def refuse_busy(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Refused(f"port {port} is busy: something else listens there")


def get(url):
    """Status, headers and body of one GET."""
    try:
        with DIRECT.open(url, timeout=20) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as reply:
        return reply.code, reply.headers, reply.read()


class Server:
    """A process on one core, and its children."""

    def __init__(self, name, core, command, port, home, env=None):
        refuse_busy(port)
        self.name, self.port, self.home = name, port, home
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = home / "said.log"
        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, env=env)

    def wait_until_it_listens(self, limit=30.0):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Refused(f"{self.name} ended at once:\n{self.said()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.stop()
        raise Refused(f"{self.name} does not listen on {self.port} after {limit:.0f} s:\n{self.said()}")

    def said(self):
        return self.log_path.read_text(errors="replace")[-2000:]

    def pids(self):
        """This process and its children (nginx's worker, Varnish's child)."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                todo += [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except OSError:
                pass
        return found

    def cpu_ns(self):
        """User and system time so far, of all threads."""
        total = 0
        for pid in self.pids():
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def resident(self):
        """Bytes of memory of all its processes; what they share counts once."""
        total = 0
        for pid in self.pids():
            told = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", told, re.M).group(1)) << 10
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Origin(Server):
    own = 0

    def served(self):
        """How many requests for content the origin has answered (its own counter, not ours)."""
        text = get(f"{self.url}/status")[2].decode()
        self.own += 1
        return int(re.search(r"^ *\d+ +\d+ +(\d+)", text, re.M).group(1)) - self.own


def filled_in(template, **values):
    """bench/TEMPLATE with its @names@ filled in."""
    return re.sub(r"@(\w+)@", lambda m: str(values[m.group(1)]), (BENCH / template).read_text())


def home_of(name, directory):
    home = directory / name
    home.mkdir()
    home.chmod(0o755)
    return home


def nginx(name, core, template, directory, **values):
    """nginx in the foreground with bench/TEMPLATE."""
    home, port = home_of(name, directory), free_port()
    (home / "nginx.conf").write_text(filled_in(template, port=port, home=home, **values))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [program, "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
    kind = Origin if name == "origin" else Server
    return kind(name, core, command, port, home).wait_until_it_listens()


def varnish(core, directory, origin_port, on_disk):
    """Varnish in the foreground: its objects in memory, or in one file of the given directory."""
    home, port = home_of("varnish", directory), free_port()
    (home / "peer.vcl").write_text(filled_in("peer.vcl", origin=origin_port))
    storage = f"file,{home}/objects,2G" if on_disk else "malloc,2G"
    command = [
        shutil.which("varnishd") or "/usr/sbin/varnishd", "-F", "-j", "none", "-n", str(home / "work"),
        "-a", f"127.0.0.1:{port}", "-T", "none", "-f", str(home / "peer.vcl"), "-s", storage,
        # One pool, as there is one core; connections are kept as long as elsewhere.
        "-p", "thread_pools=1", "-p", "thread_pool_min=100", "-p", "timeout_idle=3600",
        "-p", "backend_idle_timeout=3600",
    ]
    return Server("varnish", core, command, port, home).wait_until_it_listens()


def warmfront(binary, core, directory, origin_port, *options):
    home, port = home_of("warmfront", directory), free_port()
    command = [
        str(binary), "run", str(BENCH / "edge.yml"), "--http", f"127.0.0.1:{port}", "--https", "off",
        "--admin", f"127.0.0.1:{free_port()}", "--workers", "1", "--access-log", "off",
        "--state-dir", str(home / "state"), "--origin", f"bench=http://127.0.0.1:{origin_port}", *options,
    ]
    environment = {name: value for name, value in os.environ.items()
                   if not name.lower().endswith("_proxy") and not name.startswith("WARMFRONT_")}
    return Server("warmfront", core, command, port, home, environment).wait_until_it_listens()
