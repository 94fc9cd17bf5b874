"""What may the life cycle of incidents ask about a step, and what are the SLIs of a step?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from detectors.axes import ANY, contains, named
from detectors.commonality.commonality import in_common, usual_failures
from detectors.commonality.completed import Population
from detectors.detection.faults import IN_COMMON, Faults
from detectors.detection.verdicts import Verdicts, finding
from detectors.engine.frame_builder import FrameBuilder
from detectors.engine.state import Spans
from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import Common, Counts, FindingState
from detectors.instants import HOUR, MINUTE
from detectors.lifecycle.memory import FOUND_IN_FAILURES
from detectors.policy.policy import Policy
from detectors.slis import SliValue
from detectors.windows.counters import BAD, COUNTERS, GOOD, SESSION_BAD
from detectors.windows.frame import Frame
from detectors.windows.impact import Distinct, relative_error
from detectors.windows.probing.probes import OK
from detectors.windows.returns import RETURNED, WENT

__all__ = ["FrameView", "sli_of"]

#: The shortest span of which it is said what those who fail have in common, so that it is known who comes at all, ms.
_AT_LEAST = 5 * MINUTE


class FrameView:
    """Answers the life cycle's questions about step ``n`` of a frame, as ``lifecycle.memory.View`` defines them.

    Args:
        frame: the last frame.
        verdicts: the verdicts of all detectors on the frame.
        behind: what is behind the frame, with more detail of the last hour.
        policy: the policy.
        unread: spans of T in which an input partition could not be read, or most of what was read was rejected.
        faults: what is done about faults in telling what people have in common; by default they are raised.
    """

    def __init__(
        self,
        frame: Frame,
        verdicts: Sequence[Verdicts],
        behind: FrameBuilder,
        policy: Policy,
        unread: Spans,
        faults: Faults | None = None,
    ) -> None:
        self._methods = frozenset(policy.objectives)
        self._news = policy.lifecycle.news
        self._delays = policy.funnel.delays
        self.frame = frame
        self.verdicts = verdicts
        self._behind = behind
        self._axes = policy.axes
        self._breakdowns = policy.breakdowns
        self._unread = unread
        self._faults = faults or Faults()
        self.frozen = False
        self.n = 0
        self.at = 0

    def move_to(self, n: int) -> None:
        self.n = n
        self.at = int(self.frame.ends[n])
        self.frozen = any(begin < self.at <= end for begin, end in self._unread)

    def finding(self, scope: str, leaving_out: Collection[str] = ()) -> FindingState:
        """Return the combined state of the detectors' findings on a scope, without those in ``leaving_out``."""
        index = self.frame.scopes.index(scope)
        if index is None:
            return "not_enough_evidence"
        asked = [verdict for verdict in self.verdicts if verdict.detector not in leaving_out]
        state = finding(asked, self.n, index)
        if state == "firing" and self.first_bad(scope, self.at - self._news) is None:
            others = [verdict for verdict in asked if verdict.detector not in FOUND_IN_FAILURES]
            return state if finding(others, self.n, index) == "firing" else "not_enough_evidence"
        return state

    def knows(self, scope: str) -> bool:
        """Return whether each value that a scope names is one that events have had, or a method with an objective."""
        scopes = self.frame.scopes
        values = named(scope)
        if len(values) > len(scopes.axes):
            return False
        seen = [{leaf[axis] for leaf in scopes.leaves if leaf is not None} for axis in range(len(values))]
        return all(
            value == ANY or value in seen[axis] or (axis == 0 and value in self._methods)
            for axis, value in enumerate(values)
        )

    def within(self, scope: str) -> tuple[str, ...]:
        """Return the scopes that a scope contains, without itself."""
        scopes = self.frame.scopes
        paths = (scopes.path(group) for group, path in enumerate(scopes.paths) if path is not None)
        return tuple(path for path in paths if path != scope and contains(scope, path))

    def counts(self, scope: str, window: int = HISTORY_SPAN) -> Counts:
        """Return the counts of a scope in a window (ms); zeros for a scope without events."""
        index = self.frame.scopes.index(scope)
        if index is None:
            amounts, users = dict.fromkeys(COUNTERS[:6], 0), 0
        else:
            row = self.frame.counts[window][self.n, index, :6].tolist()
            amounts = dict(zip(COUNTERS[:6], row, strict=True))
            users = int(self.frame.people[window][self.n, index])
        return Counts(at=self.at, window=window, users_impacted=users, **amounts)

    def returned(self, scope: str, window: int) -> float | None:
        """Return the share of started sign-ins that came back in a window (ms), 0-1; None if nobody started.

        Between a start and its return lies one of the funnel's delays; the one with the fewest starts counts.
        """
        index = self.frame.scopes.index(scope)
        counts = self.frame.returns
        needed = {window, *(delay + more for delay in self._delays if delay for more in (0, window))}
        if index is None or not needed <= counts.keys():
            return None
        here = {length: counts[length][self.n, index] for length in needed}
        went = min(
            int(here[window + delay][WENT]) - (int(here[delay][WENT]) if delay else 0)
            for delay in self._delays
        )
        return min(1.0, int(here[window][RETURNED]) / went) if went else None

    def people(self, scope: str, since: int) -> Distinct:
        index = self.frame.scopes.index(scope)
        if index is None:
            return Distinct(0, 0.0)
        since = max(since, self.at - HOUR)
        found = self._behind.impact.distinct_since(index, self.at, since)
        if self.frame.crowd is None:
            return found
        return found._replace(
            people=max(found.people - self.frame.crowd.excess_since(index, self.at, since), 0)
        )

    def first_bad(self, scope: str, since: int) -> int | None:
        index = self.frame.scopes.index(scope)
        return (
            None if index is None else self._behind.windows.first(index, (BAD, SESSION_BAD), since, self.at)
        )

    def succeeded_since(self, scope: str, since: int) -> bool:
        reach = [window for window in self.frame.windows if self.at - window >= since]
        window = reach[-1] if reach else self.frame.windows[0]
        index = self.frame.scopes.index(scope)
        if index is None:
            return False
        return bool(self.frame.counts[window][self.n, index, GOOD]) or self._probes_signed_in(index)

    def _probes_signed_in(self, index: int) -> bool:
        """Return whether the last probes of a scope have signed in."""
        leaves = self.frame.scopes.members[index]
        probes = self.frame.probes
        return bool(probes) and bool(probes[min(probes)][self.n, leaves, OK].any())

    def common(self, scope: str, since: int, usual: Mapping[str, str]) -> tuple[Common, ...] | None:
        """Return what those who fail have in common from the minute of ``since`` (ms) on, 5 min to an hour before T."""
        begin = max(min(since, self.at - _AT_LEAST), self.at - HOUR)

        def found() -> tuple[Common, ...] | None:
            people = self._population(scope, begin, self.at)
            return in_common(people, scope, self._axes, self._breakdowns, usual)

        return self._faults.attempt(IN_COMMON, self.at, found, lambda: None)

    def usual_failures(self, scope: str, until: int) -> dict[str, str]:
        """Return what is most frequent among those who failed in the hour before T, in the minutes before ``until``."""
        before = self.at - HOUR, until - until % MINUTE
        none: dict[str, str] = {}
        return self._faults.attempt(
            IN_COMMON, self.at, lambda: usual_failures(self._population(scope, *before)), lambda: none
        )

    def _population(self, scope: str, since: int, until: int) -> Population:
        completed = self._behind.completed
        completed.move_to(self.at)
        return completed.population(scope, since - since % MINUTE, until)


def sli_of(frame: Frame, n: int, scope: int, window: int) -> SliValue:
    """Return the SLIs of a scope (index) in a window (ms) at step ``n``."""
    good, bad, excluded, started, slow, timed = frame.counts[window][n, scope, :6].tolist()
    users = int(frame.people[window][n, scope])
    path = frame.scopes.path(scope)
    error = relative_error(users, int(frame.levels[window][n])) if window in frame.levels else 0.0
    return SliValue(int(frame.ends[n]), path, window, good, bad, excluded, started, slow, timed, users, error)
