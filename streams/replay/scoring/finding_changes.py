"""At which T do the findings of a run change? An observer of its engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.detection.verdicts import FIRING, STATES, Verdicts
from detectors.incidents import FindingState
from detectors.windows.frame import Frame

__all__ = ["Change", "FindingChanges"]

#: The state of a scope before its first T, unlike any.
_UNSEEN = -2


@dataclass(frozen=True)
class Change:
    """What a detector says of a scope from ``at`` (ms) on; the sentence is there where it fires."""

    at: int
    state: FindingState
    sentence: str


class FindingChanges:
    """Give it to ``Replay`` as its observer.

    Args:
        until: the last T that is noted, ms; None for all.

    Attributes:
        found: (detector, scope) -> changes, in order.
    """

    def __init__(self, until: int | None = None) -> None:
        self._until = until
        self.found: dict[tuple[str, str], list[Change]] = {}
        self._last: dict[tuple[str, str], tuple[list[str | None], npt.NDArray[np.int8]]] = {}

    def __call__(self, frame: Frame, verdicts: Sequence[Verdicts]) -> None:
        for verdict in verdicts:
            key = (verdict.detector, frame.env)
            paths = frame.scopes.paths
            changed = np.diff(np.vstack([self._before(key, paths), verdict.state]), axis=0) != 0
            changed[:, [path is None for path in paths]] = False
            self._last[key] = paths, verdict.state[-1].copy()
            for n, scope in np.argwhere(changed).tolist():
                at, state = int(frame.ends[n]), int(verdict.state[n, scope])
                if self._until is not None and at > self._until:
                    break
                sentence = verdict.explain(n, scope).sentence if state == FIRING else ""
                path = frame.scopes.path(scope)
                self.found.setdefault((verdict.detector, path), []).append(
                    Change(at, STATES[state], sentence)
                )

    def _before(self, key: tuple[str, str], paths: list[str | None]) -> npt.NDArray[np.int8]:
        """Return (scope,) the states before a frame; a position may have been another scope's before."""
        states = np.full(len(paths), _UNSEEN, dtype=np.int8)
        old_paths, old = self._last.get(key, ([], states[:0]))
        kept = [n for n, (path, before) in enumerate(zip(paths, old_paths, strict=False)) if path == before]
        states[kept] = old[kept]
        return states
