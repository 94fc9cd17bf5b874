"""Do far too few sign-ins arrive although the weeks before, or the hour before, let many be expected?

In each window the arrivals, counted when they arrive, are compared with the median of equal clock windows of the weeks
before (``History.expected``), or with the hour before where the history does not know any. The expectation is
scaled down if the hour before was already quieter than expected (a holiday that is in no calendar, a change of habits).
The detector fires where chance would almost never produce so few (``too_few``).

It does not fire where callbacks keep completing, good or bad (then only the reports of starts are missing), nor where
sign-ins have moved: where others of the same axis (methods, providers, further values), or those that name none of it,
have at least half of what is missing above their own expectation, while completions of the scope around them hold.
Once it has lasted for a quarter of an hour this must surely be so; a move that is hours old by the history is not
doubted for a shorter time. What has faded to hardly anything for a day is expected no more. Without either there is
not enough evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats
from detectors.confidence import chance_of_so_few, silence_gain
from detectors.detection.arriving.estimate import began_ago, level_before
from detectors.detection.arriving.moves import moved_elsewhere
from detectors.detection.arriving.too_few import (
    may_be_too_few,
    most_missing,
    only_reports_missing,
    too_few,
    uncertainty,
)
from detectors.detection.arriving.windows import SETTLED, ArrivalWindow, enough_again, settled
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import Verdicts, verdict_of
from detectors.history.arrivals import arrivals, has_starts
from detectors.history.history import History
from detectors.incidents import Cause, DetectorName
from detectors.instants import DAY, HOUR, MINUTE, format_duration
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, EXCLUDED, GOOD
from detectors.windows.frame import Frame
from detectors.windows.returns import RETURNED, WENT

__all__ = ["SilenceDetector"]

#: Expectations are computed at full minutes.
_GRID = MINUTE
#: The time before a window, of the hour that ends with it, that says what is usual where the history does not, ms.
_LEARNED = 30 * MINUTE
#: At least so much of it, ms, is judged for itself.
_LATELY = 10 * MINUTE
#: The level is that of the hour before, unless less than this share of the expected sign-ins arrived in that hour; then
#: it is that of an earlier time.
_LEVEL_GONE = 0.1
#: How far back a level is searched if the last hour has none, ms.
_LEVEL_SPANS = (6 * HOUR, DAY)


def _at_most_usual(level: Floats) -> Floats:
    """Return the level, at most 1, and 1 where it is unknown."""
    return np.where(np.isnan(level), 1.0, np.minimum(level, 1.0))


def _completed(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    completed: npt.NDArray[Any] = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
    return completed


@dataclass(frozen=True)
class SilenceDetector:
    """Detects silences: hardly anybody arrives."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "silence"

    def may_fire(self, frame: Frame) -> bool:
        """Whether hardly any sign-in arrives anywhere in a frame, compared with the usual: never more is expected."""
        rules = self.policy.silence
        known = _Usual(frame, self.policy, self.history)
        for window in rules.windows:
            usual, is_scope = known.arrivals(window), lattice_of(frame.scopes).is_scope
            scopes = np.flatnonzero((usual >= rules.min_expected).any(axis=0) & is_scope)
            if scopes.size:
                arrived = arrivals(frame.arrived(window)[:, scopes], known.by_starts[:, scopes])
                if may_be_too_few(arrived.astype(np.float64), usual[:, scopes], rules, window).any():
                    return True
        return False

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Silences(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain, found.unknowing, found.moved)


class _Usual:
    """The usual counts at the steps of a frame, by the history; where that knows nothing, by the hour before.

    Attributes:
        minutes: (M,) ms.
        minute: (step,) position of the minute of each step.
        hour: counts (M, scope, counter) that are usual in an hour by the history; nan if unknown.
        known: like ``hour``, but from a shorter window where the hour is unknown.
        untold: (step,) whether the history knows nothing of the step.
        by_starts: (step, scope), see ``arrivals.arrivals``.
    """

    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._history = history
        self.minutes, self.minute = np.unique(frame.ends // _GRID * _GRID, return_inverse=True)
        self.hour = history.expected(self.minutes, HOUR)
        # A history that begins exactly two weeks ago lacks part of the hour; shorter windows may be complete.
        self.known = self.hour
        for window in sorted(policy.silence.windows, reverse=True):
            if not np.isnan(self.known).any():
                break
            self.known = np.where(np.isnan(self.known), history.expected(self.minutes, window), self.known)
        unknown: Bools = np.asarray(np.isnan(self.known).any(axis=(1, 2)))
        self.untold: Bools = unknown[self.minute]
        self._by_starts = has_starts(self.known)
        self.by_starts = self._by_starts[self.minute]
        if self.untold.any():
            self.by_starts[self.untold] = has_starts(frame.arrived(HOUR).astype(np.float64))[self.untold]

    def of(self, window: int) -> Floats:
        """Return the usual counts (step, scope, counter) in a window (ms); nan where nothing tells of them."""
        usual = self._history.expected(self.minutes, window)[self.minute]
        if self.untold.any():
            usual[self.untold] = self._by_the_hour(window)[self.untold]
        return usual

    def arrivals(self, window: int) -> Floats:
        """Return the sign-ins (step, scope) that usually arrive in a window (ms); nan where nothing tells of them."""
        if self.untold.any():
            return np.asarray(arrivals(self.of(window), self.by_starts))
        by_minute = arrivals(self._history.expected(self.minutes, window), self._by_starts)
        return np.asarray(by_minute[self.minute])

    def _by_the_hour(self, window: int) -> Floats:
        """Return (step, scope, counter) what an equal part of the time before the window (ms) has brought.

        The part is that of the hour, or of its last minutes before the window, whichever brought less: what has ended
        is not usual. It is nan where less than half an hour is known before the window.
        """
        frame = self._frame
        covered = frame.ends - window - np.maximum(frame.ends - HOUR, frame.covered_from)
        arrived = frame.arrived(window)
        before = (frame.arrived(HOUR) - arrived) * (window / np.maximum(covered, 1))[:, None, None]
        lately = min((one for one in frame.windows if one >= window + _LATELY), default=HOUR)
        if window < lately < HOUR:
            before = np.minimum(before, (frame.arrived(lately) - arrived) * (window / (lately - window)))
        return np.where((covered >= _LEARNED)[:, None, None], before, np.nan)


class _Silences:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._history = history
        self._policy = policy.silence
        self._covered_from = frame.covered_from
        usual = self._usual = _Usual(frame, policy, history)
        self._minutes, self._minute, self._by_starts = usual.minutes, usual.minute, usual.by_starts
        # (minute, scope) as ``by_starts``, for counts of the history
        self._past_by_starts = has_starts(usual.known)
        shape = (len(frame.ends), len(frame.scopes))
        self._lattice = lattice_of(frame.scopes)
        self.state = verdict_of(np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool))
        self.unknowing: Bools = np.ones(shape, dtype=bool)
        self.moved: Floats = np.zeros(shape)
        self._windows: list[ArrivalWindow] = []
        self._gains: Floats | None = None
        self._usual_hour = arrivals(usual.hour, self._past_by_starts)
        # (step,) whether enough sign-ins are to be expected on any scope for a finding
        enough = np.any(self._is_enough(arrivals(usual.known, self._past_by_starts)), axis=1)[self._minute]
        by_the_hour = np.any(self._is_enough(arrivals(frame.arrived(HOUR), self._by_starts)), axis=1)
        self._tells: Bools = np.where(usual.untold, by_the_hour, enough)
        if not self._tells.any():
            return
        self._hours_ago, self._day_ago = (self._level_since(span)[self._minute] for span in _LEVEL_SPANS)
        judged = [self._judge(window) for window in sorted(self._policy.windows)]
        self._windows, self.moved = settled(judged, self._policy)
        firing = np.any([window.fires for window in self._windows], axis=0)
        self.state = verdict_of(firing, enough_again(self._windows, self._policy))
        self.unknowing = ~np.any([w.expected >= self._policy.min_expected for w in self._windows], axis=0)

    # -- levels ----------------------------------------------------------------------------------------------

    def _level_since(self, span: int) -> Floats:
        """Return (minute, scope) arrivals from ``span`` ms to an hour ago over expected ones; nan if unknown."""
        begin, end = self._minutes - span, self._minutes - HOUR
        came = arrivals(self._history.between(begin, end), self._past_by_starts)
        whole = arrivals(self._history.expected(self._minutes, span), self._past_by_starts)
        expected = whole - self._usual_hour
        enough = (self._history.coverage(begin, end)[:, None] > 0.5) & self._is_enough(expected)
        return np.where(enough, came / np.where(enough, expected, 1.0), np.nan)

    def _level_of_the_hour(self, window: int, arrived: Floats, usual: Floats) -> Floats:
        """Return (step, scope) arrivals from an hour ago to the window over expected ones; nan if unknown.

        Where the hour itself says what is usual, its level is 1.
        """
        ends = self._frame.ends[:, None]
        before = arrivals(self._frame.arrived(HOUR), self._by_starts) - arrived
        covered = np.clip(ends - window - np.maximum(ends - HOUR, self._covered_from), 0, HOUR - window)
        expected = (self._usual_hour[self._minute] - usual) * (covered / max(HOUR - window, 1))
        enough = self._is_enough(expected)
        level = np.where(enough, before / np.where(enough, expected, 1.0), np.nan)
        return np.where(self._usual.untold[:, None], 1.0, level)

    def _is_enough(self, expected: Floats) -> Bools:
        return np.asarray(np.nan_to_num(expected) >= self._policy.min_expected)

    @cached_property
    def _moved_before(self) -> Bools:
        """(minute, scope) whether sign-ins had moved in the hours until an hour ago, by the history.

        Of a move that is hours old, seconds are no evidence to the contrary: they hold few people.
        """
        span = _LEVEL_SPANS[0]
        begin, end = self._minutes - span, self._minutes - HOUR
        counts = self._history.between(begin, end)
        whole = self._history.expected(self._minutes, span) - self._history.expected(self._minutes, HOUR)
        came, expected = (arrivals(each, self._past_by_starts).astype(np.float64) for each in (counts, whole))
        known = (self._history.coverage(begin, end)[:, None] > 0.5) & self._is_enough(expected)
        quieter = known & (came < self._policy.recover_ratio * expected) & self._lattice.is_scope
        holds = _completed(counts) > self._policy.completing_ratio * np.nan_to_num(_completed(whole))
        own = np.nan_to_num(expected)
        return quieter & moved_elsewhere(
            self._lattice, quieter, came, own, own, holds, length=span, by_starts=self._past_by_starts
        )

    @cached_property
    def _returning(self) -> Floats:
        """(step, scope) the share of those who arrive who usually complete; 1 where nothing tells of it."""
        counts = self._history.returns(self._usual.known)[self._minute]
        untold = self._usual.untold
        if untold.any() and HOUR in self._frame.returns:
            counts[untold] = self._frame.returns[HOUR][untold]
        went, came = np.nan_to_num(counts[..., WENT]), np.nan_to_num(counts[..., RETURNED])
        told = self._by_starts & (went > 0) & (came > 0)
        return np.where(told, np.minimum(came / np.where(told, went, 1.0), 1.0), 1.0)

    # -- verdicts --------------------------------------------------------------------------------------------

    def _judge(self, length: int) -> ArrivalWindow:
        rules, frame = self._policy, self._frame
        counts = frame.arrived(length)
        by_starts = self._by_starts
        whole = self._usual.of(length)
        arrived = arrivals(counts, by_starts).astype(np.float64)
        usual = arrivals(whole, by_starts)
        hour = self._level_of_the_hour(length, arrived, usual)
        lately = _at_most_usual(np.fmax(hour, self._hours_ago))
        # If the last hour has no level, or was silent itself, the level of the time before is used.
        gone = ~(hour >= _LEVEL_GONE)
        # What has had hardly anything for a whole day has faded: its last people do not say what should come.
        before = np.where(self._day_ago < _LEVEL_GONE, 0.0, np.fmax(self._hours_ago, self._day_ago))
        level = np.where(gone, _at_most_usual(np.fmax(hour, before)), hour)
        level = np.minimum(level, 1.0)
        expected = usual * level
        covered = frame.ends - length >= max(self._covered_from, frame.doubted_to)
        known = covered[:, None] & ~np.isnan(expected)
        expected = np.where(known, expected, 0.0)
        limit = most_missing(rules, length)
        wanted = np.maximum(expected, np.nan_to_num(usual) * lately)
        back = known & (arrived >= limit * wanted)

        moved = np.zeros(arrived.shape, dtype=bool)
        quieter = known & (arrived < limit * expected) & self._lattice.is_scope
        if quieter.any():
            completed, of_whole = _completed(counts), level * np.nan_to_num(_completed(whole))
            quieter &= ~only_reports_missing(arrived, expected, completed, of_whole, rules)
            holds = completed > rules.completing_ratio * of_whole
            # What a value has had above the usual all day is no part of what another one lacks.
            grown = np.fmin(np.fmin(hour, self._hours_ago), self._day_ago)
            own = np.nan_to_num(usual) * np.fmax(grown, 1.0)
            moved = moved_elsewhere(
                self._lattice, quieter, arrived, own, expected, holds, length=length, by_starts=by_starts
            )
            if length < SETTLED and (quieter & gone & ~moved).any():
                moved |= quieter & gone & self._moved_before[self._minute]
        # A flood that is over makes the hour before no measure of a shortfall, so the weeks must tell of it too.
        untold = gone | self._usual.untold[:, None]
        past = np.where(untold, np.nan, arrivals(frame.arrived(HOUR), by_starts) - arrived)
        fires = quieter & too_few(arrived, expected, past, rules, length)
        return ArrivalWindow(length, arrived, usual, expected, past, quieter, moved, fires, wanted, back)

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            for window in self._windows:
                gain = np.where(window.quieter, silence_gain(window.arrived, window.expected), 0.0)
                self._gains = np.maximum(self._gains, gain)
        row: Floats = self._gains[step]
        return row

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the window that ``_telling`` selects."""
        frame = self._frame
        cause = cause_at("silence", frame.scopes, self.state, step, scope)
        name = of_scope("sign-ins", frame.scopes, scope)
        if not self._tells[step]:
            sentence = f"no history says how many {name} to expect"
            return cause(sentence=sentence)
        window = self._telling(step, scope)
        arrived, usual, expected, before = (
            float(of[step, scope]) for of in (window.arrived, window.usual, window.expected, window.before)
        )
        level = self._level_before(window, step, scope)
        told_by = "the hour before" if self._usual.untold[step] else "the weeks before"
        foreseen = float(np.nan_to_num(usual * level))
        # Who would have given up anyway has lost nothing.
        returning = float(self._returning[step, scope])
        per_hour = max(foreseen - arrived, 0.0) * returning * HOUR / window.length
        known = np.array([arrived, expected, np.nan_to_num(before)])
        spread = uncertainty(known[0], known[1], known[2], self._policy)
        chance = float(chance_of_so_few(arrived, expected, spread))
        return cause(
            sentence=(
                f"{arrived:,.0f} {name} arrived in {format_duration(window.length)}, "
                f"where {foreseen:,.0f} were expected by {told_by}"
            ),
            numbers={
                "window_ms": window.length,
                "arrived": arrived,
                "usual": round(usual, 1) if not np.isnan(usual) else None,
                "expected": round(expected, 1),
                "level": round(level, 3) if not np.isnan(level) else None,
                "completing": round(returning, 3),
                "chance": float(f"{chance:.3g}"),
                "threshold": self._policy.chance,
            },
            first_bad=int(frame.ends[step]) - began_ago(self._windows, window, step, scope),
            estimated_users=per_hour if window.quieter[step, scope] else None,
            failing_ratio=min(max(1.0 - arrived / foreseen, 0.0), 1.0) if foreseen else 0.0,
        )

    def _level_before(self, window: ArrivalWindow, step: int, scope: int) -> float:
        """Return the level of the time before a silence, which may have begun long before the window."""
        frame, usual = self._frame, float(window.usual[step, scope])
        level = float(window.expected[step, scope]) / usual if usual > 0 else 1.0
        since = int(min(HOUR, frame.ends[step] - self._covered_from))
        came = {
            length: float(arrivals(frame.arrived(length)[step], self._by_starts[step])[scope])
            for length in frame.windows
            if window.length <= length <= HOUR and not self._usual.untold[step]
        }
        of_hour = float(self._usual_hour[self._minute[step], scope])
        return level_before(level, of_hour, came, since, float(self._hours_ago[step, scope]), self._policy)

    def _telling(self, step: int, scope: int) -> ArrivalWindow:
        """Return the longest window that fires and holds hardly anything of the time before.

        If none fires, it is the longest that is quieter, or else the longest.
        """
        firing = [window for window in self._windows if window.fires[step, scope]]
        if firing:
            lost = [1.0 - window.arrived[step, scope] / window.expected[step, scope] for window in firing]
            return [one for one, share in zip(firing, lost, strict=True) if share >= 0.9 * max(lost)][-1]
        quieter = [window for window in self._windows if window.quieter[step, scope]]
        return (quieter or self._windows)[-1]
