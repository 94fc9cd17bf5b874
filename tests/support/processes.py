"""`watchofficer` as processes of their own, for tests and benchmarks of the whole."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from streams.kafka.embedded_broker import free_port

__all__ = ["COMMAND", "ROOT", "Failed", "Worker", "environment", "spawn"]

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "streams.cli")
_POLL_SECONDS = 0.05
_SAID_LAST = 6_000  # characters


class Failed(Exception):
    """A worker ended, or was not ready in time. The message has the end of what it said."""


def environment(settings: Mapping[str, str], inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """These settings (without ``WATCHOFFICER_``) and no others, beside what else is inherited."""
    others = {name: value for name, value in inherited.items() if not name.startswith("WATCHOFFICER_")}
    return others | {f"WATCHOFFICER_{name}": value for name, value in settings.items()}


def spawn(arguments: Sequence[str], variables: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `watchofficer` with these arguments and environment variables; what it says is added to the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=variables,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


class Worker:
    """A process of `watchofficer run`, which can be started again after its end.

    Args:
        settings: its environment variables, without ``WATCHOFFICER_``.
        log: the file that gets what it says.
        arguments: of the command line, after ``run``.
        inherited: the other environment variables; this process's by default.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        log: Path,
        *arguments: str,
        inherited: Mapping[str, str] = os.environ,
    ) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log = log
        self._environment = environment(settings, inherited)
        self._arguments = ("run", "--port", str(self.port), *arguments)

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process, which must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return None if self.process is None else self.process.poll()

    def start(self) -> None:
        """Start the process and return at once."""
        self.process = spawn(self._arguments, self._environment, self._log)

    async def ready(self, within: float = 60.0) -> None:
        """Wait until ``/readyz`` says so.

        Raises:
            Failed: it does not within so many seconds, or the process ended.
        """
        deadline = time.monotonic() + within
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False) as client:
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
        """See that it still runs.

        Raises:
            Failed: it does not.
        """
        if self.process is None or self.process.poll() is not None:
            raise Failed(f"the worker ended, exit status {self.exit_status}\n{self.said()[-_SAID_LAST:]}")

    def kill(self) -> None:
        """``kill -9``; nothing where it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
