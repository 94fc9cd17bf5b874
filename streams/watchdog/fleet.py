"""Does any worker evaluate? A guard follows the progress that evaluators write, and judges it by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors.instants import format_instant
from detectors.values import normalised
from streams.runtime.progress import Progress, Why

__all__ = ["FleetWatch"]

#: Evaluators write every 10 s; so much longer, seconds, may pass between two records without being an obstacle.
_WRITTEN_WITHIN = 15.0
_REMEDY = (
    "Start the workers (watchofficer run), or see their logs and /readyz: "
    "none of them writes its progress to watch-state."
)


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
        progress: receives an obstacle for each environment that does not move on.
        monotonic: seconds that never go back.
    """

    def __init__(self, progress: Progress, monotonic: Callable[[], float]) -> None:
        self._progress = progress
        self._monotonic = monotonic
        self._began = monotonic()
        self._moved: dict[str, _Moved] = {}
        self._caught_up = self._lives = False

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
    ) -> None:
        """Take a record of `watch-state`.

        Args:
            env: the environment.
            evaluated_to: its last T, ms; None where the record does not say.
            gone: whether the environment is given up.
            place: the partition of the record.
            together: all environments that are evaluated on that partition; None where the record does not say.
        """
        if gone or normalised(env) != env:
            self._give_up(env)
            return
        self._lives = self._lives or self._caught_up
        known = self._moved.get(env)
        if known is None or evaluated_to is None or evaluated_to > known.evaluated_to:
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
            if now - moved.at < _WRITTEN_WITHIN:
                self._progress.going(Why.LAG, _key(env))
                continue
            reached = f" beyond {format_instant(moved.evaluated_to)}" if moved.evaluated_to else ""
            self._progress.stuck(
                Why.LAG,
                f"No worker has evaluated {env}{reached} for {now - moved.at:.0f} s, as seen by the guard",
                key=_key(env),
                remedy=_REMEDY,
                since=moved.at + _WRITTEN_WITHIN,
            )
        self._progress.set_fleet(
            {env: moved.evaluated_to for env, moved in self._moved.items() if moved.evaluated_to}
        )


def _key(env: str) -> str:
    return f"fleet {env}".strip()
