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
#: The most bytes of the distinct values of all leaves together, and of all codes together.
_LEAF_BYTES, _CODE_BYTES = 40_960, 16_384


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
        self._leaf_values: set[str] = set()
        self._leaf_room = _LEAF_BYTES
        self._code_room = _CODE_BYTES
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
            if len(leaves) < _LEAVES and self._has_room(leaf):
                leaves.add(leaf)
            else:
                leaf = tuple([None if value is None else OTHER for value in leaf])
        return EnvKind(
            env,
            leaf,
            _within(self._steps, _STEPS, kind.step),
            _within(self._outcomes, _OUTCOMES, kind.outcome),
            self._code(kind.code),
            _within(self._classes, _CLASSES, kind.error_class),
        )

    def _has_room(self, leaf: Leaf) -> bool:
        """Whether there is room for the bytes of the values of a leaf, which take their room then."""
        fresh = {value for value in leaf if value is not None} - self._leaf_values
        room = self._leaf_room - sum(map(len, fresh))  # values are ASCII
        if room < 0:
            return False
        self._leaf_room = room
        self._leaf_values |= fresh
        return True

    def _code(self, code: str) -> str:
        room = self._code_room - len(code.encode())
        if code in self._codes or room < 0:
            return code if code in self._codes else OTHER
        found = _within(self._codes, _CODES, code)
        if found == code:
            self._code_room = room
        return found


def _within(known: set[str], most: int, value: str) -> str:
    """Return the value if there is room for it; a value that has room keeps it."""
    if value in known or not value:
        return value
    if len(known) >= most:
        return OTHER
    known.add(value)
    return value
