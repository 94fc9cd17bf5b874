"""What befalls workers in a soak, and when? Outages, kills, broken receivers, a new policy, an upgrade."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sinks.sandbox import Sandbox
from tests.soak.load import Load
from tests.support.processes import Worker

__all__ = ["POLICY", "Course"]

#: The policy that ships, with the waits that stand for people shortened, so that each outage is an incident of its own.
POLICY = """
severity: {severity_1_over: 1000, severity_2_over: 50, dwell: 20s}
lifecycle: {recovering_after: 5s, recover_for: 15s, reopen_within: 5s, warning_waits: 3s}
"""
_CHANGED = POLICY.replace("severity_1_over: 1000", "severity_1_over: 100000")

_READY_SECONDS = 180.0

_Step = tuple[float, str, Callable[[], Awaitable[None]]]


@dataclass
class Course:
    """What befalls, each step at its part of the run.

    Attributes:
        workers: those that run; an upgrade puts others in their place.
        make: a worker of this build that is not started yet.
        load: what is produced, of which a part fails in an outage.
        sandbox: the receivers.
        policy: the file that the workers have been given.
        seconds: how long the run lasts.
        say: is told of each step.
    """

    workers: list[Worker]
    make: Callable[[], Worker]
    load: Load
    sandbox: Sandbox
    policy: Path
    seconds: float
    say: Callable[[str], None]

    async def run(self) -> None:
        """Take each step at its time.

        Raises:
            Failed: a worker was not ready in time after its start.
        """
        began = asyncio.get_running_loop().time()
        for part, what, step in self._steps():
            await asyncio.sleep(max(0.0, began + part * self.seconds - asyncio.get_running_loop().time()))
            self.say(f"at {part:.0%}: {what}")
            await step()

    def _steps(self) -> list[_Step]:
        """What happens from which part of the run on. In its second half the same two processes go on to the end."""
        outage, well = self._outage, self._outage()
        return [
            (0.10, "receivers break, and a provider of one method", outage("ssoe/idme", broken=True)),
            (0.12, "a worker is killed and started again", self._killed(0)),
            (0.17, "all is well", well),
            (0.21, "the other worker is killed and started again", self._killed(1)),
            (
                0.24,
                "three in ten fail on one method",
                outage("sis/idme", "sis/logingov", "sis/mhv", share=0.3),
            ),
            (0.27, "the policy changes: severity 1 is out of reach", self._reload),
            (0.31, "all is well", well),
            (0.35, "a provider of one method", outage("ssoe/logingov")),
            (0.37, "a worker is replaced", self._replaced(0)),
            (0.41, "the other worker is replaced", self._replaced(1)),
            (0.46, "all is well", well),
            (
                0.60,
                "receivers break, and a provider of both methods",
                outage("ssoe/mhv", "sis/mhv", broken=True),
            ),
            (0.66, "all is well", well),
            (0.80, "one method", outage("ssoe/idme", "ssoe/logingov", "ssoe/mhv")),
            (0.85, "all is well", well),
        ]

    def _outage(self, *ways: str, share: float = 1.0, broken: bool = False) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            if broken:
                self.sandbox.pagerduty.fail(4, status=503)
                self.sandbox.pagerduty.cut(1)
                self.sandbox.slack.fail(2, status=429, headers={"Retry-After": "2"})
                self.sandbox.slack.stall(1)
                self.sandbox.datadog.half(3)
            self.load.fail(ways, share)

        return step

    def _killed(self, number: int) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            worker = self.workers[number]
            worker.kill()
            worker.start()
            await worker.ready(_READY_SECONDS)

        return step

    def _replaced(self, number: int) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            old, new = self.workers[number], self.make()
            await asyncio.to_thread(_ended, old)
            self.workers[number] = new
            new.start()
            await new.ready(_READY_SECONDS)

        return step

    async def _reload(self) -> None:
        self.policy.write_text(_CHANGED)
        for worker in self.workers:
            assert worker.process is not None
            worker.process.send_signal(signal.SIGHUP)


def _ended(worker: Worker) -> None:
    assert worker.process is not None
    worker.process.terminate()
    worker.process.wait(60.0)
