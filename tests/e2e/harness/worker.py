"""How do end-to-end tests run commands of `watchofficer` as processes, and wait for them?"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx

from detectors.instants import format_instant, parse_instant
from tests.support import processes
from tests.support.processes import COMMAND, ROOT, environment

__all__ = ["Worker", "run_to_end", "until"]

T = TypeVar("T")

_POLL_SECONDS = 0.1


async def until(
    condition: Callable[[], Awaitable[T | None]],
    within: float,
    what: str,
    worker: Worker | None = None,
) -> T:
    """Wait until ``condition`` returns a true value, and return this value.

    Raises:
        AssertionError: it did not within ``within`` seconds, or the worker ended; the message contains ``what``.
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


def run_to_end(settings: Mapping[str, str], *arguments: str, within: float = 40.0) -> tuple[int, str, str]:
    """Run a command that ends by itself; return its exit status, standard output and standard error."""
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


class Worker(processes.Worker):
    """A process of `watchofficer run` to which tests send HTTP requests, and which they stop."""

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Send a GET request; return the status (0: no answer) and the body, decoded if it is JSON."""
        return await self._ask("GET", path, headers=headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a POST request with a JSON body; return the status (0: no answer) and the body, decoded if JSON."""
        return await self._ask("POST", path, json=body, headers=headers)

    async def evaluated(self, to: int, within: float, env: str = "prod") -> None:
        """Wait until an environment is evaluated up to ``to`` (ms)."""

        async def look() -> bool:
            _, body = await self.get("/api/v1/slis")
            return parse_instant(body["evaluated_to"][env]) >= to

        await until(look, within, f"{env} evaluated to {format_instant(to)}", self)

    async def _ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        try:
            # verify: to read the certificates of all authorities for each request takes 40 ms of CPU time
            async with httpx.AsyncClient(
                base_url=self.url, timeout=10.0, trust_env=False, verify=False
            ) as client:
                response = await client.request(method, path, **request)
        except httpx.TransportError:
            return 0, None
        is_json = response.headers["Content-Type"].startswith("application/json")
        return response.status_code, response.json() if is_json else response.text

    async def stop(self, within: float = 30.0) -> tuple[int, float]:
        """Send SIGTERM; return the exit status and the seconds until the end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)

        async def ended() -> bool:
            return self.exit_status is not None

        try:
            await until(ended, within, "the end after SIGTERM")
        finally:
            if self.exit_status is None:
                self.kill()
        return self.process.returncode, time.monotonic() - began
