"""What became of probes: sign-ins that a monitor makes by itself, also when nobody else signs in?

A probe is an event of a step that the policy lists under ``probe``. It counts in no SLI, and is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.axes import Scopes
from detectors.instants import SECOND
from detectors.policy.classes import Classes
from detectors.windows.counters import Amounts
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind
from detectors.windows.sliding import Windows

__all__ = ["FAILED", "OK", "ProbeWindows"]

#: Positions on the counter axis: probes that signed in, probes that did not.
OK, FAILED = range(2)
#: s, ascending. Of probes that come every so often, from half a minute to half an hour, some window holds the last two
#: and not the one before; within the longest a probe is remembered.
_WINDOWS = (60, 90, 120, 180, 240, 360, 540, 780, 1200, 1800, 2700, 3600)


class _Columns:
    def __init__(self, classes: Classes) -> None:
        self._classes = classes

    def amounts(self, facts: FactColumns) -> Amounts:
        """Return what rows add to the two counters, as ``counters.Columns`` requires."""
        counters = facts.by_kind(self._counter)
        counted = np.flatnonzero(counters >= 0)
        return Amounts(counted, counters[counted], facts.count[counted])

    def _counter(self, kind: Kind) -> int:
        if self._classes.sli(kind.step) != "probe":
            return -1
        found = self._classes.of(kind.step, kind.outcome, kind.code, kind.error_class)
        return OK if found == "good" else FAILED if found == "bad" else -1


class _Leaves:
    """The leaves of scopes as groups of one leaf each, as ``Windows`` asks for groups."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes

    @property
    def version(self) -> int:
        """Changes whenever the leaves do."""
        return self._scopes.version

    @property
    def leaves(self) -> Sequence[object]:
        """The leaves of the facts, in the order of their numbers."""
        return self._scopes.leaves

    @property
    def members(self) -> Bools:
        """(leaf, leaf): each leaf holds itself."""
        return np.eye(len(self._scopes.leaves), dtype=bool)


class ProbeWindows:
    """Probes of one environment by leaf. ``advance`` moves over consecutive steps; time never goes back.

    An environment without probes pays nothing: windows begin with the first probe.

    Args:
        scopes: the leaves of the facts.
        step: length of a pane, ms.
        classes: tells probes, and which of them failed.
    """

    def __init__(self, scopes: Scopes, step: int, classes: Classes) -> None:
        self._scopes = scopes
        self._step = step
        self._columns = _Columns(classes)
        self._windows: Windows | None = None

    def advance(self, start: int, steps: int, facts: FactColumns) -> Mapping[int, Ints]:
        """Move on like ``Windows.advance``; return window (ms) -> (steps, leaf, (``OK``, ``FAILED``)), or nothing."""
        windows = self._begun(facts)
        return {} if windows is None else windows.advance(start, steps, facts)

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on like ``advance`` without computing the counts."""
        windows = self._begun(facts)
        if windows is not None:
            windows.move(start, steps, facts)

    def skip(self) -> None:
        """Forget all counts: the caller jumps over steps in which every window is empty."""
        self._windows = None

    def _begun(self, facts: FactColumns) -> Windows | None:
        if self._windows is None and self._columns.amounts(facts).row.size:
            step = self._step
            windows = tuple(sorted({max(seconds * SECOND // step, 1) * step for seconds in _WINDOWS}))
            self._windows = Windows(_Leaves(self._scopes), step, windows, self._columns, 2)
        return self._windows
