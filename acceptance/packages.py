"""Packages from PyPI for checks that need somebody else's program, in an environment of their own.

Made once beside the binary's profile directory and used again while the list stays the same.
"""

import hashlib
import shutil
import subprocess
import sys

from program import Failure


def python_with(binary, *packages):
    """The path of a Python that has `packages` (each pinned: name==version)."""
    name = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    home = binary.parent.parent / f"acceptance-python-{name}"
    python = home / "bin" / "python"
    if (home / "complete").exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    for command in ([sys.executable, "-m", "venv", str(home)],
                    [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                     "--only-binary", ":all:", *packages]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    (home / "complete").touch()
    return python
