"""What were the indicators of each scope over the last day, a point for each two minutes, in bounded memory?"""

from __future__ import annotations

from array import array

from detectors.instants import DAY, MINUTE
from sinks.console.charts import Sample

__all__ = ["POINT", "SCOPES", "Traces"]

#: The length of a point, ms, and the number of points that are kept of a scope: a day of them.
POINT = 2 * MINUTE
_POINTS = DAY // POINT
#: Scopes that are kept; what comes first is kept, as the environment and its methods do.
SCOPES = 400
_NOTHING = -1.0


class _Trace:
    """A ring: at the place of each two minutes their number, the least success, of how many, and the most people."""

    __slots__ = ("completed", "numbers", "people", "success")

    def __init__(self) -> None:
        self.numbers = array("q", [-1]) * _POINTS
        self.success = array("d", [_NOTHING]) * _POINTS
        self.completed = array("q", [0]) * _POINTS
        self.people = array("q", [0]) * _POINTS


class Traces:
    """The traces of the last day, by scope (path)."""

    def __init__(self) -> None:
        self._traces: dict[str, _Trace] = {}

    def add(
        self,
        scope: str,
        at: int,
        *,
        success: float | None = None,
        completed: int = 0,
        people: int | None = None,
    ) -> None:
        """Add what was measured at T (ms): of several values of two minutes the worst is kept.

        Args:
            scope: the path; one more than ``SCOPES`` is passed by.
            at: T, ms. What is older than what stands in its place changes nothing.
            success: the share that succeeded, 0-1.
            completed: of how many sign-ins it is the share.
            people: who were impacted.
        """
        trace = self._traces.get(scope)
        if trace is None:
            if len(self._traces) >= SCOPES:
                return
            trace = self._traces[scope] = _Trace()
        number = at // POINT
        place = number % _POINTS
        if trace.numbers[place] > number:
            return
        if trace.numbers[place] < number:
            trace.numbers[place], trace.success[place] = number, _NOTHING
            trace.completed[place] = trace.people[place] = 0
        if success is not None:
            known = trace.success[place]
            if known == _NOTHING or success < known:
                trace.success[place], trace.completed[place] = success, completed
        if people is not None:
            trace.people[place] = max(trace.people[place], people)

    def of(self, scope: str, since: int) -> list[Sample]:
        """Return the points of a scope from an instant (ms) on, the oldest first; [] for one that is not kept."""
        trace = self._traces.get(scope)
        if trace is None:
            return []
        found = sorted(
            (number, place) for place, number in enumerate(trace.numbers) if number * POINT >= since - POINT
        )
        return [
            Sample(
                number * POINT + POINT // 2,
                None if trace.success[place] == _NOTHING else trace.success[place],
                trace.people[place],
                trace.completed[place],
            )
            for number, place in found
        ]

    def scopes(self) -> list[str]:
        """Return the scopes that are kept."""
        return list(self._traces)

    def forget(self, scope: str) -> None:
        """Keep a scope no more."""
        self._traces.pop(scope, None)
