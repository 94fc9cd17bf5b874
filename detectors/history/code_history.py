"""How many failures of each error code does the history know, per five minutes and scope?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints
from detectors.scopes import SCOPES

__all__ = ["CodeHistory"]


class CodeHistory:
    """Counts (slot, scope) of each error code that was ever recorded; the slots are those of ``history.History``."""

    def __init__(self) -> None:
        self._size = 0
        self._counts: dict[str, npt.NDArray[np.int32]] = {}
        self._any: Bools = np.zeros(0, dtype=bool)

    def put(self, slot: int, codes: Mapping[int, Mapping[str, int]]) -> None:
        """Set the counts of a slot, as scope (position) -> code -> failures; they replace the slot's earlier counts."""
        if self._any[slot]:
            for counts in self._counts.values():
                counts[slot] = 0
        self._any[slot] = bool(codes)
        for scope, of_scope in codes.items():
            for code, count in of_scope.items():
                if code not in self._counts:
                    self._counts[code] = np.zeros((self._size, len(SCOPES)), dtype=np.int32)
                self._counts[code][slot, scope] = count

    def at(self, slot: int) -> dict[int, dict[str, int]]:
        """Return the counts of a slot as ``put`` received them; empty if the slot has no known codes."""
        out: dict[int, dict[str, int]] = {}
        if self._any[slot]:
            for code, counts in sorted(self._counts.items()):
                for scope in np.flatnonzero(counts[slot]).tolist():
                    out.setdefault(scope, {})[code] = int(counts[slot, scope])
        return dict(sorted(out.items()))

    def sums(self, code: str, bounds: Ints) -> tuple[Floats, Bools]:
        """Return (N, scope) failures between consecutive ``bounds`` (N + 1 slots), and (N,) whether codes are known."""
        edges = np.clip(bounds, 0, self._size)
        spans = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        known = np.array([bool(self._any[begin:end].any()) for begin, end in spans])
        counts = self._counts.get(code)
        if counts is None:
            return np.zeros((len(spans), len(SCOPES))), known
        return np.array([counts[begin:end].sum(axis=0) for begin, end in spans], dtype=np.float64), known

    def grow(self, front: int, back: int) -> None:
        """Add ``front`` empty slots before the first one, and ``back`` after the last one."""
        self._size += front + back
        self._any = np.pad(self._any, (front, back))
        self._counts = {code: np.pad(c, ((front, back), (0, 0))) for code, c in self._counts.items()}

    def drop(self, slots: int) -> None:
        """Drop the first ``slots`` slots; the others move to the front, and as many empty slots follow them."""
        kept = max(0, self._size - slots)
        for array in (self._any, *self._counts.values()):
            array[:kept] = array[slots : slots + kept].copy()
            array[kept:] = 0
