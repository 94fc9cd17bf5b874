"""How do tests supervise processes of `watchofficer run`, which they kill, freeze, thaw and stop?"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from streams.kafka.embedded_broker import free_port
from tests.support.processes import environment, spawn

__all__ = ["Supervisor", "Worker"]

_LOOK_EVERY = 0.25  # seconds
_RESTART_AFTER = 0.5  # seconds before a process is started again


@dataclass
class Worker:
    """A sequence of processes on one port."""

    number: int
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0  # monotonic
    ready: bool = False
    wanted: bool = True  # whether a supervisor starts it when it has ended
    frozen: bool = False
    not_before: float = 0.0  # monotonic seconds at which it may be started again
    asked_to_end: bool = False  # by a signal of the tests
    was_frozen: bool = False  # this process stood still for a while
    variables: Mapping[str, str] = field(default_factory=dict)  # of its environment, beside the settings

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Record:
    """The supervisor's observations.

    Attributes:
        to_ready: seconds from a start to a ready `/readyz`, of processes that became ready.
        failed: how often a process ended by itself.
        stopped_in: seconds from SIGTERM to the end, and the exit status.
    """

    to_ready: list[float] = field(default_factory=list)
    starts: int = 0
    failed: int = 0
    stopped_in: list[tuple[float, int]] = field(default_factory=list)


class Supervisor:
    """Workers and their supervisor.

    Args:
        settings: environment variables of all workers, without ``WATCHOFFICER_``.
        policy: the policy file.
        folder: the folder for the output of the workers, one file each.
        arguments: further arguments of the command line, after those for port and policy.
    """

    def __init__(
        self, settings: Mapping[str, str], policy: Path, folder: Path, arguments: tuple[str, ...] = ()
    ) -> None:
        self._environment = environment(settings)
        self._policy = policy
        self._folder = folder
        self._arguments = arguments
        self._supervising: asyncio.Task[None] | None = None
        self._http = httpx.AsyncClient(timeout=5.0, trust_env=False, verify=False)
        self._stops: set[asyncio.Task[None]] = set()
        self._guard: subprocess.Popen[bytes] | None = None
        self.workers: list[Worker] = []
        self.record = Record()

    # -- who works --------------------------------------------------------------------------------------------

    def add_worker(self, variables: Mapping[str, str] = MappingProxyType({})) -> Worker:
        """Add a worker with these environment variables besides the settings; the supervisor starts it."""
        number = len(self.workers)
        worker = Worker(number, free_port(), self._folder / f"worker-{number}.log", variables=variables)
        self.workers.append(worker)
        return worker

    @property
    def wanted(self) -> list[Worker]:
        """Return the workers that should run."""
        return [worker for worker in self.workers if worker.wanted]

    @property
    def running(self) -> list[Worker]:
        """Return the workers whose process runs and is not frozen."""
        return [worker for worker in self.workers if worker.running and not worker.frozen]

    def start(self) -> None:
        """Begin to supervise."""
        self._supervising = asyncio.create_task(self._supervise(), name="supervisor")

    def check(self) -> None:
        """Check that the supervisor runs.

        Raises:
            Exception: the error that ended the supervisor.
        """
        if self._supervising is not None and self._supervising.done():
            self._supervising.result()

    async def all_ready(self, within: float) -> bool:
        """Wait until every worker that should run is ready; return False if that takes over ``within`` seconds."""
        deadline = time.monotonic() + within
        while not all(worker.ready for worker in self.wanted):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True

    def start_guard(self) -> None:
        """Start a guard, which no fault befalls: it stands for a machine of its own."""
        arguments = ["run", "--role", "guard", "--port", str(free_port()), "--policy", str(self._policy)]
        self._guard = spawn(arguments, self._environment, self._folder / "guard.log")

    def end_guard(self) -> None:
        """Kill the guard, if there is one."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()

    async def close(self) -> None:
        """Kill all processes."""
        self.end_guard()
        if self._supervising is not None:
            self._supervising.cancel()
            await asyncio.gather(self._supervising, return_exceptions=True)
        for worker in self.workers:
            if worker.process is not None:
                worker.process.kill()
                worker.process.wait()
        await asyncio.gather(*self._stops, return_exceptions=True)
        await self._http.aclose()

    # -- faults -----------------------------------------------------------------------------------------------

    def kill(self, worker: Worker, down: float = 0.0) -> None:
        """Kill a worker (``kill -9``); the supervisor starts it again after ``down`` seconds."""
        self._hold(worker, down)
        if worker.process is not None:
            worker.process.kill()
            worker.process.wait()
        worker.frozen = False

    def stop(self, worker: Worker, down: float = 0.0, *, for_good: bool = False) -> asyncio.Task[None]:
        """Send SIGTERM; the supervisor starts the worker again ``down`` seconds after its end, unless ``for_good``."""
        worker.wanted = worker.wanted and not for_good
        task = asyncio.create_task(self._stop(worker, down))
        self._stops.add(task)
        return task

    def freeze(self, worker: Worker) -> None:
        """Freeze a worker (SIGSTOP)."""
        if worker.process is not None and worker.running:
            worker.process.send_signal(signal.SIGSTOP)
            worker.frozen = True
            worker.ready = False
            worker.was_frozen = True

    def thaw(self, worker: Worker) -> None:
        """Let a frozen worker continue (SIGCONT)."""
        if worker.process is not None and worker.frozen and worker.running:
            worker.process.send_signal(signal.SIGCONT)
        worker.frozen = False

    async def _stop(self, worker: Worker, down: float) -> None:
        process = worker.process
        if process is None or process.poll() is not None or worker.asked_to_end:
            return  # a second signal would end it without a last flush
        worker.asked_to_end, worker.ready = True, False
        worker.not_before = float("inf")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            await asyncio.sleep(0.05)
        disturbed = worker.frozen or worker.was_frozen or process.returncode == -signal.SIGKILL
        if worker.process is process and not disturbed:
            self.record.stopped_in.append((time.monotonic() - began, process.returncode))
        self._hold(worker, down)

    def _hold(self, worker: Worker, down: float) -> None:
        worker.asked_to_end, worker.ready = True, False
        worker.not_before = time.monotonic() + down

    # -- the supervisor ---------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        while True:
            for worker in self.workers:
                self._look_after(worker)
            waited_for = [one for one in self.running if not (one.ready or one.asked_to_end)]
            await asyncio.gather(*map(self._ask, waited_for))
            await asyncio.sleep(_LOOK_EVERY)

    def _look_after(self, worker: Worker) -> None:
        if worker.running:
            return
        now = time.monotonic()
        if worker.process is not None and not worker.asked_to_end:
            self.record.failed += 1
            worker.not_before = now + _RESTART_AFTER
            worker.asked_to_end, worker.ready = True, False
        if worker.wanted and now >= worker.not_before:
            self._begin(worker)

    def _begin(self, worker: Worker) -> None:
        worker.asked_to_end = worker.ready = worker.frozen = worker.was_frozen = False
        worker.started_at = time.monotonic()
        self.record.starts += 1
        arguments = ["run", "--port", str(worker.port), "--policy", str(self._policy), *self._arguments]
        worker.process = spawn(arguments, {**self._environment, **worker.variables}, worker.log)

    async def _ask(self, worker: Worker) -> None:
        process = worker.process
        try:
            response = await self._http.get(f"http://127.0.0.1:{worker.port}/readyz", timeout=1.0)
        except (httpx.HTTPError, OSError, RuntimeError):
            return
        if response.status_code == 200 and worker.process is process and not worker.frozen:
            worker.ready = True
            if not worker.was_frozen:
                self.record.to_ready.append(time.monotonic() - worker.started_at)

    async def get(self, worker: Worker, path: str) -> httpx.Response:
        """Send a GET request to a worker.

        Raises:
            httpx.HTTPError: there is no answer.
        """
        return await self._http.get(f"http://127.0.0.1:{worker.port}{path}")
