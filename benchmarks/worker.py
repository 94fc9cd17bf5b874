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
    """One process; ``async with`` starts it, waits until it is ready, and stops it. See ``processes.Worker``."""

    def __init__(self, settings: Mapping[str, str], log: Path, *arguments: str) -> None:
        super().__init__(settings, log, *arguments, inherited=compiled_once())

    def stop(self) -> None:
        """End it: asked first, then killed."""
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
    """Our environment, for processes that keep the bytecode they compile, wherever we were told not to.

    An installation has it compiled; without it a start takes twice as long.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(ROOT / ".data" / "bytecode")}


def cpu_seconds(pid: int) -> float | None:
    """CPU time that a process has taken so far, in seconds; None where ``/proc`` does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
