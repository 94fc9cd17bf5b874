"""What is a lint rule, and what may it look at?

A rule checks a valid policy for values that do not do what its author wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from detectors.instants import HOUR
from detectors.policy.policy import Policy
from detectors.policy.source import Path, Source
from detectors.policy.types import Fault

__all__ = ["PEAK", "Ground", "LintSeverity", "Rule"]

LintSeverity = Literal["error", "warning"]

#: Sign-ins an hour at the busiest, where the user gives no number. Public figures of 2020: about 12,000 by SSOe.
PEAK = 12_000


@dataclass(frozen=True)
class Ground:
    """The facts that rules may look at.

    Attributes:
        policy: valid on its own.
        source: the document, with the position of each value.
        shipped: the policy that ships.
        now: the present, ms; for rules about dates.
        peak: sign-ins an hour at the busiest, for thresholds that traffic must reach.
    """

    policy: Policy
    source: Source
    shipped: Policy
    now: int
    peak: int = PEAK

    def most(self, window: int) -> int:
        """How many sign-ins, hence people, a window (ms) holds at the busiest."""
        return self.peak * window // HOUR

    def states(self, path: Path) -> bool:
        """Whether the document itself says something at this path."""
        return path in self.source.positions


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        id: the name of the rule, which never changes, as people filter for it.
        severity: ``error`` where the policy cannot work as written, ``warning`` where it hardly does what is wanted.
        summary: what the rule finds, in one line.
        check: yields the faults: places and messages.
    """

    id: str
    severity: LintSeverity
    summary: str
    check: Callable[[Ground], Iterator[Fault]]
