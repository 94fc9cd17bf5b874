"""Whatever happens to workers, a watch that stands still is said in time, and one that gets on is not said to stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.records.progress import spoken_headers, spoken_key
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.watchdog.announcer import Announcer
from streams.watchdog.blindness import Statement
from streams.watchdog.fleet import FleetWatch
from streams.watchdog.peers import EVERY, Peers
from streams.watchdog.watchdog import Watchdog, WatchdogTime
from tests.faults.judgement.witness import Stalls, stalls
from tests.streams.watchdog.world import NOON
from tests.support.depth import examples

BLIND_AFTER = 60.0  # seconds
_DELAY = 3_000  # ms, of a watermark
_RESTORES, _COMES_BACK = 4, 3  # seconds
_CATCHES_UP = 10  # times as fast as time goes by


@dataclass
class PagerDuty:
    """One receiver for all processes: alerts by kind.

    Attributes:
        alerts: (why, opened at, resolved at), ms.
    """

    now: int = NOON
    name: str = "pagerduty"
    keeps: bool = True
    alerts: list[tuple[str, int, int | None]] = field(default_factory=list)

    def blind(self, said: Statement) -> str | None:
        if not any(why == said.why.value and ended is None for why, _, ended in self.alerts):
            self.alerts.append((said.why.value, self.now, None))
        return None

    def seeing(self, why: str, at: int) -> str | None:
        self.alerts = [
            (kind, opened, self.now if kind == why and ended is None else ended)
            for kind, opened, ended in self.alerts
        ]
        return None


class Process:
    """The watchdog of one process, from its start to its end."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name, self._fleet = name, fleet
        self.progress, self.health = Progress(fleet.monotonic), Health(fleet.monotonic)
        self.peers = Peers(name, fleet.monotonic, lambda: True)
        self.watchdog = Watchdog(
            self.progress,
            self.health,
            Announcer((fleet.pagerduty,), fleet.monotonic, lambda: 1.0, others=self.peers),
            blind_after=BLIND_AFTER,
            times=WatchdogTime(clock=fleet.clock, monotonic=fleet.monotonic),
        )
        self.said: frozenset[str] = frozenset()
        self.says_at = 0.0


class Worker(Process):
    """A worker that may have the environment.

    Attributes:
        since: when it began to restore the environment, seconds; None where that is another's.
    """

    def __init__(self, name: str, fleet: Fleet) -> None:
        super().__init__(name, fleet)
        self.since: float | None = None
        self.begins_at = fleet.seconds + _COMES_BACK
        self.health.unready("evaluate", "its partitions are not assigned yet")

    def take(self) -> None:
        """Begin to restore the environment."""
        self.since = self._fleet.seconds
        self.health.unready("evaluate", "partitions [0] are not restored yet")

    def give(self) -> None:
        """The environment is another's."""
        self.since = None
        self.progress.evaluated("prod", None)

    def starts_again(self) -> None:
        """The pipeline ends, and another follows in the same process."""
        self.give()
        self.begins_at = self._fleet.seconds + _COMES_BACK
        self.health.unready("evaluate", "it starts again")


class Fleet:
    """Two workers and a guard, and the environment that one of the workers evaluates."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.pagerduty = PagerDuty()
        self.workers = [Worker("0", self), Worker("1", self)]
        self.guard = Process("guard", self)
        self.watch = FleetWatch(self.guard.progress, self.monotonic, blind_after=BLIND_AFTER)
        self.reached = NOON - _DELAY
        self.written = 0
        self.owner: int | None = None
        self.stands = self.away = False
        self.samples: list[tuple[int, int]] = []
        self.troubled: list[tuple[int, int]] = []
        self.watch.caught_up()

    def monotonic(self) -> float:
        return self.seconds

    def clock(self) -> int:
        return NOON + round((self.seconds - 1_000.0) * 1_000)

    def do(self, what: str) -> None:
        """Let something happen at once."""
        number = int(what[-1]) if what[-1].isdigit() else 0
        match what.rstrip("01"):
            case "kill":
                if self.owner == number:
                    self.owner = None
                self.workers[number] = Worker(str(number), self)
            case "lose":
                self.workers[number].starts_again()
                if self.owner == number:
                    self.owner = None
            case "move" if self.owner is not None:
                self.workers[self.owner].give()
                self.owner = 1 - self.owner if self.workers[1 - self.owner].begins_at < self.seconds else None
                if self.owner is not None:
                    self.workers[self.owner].take()
        self.stands, self.away = what == "stand", what == "away"

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.seconds += 1.0
            self.pagerduty.now = self.clock()
            self._assign()
            self._evaluate()
            self._report()
            self.samples.append((self.clock(), self.clock() - self.reached))
            if self.away:
                self.troubled.append((self.clock(), self.clock()))
            for one in (*self.workers, self.guard):
                one.watchdog.look()
            self._speak()

    def _assign(self) -> None:
        for number, worker in enumerate(self.workers):
            if self.seconds < worker.begins_at or self.away:
                continue
            if self.owner is None:
                self.owner = number
                worker.take()
            elif self.owner != number:
                worker.health.ready("evaluate")

    def _evaluate(self) -> None:
        worker = None if self.owner is None else self.workers[self.owner]
        if worker is None or worker.since is None or self.away or self.seconds < worker.since + _RESTORES:
            return
        worker.health.ready("evaluate")
        if not self.stands:
            self.reached = min(self.reached + 1_000 * _CATCHES_UP, self.clock() - _DELAY)
        worker.progress.evaluated("prod", self.reached)
        if self.reached - self.written >= 10_000:
            self.written = self.reached
            self.watch.take("prod", self.reached, stamp=self.clock())

    def _report(self) -> None:
        for one in (*self.workers, self.guard):
            one.progress.beat("loop")
            if self.away:
                one.progress.stuck(Why.BROKER, "the broker is away")
            else:
                one.progress.going(Why.BROKER)
        shown = self.reached - self.reached % 5_000
        for worker in self.workers:
            worker.progress.set_fleet({"prod": shown})
        self.watch.look()

    def _speak(self) -> None:
        """Workers write what they say; everybody hears it."""
        for one in self.workers if not self.away else ():
            said = one.watchdog.said()
            if said != one.said or self.seconds >= one.says_at:
                one.said, one.says_at = said, self.seconds + EVERY
                for other in (*self.workers, self.guard):
                    other.peers.take(spoken_key(one.name), spoken_headers(said, ended=False))

    def judged(self) -> Stalls:
        return stalls(self.samples, self.pagerduty.alerts, self.troubled, blind_after=BLIND_AFTER)


WHATS = ("go", "stand", "kill0", "kill1", "lose0", "lose1", "move", "away")


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(st.sampled_from(WHATS), st.integers(1, 75)), max_size=12))
@example([("away", 61), ("stand", 33)])
@example([("go", 30), *[(f"kill{n % 2}", 9) for n in range(16)]])
@example([("go", 30), *[("stand", 30), ("move", 1), ("stand", 30), ("lose0", 9)] * 4])
def test_a_stall_is_said_within_half_a_minute_of_the_limit_and_nothing_else_is(
    story: list[tuple[str, int]],
) -> None:
    fleet = Fleet()
    fleet.run(20)
    for what, seconds in story:
        fleet.do(what)
        fleet.run(seconds)
    found = fleet.judged()
    assert found.unsaid == [], fleet.pagerduty.alerts
    assert found.untrue == [], fleet.pagerduty.alerts
