"""Does success itself collapse, whatever the error codes say, and whoever those are who fail?

Some codes do not count against the service, as they are the person's act; and some failures that count are taken for
one person's tries or for nobody's (``people.crowd``). Where hardly anybody gets in any more they are an outage all the
same: where the evidence that fires any outage shows that fewer than half of those get in who usually do
(``confidence.failure_gain`` against that share). All who failed by such codes are its people; of failures in doubt as
many as successes are missing. Failures of known people that count are the outage detector's own matter: most failures
must be others. A crowd that fails beside people who get in as before is no collapse: since it began to fail three in
ten of the successes must be missing as well, where the hour before lets some be expected. Where half of the failures
of the longest window stand where a success is missing, it is enough that there fewer than half surely get in.

A scope with few sign-ins shows in longer windows what stands in doubt: one person's tries make nobody else fail to get
in. Where hardly anybody succeeds any more of those whom the hour before lets be expected, and as few by chance once in
10,000 times, the failures in doubt are those of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import (
    chance_of_so_few,
    failure_gain,
    poisson_lower_bound,
    surely_above,
    surely_below,
)
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE
from detectors.history.history import History
from detectors.incidents import Cause
from detectors.instants import DAY, HOUR, MINUTE, format_duration
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, EXCLUDED, GOOD
from detectors.windows.frame import Frame

__all__ = ["Collapse"]

#: Fewer than this share get in.
_HALF = 0.5
#: z of the one-sided bound of 95 %, which the policy's meanings call sure.
_SURE = 1.645
#: Success has collapsed only if at most this share of the earlier successes is left, and no chance leaves so few
#: (99.9 %, Poisson around a level known as well as that of a shortfall), where so many are to be expected: of fewer
#: chance can leave none.
_LEFT = 0.7
_FEWER = 3.09
_EXPECTED = 7
#: Failures over the usual number began with the shortest window that holds this share of those of the longest.
_MOST = 0.75
#: The longest window that shows whom failures in doubt keep out, ms: half of the hour must say what was before.
_LONGEST = 30 * MINUTE
#: By chance so few succeed while somebody tries again and again.
_LULL = 1e-4


@dataclass(frozen=True)
class _Window:
    """A window (ms): people who failed with any code, and trials, (M, scope) at the steps that are judged."""

    length: int
    failed: Ints
    trials: Ints
    fires: Bools
    going_on: Bools


class Collapse:
    """Where success collapses in a frame.

    Args:
        frame: the frame.
        policy: the policy.
        history: tells which share usually fails, with any code.
        needed: the evidence that fires, nats.

    Attributes:
        fires: bool (step, scope) whether success has collapsed.
        lingers: bool (step, scope) whether fewer than half get in, whatever the evidence.
    """

    def __init__(self, frame: Frame, policy: Policy, history: History, needed: float) -> None:
        self._frame = frame
        self._policy = policy
        self._history = history
        self._needed = needed
        self._lattice = lattice_of(frame.scopes)
        shape = (len(frame.ends), len(frame.scopes))
        self.fires: Bools = np.zeros(shape, dtype=bool)
        self.lingers: Bools = np.zeros(shape, dtype=bool)
        lengths = self._lengths + self._longer
        near = [self._near(length) for length in lengths] if frame.codes is not None else []
        # (M,) the steps at which success may have collapsed in a window: no other step is judged.
        self._steps: Ints = np.flatnonzero(np.any([where.any(axis=1) for where in near], axis=0))
        self._windows: list[_Window] = []
        if not len(self._steps):
            return
        fewer = self._fewer_since()
        again: Bools = np.zeros((len(self._steps), shape[1]), dtype=bool)  # people surely get in again
        for length, where in zip(lengths, near, strict=True):
            wanted = where[self._steps] & ~again
            one = (
                self._tries(length, wanted) if length in self._longer else self._judge(length, wanted, fewer)
            )
            self._windows.append(one)
            self.fires[self._steps] |= one.fires
            self.lingers[self._steps] |= one.going_on
            again |= surely_below(one.failed, one.trials, _HALF, _SURE)

    @property
    def _lengths(self) -> list[int]:
        longest = self._policy.surge.window
        return [w for w in self._policy.evidence_windows if 8 * self._policy.step < w <= longest]

    @cached_property
    def _longer(self) -> list[int]:
        if self._frame.crowd is None:
            return []
        windows = self._policy.evidence_windows
        return [window for window in windows if self._policy.surge.window < window <= _LONGEST]

    @cached_property
    def usual(self) -> Floats:
        """(M, scope) the share of completed sign-ins that usually fails, with any code."""
        days, day = np.unique((self._frame.ends[self._steps] - 1) // DAY, return_inverse=True)
        of_days = []
        for one in days:
            at = int((one + 1) * DAY)
            errors = self._history.usual_user_errors(at)
            known = np.where(np.isnan(errors), self._policy.surge.usual_user_errors, errors)
            of_days.append(
                np.maximum(known + self._history.usual_failing_ratio(at), self._policy.outage.usual)
            )
        return np.asarray(np.minimum(np.stack(of_days)[day], 0.9))

    @cached_property
    def _too_many(self) -> Floats:
        """(M, scope) the share that fails where half of those get in who usually do."""
        return np.asarray(1.0 - _HALF * (1.0 - self.usual))

    @cached_property
    def _people(self) -> Ints:
        """(M, scope) people who failed with any code, in the longest window of codes."""
        codes = self._frame.codes
        assert codes is not None  # else no step is judged
        return codes.people(codes.codes, self._policy.surge.window)[self._steps]

    @cached_property
    def _in_the_hour(self) -> Ints:
        """(M, scope) sign-ins that succeeded in the hour."""
        return self._signed_in(HOUR)

    def _signed_in(self, length: int) -> Ints:
        """Return (M, scope) the sign-ins that succeeded in a window (ms), tokens left out."""
        good = self._count(length, GOOD)
        return np.asarray(good - self._lattice.tokens(good))

    def _count(self, length: int, counter: int) -> Ints:
        """Return (M, scope) a counter in a window (ms)."""
        return np.asarray(self._frame.counts[length][..., counter][self._steps])

    def _in_doubt(self, length: int) -> Ints | None:
        """Return (step, scope) failures that count and may be one person's tries or nobody's; None without any."""
        crowd = self._frame.crowd
        return None if crowd is None else np.minimum(crowd.excess(length), self._frame.people[length])

    def _near(self, length: int) -> Bools:
        """Return (step, scope) whether so many fail in a window (ms) that success may have collapsed."""
        counts, least = self._frame.counts[length], self._policy.outage.min_people
        doubted = self._in_doubt(length)
        if length in self._longer and doubted is not None:
            tried, good = counts[..., BAD], counts[..., GOOD]
            most = (2 * doubted > tried) & (tried > _HALF * good) & self._lattice.is_scope
            return np.asarray(most & (tried >= least))
        others = counts[..., EXCLUDED]
        others = others if doubted is None else others + doubted
        out: Bools = np.zeros(others.shape, dtype=bool)
        # Most failures are others, so no other scope comes near.
        some = np.flatnonzero(self._lattice.is_scope & (2 * others.max(axis=0, initial=0) > least))
        if some.size:
            left_out, bad, good = (counts[:, some, counter] for counter in (EXCLUDED, BAD, GOOD))
            failures = bad + left_out
            out[:, some] = (failures >= least) & (2 * others[:, some] > failures) & (failures > _HALF * good)
        return out

    def _earlier(self, length: int, good: Ints) -> Floats:
        """Return (M, scope) the successes that the hour before a window (ms) lets be expected in it."""
        ends = self._frame.ends[self._steps]
        known = ends - length - np.maximum(ends - HOUR, self._frame.covered_from)
        return np.asarray(
            np.maximum(self._in_the_hour - good, 0) * (length / np.maximum(known, length))[:, None]
        )

    def _spread(self, good: Ints, before: Floats) -> Floats:
        """Return (M, scope) the standard deviation of the successes to be expected, beside those of a window."""
        hour = np.maximum(self._in_the_hour - good, 1)
        return np.asarray(np.sqrt(before + before**2 * (self._policy.silence.level_spread**2 + 1.0 / hour)))

    def _fewer_since(self) -> Bools:
        """Return (M, scope) whether surely fewer succeed than before, in the shortest window with the failures."""
        over, fewer = [], []
        for length in self._lengths:
            good = self._signed_in(length)
            before = self._earlier(length, good)
            left = np.minimum(_LEFT * before, np.maximum(before - _FEWER * self._spread(good, before), 0.0))
            fewer.append((before >= _EXPECTED) & (good <= left))
            failures = self._count(length, BAD) + self._count(length, EXCLUDED)
            over.append(failures - self.usual * (failures + good))
        holding = np.argmax(np.stack(over) >= _MOST * over[-1], axis=0)
        return np.asarray(np.take_along_axis(np.stack(fewer), holding[None], axis=0)[0])

    def _judge(self, length: int, near: Bools, fewer: Bools) -> _Window:
        """Return what a window (ms) shows; one in which hardly anybody fails shows that a longer one is past.

        Args:
            length: of the window, ms.
            near: (M, scope) where an answer is wanted.
            fewer: (M, scope) whether surely fewer succeed than before the failures began.
        """
        least = self._policy.outage.min_people
        good, bad, left_out = self._signed_in(length), self._count(length, BAD), self._count(length, EXCLUDED)
        before = self._earlier(length, good)
        # People are counted over the longest window of codes, at most as many as failures in a shorter one.
        failed = np.minimum(bad + left_out, self._people)
        few = before * (self._policy.surge.window / length) < _EXPECTED
        fires = self._is_sure(failed, good) & (fewer | few)
        if length == self._lengths[-1]:
            fires |= self._take_the_place(failed, good, bad + left_out, before)
        fires &= left_out > bad
        doubted = self._in_doubt(length)
        if doubted is not None:
            missing = np.maximum(np.rint(before).astype(np.int64) - good - failed, 0)
            some = np.minimum(np.minimum(doubted[self._steps], bad + left_out - failed), missing)
            failed = failed + np.where(fewer, some, 0)
            fires |= self._is_sure(failed, good) & fewer
        trials = failed + good
        enough = near & (failed >= least)
        return _Window(length, failed, trials, near & fires, enough & (good < _HALF * trials))

    def _tries(self, length: int, near: Bools) -> _Window:
        """Return where failures in doubt keep others out in a long window (ms); arguments as of ``_judge``."""
        good, tried = self._signed_in(length), self._count(length, BAD)
        # What came before the longest window says how many succeed: what has failed for a while is no measure.
        longest = self._longer[-1]
        late = self._signed_in(longest)
        before = self._earlier(longest, late) * (length / longest)
        spread = np.sqrt(self._policy.silence.spread**2 + 1.0 / np.maximum(self._in_the_hour - late, 1))
        instead = near & (before >= _EXPECTED) & (2 * tried >= before - good)
        instead[instead] = chance_of_so_few(good[instead], before[instead], spread[instead]) <= _LULL
        failed = np.minimum(tried, self._frame.persons(length)[self._steps])
        missing = np.maximum(np.rint(before).astype(np.int64) - good - failed, 0)
        failed = failed + np.where(instead, np.minimum(tried - failed, missing), 0)
        trials = failed + good
        sure = failure_gain(failed, trials, self.usual) >= self._needed
        fires = instead & sure & (failed >= self._policy.outage.min_people) & (good < _HALF * trials)
        return _Window(length, failed, trials, fires, np.zeros_like(fires))

    def _is_sure(self, failed: Ints, good: Ints) -> Bools:
        """Return (M, scope) whether so many people failed beside successes that fewer than half get in."""
        enough = failed >= self._policy.outage.min_people
        return np.asarray(enough & (failure_gain(failed, failed + good, self._too_many) >= self._needed))

    def _take_the_place(self, failed: Ints, good: Ints, failures: Ints, before: Floats) -> Bools:
        """Return (M, scope) whether fewer than half surely get in, and failures take the place of successes.

        A crowd beside people who get in as before takes none: half of the failures must be no more than successes are
        surely missing, and so many people usually never fail. What is sure of the half is so to 99.9 %.
        """
        missing = before - good
        instead = (missing > _SURE * self._spread(good, before)) & (failures <= 2 * missing)
        trials = failed + good
        unusual = failure_gain(failed, trials, self.usual) >= self._needed
        half = surely_above(failed, trials, self._too_many, _FEWER)
        return np.asarray((before >= _EXPECTED) & instead & unusual & half)

    def gain(self) -> Floats:
        """Return float64 (step, scope), as ``Verdicts.gain`` defines it; 0 at steps at which nothing has collapsed."""
        gains: Floats = np.zeros(self.fires.shape)
        for one in self._windows:
            now = one.fires.any(axis=1, keepdims=True)
            found = failure_gain(one.failed, one.trials, self.usual) * now
            gains[self._steps] = np.maximum(gains[self._steps], found)
        return gains

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell of a step at which a scope fires.

        It is that of the longest window that fires at the cell, or else on another scope.
        """
        frame, at = self._frame, int(np.searchsorted(self._steps, step))
        at_step = [one for one in self._windows if one.fires[at].any()]
        firing = [one for one in at_step if one.fires[at, scope]] or at_step
        shortest, longest = firing[0], firing[-1]
        failed, trials = int(longest.failed[at, scope]), int(longest.trials[at, scope])
        usual = float(self.usual[at, scope])
        evidence = float(failure_gain(failed, trials, self._too_many[at, scope]))
        state = np.where(self.fires, FIRING, NOT_ENOUGH_EVIDENCE).astype(np.int8)
        return cause_at("outage", frame.scopes, state, step, scope)(
            sentence=f"{failed:,} of {trials:,} people failed on {of_scope('sign-ins', frame.scopes, scope)} in"
            f" {format_duration(longest.length)}, with whatever code; normal is {usual:.2%}",
            numbers={
                "window_ms": longest.length,
                "good": trials - failed,
                "bad": failed,
                "people": failed,
                "counts": "all",
                "failing_ratio": round(failed / trials, 6) if trials else None,
                "usual_ratio": round(usual, 6),
                "evidence": round(evidence, 2),
                "needed": round(self._needed, 2),
                "min_people": self._policy.outage.min_people,
            },
            first_bad=int(frame.ends[step]) - shortest.length,
            estimated_users=poisson_lower_bound(failed, self._policy.severity.confidence)
            * HOUR
            / longest.length,
            failing_ratio=failed / trials if trials else 0.0,
        )
