"""The axes of everything that is counted: leaves (where an event falls) and scopes (what is judged).

A *leaf* is (auth method, csp or none) within an environment; a *scope* is a path such as ``prod``, ``prod/ssoe``,
``prod/ssoe/idme`` or ``prod/*/idme``. Both axes have a fixed order, so that arrays can be indexed by it.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "CSPS",
    "ENVS",
    "LEAVES",
    "MEMBERS",
    "METHODS",
    "OUTCOMES",
    "SCOPES",
    "SESSION_STEPS",
    "SIGN_IN_STEPS",
    "STEPS",
    "contains",
    "leaf_index",
    "overlaps",
    "scope_index",
    "scope_path",
]

ENVS = ("prod", "staging", "dev", "localhost")
METHODS = ("ssoe", "sis")
CSPS = ("idme", "logingov", "mhv", "dslogon")
STEPS = ("new", "authorize", "callback", "token", "refresh", "revoke", "logout")
SIGN_IN_STEPS = ("new", "authorize", "callback", "token")
SESSION_STEPS = ("refresh", "revoke", "logout")
OUTCOMES = ("started", "success", "failure")

#: (method, csp or None), in the order of the leaf axis; the leaf without a csp comes first in each method.
LEAVES: tuple[tuple[str, str | None], ...] = tuple((m, c) for m in METHODS for c in (None, *CSPS))

#: Scopes below an environment, in the order of the scope axis; "" is the environment itself.
SCOPES: tuple[str, ...] = (
    "",
    *METHODS,
    *(f"*/{c}" for c in CSPS),
    *(f"{m}/{c}" for m in METHODS for c in CSPS),
)

_LEAF = {leaf: i for i, leaf in enumerate(LEAVES)}
_SCOPE = {scope: i for i, scope in enumerate(SCOPES)}


def _covers(scope: str, method: str, csp: str | None) -> bool:
    if scope == "":
        return True
    parts = scope.split("/")
    if len(parts) == 1:
        return parts[0] == method
    return parts[0] in ("*", method) and parts[1] == csp


#: bool array (scope, leaf): which leaves a scope is made of.
MEMBERS: np.ndarray = np.array([[_covers(s, m, c) for m, c in LEAVES] for s in SCOPES], dtype=bool)


def leaf_index(method: str, csp: str | None) -> int:
    """Position of (method, csp) on the leaf axis."""
    return _LEAF[method, csp]


def scope_path(env: str, index: int) -> str:
    """``prod/ssoe`` for the environment ``prod`` and a position on the scope axis."""
    return f"{env}/{SCOPES[index]}" if SCOPES[index] else env


def scope_index(path: str) -> int:
    """Position on the scope axis of a path with its environment, such as ``prod/*/idme``.

    Raises:
        KeyError: no such scope.
    """
    env, _, rest = path.partition("/")
    if env not in ENVS:
        raise KeyError(path)
    return _SCOPE[rest]


def contains(wide: str, narrow: str) -> bool:
    """Whether every leaf of ``narrow`` is a leaf of ``wide`` (a scope contains itself), in one environment."""
    if wide.partition("/")[0] != narrow.partition("/")[0]:
        return False
    return bool(np.all(MEMBERS[scope_index(wide)] | ~MEMBERS[scope_index(narrow)]))


def overlaps(one: str, other: str) -> bool:
    """Whether some leaf is in both: ``prod/*/idme`` and ``prod/ssoe``, though neither holds the other."""
    if one.partition("/")[0] != other.partition("/")[0]:
        return False
    return bool(np.any(MEMBERS[scope_index(one)] & MEMBERS[scope_index(other)]))
