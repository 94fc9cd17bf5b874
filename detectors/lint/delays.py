"""How long does each kind of trouble take to be seen under a policy, where so many people sign in an hour?

The delays are those of expected counts, from the beginning of the trouble, in one scope in which that many sign in;
what chance adds or takes away, and ``watermark_delay``, come on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.confidence import chance_of_so_few, excess_evidence
from detectors.detection.outage import needed_evidence
from detectors.instants import HOUR, SECOND
from detectors.policy.policy import Policy

__all__ = ["RETURNING", "Seen", "delays"]

#: Share of sign-ins that come back from the credential provider: 20 to 40 % never do.
RETURNING = 0.7
_SHARES = (1.0, 0.5, 0.25, 0.10, 0.04, 0.02, 0.01)


@dataclass(frozen=True)
class Seen:
    """One kind of trouble, and how long it takes to be seen.

    Attributes:
        kind: the detector.
        share: the share of the requests that is affected.
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
    for share in _SHARES:
        yield Seen("outage", share, _outage(policy, share, RETURNING * peak / HOUR))
    yield Seen("silence", 1.0, _silence(policy, peak / HOUR))


def _outage(policy: Policy, share: float, rate: float) -> int | None:
    """Return after how many ms the evidence fires, where ``rate`` requests complete in a ms."""
    rules, step = policy.outage, policy.step
    ends = np.arange(step, HOUR + step, step)
    trials = rate * ends
    people = share * trials
    excess = people - rules.usual * trials
    fires = excess_evidence(people, trials, rules.usual, rules.spread) >= needed_evidence(policy)
    fires &= people >= rules.min_people
    fires &= (excess >= rules.least_excess * trials) | (
        excess * (HOUR / ends) > policy.severity.severity_2_over
    )
    return int(ends[np.argmax(fires)]) if fires.any() else None


def _silence(policy: Policy, rate: float) -> int | None:
    """Return the shortest window (ms) of which the silence is no chance, where ``rate`` people start in a ms."""
    rules = policy.silence
    windows = (
        window
        for window in sorted(rules.windows)
        if rate * window >= rules.min_expected
        and chance_of_so_few(0, rate * window, rules.spread) <= rules.chance
    )
    return next(windows, None)
