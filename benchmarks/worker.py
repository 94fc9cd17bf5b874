"""`watchofficer run` as a process, for benchmarks of the whole."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from streams.embedded import free_port

__all__ = ["Worker", "WorkerFailed", "compiled_once", "cpu_seconds"]

_ROOT = Path(__file__).resolve().parents[1]
_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_POLL = 0.05


class WorkerFailed(Exception):
    """The worker ended, or was not ready in time. The message has the end of what it said."""


class Worker:
    """One process; ``async with`` starts it, waits until it is ready, and stops it.

    Args:
        settings: its environment variables, without ``WATCHOFFICER_``.
        log: the file that gets what it says.
        arguments: of the command line, after ``run``.
    """

    def __init__(self, settings: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.port = free_port()
        self._log = log
        inherited = {k: v for k, v in compiled_once().items() if not k.startswith("WATCHOFFICER_")}
        self._environment = inherited | {f"WATCHOFFICER_{name}": value for name, value in settings.items()}
        self._command = [sys.executable, "-m", "streams.cli", "run", "--port", str(self.port), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process, which must have been started."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and return at once."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def ready(self) -> None:
        """Wait until ``/readyz`` says so.

        Raises:
            WorkerFailed: it does not within a minute, or it ended.
        """
        assert self._process is not None
        deadline = time.monotonic() + _READY_SECONDS
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False) as client:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(_POLL)
        said = self._log.read_text(errors="replace")[-3000:]
        raise WorkerFailed(f"the worker is not ready; exit status {self._process.poll()}\n{said}")

    def check(self) -> None:
        """See that it still runs.

        Raises:
            WorkerFailed: it does not.
        """
        if self._process is None or self._process.poll() is not None:
            raise WorkerFailed(f"the worker ended\n{self._log.read_text(errors='replace')[-3000:]}")

    def stop(self) -> None:
        """End it: asked first, then killed."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def __aenter__(self) -> Self:
        try:
            self.start()
            await self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def compiled_once() -> dict[str, str]:
    """Our environment, for processes that keep the bytecode they compile, wherever we were told not to.

    An installation has it compiled; without it a start takes twice as long.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(_ROOT / ".data" / "bytecode")}


def cpu_seconds(pid: int) -> float | None:
    """CPU time that a process has taken so far, in seconds; None where ``/proc`` does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
