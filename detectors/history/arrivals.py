"""Which of the counts are sign-ins that arrived, and which are sign-ins that came back from a credential provider?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats
from detectors.axes import ANY, Scopes, path_of
from detectors.windows.counters import BAD, EXCLUDED, GOOD, STARTED

__all__ = ["Returns", "arrivals", "has_starts"]

#: The method that asks for tokens: completions are callbacks where they have a credential provider, tokens have none.
_WITH_TOKENS = "sis"


def arrivals(counts: npt.NDArray[Any], by_starts: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Sign-ins that arrived, from counts (..., scope, counter): those that started, or else those that
    completed.

    A start is one sign-in, and stops at once when nobody gets through; completions come a minute later, and
    twice where a token follows a callback. Completions serve for scopes of which no starts are reported
    (``by_starts``).
    """
    completed = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
    return np.where(by_starts, counts[..., STARTED], completed)


class Returns:
    """Sign-ins that started, and those that came back, per group.

    A return is a callback that completed, well or not. Of a method with tokens only what has a credential provider is
    taken, of both.

    Args:
        scopes: the groups of the counts.
    """

    def __init__(self, scopes: Scopes) -> None:
        # For each group that holds a method with tokens: the group of its part of the method, and the groups of that
        # part's providers.
        self._parts: list[tuple[int, int, list[int]]] = []
        self._without = [
            int(scopes.alone[place])
            for place, leaf in enumerate(scopes.leaves)
            if leaf is not None and leaf[:2] == (_WITH_TOKENS, None) and scopes.alone[place]
        ]
        providers = sorted({leaf[1] for leaf in scopes.leaves if leaf is not None and leaf[1] is not None})
        for group, path in enumerate(scopes.paths):
            values = [value or ANY for value in ("" if path is None else path).split("/")]
            method, provider, *rest = values + [ANY] * (len(scopes.axes) - len(values))
            if path is None or provider != ANY or method not in (_WITH_TOKENS, ANY):
                continue
            part = scopes.index(path_of(scopes.env, (_WITH_TOKENS, ANY, *rest)))
            of = (scopes.index(path_of(scopes.env, (_WITH_TOKENS, one, *rest))) for one in providers)
            if part is not None:
                self._parts.append((group, part, [one for one in of if one is not None]))

    def __call__(self, counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (..., group, 2) from counts (..., group, counter): sign-ins that started, and those that came back."""
        completed = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
        out = np.stack([counts[..., STARTED], completed], axis=-1)
        rests = [(group, out[..., part, :] - out[..., of, :].sum(axis=-2)) for group, part, of in self._parts]
        for group, rest in rests:
            out[..., group, :] -= rest
        out[..., self._without, :] = 0
        return out


def has_starts(expected: Floats) -> npt.NDArray[np.bool_]:
    """Whether starts tell of a scope's sign-ins (N, scope): at least one for every four completions."""
    completed = expected[..., GOOD] + expected[..., BAD] + expected[..., EXCLUDED]
    return expected[..., STARTED] >= completed / 4
