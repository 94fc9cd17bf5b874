"""Where are the compared systems installed? In an environment of exactly ``peers.lock``, named by its hash."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["LOCK", "NoPeers", "install", "interpreter", "pinned"]

_ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("peers.lock")


class NoPeers(Exception):
    """The peers cannot be installed on this machine. The message states the reason."""


def interpreter() -> Path | None:
    """Return the path of a Python with the peers installed; None before ``install``."""
    python = _folder() / "bin" / "python"
    return python if (_folder() / ".complete").exists() else None


def install() -> Path:
    """Install the peers if necessary, and return the path of a Python that has them.

    Raises:
        NoPeers: there is no package index, or a peer has no wheel for this platform.
    """
    ready = interpreter()
    if ready is not None:
        return ready
    folder = _folder()
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    wanted = ("--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK))
    if shutil.which("uv") is not None:
        _run("uv", "pip", "install", "--python", str(python), *wanted)
    else:
        _run(str(python), "-m", "pip", "install", *wanted)
    (folder / ".complete").touch()
    return python


def pinned() -> dict[str, str]:
    """Return name -> version of all packages in the lock file."""
    lines = LOCK.read_text().splitlines()
    pairs = [line.removesuffix("\\").strip().split("==") for line in lines if "==" in line]
    return dict(pairs)


def _folder() -> Path:
    return _ROOT / ".data" / f"peers-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise NoPeers(f"{' '.join(command[:4])}: {(done.stdout + done.stderr).strip()[-800:]}")
