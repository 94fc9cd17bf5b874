"""A watchdog with injected time, and receivers that remember what they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.runtime.health import Health
from streams.runtime.progress import Progress
from streams.watchdog.announcer import Announcer
from streams.watchdog.blindness import Statement
from streams.watchdog.heartbeat import Heartbeat
from streams.watchdog.peers import Peers
from streams.watchdog.watchdog import Watchdog, WatchdogTime

__all__ = ["BLIND_AFTER", "NOON", "Told", "World"]

NOON = 1_795_435_200_000  # ms
BLIND_AFTER = 60.0


@dataclass
class Told:
    """A receiver."""

    name: str = "pagerduty"
    keeps: bool = True
    said: list[tuple[str, str]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    refuses: str | None = None

    def blind(self, said: Statement) -> str | None:
        if self.refuses is None:
            self.said.append(("blind", said.why.value))
            self.statements.append(said)
        return self.refuses

    def seeing(self, why: str, at: int) -> str | None:
        if self.refuses is None:
            self.said.append(("seeing", why))
        return self.refuses

    def take(self) -> list[tuple[str, str]]:
        """What was said since this was asked last."""
        said, self.said = self.said, []
        return said


class World:
    """All parts of a watchdog; ``wait`` lets time pass and the watchdog look each second."""

    def __init__(self, *, secret: str = "", url: str = "", pace: float = 1.0) -> None:
        self.seconds = 1000.0
        self.complete = True  # whether all words of other processes have been read
        self.peers = Peers("this one", self.monotonic, lambda: self.complete)
        self.pace = pace
        self.frozen = False  # whether the event loop stands still
        self.progress = Progress(self.monotonic)
        self.health = Health(self.monotonic)
        self.pagerduty, self.slack = Told(), Told("slack", keeps=False)
        self.called: list[str] = []
        self.answers = 200
        self.looks: list[tuple[frozenset[str], Mapping[str, float]]] = []
        self.exempt = False
        self.watchdog = Watchdog(
            self.progress,
            self.health,
            Announcer((self.pagerduty, self.slack), self.monotonic, lambda: 1.0, others=self.peers),
            blind_after=BLIND_AFTER,
            times=WatchdogTime(clock=self.clock, pace=pace, monotonic=self.monotonic),
            heartbeat=Heartbeat(url, self.request, self.monotonic) if url else None,
            mask=lambda text: text.replace(secret, "[secret]") if secret else text,
            exempt=lambda: self.exempt,
            on_look=lambda blind, lags: self.looks.append((blind, dict(lags))),
        )

    def monotonic(self) -> float:
        return self.seconds

    def clock(self) -> int:
        return NOON + round((self.seconds - 1000.0) * 1000 * self.pace)

    def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        self.called.append(f"{method} {url}")
        return self.answers, b"no"

    def wait(self, seconds: int, *, evaluating: str = "") -> None:
        """Let time pass; ``evaluating`` keeps up with the present meanwhile."""
        for _ in range(seconds):
            self.seconds += 1.0
            if not self.frozen:
                self.progress.beat("loop")
            if evaluating:
                self.progress.evaluated(evaluating, self.clock() - 3_000)
            self.watchdog.look()

    def settle(self) -> None:
        """Let the watchdog resolve what a dead worker may have left open, and forget that."""
        self.wait(5)
        self.pagerduty.take()
