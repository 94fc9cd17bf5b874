"""How long does each kind of trouble take to be seen under a policy, where so many people sign in an hour?

The delays are those of expected counts, from the beginning of the trouble, in one scope in which that many sign in;
what chance adds or takes away, the time that people are away at their provider, and ``watermark_delay`` come on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.confidence import chance_of_so_few, excess_evidence, surely_above
from detectors.detection.arriving.too_few import too_few
from detectors.detection.outage import needed_evidence
from detectors.instants import HOUR, SECOND
from detectors.policy.policy import Policy

__all__ = ["RETURNING", "Seen", "delays"]

#: Share of sign-ins that come back from the credential provider: 20 to 40 % never do.
RETURNING = 0.7
_SHARES = (1.0, 0.5, 0.25, 0.10, 0.04, 0.02, 0.01)
_MISSING = (1.0, 0.7, 0.5)


@dataclass(frozen=True)
class Seen:
    """One kind of trouble, and how long it takes to be seen.

    Attributes:
        kind: the detector.
        share: the share of the requests that is affected: that fails, does not arrive, does not return, or is slow.
        after: ms; None if it is never seen.
    """

    kind: str
    share: float
    after: int | None

    def as_json(self) -> dict[str, object]:
        """The object of ``--format jsonl``."""
        seconds = None if self.after is None else self.after / SECOND
        return {"type": "delay", "kind": self.kind, "share": self.share, "seconds": seconds}


def delays(policy: Policy, peak: int) -> Iterator[Seen]:
    """Yield how long each kind of trouble takes, where ``peak`` people sign in an hour."""
    arriving, returning = peak / HOUR, RETURNING * peak / HOUR
    for share in _SHARES:
        yield Seen("outage", share, _outage(policy, share, returning))
    for share in _MISSING:
        yield Seen("silence", share, _silence(policy, share, arriving))
    for share in _MISSING:
        yield Seen("funnel", share, _funnel(policy, share, arriving))
    for share in _MISSING:
        yield Seen("latency", share, _latency(policy, share, returning))


def _instants(policy: Policy) -> Ints:
    """Return the steps of an hour, ms from the beginning of the trouble."""
    return np.arange(policy.step, HOUR + policy.step, policy.step)


def _first(ends: Ints, fires: Bools) -> int | None:
    return int(ends[np.argmax(fires)]) if fires.any() else None


def _outage(policy: Policy, share: float, rate: float) -> int | None:
    """Return after how many ms the evidence fires, where ``rate`` requests complete in a ms."""
    rules, ends = policy.outage, _instants(policy)
    trials = rate * ends
    people = share * trials
    excess = people - rules.usual * trials
    fires = excess_evidence(people, trials, rules.usual, rules.spread) >= needed_evidence(policy)
    fires &= people >= rules.min_people
    fires &= (excess >= rules.least_excess * trials) | (
        excess * (HOUR / ends) > policy.severity.severity_2_over
    )
    return _first(ends, fires)


def _silence(policy: Policy, share: float, rate: float) -> int | None:
    """Return after how many ms too few arrive in some window, where ``rate`` people start in a ms."""
    ends = _instants(policy)
    fires = np.zeros(len(ends), np.bool_)
    for window in policy.silence.windows:
        expected = np.full(len(ends), rate * window)
        arrived = expected - share * rate * np.minimum(ends, window)
        before = rate * (HOUR - window) - share * rate * np.maximum(ends - window, 0)
        fires |= too_few(arrived, expected, np.maximum(before, 0.0), policy.silence, window)
    return _first(ends, fires)


def _funnel(policy: Policy, share: float, rate: float) -> int | None:
    """Return after how many ms too few of those who started return, where ``rate`` people start in a ms."""
    rules, ends = policy.funnel, _instants(policy)
    fires = np.zeros(len(ends), np.bool_)
    for window in rules.windows:
        went = rate * window
        expected = RETURNING * went
        came = expected - share * RETURNING * rate * np.minimum(ends, window)
        limit, spread = rules.fires_below * expected, float(np.sqrt(rules.spread**2 + 1.0 / went))
        if expected >= rules.min_expected:
            fires |= (came < limit) & (chance_of_so_few(came, limit, spread) <= rules.chance)
    return _first(ends, fires)


def _latency(policy: Policy, share: float, rate: float) -> int | None:
    """Return after how many ms a rule fires for the least strict method, where ``rate`` requests complete in a ms."""
    ends = _instants(policy)
    budget = max(1.0 - one.latency_target for one in policy.objectives.values())
    fires = np.zeros(len(ends), np.bool_)
    for rule in policy.latency.rules:
        sure = rate * share * np.minimum(ends, rule.short) >= rule.min_slow
        limit = rule.factor * budget
        for window in (rule.short, rule.long):
            slow = rate * share * np.minimum(ends, window)
            sure &= surely_above(slow, np.full(len(ends), rate * window), limit, policy.latency.confidence)
        fires |= sure
    return _first(ends, fires)
