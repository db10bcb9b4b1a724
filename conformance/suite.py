"""The public suite: where it is, which tests it has, and one run of it through an edge.

Nothing of the suite is in this repository. Its older cut comes from npm, pinned with its integrity in
package-lock.json; a newer one is a checkout of https://github.com/http-tests/cache-tests.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from program import Failure

HERE = Path(__file__).resolve().parent
NPM_CUT = "npm"
NEWEST = "newest"
# A run has its pauses (3 s each, tests in groups); it takes about a minute.
RUN_LIMIT = 300


@dataclass(frozen=True)
class Suite:
    """One version of the suite on this machine."""
    cut: str
    version: str
    home: Path
    server: Path
    cli: Path

    def tests(self):
        """`[{id, kind, depends_on}]` of all tests that apply to a proxy."""
        done = subprocess.run(["node", str(HERE / "tests.mjs"), str(self.home)], stdout=subprocess.PIPE, timeout=60)
        if done.returncode != 0:
            raise Failure(f"could not read the tests of {self.home}")
        return json.loads(done.stdout)


def npm_cut(cache):
    """The cut from npm, installed below `cache` unless it already is."""
    lock = HERE / "package-lock.json"
    name = hashlib.sha256((HERE / "package.json").read_bytes() + lock.read_bytes()).hexdigest()[:12]
    home = cache / f"conformance-suite-{name}"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / file, home)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=home,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        if done.returncode != 0:
            raise Failure(f"npm ci ended with {done.returncode}:\n{done.stdout[-2000:]}")
        (home / "complete").touch()
    package = home / "node_modules" / "http-cache-tests"
    version = json.loads((package / "package.json").read_text())["version"]
    return Suite(NPM_CUT, f"npm {version}", package, package / "server" / "server.mjs", package / "cli.mjs")


def checkout(path):
    """A checkout of the suite's repository, with what it needs installed."""
    path = path.resolve()
    engine = path / "test-engine"
    if not (engine / "cli.mjs").exists():
        raise Failure(f"{path} is no checkout of the suite: it has no test-engine/cli.mjs")
    if not (path / "node_modules" / "undici").exists():
        raise Failure(f"the suite's packages are missing: run `npm install --omit=dev` in {path}")
    told = subprocess.run(["git", "-C", str(path), "log", "-1", "--format=%h of %cs"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=20)
    version = told.stdout.strip() if told.returncode == 0 else "unknown commit"
    return Suite(NEWEST, version, path, engine / "server" / "server.mjs", engine / "cli.mjs")


class Origin:
    """The suite's server, on a port that the kernel chose, in an empty directory: it would serve files of it."""

    def __init__(self, suite):
        self.scratch = Path(tempfile.mkdtemp(prefix="warmfront-suite-"))
        self.log = self.scratch / "said.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                ["node", str(suite.server)], cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, env=environment(
                    npm_config_protocol="http", npm_config_port="0", npm_config_pidfile=str(self.scratch / "pid")))
        self.port = self._port(within=20)

    def _port(self, within):
        end = time.monotonic() + within
        while time.monotonic() < end and self.process.poll() is None:
            told = re.search(r"Listening on http://\S*:(\d+)/", self.log.read_text(errors="replace"))
            if told:
                return int(told.group(1))
            time.sleep(0.05)
        said = self.log.read_text(errors="replace")[-2000:]
        self.stop()
        raise Failure(f"the suite's server did not start:\n{said}")

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def play(suite, base, only=""):
    """What the suite's cli found through the edge at `base`: `{id: True | [kind of failure, text]}`. With
    `only`, the id of one test, it is the cli's account of that test as text."""
    process = subprocess.Popen(["node", "--no-warnings", str(suite.cli)], cwd=suite.home, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(npm_config_base=base, npm_package_config_id=only))
    timer = threading.Timer(RUN_LIMIT, process.kill)
    timer.start()
    try:
        out, err = process.communicate()
    finally:
        timer.cancel()
    if process.returncode != 0:
        raise Failure(f"the suite's cli ended with {process.returncode} (it has {RUN_LIMIT} s):\n{err[-2000:]}")
    return out if only else json.loads(out)


def environment(**settings):
    """This process's environment, without a proxy that would stand between the parts on loopback."""
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | settings
