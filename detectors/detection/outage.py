"""Do more people of a scope fail than chance explains, and are these failures over?

Each person who fails is evidence, and so is each success. In windows from two steps to an hour the evidence is the
logarithm of a generalised likelihood ratio (``confidence.excess_evidence``): how much better the share that fails
explains the window than the share that usually fails in the scope. A scope fires where a window has as much evidence as
any scope of the environment reaches by chance once in ``false_alarm_every``. This is the window-limited
generalised likelihood ratio test of Willsky and Jones (1976) and Lai (1995, 1998), with windows of a geometric grid;
it is a function of the windows alone. Sign-ins and sessions (refreshes, revocations, logouts) are judged separately;
a scope fires if either of them does, and also where success itself collapses, whatever the codes say (``Collapse``).

A scope is quiet where requests keep completing and surely few of them fail. If neither is sure, there is not
enough evidence: a silent scope is never quiet by itself. There probes decide (``Probed``): two that
fail in a row are an outage, two that sign in are quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import Scopes
from detectors.confidence import excess_evidence, nats_for
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.failing.collapse import Collapse
from detectors.detection.failing.failures import Failures, Present, Recovery
from detectors.detection.failing.probed import Probed
from detectors.detection.lattice.lattice import lattice_of
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET, Verdicts, verdict_of
from detectors.history.history import History
from detectors.incidents import Cause, DetectorName
from detectors.instants import DAY, HOUR, MINUTE, format_duration
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD, SESSION_BAD, SESSION_GOOD
from detectors.windows.frame import Frame

__all__ = ["OutageDetector", "budgets", "needed_evidence", "recovery_of"]

#: What no longer fires lingers while it has this share of the evidence that fires.
_STILL = 1 / 2
#: Less than so many times the usual share is no excess that any evidence makes sure.
_EXCESS = 1.5
#: A window is no evidence where a shorter one shows that surely less than this share of its failing share fails.
_MUCH_LESS = 1 / 4
#: The longest window that shows what lingers, ms: longer windows hold too much of the past, shorter ones forget.
_LATELY = 30 * MINUTE


@dataclass(frozen=True)
class OutageDetector:
    """Detects outages: sign-ins or session requests of a scope fail."""

    policy: Policy
    history: History
    name: ClassVar[DetectorName] = "outage"

    def may_fire(self, frame: Frame) -> bool:
        """Whether a window has enough evidence to linger anywhere in a frame; otherwise nothing fires."""
        rules = self.policy.outage
        # Fewer people than these are no evidence, which excludes most windows.
        near = tuple(
            window
            for window in self.policy.evidence_windows
            if frame.people[window].max(initial=0) >= rules.min_people
        )
        for of, usual in (
            (Failures.of_sign_in, self.history.usual_failing_ratio),
            (Failures.of_session, _of_sessions(self.history)),
        ):
            if not near:
                break
            failures = of(frame, near)
            test = _Test(frame, self.policy, usual)
            if any(len(test.raised(failures, at)[0]) for at in range(len(near))):
                return True
        return bool(frame.probes) or bool(self._collapse(frame).fires.any())

    def _collapse(self, frame: Frame) -> Collapse:
        return Collapse(frame, self.policy, self.history, needed_evidence(self.policy))

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


class _Test:
    """What evidence of failures an environment asks for, and what share usually fails.

    Attributes:
        usual: (day, scope) the failing share that is taken as usual.
        day: (step,) position of each step's day on the first axis of ``usual``.
        needed: the evidence that fires, nats.
    """

    def __init__(self, frame: Frame, policy: Policy, usual: Callable[[int], Floats]) -> None:
        self._rules = policy.outage
        self._serious = policy.severity.severity_2_over
        days, self.day = np.unique((frame.ends - 1) // DAY, return_inverse=True)
        known = np.stack([usual(int((day + 1) * DAY)) for day in days])
        self.usual = np.maximum(known, self._rules.usual)
        self.needed = needed_evidence(policy)

    def of(self, people: Ints, trials: Ints, steps: Ints, scopes: Ints) -> Floats:
        """Return the evidence (..., M) of people and trials at cells (steps, scopes); 0 of too few people."""
        usual = self.usual[self.day[steps], scopes]
        found = excess_evidence(people, trials, usual, self._rules.spread)
        return np.where(people >= self._rules.min_people, found, 0.0)

    def matters(self, people: Ints, trials: Ints, steps: Ints, scopes: Ints, window: int) -> Bools:
        """Return (M,) whether the excess over the usual is worth telling: by its share, or by people an hour."""
        excess = people - trials * self.usual[self.day[steps], scopes]
        large = excess >= self._rules.least_excess * trials
        return np.asarray(large | (excess * (HOUR / window) > self._serious))

    def raised(self, failures: Failures, at: int) -> tuple[Ints, Ints]:
        """Return the cells (M,) at which the ``at``-th window has enough evidence to linger."""
        enough = (failures.people[at] >= self._rules.min_people) & failures.lattice.is_scope
        steps, scopes = np.nonzero(enough)
        if len(steps):
            people, trials = (array[at, steps, scopes] for array in (failures.people, failures.trials))
            excess = people > _EXCESS * self.usual[self.day[steps], scopes] * trials
            steps, scopes, people, trials = (of[excess] for of in (steps, scopes, people, trials))
            sure = self.of(people, trials, steps, scopes) >= _STILL * self.needed
            steps, scopes = steps[sure], scopes[sure]
        return steps, scopes


def needed_evidence(policy: Policy) -> float:
    """Return the evidence that fires, nats, for each scope of an environment.

    Evidence grows only with a new event, which counts in 2^axes scopes: as many tests a step are taken to be made.
    """
    return nats_for(policy.outage.false_alarm_every / policy.step, 2 ** len(policy.axes))


@dataclass
class _Kind:
    """Failures of one kind of steps, and what their evidence says.

    Attributes:
        test: the evidence that is asked for.
        normal: (scope,) the ratio that fails where all is well.
        steps: (M,) positions of the steps at which a window was raised on any scope.
        present: the failures at these steps, without failures that are over.
        fires: (step, scope) whether a window fires.
        over: (step, scope) whether a window was raised and none fires or lingers.
        lingers: (step, scope) whether the evidence is too little to fire, and too much for an end.
    """

    noun: str
    counters: tuple[int, int]
    failures: Failures
    test: _Test
    normal: Floats
    steps: Ints = field(init=False)
    present: Present = field(init=False)
    fires: Bools = field(init=False)
    over: Bools = field(init=False)
    lingers: Bools = field(init=False)

    def counted(self, step: int, present: bool) -> tuple[Ints, Ints]:
        """Return people and trials (window, scope) at a step: all, or if ``present`` those not over."""
        place = int(np.searchsorted(self.steps, step))
        if present and place < len(self.steps) and self.steps[place] == step:
            return self.present.people[:, place], self.present.trials[:, place]
        return self.failures.people[:, step], self.failures.trials[:, step]

    def judge(self, recovery: Recovery) -> None:
        """Find where evidence remains without past failures: enough to fire, or enough to linger.

        What lingers no longer fires, and is not quiet either: half of the evidence remains in a long window.
        """
        failures, test = self.failures, self.test
        windows = range(len(failures.windows))
        patient = max((at for at in windows if failures.windows[at] <= _LATELY), default=0)
        raised = [test.raised(failures, at) for at in windows]
        self.steps = np.unique(np.concatenate([steps for steps, _ in raised]))
        self.present = failures.present(self.steps, recovery)
        shape = failures.people.shape[1:]
        self.fires, self.over, self.lingers = (np.zeros(shape, dtype=bool) for _ in range(3))
        for at, (steps, scopes) in enumerate(raised):
            if not len(steps):
                continue
            place = np.searchsorted(self.steps, steps)
            people, trials = (a[at, place, scopes] for a in (self.present.people, self.present.trials))
            found = test.of(people, trials, steps, scopes)
            less = _MUCH_LESS * people / np.maximum(trials, 1)
            found[failures.below(at, steps, scopes, less, recovery.z)] = 0.0
            window = failures.windows[at]
            now = (found >= test.needed) & test.matters(people, trials, steps, scopes, window)
            self.fires[steps[now], scopes[now]] = True
            left = found >= _STILL * test.needed
            if at == patient:
                self.lingers[steps[left], scopes[left]] = True
            self.over[steps, scopes] = True
        self.over &= ~self.lingers & ~self.fires


class _Outages:
    def __init__(self, frame: Frame, policy: Policy, history: History) -> None:
        self._frame = frame
        self._policy = policy.outage
        recovery = recovery_of(policy)
        budget = budgets(policy, frame.scopes)
        tests = [
            _Test(frame, policy, usual) for usual in (history.usual_failing_ratio, _of_sessions(history))
        ]
        normal = [np.maximum(budget, 2 * test.usual.max(axis=0)) for test in tests]
        windows = policy.evidence_windows
        self._kinds = [
            _Kind("sign-ins", (GOOD, BAD), Failures.of_sign_in(frame, windows), tests[0], normal[0]),
            _Kind(
                "session requests",
                (SESSION_GOOD, SESSION_BAD),
                Failures.of_session(frame, windows),
                tests[1],
                normal[1],
            ),
        ]
        for kind in self._kinds:
            kind.judge(recovery)
        sign_in, session = self._kinds
        alive = sign_in.failures.still_arriving()
        well, going_on = (kind.failures.healthy(recovery) | kind.over for kind in self._kinds)
        # Few sign-ins cannot show health; if none failed within the hour, sessions decide.
        quiet = alive & (well | (going_on & (sign_in.failures.people[-1] == 0)))
        quiet &= (session.failures.people[-1] < self._policy.min_people) | going_on
        self._collapse = Collapse(frame, policy, history, tests[0].needed)
        firing = sign_in.fires | session.fires | self._collapse.fires
        lingers = sign_in.lingers | session.lingers | self._collapse.lingers
        self.state = verdict_of(firing, quiet & ~lingers)
        self._probed = Probed(frame, (self.state == NOT_ENOUGH_EVIDENCE) & ~lingers)
        self.state[self._probed.fires] = FIRING
        self.state[self._probed.well] = QUIET
        self._gains: Floats | None = None

    def gain(self, step: int) -> Floats:
        """Return float64 (scope,), as ``Verdicts.gain`` defines it; the first call computes it for all steps."""
        if self._gains is None:
            self._gains = np.zeros(self.state.shape)
            for kind in self._kinds:
                gains = kind.present.gains(kind.normal)
                self._gains[kind.steps] = np.maximum(self._gains[kind.steps], gains)
            self._gains = np.maximum(self._gains, self._collapse.gain())
            self._gains = np.maximum(self._gains, self._probed.gain())
        return np.asarray(self._gains[step])

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell, by the window with the most evidence, of a kind that fires if there is one."""
        if self._probed.fires[step, scope]:
            return self._probed.explain(step, scope)
        firing = [kind for kind in self._kinds if kind.fires[step, scope]]
        if not firing and self._collapse.fires[step].any():
            return self._collapse.explain(step, scope)
        best, told = -1.0, (self._kinds[0], len(self._kinds[0].failures.windows) - 1)
        for kind in firing or self._kinds:
            people, trials = kind.counted(step, bool(firing))
            at = np.zeros(len(people), dtype=np.int64)
            found = kind.test.of(people[:, scope], trials[:, scope], at + step, at + scope)
            if found.max() > max(best, 0.0):
                best, told = float(found.max()), (kind, int(np.argmax(found)))
        return self._cause(step, scope, *told, max(best, 0.0))

    def _cause(self, step: int, scope: int, kind: _Kind, at: int, evidence: float) -> Cause:
        frame, window = self._frame, kind.failures.windows[at]
        people, trials = (int(a[at, step, scope]) for a in (kind.failures.people, kind.failures.trials))
        good, bad = (int(frame.counts[window][step, scope, counter]) for counter in kind.counters)
        usual = float(kind.test.usual[kind.test.day[step], scope])
        name = of_scope(kind.noun, frame.scopes, scope)
        # The shortest window that holds all of them says since when they fail.
        holding = (w for w in frame.windows if frame.counts[w][step, scope, kind.counters[1]] == bad)
        return cause_at("outage", frame.scopes, self.state, step, scope)(
            sentence=f"{bad:,} of {good + bad:,} {name} failed in {format_duration(window)}, {people:,} people;"
            f" normal is {usual:.2%}",
            numbers={
                "window_ms": window,
                "good": good,
                "bad": bad,
                "people": people,
                "failing_ratio": round(people / trials, 6) if trials else None,
                "usual_ratio": round(usual, 6),
                "evidence": round(evidence, 2),
                "needed": round(kind.test.needed, 2),
                "min_people": self._policy.min_people,
            },
            first_bad=int(frame.ends[step]) - next(holding) if bad else None,
            failing_ratio=people / trials if trials else 0.0,
        )
