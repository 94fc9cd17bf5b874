"""Does too large a share of requests take longer than the objective allows?

The objective of each method is that at least ``latency_target`` of its completed requests take less than
``latency_threshold_ms``; the rest is a budget, as in the multi-window, multi-burn-rate alerts of *The Site
Reliability Workbook*, chapter 5. A rule fires where the lower confidence bound of the slow share exceeds
``factor`` times the budget in both its long and its short window, unless a still shorter window contradicts it.
The detector goes quiet by the short windows.

With a budget of 5 %, the burn rate is at most 20, so the factors are smaller than those of the success
objective. Requests count, not people, because every request waits. Slowness alone wakes nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import Scopes
from detectors.confidence import failure_gain, surely_above, surely_below, wilson_lower
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import METHOD, lattice_of
from detectors.detection.verdicts import FIRING, Verdicts, verdict_of
from detectors.history.history import History
from detectors.history.long_windows import before_the_hour
from detectors.incidents import Cause, DetectorName
from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy.detector_sections import LatencyRule
from detectors.policy.policy import Policy
from detectors.windows.counters import SLOW, TIMED
from detectors.windows.frame import Frame

__all__ = ["LatencyDetector", "slow_budgets"]

#: The longest window that can show health, ms.
_RECENT = 15 * MINUTE


@dataclass(frozen=True)
class LatencyDetector:
    """Detects requests that take longer than the objective allows."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "latency"

    def may_fire(self, frame: Frame) -> bool:
        """Whether a rule fires anywhere in a frame."""
        return any(fires.any() for fires in _Slowness(frame, self.policy, self.history).fires)

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Slowness(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain, found.unknowing)


def slow_budgets(policy: Policy, scopes: Scopes) -> Floats:
    """Return (scope,) the share of requests that may be slow.

    It is that of the scope's method, the least of all for a method without an objective, and the largest for scopes of
    several methods.
    """
    known = {method: 1.0 - objective.latency_target for method, objective in policy.objectives.items()}
    return lattice_of(scopes).by_method(known, min(known.values()), max(known.values()))


class _Slowness:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._history = history
        self._policy = policy.latency
        self._objectives = policy.objectives
        self._budget = slow_budgets(policy, frame.scopes)
        # Methods and providers are slow, clients hardly are: a third axis would only add scopes with few requests, of
        # which some are slow by chance.
        lattice = lattice_of(frame.scopes)
        self._is_scope = lattice.is_scope & ~lattice.names[2:].any(axis=0)
        self._live = tuple(window for window in frame.windows if window <= _RECENT)
        self.fires = self._judge()
        self._gains: Floats | None = None

    @cached_property
    def state(self) -> npt.NDArray[np.int8]:
        """The states, int8 (step, scope), as in ``Verdicts.state``."""
        return verdict_of(np.any(self.fires, axis=0), self._healthy())

    @cached_property
    def unknowing(self) -> Bools:
        """The cells (step, scope) without a basis for comparison, as in ``Verdicts.unknowing``."""
        return np.asarray(self._too_few() & ~np.any(self.fires, axis=0))

    # -- counts ----------------------------------------------------------------------------------------------

    def _counts(self, length: int) -> tuple[Ints, Ints]:
        """Return slow requests and requests with a duration, (step, scope) each, in a window (ms) up to an hour."""
        counts = self._frame.counts[length]
        return counts[..., SLOW], counts[..., TIMED]

    def _window(self, length: int, steps: Ints, scopes: Ints) -> tuple[Floats, Floats, Bools]:
        """Return slow requests, requests with a duration, and whether enough is known, at cells (M,)."""
        slow, timed = (counts[steps, scopes].astype(np.float64) for counts in self._counts(min(length, HOUR)))
        if length <= HOUR:
            return slow, timed, np.ones(len(steps), dtype=bool)
        rows, place = np.unique(steps, return_inverse=True)
        older, share = before_the_hour(self._history, self._frame.ends[rows], length)
        known = share[place] >= self._policy.min_coverage
        return slow + older[place, scopes, SLOW], timed + older[place, scopes, TIMED], known

    # -- verdicts --------------------------------------------------------------------------------------------

    def _judge(self) -> list[Bools]:
        """Return for each rule (step, scope) whether it fires."""
        rules, z = self._policy, self._policy.confidence
        # Slow requests of a long window are no news if no request was slow recently.
        shortest = min(rule.short for rule in rules.rules)
        waited = (self._counts(min(shortest, HOUR))[0] > 0) & self._is_scope
        out = []
        for rule in rules.rules:
            steps, scopes = np.nonzero(waited & (self._counts(min(rule.short, HOUR))[0] >= rule.min_slow))
            for length in (rule.short, rule.long):
                if not len(steps):
                    break
                many, of, known = self._window(length, steps, scopes)
                sure = known & surely_above(many, of, self._limit(rule)[scopes], z)
                steps, scopes = steps[sure], scopes[sure]
            for window in self._live:
                if window < rule.short and len(steps):
                    slow, timed = self._counts(window)
                    limit = self._limit(rule)[scopes]
                    left = ~surely_below(
                        slow[steps, scopes], timed[steps, scopes], limit, rules.recover_confidence
                    )
                    steps, scopes = steps[left], scopes[left]
            fires = np.zeros(waited.shape, dtype=bool)
            fires[steps, scopes] = True
            out.append(fires)
        return out

    def _limit(self, rule: LatencyRule) -> Floats:
        return np.minimum(rule.factor * self._budget, 0.99)

    def _healthy(self) -> Bools:
        """Return (step, scope) whether surely few requests are slow in a window of at most 15 minutes."""
        limit = np.minimum(self._policy.quiet_factor * self._budget, 0.99)
        shown = [
            surely_below(*self._counts(window), limit, self._policy.recover_confidence)
            for window in self._live
        ]
        return np.asarray(np.any(shown, axis=0))

    def _too_few(self) -> Bools:
        """Return (step, scope) whether too few requests carry a duration to show health even if none is slow."""
        limit = np.minimum(self._policy.quiet_factor * self._budget, 0.99)
        _, timed = self._counts(self._live[-1])
        none = np.zeros_like(timed)
        return ~surely_below(none, timed, limit, self._policy.recover_confidence)

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            rows = np.flatnonzero((self.state == FIRING).any(axis=1))
            for window in sorted({min(rule.short, HOUR) for rule in self._policy.rules}):
                slow, timed = self._counts(window)
                gain = failure_gain(slow[rows], timed[rows], self._budget)
                self._gains[rows] = np.maximum(self._gains[rows], gain)
        return np.asarray(self._gains[step])

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the rule with the fastest burn that fires."""
        rules = [rule for rule, on in zip(self._policy.rules, self.fires, strict=True) if on[step, scope]]
        rule = max(rules or self._policy.rules, key=lambda rule: rule.factor)
        frame, at, where = self._frame, np.array([step]), np.array([scope])
        (slow, timed), (short_slow, short_timed) = (
            (float(window[0][0]), float(window[1][0]))
            for window in (self._window(length, at, where) for length in (rule.long, rule.short))
        )
        budget = float(self._budget[scope])
        share = slow / timed if timed else 0.0
        short_share = short_slow / short_timed if short_timed else 0.0
        name = of_scope("requests", frame.scopes, scope)
        limits = self._thresholds(scope)
        sentence = (
            f"{slow:,.0f} of {timed:,.0f} {name} took {limits} or longer in {format_duration(rule.long)},"
            f" {short_share:.0%} in {format_duration(rule.short)}; {budget:.1%} may"
        )
        holding = [
            window
            for window in frame.windows
            if window <= rule.short
            and frame.counts[window][step, scope, SLOW]
            == frame.counts[min(rule.short, HOUR)][step, scope, SLOW]
        ]
        return cause_at("latency", frame.scopes, self.state, step, scope)(
            sentence=sentence,
            numbers={
                "long_ms": rule.long,
                "short_ms": rule.short,
                "factor": rule.factor,
                "budget": round(budget, 6),
                "slow": slow,
                "timed": timed,
                "slow_ratio": round(share, 6),
                "slow_ratio_short": round(short_share, 6),
                "surely_above": round(float(wilson_lower(slow, timed, self._policy.confidence)), 6),
                "threshold": round(float(self._limit(rule)[scope]), 6),
                "min_slow": rule.min_slow,
            },
            first_bad=int(frame.ends[step]) - holding[0] if slow and holding else None,
            failing_ratio=0.0,
        )

    def _thresholds(self, scope: int) -> str:
        """Return the latency thresholds of a scope's methods in words: "2.43 s", "2.43 s (ssoe), 1.2 s (sis)"."""
        promised = {method: one.latency_threshold_ms for method, one in self._objectives.items()}
        method = lattice_of(self._frame.scopes).value(scope, METHOD)
        if method is not None:
            return f"{promised.get(method, min(promised.values())) / 1000:g} s"
        of = {method: f"{limit / 1000:g} s" for method, limit in promised.items()}
        return ", ".join(f"{limit} ({name})" for name, limit in of.items())
