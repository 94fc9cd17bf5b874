"""Does any worker evaluate? A guard follows the progress that evaluators write, and judges it by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors.instants import SECOND, format_instant
from detectors.values import normalised
from streams.runtime.progress import Progress, Why
from streams.watchdog.lag import LagJudge

__all__ = ["FleetWatch"]

#: Evaluators write every 10 s; so much longer, seconds, may pass between two records without being an obstacle.
_WRITTEN_WITHIN = 15.0
_REMEDY = (
    "Start the workers (watchofficer run), or see their logs and /readyz: "
    "none of them writes its progress to watch-state."
)
_REMEDY_BEHIND = "See the workers' logs and /readyz for why they end, start again or are slow."


@dataclass
class _Moved:
    """When an environment moved on last.

    Attributes:
        evaluated_to: the greatest T (ms) that was written; 0: unknown.
        at: when it was seen first, monotonic seconds.
        place: the partition of `watch-state` on which that was written.
    """

    evaluated_to: int
    at: float
    place: int


class FleetWatch:
    """Knows when each environment moved on last.

    Args:
        progress: receives an obstacle for each environment that does not move on, or stays behind.
        monotonic: seconds that never go back.
        blind_after: the lag from which an environment counts as not watched, seconds.
    """

    def __init__(
        self, progress: Progress, monotonic: Callable[[], float], *, blind_after: float = 60.0
    ) -> None:
        self._progress = progress
        self._monotonic = monotonic
        self._lag = LagJudge(blind_after + _WRITTEN_WITHIN, ordinary=_WRITTEN_WITHIN)
        self._stamped: tuple[int, float] | None = None  # the broker's time (ms), and when that was read
        self._began = monotonic()
        self._moved: dict[str, _Moved] = {}
        self._caught_up = self._lives = False

    def reads_anew(self) -> None:
        """The topic is read from its beginning: what stands there is taken once more, and says nothing new."""
        self._caught_up = False

    def caught_up(self) -> None:
        """All records that stood on the topic have been taken: those that come from now on have just been written."""
        self._caught_up = True

    def take(
        self,
        env: str,
        evaluated_to: int | None,
        *,
        gone: bool = False,
        place: int = 0,
        together: frozenset[str] | None = None,
        stamp: int | None = None,
    ) -> None:
        """Take a record of `watch-state`.

        Args:
            env: the environment.
            evaluated_to: its last T, ms; None where the record does not say.
            gone: whether the environment is given up.
            place: the partition of the record.
            together: all environments that are evaluated on that partition; None where the record does not say.
            stamp: when the broker took the record, ms; None where that is not known.
        """
        if stamp is not None and self._caught_up:
            self._stamped = stamp, self._monotonic()
        if gone or normalised(env) != env:
            self._give_up(env)
            return
        self._lives = self._lives or self._caught_up
        known = self._moved.get(env)
        moved = (
            self._caught_up if evaluated_to is None else known is None or evaluated_to > known.evaluated_to
        )
        if known is None or moved:
            reached = max(evaluated_to or 0, known.evaluated_to if known else 0)
            self._moved[env] = _Moved(reached, self._monotonic(), place)
        if together is not None and env in together:
            for other in [name for name, moved in self._moved.items() if moved.place == place]:
                if other not in together:
                    self._give_up(other)

    def _give_up(self, env: str) -> None:
        """Wait for an environment no more: nobody evaluates it, and nobody should."""
        self._moved.pop(env, None)
        self._progress.going(Why.LAG, _key(env))

    def look(self) -> None:
        """Report the environments that do not move on, and that there are none."""
        now = self._monotonic()
        if self._lives:
            self._progress.going(Why.LAG, _key(""))
        else:
            sentence = "No worker has written how far it has evaluated since this guard started"
            since = self._began + _WRITTEN_WITHIN
            self._progress.stuck(Why.LAG, sentence, key=_key(""), remedy=_REMEDY, since=since)
        for env, moved in self._moved.items():
            stands = now - moved.at >= _WRITTEN_WITHIN
            behind = self._behind_since(env, moved, now)
            if not stands and behind is None:
                self._progress.going(Why.LAG, _key(env))
                continue
            since = min(moved.at + _WRITTEN_WITHIN if stands else now, now if behind is None else behind)
            remedy = _REMEDY if behind is None else _REMEDY_BEHIND  # the same for as long as it stays behind
            self._progress.stuck(
                Why.LAG,
                self._sentence(env, moved, now, stands=stands),
                key=_key(env),
                remedy=remedy,
                since=since,
            )
        self._lag.keep(self._moved.keys())
        self._progress.set_fleet(
            {env: moved.evaluated_to for env, moved in self._moved.items() if moved.evaluated_to}
        )

    def _behind_since(self, env: str, moved: _Moved, now: float) -> float | None:
        """Since when an environment stays behind, though it may move on at times, monotonic seconds; else None."""
        lag = self._lag_of(moved, now)
        return None if lag is None else self._lag.behind_since(env, moved.evaluated_to, lag, now)

    def _lag_of(self, moved: _Moved, now: float) -> float | None:
        """How far an environment is behind the broker's time, seconds; None where that is not known."""
        if self._stamped is None or not moved.evaluated_to:
            return None
        stamp, read_at = self._stamped
        return (stamp - moved.evaluated_to) / SECOND + now - read_at

    def _sentence(self, env: str, moved: _Moved, now: float, *, stands: bool) -> str:
        reached = f" beyond {format_instant(moved.evaluated_to)}" if moved.evaluated_to else ""
        if stands:
            return f"No worker has evaluated {env}{reached} for {now - moved.at:.0f} s, as seen by the guard"
        lag = self._lag_of(moved, now) or 0.0
        return f"Workers evaluate {env}, stop and stay behind: {lag:.0f} s now, as seen by the guard"


def _key(env: str) -> str:
    return f"fleet {env}".strip()
