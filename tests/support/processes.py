"""How do end-to-end tests and benchmarks run `watchofficer` as separate processes?"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from streams.kafka.embedded_broker import free_port

__all__ = ["COMMAND", "ROOT", "Failed", "Worker", "environment", "needs", "spawn"]

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "streams.cli")
_POLL_SECONDS = 0.05
_SAID_LAST = 6_000  # characters


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """A mark that skips tests where a program is missing; not in CI (``CI`` is set), where they then fail.

    Args:
        program: its name.
        package: the Debian package that has it.
    """
    missing = shutil.which(program) is None and not os.environ.get("CI")
    return pytest.mark.skipif(missing, reason=f"{program} is not installed (Debian package {package})")


class Failed(Exception):
    """A worker ended, or was not ready in time. The message has the end of the worker's output."""


def environment(settings: Mapping[str, str], inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return ``inherited`` with exactly these settings (without ``WATCHOFFICER_``), and no inherited ones."""
    others = {name: value for name, value in inherited.items() if not name.startswith("WATCHOFFICER_")}
    return others | {f"WATCHOFFICER_{name}": value for name, value in settings.items()}


def spawn(
    arguments: Sequence[str], variables: Mapping[str, str], log: Path, folder: Path = ROOT
) -> subprocess.Popen[bytes]:
    """Start `watchofficer` with these arguments and environment variables; its output is appended to the log.

    Args:
        folder: whose code it runs: another checkout of this repository, if not this one.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=variables,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


class Worker:
    """A process of `watchofficer run`, which can be started again after its end.

    Args:
        settings: its environment variables, without ``WATCHOFFICER_``.
        log: the file for its output.
        arguments: further arguments of the command line, after ``run``.
        inherited: the other environment variables; this process's by default.
        folder: whose code it runs: another checkout of this repository, if not this one.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        log: Path,
        *arguments: str,
        inherited: Mapping[str, str] = os.environ,
        folder: Path = ROOT,
    ) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log = log
        self._folder = folder
        self._environment = environment(settings, inherited)
        self._arguments = ("run", "--port", str(self.port), *arguments)

    @property
    def url(self) -> str:
        """The base URL at which the worker serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the process, which must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status of the process; None while it runs."""
        return None if self.process is None else self.process.poll()

    def start(self) -> None:
        """Start the process and return at once."""
        self.process = spawn(self._arguments, self._environment, self._log, self._folder)

    async def ready(self, within: float = 60.0) -> None:
        """Wait until ``/readyz`` reports that the worker is ready.

        Raises:
            Failed: the worker is not ready within ``within`` seconds, or the process ended.
        """
        deadline = time.monotonic() + within
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False, verify=False) as client:
            while True:
                self.check()
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise Failed(f"not ready within {within:.0f} s\n{self.said()[-_SAID_LAST:]}")
                await asyncio.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Check that the process runs.

        Raises:
            Failed: the process has ended.
        """
        if self.process is None or self.process.poll() is not None:
            raise Failed(f"the worker ended, exit status {self.exit_status}\n{self.said()[-_SAID_LAST:]}")

    def kill(self) -> None:
        """Kill the process (``kill -9``), if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        """Return all output of the worker so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
