"""A headless Chromium that trusts one development CA, driven over the pipe of the DevTools protocol.

It has a home of its own, resolves nothing but localhost, and every call has a limit. Only what was started
here is ended: the process group of this browser.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

from program import Failure, Skipped

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ["chromium", "libnss3-tools"]
SWITCHES = [
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--no-proxy-server", "--window-size=1000,800",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE *.localhost",
]


def program():
    """Where Chromium is; the check is skipped when it, or the tool that fills its trust store, is missing."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if not found:
        raise Skipped("no Chromium here: apt-get install chromium libnss3-tools, or acceptance/run --install")
    if not shutil.which("certutil"):
        raise Skipped("no certutil here: apt-get install libnss3-tools, or acceptance/run --install")
    return found


def install():
    """Installs what is missing with apt; as root, or where sudo asks no password."""
    try:
        program()
    except Skipped:
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
            try:
                subprocess.run([*root, "apt-get", *command], env=environment, check=True, timeout=600)
            except (OSError, subprocess.SubprocessError) as failure:
                print(f"could not install {' and '.join(PACKAGES)}: {failure}", file=sys.stderr)
                return


class Chromium:
    """One browser with one page."""

    def __init__(self, home, ca):
        executable = program()
        self.home = home
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        for arguments in (["-N", "--empty-password"], ["-A", "-n", "development", "-t", "C,,", "-i", str(ca)]):
            subprocess.run(["certutil", *arguments, "-d", f"sql:{store}"], check=True, timeout=30,
                           stdout=subprocess.DEVNULL)
        command_read, self._write = _pipe()
        self._read, answer_write = _pipe()
        arguments = [executable, *SWITCHES, f"--user-data-dir={home / 'profile'}", "about:blank"]
        if os.geteuid() == 0:
            arguments.insert(1, "--no-sandbox")
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
        self.log = home / "chromium.log"
        writing = os.O_WRONLY | os.O_CREAT
        self.pid = os.posix_spawn(executable, arguments, environment, setpgroup=0, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), writing, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2),
            # Chromium reads its commands from descriptor 3 and writes to 4.
            (os.POSIX_SPAWN_DUP2, command_read, 3), (os.POSIX_SPAWN_DUP2, answer_write, 4)])
        os.close(command_read)
        os.close(answer_write)
        self._unread, self._number, self._page = b"", 0, None
        self.complaints = []
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._page = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def call(self, method, limit=30, **parameters):
        """The result of one call; what the browser tells of errors meanwhile is kept in `complaints`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._page:
            message["sessionId"] = self._page
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + limit
        while True:
            told = self._next(end, method)
            if told.get("id") == self._number:
                if "error" in told:
                    raise Failure(f"Chromium says to {method}: {told['error'].get('message')}")
                return told["result"]
            if told.get("method") == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"].get("text", ""))
            elif told.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["params"]["exceptionDetails"])[:500])

    def _next(self, end, method):
        while b"\0" not in self._unread:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Failure(f"Chromium did not answer {method} in time")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise Failure(f"Chromium ended: {self.log.read_text(errors='replace')[-1500:]}")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def visit(self, url):
        """Goes to a page. A page that cannot be loaded is a failure, one with an error status is not."""
        wrong = self.call("Page.navigate", url=url).get("errorText")
        # Chromium says this of an error status, too, and shows the page that came with it.
        if wrong and wrong != "net::ERR_HTTP_RESPONSE_CODE_FAILURE":
            raise Failure(f"{url}: {wrong}; {self.complaints}")

    def wait_for(self, expression, limit=30):
        """The value of a JavaScript expression, once it has one that counts as true."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
            if result.get("value"):
                return result["value"]
            time.sleep(0.05)
        raise Failure(f"{expression} had no value within {limit} s; the browser said: {self.complaints[-5:]}")

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self):
        for descriptor in (self._write, self._read):
            os.close(descriptor)
        # Without its pipe it ends by itself; what does not, is ended with its group.
        for number, patience in ((None, 3), (signal.SIGTERM, 3), (signal.SIGKILL, 5)):
            if number:
                try:
                    os.killpg(self.pid, number)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + patience
            while time.monotonic() < end:
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    return
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _pipe():
    """A pipe whose ends are above the descriptors that Chromium looks at."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high
