"""What does a replay judge? Stretches of facts: what was read of the input before the next T may be judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detectors.windows.facts import FactRow
from streams.aggregate.acceptance import Rules
from streams.evaluate.evaluator import Verdict
from streams.replay.summary import Summary

__all__ = ["EVERYTHING", "Facts", "Share", "Stretch"]


@dataclass(frozen=True)
class Share:
    """A share of all environments.

    Attributes:
        names: environments that the policy lists.
        others: whether the share has all environments but these.
    """

    names: frozenset[str]
    others: bool = False

    def __contains__(self, env: object) -> bool:
        """Return whether the share has an environment."""
        return (env in self.names) is not self.others


EVERYTHING = Share(frozenset(), others=True)


@dataclass
class Stretch:
    """The facts that have become known since the stretch before, and up to which T they may be judged.

    Attributes:
        to: the last T that may be judged, ms.
        rows: of each input partition the facts by environment.
        begins: the start of the earliest pane of all facts, those of environments that ``rows`` leaves out included,
            ms; None without facts.
        doubted: spans of T (after, up to; ms) that a wrong clock alone has passed, in order.
        unread: spans of T (after, up to; ms) in which a partition could not be read, or too much was rejected.
        verdicts: of environments that have been judged elsewhere, up to ``to``.
    """

    to: int
    rows: Sequence[Mapping[str, list[FactRow]]]
    begins: int | None = None
    doubted: list[tuple[int, int]] = field(default_factory=list)
    unread: list[tuple[int, int]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Facts(ABC):
    """Where a replay has its facts from.

    Attributes:
        rules: what the facts depend on beside the events.
        summary: the numbers of events; complete once ``stretches`` has ended.
    """

    rules: Rules
    summary: Summary

    @abstractmethod
    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches in the order of their T; can be called once only."""
