"""Has the success ratio of a scope surely collapsed, with enough people who failed?

Each rule of the policy examines one window. A rule fires where at least ``min_people`` people failed and the
lower confidence bound of the failing ratio is above ``failing_ratio`` (or above a multiple of the scope's usual
ratio), unless a shorter window shows that the failures are over. Rules with short windows require a collapse and see
it in seconds; the rule of an hour finds an outage on a quiet night as soon as enough people have failed. Sign-ins and
sessions (refreshes, revocations, logouts) are judged separately; a scope fires if either of them does.

A scope is quiet where requests keep completing and surely few of them fail. If neither is sure, there is not
enough evidence: a silent scope is never quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import Scopes
from detectors.confidence import failure_gain, surely_above, wilson_lower
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.failures import Failures, Present, Recovery
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import FIRING, Verdicts, verdict_of
from detectors.history.history import History
from detectors.incidents import Cause, DetectorName
from detectors.instants import DAY, MINUTE, format_duration
from detectors.policy.detector_sections import OutageRule
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD, SESSION_BAD, SESSION_GOOD
from detectors.windows.frame import Frame

__all__ = ["OutageDetector", "budgets", "recovery_of"]

#: A rule that no longer fires lingers while at least this share of the people that it requires fail.
_STILL = 2 / 3
#: Rules with the longest window up to this length, ms, may linger: longer windows hold too much of the past, shorter
#: ones forget.
_LATELY = 30 * MINUTE


@dataclass(frozen=True)
class OutageDetector:
    """Detects outages: sign-ins or session requests of a scope fail."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "outage"

    def may_fire(self, frame: Frame) -> bool:
        """Whether a rule is raised anywhere in a frame; a rule that is not raised does not fire."""
        rules = self.policy.outage.rules
        for of, bad, usual in (
            (Failures.of_sign_in, BAD, self.history.usual_failing_ratio),
            (Failures.of_session, SESSION_BAD, _of_sessions(self.history)),
        ):
            # People are at most as many as failed requests, so this check excludes most rules.
            near = [
                rule
                for rule in rules
                if frame.counts[rule.window][..., bad].max(initial=0) >= _STILL * rule.min_people
            ]
            if near:
                failures = of(frame, tuple(sorted({rule.window for rule in near})))
                limits = _Limits(frame, self.policy, usual)
                if any(len(_raised(failures, rule, limits)[0]) for rule in near):
                    return True
        return False

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame."""
        found = _Outages(frame, self.policy, self.history)
        return Verdicts(self.name, found.state, found.explain, found.gain)


def budgets(policy: Policy, scopes: Scopes) -> Floats:
    """Return (scope,) the share of requests that may fail.

    It is that of the scope's method, the least of all for a method without an objective, and the largest for scopes of
    several methods.
    """
    known = {method: 1.0 - objective.availability for method, objective in policy.objectives.items()}
    return lattice_of(scopes).by_method(known, min(known.values()), max(known.values()))


def _of_sessions(history: History) -> Callable[[int], Floats]:
    """Return a function of T (ms): the ratio (scope,) of sessions that usually fails; that of sign-ins if unknown."""

    def usual(at: int) -> Floats:
        known = history.usual_session_failing_ratio(at)
        return np.where(np.isnan(known), history.usual_failing_ratio(at), known)

    return usual


def recovery_of(policy: Policy) -> Recovery:
    """Return the conditions under which failures count as stopped, by the policy's section ``outage``."""
    rules = policy.outage
    return Recovery(
        chance=rules.recover_chance,
        share=rules.recover_share,
        z=rules.recover_confidence,
        healthy=rules.quiet_below,
    )


@dataclass
class _Kind:
    """Failures of one kind of sign-in steps, and the results of the policy's rules.

    Attributes:
        limits: the limits that failing ratios must exceed.
        normal: (scope,) the ratio that fails where all is well.
        steps: (M,) positions of the steps at which a rule was raised on any scope.
        present: the failures at these steps, without failures that are over.
        fires: for each rule (step, scope) whether it fires.
        over: (step, scope) whether a rule was raised and none fires or lingers.
        lingers: (step, scope) whether too few people fail for a rule to fire, and too many for its end.
    """

    noun: str
    counters: tuple[int, int]
    failures: Failures
    limits: _Limits
    normal: Floats
    steps: Ints = field(init=False)
    present: Present = field(init=False)
    fires: list[Bools] = field(init=False)
    over: Bools = field(init=False)
    lingers: Bools = field(init=False)

    def counted(self, step: int, present: bool) -> tuple[Ints, Ints]:
        """Return people and trials (window, scope) at a step: all, or if ``present`` those not over."""
        place = int(np.searchsorted(self.steps, step))
        if present and place < len(self.steps) and self.steps[place] == step:
            return self.present.people[:, place], self.present.trials[:, place]
        return self.failures.people[:, step], self.failures.trials[:, step]


class _Limits:
    """The limits that failing ratios must exceed, by the rules and by the usual ratios.

    Attributes:
        usual: (day, scope) the usual failing ratio.
        day: (step,) position of each step's day on the first axis of ``usual``.
    """

    def __init__(self, frame: Frame, policy: Policy, usual: Callable[[int], Floats]) -> None:
        self.policy = policy.outage
        days, self.day = np.unique((frame.ends - 1) // DAY, return_inverse=True)
        self.usual = np.stack([usual(int((day + 1) * DAY)) for day in days])

    def of(self, rule: OutageRule, steps: Ints, scopes: Ints) -> Floats:
        """Return the ratio that the lower bound must exceed for a rule, at cells (steps, scopes)."""
        usual = self.usual[self.day[steps], scopes]
        return np.minimum(np.maximum(rule.failing_ratio, self.policy.times_usual * usual), 0.99)


def _raised(failures: Failures, rule: OutageRule, limits: _Limits) -> tuple[Ints, Ints]:
    """Return the cells (M,) at which a rule's window exceeds the limits for the rule to continue."""
    at = failures.at(rule.window)
    steps, scopes = np.nonzero((failures.people[at] >= _STILL * rule.min_people) & failures.lattice.is_scope)
    if len(steps):
        people, trials = (array[at, steps, scopes] for array in (failures.people, failures.trials))
        low = limits.of(rule, steps, scopes) * (rule.recover_below / rule.failing_ratio)
        sure = surely_above(people, trials, low, limits.policy.confidence)
        steps, scopes = steps[sure], scopes[sure]
    return steps, scopes


class _Outages:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._policy = policy.outage
        self._recovery = recovery_of(policy)
        budget = budgets(policy, frame.scopes)
        limits, of_session = (
            _Limits(frame, policy, usual) for usual in (history.usual_failing_ratio, _of_sessions(history))
        )
        normal, normal_session = (
            np.maximum(budget, 2 * one.usual.max(axis=0)) for one in (limits, of_session)
        )
        self._kinds = [
            _Kind("sign-ins", (GOOD, BAD), Failures.of_sign_in(frame), limits, normal),
            _Kind(
                "session requests",
                (SESSION_GOOD, SESSION_BAD),
                Failures.of_session(frame),
                of_session,
                normal_session,
            ),
        ]
        for kind in self._kinds:
            self._judge(kind)
        sign_in, session = self._kinds
        firing = np.any([fires for kind in self._kinds for fires in kind.fires], axis=0)
        alive = sign_in.failures.still_arriving()
        well, going_on = (kind.failures.healthy(self._recovery) | kind.over for kind in self._kinds)
        # Few sign-ins cannot show health; if none failed within the hour, sessions decide.
        least = min(rule.min_people for rule in self._policy.rules)
        quiet = alive & (well | (going_on & (sign_in.failures.people[-1] == 0)))
        quiet &= (session.failures.people[-1] < least) | going_on
        self.state = verdict_of(firing, quiet & ~sign_in.lingers & ~session.lingers)
        self._gains: Floats | None = None

    def _judge(self, kind: _Kind) -> None:
        """Raise each rule where its window exceeds it; a rule fires where this holds without past failures as well.

        A rule with a long window that no longer fires, while two thirds of the required people still fail, and surely
        more than ``recover_below``, lingers: it neither fires nor is quiet.
        """
        failures, z = kind.failures, self._policy.confidence
        patient = max((rule.window for rule in self._policy.rules if rule.window <= _LATELY), default=0)
        raised = [_raised(failures, rule, kind.limits) for rule in self._policy.rules]
        kind.steps = np.unique(np.concatenate([steps for steps, _ in raised]))
        kind.present = failures.present(kind.steps, self._recovery)
        shape = failures.people.shape[1:]
        kind.fires = [np.zeros(shape, dtype=bool) for _ in raised]
        kind.over, kind.lingers = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for rule, (steps, scopes), fires in zip(self._policy.rules, raised, kind.fires, strict=True):
            if not len(steps):
                continue
            at, place = failures.at(rule.window), np.searchsorted(kind.steps, steps)
            people, trials = (
                array[at, place, scopes] for array in (kind.present.people, kind.present.trials)
            )
            limit = kind.limits.of(rule, steps, scopes)
            left = ~failures.below(at, steps, scopes, rule.recover_below, self._recovery.z)
            now = left & (people >= rule.min_people) & surely_above(people, trials, limit, z)
            fires[steps[now], scopes[now]] = True
            low = limit * (rule.recover_below / rule.failing_ratio)
            left &= (people >= _STILL * rule.min_people) & surely_above(people, trials, low, z)
            if rule.window == patient:
                kind.lingers[steps[left], scopes[left]] = True
            kind.over[steps, scopes] = True
        kind.over &= ~kind.lingers & ~np.any(kind.fires, axis=0)

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            for kind in self._kinds:
                gains = kind.present.gains(kind.normal)
                self._gains[kind.steps] = np.maximum(self._gains[kind.steps], gains)
        return np.asarray(self._gains[step])

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the rule with the strongest evidence, a firing rule if there is one."""
        best, told = -1.0, (self._kinds[0], self._policy.rules[0])
        fires = bool(self.state[step, scope] == FIRING)
        for kind in self._kinds:
            rules = self._policy.rules
            if fires:
                rules = tuple(r for r, on in zip(rules, kind.fires, strict=True) if on[step, scope])
            at = [kind.failures.at(rule.window) for rule in rules]
            people, trials = kind.counted(step, fires)
            gains = failure_gain(people[at, scope], trials[at, scope], kind.normal[scope])
            if rules and gains.max() > best:
                strongest = int(np.argmax(gains))
                best, told = float(gains[strongest]), (kind, rules[strongest])
        return self._cause(step, scope, *told)

    def _cause(self, step: int, scope: int, kind: _Kind, rule: OutageRule) -> Cause:
        frame, window = self._frame, rule.window
        at = kind.failures.at(window)
        people, trials = (int(a[at, step, scope]) for a in (kind.failures.people, kind.failures.trials))
        good, bad = (int(frame.counts[window][step, scope, counter]) for counter in kind.counters)
        usual = float(kind.limits.usual[kind.limits.day[step], scope])
        lower = float(wilson_lower(people, trials, self._policy.confidence))
        name = of_scope(kind.noun, frame.scopes, scope)
        sentence = f"{bad:,} of {good + bad:,} {name} failed in {format_duration(window)}, {people:,} people"
        if usual:
            sentence += f"; normal is {usual:.2%}"
        holding = [
            w for w in frame.windows if frame.counts[w][step, scope, kind.counters[1]] == bad and w <= window
        ]
        limit = float(kind.limits.of(rule, np.array([step]), np.array([scope]))[0])
        return cause_at("outage", frame.scopes, self.state, step, scope)(
            sentence=sentence,
            numbers={
                "window_ms": window,
                "good": good,
                "bad": bad,
                "people": people,
                "failing_ratio": round(people / trials, 6) if trials else None,
                "surely_above": round(lower, 6),
                "threshold": round(limit, 6),
                "min_people": rule.min_people,
                "usual_ratio": round(usual, 6),
            },
            first_bad=int(frame.ends[step]) - holding[0] if bad else None,
            failing_ratio=people / trials if trials else 0.0,
        )
