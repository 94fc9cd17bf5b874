"""Is the month's error budget used up too fast, over both a long window and a short one?

The rules are the multi-window, multi-burn-rate alerts of *The Site Reliability Workbook*, chapter 5, made safe for
little traffic: failures count in people, each window's lower confidence bound must exceed the rate, and enough people
must have failed recently. A window longer than an hour consists of the last hour, counted live, and of the history
before it.

A rule whose short window is itself long (two hours, six) would keep firing over failures that ended long ago. So every
rule also requires that the live windows of half an hour and an hour burn, as far as they are shorter than its own
windows, and a rule ends as soon as a still shorter window shows that these failures have stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import surely_above, wilson_lower
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.failing.failures import Failures
from detectors.detection.outage import budgets, recovery_of
from detectors.detection.verdicts import Verdicts, verdict_of
from detectors.history.history import History
from detectors.history.long_windows import before_the_hour
from detectors.incidents import Cause, DetectorName
from detectors.instants import HOUR, MINUTE, format_duration
from detectors.policy.detector_sections import BurnRateRule
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD
from detectors.windows.frame import Frame

__all__ = ["BurnRateDetector"]

#: Shorter windows than this are left out, unless a rule names one, ms.
_FIRST = 10_000
#: Live windows that must also burn in rules with longer windows, ms.
_LATELY = (30 * MINUTE, HOUR)


@dataclass(frozen=True)
class BurnRateDetector:
    """Detects error budgets that are spent too fast."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "burn_rate"

    def may_fire(self, frame: Frame) -> bool:
        """Whether the live windows of a rule exceed its rate anywhere in a frame, without which no rule fires."""
        # People are at most as many as failed requests, so this check excludes most rules.
        near = [
            (rule, live)
            for rule in self.policy.burn_rate.rules
            for live in (tuple(length for length in _lengths(rule) if length <= HOUR),)
            if frame.counts[min(live)][..., BAD].max(initial=0) >= rule.min_people
        ]
        if not near:
            return False
        failures = Failures.of_sign_in(frame, tuple(sorted({length for _, live in near for length in live})))
        budget, z = budgets(self.policy, frame.scopes), self.policy.burn_rate.confidence

        def window(length: int) -> _Window:
            return _Window.live(failures, length)

        return any(len(_raised(rule, live, window, budget, z)[0]) for rule, live in near)

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Burns(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain)


def _lengths(rule: BurnRateRule) -> tuple[int, ...]:
    """Return the windows that must all burn for a rule to fire, ms."""
    return (*(w for w in _LATELY if w < rule.short), rule.short, rule.long)


def _limit(rule: BurnRateRule, budget: Floats) -> Floats:
    """Return the failing ratio (scope,) above which a rule's windows burn."""
    return np.minimum(rule.factor * budget, 0.99)


@dataclass(frozen=True)
class _Window:
    """Failures of one window over the frame: (step, scope), ``known`` (step,) and which groups are scopes."""

    people: Floats
    trials: Floats
    known: Bools
    is_scope: Bools

    @classmethod
    def live(cls, failures: Failures, length: int) -> _Window:
        """Build a window (ms) that the panes of the last hour cover."""
        people, trials = (array[failures.at(length)] for array in (failures.people, failures.trials))
        known = np.ones(len(people), dtype=bool)
        return cls(people.astype(np.float64), trials.astype(np.float64), known, failures.lattice.is_scope)


def _raised(
    rule: BurnRateRule,
    lengths: Sequence[int],
    window: Callable[[int], _Window],
    budget: Floats,
    z: float,
) -> tuple[Ints, Ints]:
    """Return the cells (M,) at which all windows (ms) exceed a rule and enough people failed in the shortest one."""
    shortest = window(min(lengths))
    steps, scopes = np.nonzero((shortest.people >= rule.min_people) & shortest.is_scope)
    for length in lengths:
        if not len(steps):
            break
        seen = window(length)
        people, trials = seen.people[steps, scopes], seen.trials[steps, scopes]
        sure = seen.known[steps] & surely_above(people, trials, _limit(rule, budget)[scopes], z)
        steps, scopes = steps[sure], scopes[sure]
    return steps, scopes


class _Burns:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._history = history
        self._policy = policy.burn_rate
        self._recovery = recovery_of(policy)
        self._budget = budgets(policy, frame.scopes)
        # The first seconds of an outage say nothing of a budget.
        least = min(_FIRST, *(min(_lengths(rule)) for rule in self._policy.rules))
        self._failures = Failures.of_sign_in(frame, tuple(w for w in frame.windows if w >= least))
        self._seen: dict[int, _Window] = {}
        self._fires = self._judge()
        firing = np.any(self._fires, axis=0)
        self.state = verdict_of(firing, self._failures.still_arriving())
        self._gains: Floats | None = None

    def _window(self, length: int) -> _Window:
        """Return the failures of a window (ms), counted live or with the help of the history."""
        if length not in self._seen:
            found = _Window.live(self._failures, min(length, HOUR))
            if length > HOUR:
                # The people behind older failures are not known any more, so each failure counts.
                older, share = before_the_hour(self._history, self._frame.ends, length)
                found = _Window(
                    people=found.people + older[..., BAD],
                    trials=found.trials + older[..., BAD] + older[..., GOOD],
                    known=share >= self._policy.min_coverage,
                    is_scope=found.is_scope,
                )
            self._seen[length] = found
        return self._seen[length]

    def _judge(self) -> list[Bools]:
        """Return for each rule (step, scope) whether its windows exceed its rate, also without past failures."""
        failures, z = self._failures, self._policy.confidence
        raised = [_raised(rule, _lengths(rule), self._window, self._budget, z) for rule in self._policy.rules]
        self._raised = np.unique(np.concatenate([steps for steps, _ in raised]))
        self._present = failures.present(self._raised, self._recovery)
        out = []
        for rule, (steps, scopes) in zip(self._policy.rules, raised, strict=True):
            fires = np.zeros(failures.people.shape[1:], dtype=bool)
            out.append(fires)
            if not len(steps):
                continue
            place = np.searchsorted(self._raised, steps)
            limit = _limit(rule, self._budget)[scopes]
            now = np.ones(len(steps), dtype=bool)
            for length in _lengths(rule):
                at = failures.at(min(length, HOUR))
                people, trials = (a[at, place, scopes] for a in (self._present.people, self._present.trials))
                now &= surely_above(people, trials, limit, z)
            now &= self._present.people[self._lately(rule), place, scopes] >= rule.min_people
            fires[steps[now], scopes[now]] = True
        return out

    def _lately(self, rule: BurnRateRule) -> int:
        """Return the position of a rule's shortest window, in which enough people must have failed."""
        return self._failures.at(min(_lengths(rule)))

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            self._gains[self._raised] = self._present.gains(self._budget)
        return np.asarray(self._gains[step])

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the rule with the fastest burn that fires."""
        rules = [
            rule for rule, fires in zip(self._policy.rules, self._fires, strict=True) if fires[step, scope]
        ]
        rule = max(rules or self._policy.rules, key=lambda rule: rule.factor)
        frame = self._frame
        long, short = (self._window(length) for length in (rule.long, rule.short))
        budget = float(self._budget[scope])
        people, trials = float(long.people[step, scope]), float(long.trials[step, scope])
        ratio = people / trials if trials else 0.0
        short_trials = float(short.trials[step, scope])
        short_ratio = float(short.people[step, scope]) / short_trials if short_trials else 0.0
        name = of_scope("sign-ins", frame.scopes, scope)
        sentence = (
            f"{name} fail {ratio / budget:.1f} times as often in {format_duration(rule.long)} as the month's "
            f"budget of {budget:.2%} allows ({people:,.0f} of {trials:,.0f}), "
            f"{short_ratio / budget:.1f} times in {format_duration(rule.short)}"
        )
        live = min(rule.long, HOUR)
        return cause_at("burn_rate", frame.scopes, self.state, step, scope)(
            sentence=sentence[0].upper() + sentence[1:] if sentence.startswith("sign") else sentence,
            numbers={
                "long_ms": rule.long,
                "short_ms": rule.short,
                "factor": rule.factor,
                "budget": round(budget, 6),
                "burn_rate_long": round(ratio / budget, 3),
                "burn_rate_short": round(short_ratio / budget, 3),
                "surely_above": round(float(wilson_lower(people, trials, self._policy.confidence)), 6),
                "people": round(people, 1),
                "completed": round(trials, 1),
                "min_people": rule.min_people,
                "budget_gone_in_days": round(30.0 * budget / ratio, 2) if ratio else None,
            },
            first_bad=int(frame.ends[step]) - live if people else None,
            failing_ratio=short_ratio,
        )
