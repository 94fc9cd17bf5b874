"""Who says that the watch is blind: a thread of its own, which needs neither Kafka nor the event loop.

Each second it looks at what the parts report (``Progress``), at the event loop's heartbeat, and at how far each
environment is evaluated. What has not got on for ``blind_after`` is said to PagerDuty and Slack, past the outbox.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from detectors.instants import SECOND, format_instant
from streams.runtime.health import Health
from streams.runtime.progress import Obstacle, Progress, Why
from streams.watchdog.announcer import Announcer
from streams.watchdog.blindness import CAUSES, CONSEQUENCES, Statement, blind_of, statements
from streams.watchdog.heartbeat import Heartbeat
from streams.watchdog.lag import LagJudge
from streams.watchdog.report import Evaluated, Read, Report, ReportedObstacle, Stalls

__all__ = ["Watchdog", "WatchdogTime"]

log = structlog.get_logger(__name__)

_EVERY = 1.0  # seconds between looks
#: The loop has an obstacle when it has not gone round for so long, seconds.
#: No receiver has taken anything for so long though commands wait, seconds: the heartbeat stops.
_UNHEARD = 300.0
_LOOP_SLOW = 5.0
#: A look that comes so much too late, seconds, and a quarter of ``blind_after``: this process was stopped, and could
#: observe nothing meanwhile.
_STOOD_STILL = 5.0
#: Ends the sentence of a cause that is over, while what follows from it stands.
_OVER = " That is over; what follows from it is not yet."
#: All has been well for so long, seconds, before what a dead worker has left open is resolved.
_WELL_FOR = 3.0
#: An environment of another worker does not get on from this lag on, seconds; from the second on it is not evaluated by
#: anybody any more.
_FLEET_BEHIND, _FLEET_GONE = 60.0, 3600.0
#: So much later than it is evaluated, seconds, is known how far an environment of another worker is evaluated.
_PUBLISHED_WITHIN = 15.0


@dataclass(frozen=True, kw_only=True)
class WatchdogTime:
    """How a watchdog reads time.

    Attributes:
        clock: the present, ms.
        pace: how many ms of ``clock`` pass in a ms.
        monotonic: seconds that never go back.
    """

    clock: Callable[[], int]
    pace: float = 1.0
    monotonic: Callable[[], float] = time.monotonic


class Watchdog:
    """Looks each second, and says what does not get on.

    Args:
        progress: what the parts report.
        health: which parts do their work.
        announcer: notifies the receivers.
        blind_after: how long something must not get on until the watch is blind, seconds.
        times: how time is read.
        heartbeat: calls a URL while all is well; None where none is set.
        mask: hides secrets in what is said.
        exempt: whether a start takes its time for a reason of its own, and is no obstacle.
        on_look: called in the watchdog's thread after each look with the kinds of blindness and the lags in seconds
            by environment.
    """

    def __init__(
        self,
        progress: Progress,
        health: Health,
        announcer: Announcer,
        *,
        blind_after: float,
        times: WatchdogTime,
        heartbeat: Heartbeat | None = None,
        mask: Callable[[str], str] = lambda text: text,
        exempt: Callable[[], bool] = lambda: False,
        on_look: Callable[[frozenset[str], Mapping[str, float]], None] = lambda blind, lags: None,
    ) -> None:
        self._progress = progress
        self._health = health
        self._announcer = announcer
        self._blind_after = blind_after
        self._times = times
        self._heartbeat = heartbeat
        self._mask = mask
        self._exempt = exempt
        self._on_look = on_look
        self._lag = LagJudge(blind_after)
        self._stuck: dict[Why, set[str]] = {Why.LAG: set(), Why.START: set(), Why.LOOP: set()}
        self._awake_since = self._caused_at = float("-inf")
        self._well_since: float | None = None
        self._blind: dict[Why, Statement] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # -- the thread -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look each second from now on, in a thread that does not keep the process alive."""
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. What was said stays said: who ends blind leaves the alert open."""
        self._ended.set()

    def _run(self) -> None:
        monotonic = self._times.monotonic
        while True:
            slept_at = monotonic()
            if self._ended.wait(_EVERY):
                return
            if monotonic() - slept_at > _EVERY + max(_STOOD_STILL, self._blind_after / 4):
                self.woke()
            try:
                self.look()
            except Exception:  # a fault of this program must not end the one part that would tell of it
                log.exception("watchdog_failed")

    def woke(self) -> None:
        """Count anew: this process was stopped, so that nothing it could have reported has been reported."""
        self._awake_since = self._times.monotonic()

    # -- one look ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Measure, judge, and say what is new."""
        now, clock = self._times.monotonic(), self._times.clock()
        self._look_at_loop(now)
        self._look_at_parts()
        lags = self._look_at_evaluation(now, clock)
        obstacles = self._progress.obstacles()
        blind = self._blind_now(obstacles, now)
        if any(one.why in CAUSES for one in blind):
            self._caused_at = now
        said = self._statements(blind, obstacles, now, clock)
        self._log_changes(said)
        self._blind = {
            why: one._replace(sentence=self._mask(one.sentence), remedy=self._mask(one.remedy))
            for why, one in said.items()
        }
        self._on_look(frozenset(why.value for why in self._blind), lags)
        well = self._is_well(obstacles, now, clock)
        self._announcer.announce(self._blind, well=well)
        if self._heartbeat is not None:
            # A watch that sees everything and reaches nobody is no watch: somebody else has to raise the alarm.
            self._heartbeat.beat(well=well and self._progress.unheard_for < _UNHEARD)

    def _is_well(self, obstacles: tuple[Obstacle, ...], now: float, clock: int) -> bool:
        """Whether everything has got on for a while, here and, as far as the topics say, with the other workers."""
        calm = not (
            obstacles or self._fleet_behind(clock) or self._health.waiting() or self._health.stalled()
        )
        self._well_since = (self._well_since or now) if calm else None
        return self._well_since is not None and now - self._well_since >= min(
            _WELL_FOR, self._blind_after / 2
        )

    def _blind_now(self, obstacles: tuple[Obstacle, ...], now: float) -> list[Obstacle]:
        return blind_of(
            obstacles,
            now=now,
            blind_after=self._blind_after,
            awake_since=self._awake_since,
            caused_at=self._caused_at,
            known=self._blind,
        )

    def _statements(
        self, blind: list[Obstacle], obstacles: tuple[Obstacle, ...], now: float, clock: int
    ) -> dict[Why, Statement]:
        """What is to be said now, by kind."""
        said = statements(blind, now=now, clock=clock, pace=self._times.pace)
        return said | self._not_over(said, obstacles, clock)

    def _not_over(
        self, said: Mapping[Why, Statement], obstacles: tuple[Obstacle, ...], clock: int
    ) -> dict[Why, Statement]:
        """What was said of a cause that is over, until evaluation has caught up or is said itself to stand.

        Else people would read that the watch sees again while nothing gets on yet.
        """
        stands = self._fleet_behind(clock) or any(one.why in CONSEQUENCES for one in obstacles)
        if not stands or said.keys() & CONSEQUENCES:
            return {}
        causes = {why: one for why, one in self._blind.items() if why in CAUSES and why not in said}
        return {
            why: one._replace(sentence=one.sentence.removesuffix(_OVER) + _OVER)
            for why, one in causes.items()
        }

    def _fleet_behind(self, clock: int) -> bool:
        """Whether an environment stays behind, as far as the topics say."""
        lags = (self._lag_of(to, clock) for to in self._progress.fleet().values())
        return any(max(self._blind_after, _FLEET_BEHIND) < lag < _FLEET_GONE for lag in lags)

    def _look_at_loop(self, now: float) -> None:
        beat = self._progress.last_beat("loop")
        stuck = {}
        if beat is not None and now - beat >= _LOOP_SLOW:
            sentence = f"The event loop of the worker has not gone round for {now - beat:.0f} s"
            stuck["loop"] = (sentence, beat)
        self._report(Why.LOOP, stuck)

    def _look_at_parts(self) -> None:
        waiting = {} if self._exempt() else self._health.waiting()
        stuck = {
            part: (f"The part {part} does not do its work: {why}", None)
            for part, why in waiting.items()
            if part != "broker"  # the probe reports that obstacle itself
        }
        self._report(Why.START, stuck)

    def _look_at_evaluation(self, now: float, clock: int) -> dict[str, float]:
        """Report the environments that do not get on; the lags of all of this worker, seconds."""
        evaluated, fleet = self._progress.evaluated_to(), self._progress.fleet()
        lags = {env: self._lag_of(to, clock) for env, to in evaluated.items()}
        stuck = {}
        for (
            env,
            to,
        ) in fleet.items():  # another's may be this worker's next: it has stood still since it stood still
            if env not in evaluated:
                self._lag.behind_since(env, to, self._lag_of(to, clock) - _PUBLISHED_WITHIN, now)
        for env, to in evaluated.items():
            since = self._lag.stuck_since(env, to, lags[env], now)
            if since is not None:
                held = self._progress.held_back_by(env)
                sentence = f"{env} is evaluated only up to {format_instant(to)}, {lags[env]:.0f} s ago"
                stuck[env] = (sentence + (f" ({held})" if held else ""), since)
        self._lag.keep(evaluated.keys() | fleet.keys())
        self._report(Why.LAG, stuck)
        return lags

    def _lag_of(self, evaluated_to: int, clock: int) -> float:
        behind = clock + self._progress.broker_ahead - evaluated_to
        return max(0.0, behind / SECOND / self._times.pace)

    def _report(self, why: Why, stuck: Mapping[str, tuple[str, float | None]]) -> None:
        """Report the obstacles of one kind that this watchdog finds, and take back those that are over."""
        for key, (sentence, since) in stuck.items():
            self._progress.stuck(why, sentence, key=key, since=since)
        for key in self._stuck[why] - stuck.keys():
            self._progress.going(why, key)
        self._stuck[why] = set(stuck)

    def _log_changes(self, said: Mapping[Why, Statement]) -> None:
        for why in said.keys() - self._blind.keys():
            one = said[why]
            log.error(
                "watch_blind",
                why=why.value,
                since=format_instant(one.at),
                sentence=one.sentence,
                remedy=one.remedy,
            )
        for why in self._blind.keys() - said.keys():
            log.info("watch_sees_again", why=why.value, blind_since=format_instant(self._blind[why].at))

    # -- what is said of this process ---------------------------------------------------------------------------

    def said(self) -> frozenset[str]:
        """The kinds of blindness that this process says now, to anybody."""
        return frozenset(why.value for why in self._blind)

    def report(self) -> Report:
        """A snapshot. Obstacles of the last second are in it, also while the watchdog waits for a receiver."""
        now, clock = self._times.monotonic(), self._times.clock()
        obstacles = self._progress.obstacles()
        blind = self._blind_now(obstacles, now)
        said = self._statements(blind, obstacles, now, clock)
        waiting = self._health.waiting()
        here = self._progress.evaluated_to()
        beat = self._progress.last_beat("loop")
        return Report(
            at=clock,
            parts={part: self._mask(waiting.get(part, "ok")) for part in self._health.parts()},
            stalled=self._health.stalled(),
            blind={why.value: self._mask(f"{one.sentence} {one.remedy}") for why, one in said.items()},
            obstacles=tuple(self._reported(one, one in blind, now, clock) for one in obstacles),
            evaluated={
                env: Evaluated(to=to, lag_seconds=round(self._lag_of(to, clock), 1), here=env in here)
                for env, to in sorted({**self._progress.fleet(), **here}.items())
            },
            positions={
                partition: Read(offset=one.offset, end=one.end)
                for partition, one in self._progress.positions().items()
            },
            loop=Stalls(
                last_beat_seconds=None if beat is None else round(now - beat, 3),
                longest_seconds=round(self._progress.longest_stall, 3),
            ),
            broker_clock_ahead_seconds=self._progress.broker_ahead / SECOND,
            oldest_unsent_seconds={
                sink: round(max(0.0, (clock - at) / SECOND), 1)
                for sink, at in self._progress.unsent().items()
            },
            told=self._announcer.told(),
        )

    def _reported(self, one: Obstacle, blind: bool, now: float, clock: int) -> ReportedObstacle:
        age = max(0.0, now - one.since)
        return ReportedObstacle(
            why=one.why.value,
            key=one.key,
            since=clock - round(age * SECOND * self._times.pace),
            age_seconds=round(age, 1),
            sentence=self._mask(one.sentence),
            remedy=self._mask(one.remedy),
            blind=blind,
        )
