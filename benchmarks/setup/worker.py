"""How do benchmarks run `watchofficer run` as a process?"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import processes
from tests.support.processes import ROOT
from tests.support.processes import Failed as WorkerFailed

__all__ = ["Worker", "WorkerFailed", "compiled_once", "cpu_seconds"]

_STOP_SECONDS = 15.0


class Worker(processes.Worker):
    """A worker process, as ``processes.Worker``; ``async with`` starts it, waits until it is ready, and stops it."""

    def __init__(self, settings: Mapping[str, str], log: Path, *arguments: str) -> None:
        super().__init__(settings, log, *arguments, inherited=compiled_once())

    def stop(self) -> None:
        """Ask the process to end, and kill it if it does not."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

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
    """Return this process's environment, changed so that child processes keep the bytecode that they compile.

    An installation has compiled bytecode; without it a start takes twice as long.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(ROOT / ".data" / "bytecode")}


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has used so far, in seconds; None if ``/proc`` does not show it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
