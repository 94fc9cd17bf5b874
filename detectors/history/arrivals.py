"""Which of the counts are sign-ins that arrived, and which are sign-ins that came back from a credential provider?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats
from detectors.scopes import CSPS, METHODS, SCOPES
from detectors.windows.counters import BAD, EXCLUDED, GOOD, STARTED

__all__ = ["arrivals", "has_starts", "returns"]

#: Of a method that asks for tokens, completions are callbacks where they have a credential provider: tokens have
#: none. (method, its scopes with a provider).
_WITH_TOKENS = [
    (SCOPES.index(method), [SCOPES.index(f"{method}/{csp}") for csp in CSPS])
    for method in METHODS
    if method == "sis"
]
_ENV = SCOPES.index("")


def arrivals(counts: npt.NDArray[Any], by_starts: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Sign-ins that arrived, from counts (..., scope, counter): those that started, or else those that
    completed.

    A start is one sign-in, and stops at once when nobody gets through; completions come a minute later, and
    twice where a token follows a callback. Completions serve for scopes of which no starts are reported
    (``by_starts``).
    """
    completed = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
    return np.where(by_starts, counts[..., STARTED], completed)


def returns(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(..., scope, 2) from counts (..., scope, counter): sign-ins that started, and those that came back.

    A return is a callback that completed, well or not. Of a method with tokens only what has a credential
    provider is taken, of both.
    """
    completed = counts[..., GOOD] + counts[..., BAD] + counts[..., EXCLUDED]
    out = np.stack([counts[..., STARTED], completed], axis=-1)
    for method, csps in _WITH_TOKENS:
        rest = out[..., method, :] - out[..., csps, :].sum(axis=-2)
        out[..., [method, _ENV], :] -= rest[..., None, :]
    return out


def has_starts(expected: Floats) -> npt.NDArray[np.bool_]:
    """Whether starts tell of a scope's sign-ins (N, scope): at least one for every four completions."""
    completed = expected[..., GOOD] + expected[..., BAD] + expected[..., EXCLUDED]
    return expected[..., STARTED] >= completed / 4
