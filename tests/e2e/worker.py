"""`watchofficer run` and `watchofficer produce` as processes of their own, and patience with them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from streams.embedded import free_port

__all__ = ["COMMAND", "ROOT", "Worker", "environment", "run_to_end", "until"]

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "streams.cli"]
_POLL_SECONDS = 0.1


async def until(
    condition: Callable[[], Awaitable[T | None]],
    within: float,
    what: str,
    worker: Worker | None = None,
) -> T:
    """What the condition returns once that is true.

    Raises:
        AssertionError: it was not within so many seconds, or the worker ended; says what was waited for.
    """
    deadline = time.monotonic() + within
    while True:
        value = await condition()
        if value:
            return value
        ended = worker is not None and worker.exit_status is not None
        if ended or time.monotonic() > deadline:
            why = "the worker ended" if ended else f"not within {within:.0f} s"
            said = "" if worker is None else f"\n{worker.said()[-6000:]}"
            raise AssertionError(f"{what}: {why}{said}")
        await asyncio.sleep(_POLL_SECONDS)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings (without ``WATCHOFFICER_``) and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATCHOFFICER_")}
    return inherited | {f"WATCHOFFICER_{name}": value for name, value in settings.items()}


def run_to_end(settings: Mapping[str, str], *arguments: str, within: float = 40.0) -> tuple[int, str, str]:
    """Run a command that ends by itself: its exit status, standard output and standard error."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(settings),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


class Worker:
    """A process of `watchofficer run`, which can be started again after its end.

    Args:
        settings: its environment variables, without ``WATCHOFFICER_``.
        log: the file that gets what it says.
        arguments: of the command line, after ``run``.
    """

    def __init__(self, settings: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.port = free_port()
        self._log = log
        self._environment = environment(settings)
        self._command = [*COMMAND, "run", "--port", str(self.port), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process and return at once."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def ready(self, within: float = 60.0) -> None:
        """Wait until ``/readyz`` says so."""

        async def says_so() -> bool:
            status, _ = await self.get("/readyz")
            return status == 200

        await until(says_so, within, "ready", self)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """The status (0: no answer) and the body, decoded where it is JSON."""
        return await self._ask("GET", path, headers=headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The same for a POST with a JSON body."""
        return await self._ask("POST", path, json=body, headers=headers)

    async def _ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=10.0, trust_env=False) as client:
                response = await client.request(method, path, **request)
        except httpx.TransportError:
            return 0, None
        is_json = response.headers["Content-Type"].startswith("application/json")
        return response.status_code, response.json() if is_json else response.text

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def stop(self, within: float = 30.0) -> tuple[int, float]:
        """SIGTERM: the exit status, and how many seconds the end took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)

        async def ended() -> bool:
            return self.exit_status is not None

        try:
            await until(ended, within, "the end after SIGTERM")
        finally:
            if self.exit_status is None:
                self.kill()
        return self._process.returncode, time.monotonic() - began

    def close(self) -> None:
        """End it, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
