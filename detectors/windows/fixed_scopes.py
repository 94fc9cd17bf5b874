"""Which positions do the leaves and groups of ``detectors.scopes`` have in ``Scopes``? Exactly the fixed ones."""

from __future__ import annotations

from detectors.axes import AXES, Scopes, ScopesMemory
from detectors.scopes import LEAVES, SCOPES

__all__ = ["fixed_scopes"]


def fixed_scopes(env: str) -> Scopes:
    """Return the fixed leaves, without a value on further axes, and the fixed scopes, each at its fixed position."""
    leaves = tuple((method, csp, None) for method, csp in LEAVES)
    return Scopes(env, memory=ScopesMemory(leaves, SCOPES, AXES))
