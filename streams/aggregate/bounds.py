"""How many distinct values may the events of one block have, so that its segments fit into records?

The first in the order of offsets are kept, and each further value is ``other``. What a block holds stays a pure
function of the log, whatever a producer sends.
"""

from __future__ import annotations

from collections.abc import Collection

from detectors.axes import Leaf
from detectors.values import OTHER
from streams.events.kinds import EnvKind

__all__ = ["Bounds"]

#: The most leaves of an environment.
_LEAVES = 1_000
#: The most steps, outcomes, error codes and error classes of all environments together.
_STEPS, _OUTCOMES, _CODES, _CLASSES = 64, 32, 256, 256


class Bounds:
    """The values that one block has room for.

    Args:
        listed: environments that have room always.
        max_envs: the most environments beside these.
    """

    def __init__(self, listed: Collection[str], max_envs: int) -> None:
        self._listed = frozenset((*listed, OTHER))
        self._max_envs = max_envs
        self._envs: set[str] = set()
        self._leaves: dict[str, set[Leaf]] = {}
        self._steps: set[str] = set()
        self._outcomes: set[str] = set()
        self._codes: set[str] = set()
        self._classes: set[str] = set()

    def within(self, kind: EnvKind) -> EnvKind:
        """Return the kind that events of a kind are counted as. Kinds must come in the order of the log."""
        env = kind.env if kind.env in self._listed else _within(self._envs, self._max_envs, kind.env)
        leaves = self._leaves.setdefault(env, set())
        leaf = kind.leaf
        if leaf not in leaves:
            if len(leaves) < _LEAVES:
                leaves.add(leaf)
            else:
                leaf = tuple([None if value is None else OTHER for value in leaf])
        return EnvKind(
            env,
            leaf,
            _within(self._steps, _STEPS, kind.step),
            _within(self._outcomes, _OUTCOMES, kind.outcome),
            _within(self._codes, _CODES, kind.code),
            _within(self._classes, _CLASSES, kind.error_class),
        )


def _within(known: set[str], most: int, value: str) -> str:
    """Return the value if there is room for it; a value that has room keeps it."""
    if value in known or not value:
        return value
    if len(known) >= most:
        return OTHER
    known.add(value)
    return value
