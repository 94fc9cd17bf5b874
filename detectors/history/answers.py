"""Which questions about the past were asked before? Most are asked at every step of a minute, and answered once."""

from __future__ import annotations

from collections.abc import Callable

from detectors.arrays import Floats, Ints

__all__ = ["Answers"]

_KEPT = 64


class Answers:
    """Answers to the last questions, as long as what they follow from does not change: ``clear`` then forgets them."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Floats] = {}

    def clear(self) -> None:
        """Forget all answers."""
        self._known.clear()

    def of(self, version: int, compute: Callable[..., Floats], *asked: Ints | int) -> Floats:
        """Return ``compute(*asked)``, as an array that cannot be changed.

        Args:
            version: of what the answer depends on besides.
            compute: a method; methods of one name are one question.
            asked: the question.
        """
        key = (version, compute.__name__, *(one if isinstance(one, int) else one.tobytes() for one in asked))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[key] = compute(*asked)
            found.flags.writeable = False
        return found
