"""Which class is an event of under a policy (started, good, bad, excluded), and which SLIs does its step count in?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["ClassTest", "Classes", "Counts", "EventClass", "Outcome", "Sli"]

Counts = Literal["bad", "excluded"]
EventClass = Literal["started", "good", "bad", "excluded"]
Outcome = Literal["started", "success", "failure", "neutral"]
Sli = Literal["sign_in", "session", "machine", "probe"]

#: Distinct combinations whose class is remembered. The values come from outside, so their number is bounded.
_REMEMBERED = 65_536


@dataclass(frozen=True)
class ClassTest:
    """What a rule tests of a failure, and how the failures that fit it count. What is empty is not tested.

    Attributes:
        counts: how they count.
        error_classes, prefixes: error classes as ``values.class_name`` spells them, and beginnings of such.
        steps, codes: values of which the event must have one.
        missing: fields that the event must not have, ``csp`` or ``client_id``.
    """

    counts: Counts
    error_classes: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    steps: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()

    @property
    def fields(self) -> int:
        """How many fields of an event are tested."""
        return self.rank[0]

    @property
    def rank(self) -> tuple[int, bool, bool, bool]:
        """Sorts rules: a rule that fits decides unless one of a greater rank does, or one before it of the same."""
        has_class = bool(self.error_classes or self.prefixes)
        tested = (has_class, bool(self.steps), bool(self.codes))
        return sum(tested) + len(self.missing), *tested

    def fits(self, step: str, code: str, error_class: str, missing: frozenset[str]) -> bool:
        """Whether a failure is of those that the rule is about."""
        if (self.error_classes or self.prefixes) and not (
            error_class in self.error_classes or error_class.startswith(self.prefixes)
        ):
            return False
        if self.steps and step not in self.steps:
            return False
        return (not self.codes or code in self.codes) and self.missing <= missing

    def meets(self, other: ClassTest) -> bool:
        """Whether some failure fits both rules."""
        return (
            self._classes_meet(other)
            and (not self.steps or not other.steps or not self.steps.isdisjoint(other.steps))
            and (not self.codes or not other.codes or not self.codes.isdisjoint(other.codes))
        )

    def _classes_meet(self, other: ClassTest) -> bool:
        mine, theirs = (*self.error_classes, *self.prefixes), (*other.error_classes, *other.prefixes)
        if not mine or not theirs or not self.error_classes.isdisjoint(other.error_classes):
            return True
        return any(name.startswith(other.prefixes) for name in mine) or any(
            name.startswith(self.prefixes) for name in theirs
        )


class Classes:
    """Gives events their class by the rules of a policy.

    A failure is of the class that the rule with the most tested fields says; among as many, a rule that tests the
    class comes before one that tests the step, and that before one that tests the code; among those the first
    decides. A failure that fits no rule is bad.

    Args:
        tests: the rules, in the order of the policy.
        outcomes: what each outcome says; others are neutral.
        slis: the SLIs that each step counts in; others count in none.
    """

    def __init__(
        self, tests: Iterable[ClassTest], outcomes: Mapping[str, Outcome], slis: Mapping[str, Sli]
    ) -> None:
        # Sorting keeps the order of those that are equal.
        self._tests: Sequence[ClassTest] = sorted(tests, key=lambda test: test.rank, reverse=True)
        self._outcomes = dict(outcomes)
        self._slis = dict(slis)
        self._known: dict[tuple[str, str, str, bool, bool], Counts] = {}

    def of(
        self,
        step: str,
        outcome: str,
        code: str = "",
        error_class: str = "",
        *,
        missing_csp: bool = False,
        missing_client: bool = False,
    ) -> EventClass | None:
        """The class of an event; None for an outcome that is neither good nor bad.

        Args:
            step, outcome: of the event, normalised.
            code: the error code, "" for none.
            error_class: the error class, as ``values.class_name`` spells it; "" for none.
            missing_csp, missing_client: whether the event has no ``csp``, no ``client_id``.
        """
        kind = self._outcomes.get(outcome)
        if kind == "failure":
            return self._failure(step, code, error_class, missing_csp, missing_client)
        return "started" if kind == "started" else "good" if kind == "success" else None

    def sli(self, step: str) -> Sli | None:
        """The SLIs that a step counts in; None for a step that the policy does not list."""
        return self._slis.get(step)

    def _failure(
        self, step: str, code: str, error_class: str, missing_csp: bool, missing_client: bool
    ) -> Counts:
        key = (step, code, error_class, missing_csp, missing_client)
        known = self._known.get(key)
        if known is not None:
            return known
        fields = (("csp", missing_csp), ("client_id", missing_client))
        missing = frozenset(name for name, is_missing in fields if is_missing)
        fitting: Iterator[Counts] = (
            test.counts for test in self._tests if test.fits(step, code, error_class, missing)
        )
        counts: Counts = next(fitting, "bad")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = counts
        return counts
