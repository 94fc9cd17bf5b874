"""What is an edge that mutants are given to?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fuzz.mutation import Form

__all__ = ["Edge", "Target", "one_by_one"]

#: Takes values, and says in a word what became of each; what it raises is a fault.
Edge = Callable[[Sequence[bytes]], Sequence[str]]


@dataclass(frozen=True)
class Target:
    """An edge.

    Attributes:
        name: of the edge.
        form: of its values.
        seeds: the recorded values that mutants begin from.
        make: makes the edge anew, in the state in which it begins.
        share: how many of the cases it gets, in relation to the others.
        at_once: how many values it is given at once.
        cpu: seconds of CPU time that one value may take.
    """

    name: str
    form: Form
    seeds: Callable[[], list[bytes]]
    make: Callable[[], Edge]
    share: float = 1.0
    at_once: int = 1
    cpu: float = 1.0


def one_by_one(take: Callable[[bytes], str]) -> Edge:
    """The edge that takes one value after another."""
    return lambda values: [take(value) for value in values]
