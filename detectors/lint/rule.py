"""What a lint rule is: a question asked of a policy that is valid, and may still not do what its author wants."""

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

#: Sign-ins an hour at the busiest, where nobody says otherwise. Public figures of 2020: about 12,000 by SSOe.
PEAK = 12_000


@dataclass(frozen=True)
class Ground:
    """What rules stand on.

    Attributes:
        policy: valid on its own.
        source: the document, where it says what of it.
        shipped: the policy that ships.
        now: the present, ms; for what has a date.
        peak: sign-ins an hour at the busiest, for what traffic must reach.
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
        id: its name, for people and for those who filter.
        severity: ``error`` where the policy cannot work as written, ``warning`` where it hardly does what is wanted.
        summary: what the rule finds, in one line.
        check: finds it: places and messages.
    """

    id: str
    severity: LintSeverity
    summary: str
    check: Callable[[Ground], Iterator[Fault]]
