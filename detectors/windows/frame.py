"""What do consecutive steps of one environment look like to a detector?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from detectors.arrays import Ints
from detectors.axes import Scopes
from detectors.instants import FAR_PAST
from detectors.windows.error_codes import CodeWindows
from detectors.windows.late import LateFrame
from detectors.windows.people.crowd import CrowdFrame

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """The counts of N consecutive steps of one environment.

    Attributes:
        scopes: the leaves and groups of the environment; the axis "scope" of all arrays is the axis of the groups. It
            grows between frames alone.
        env: the environment.
        ends: (N,) the T of each step, ms.
        counts: window (ms) -> (N, scope, counter).
        people: window (ms) -> (N, scope), distinct people with a bad event.
        windows: the window lengths, ms, ascending.
        returns: window (ms) -> (N, scope, (went, returned)), see ``returns.ReturnWindows``; its windows may differ
            from ``windows``.
        probes: window (ms) -> (N, leaf, (ok, failed)), see ``probes.ProbeWindows``; empty where nothing is probed.
        codes: failures by error code, valid until the windows move on; None where there were no failures.
        levels: window (ms) -> (N,) the level of the sample from which people are counted, see ``impact.Impact``; 0 if
            all people were counted. Windows in which all people were counted at every step may be left out.
        crowd: failures that may be fewer people than they have ids; None where each id is a person.
        late: the events that arrived late, or before their time; None where no window holds any.
        covered_from: the instant (ms) from which all facts are known; a window that begins earlier may lack some.
        doubted_to: the instant (ms) up to which a wrong clock has moved time ahead of what has arrived; a window that
            begins earlier says nothing of silence.
    """

    scopes: Scopes = field(kw_only=True)
    env: str
    ends: Ints
    counts: Mapping[int, Ints]
    people: Mapping[int, Ints]
    windows: tuple[int, ...]
    returns: Mapping[int, Ints] = field(default_factory=dict)
    codes: CodeWindows | None = None
    levels: Mapping[int, Ints] = field(default_factory=dict)
    probes: Mapping[int, Ints] = field(default_factory=dict)
    covered_from: int = FAR_PAST
    doubted_to: int = FAR_PAST
    late: LateFrame | None = None
    crowd: CrowdFrame | None = None

    def persons(self, window: int) -> Ints:
        """Return (N, scope) the distinct people of a window (ms), without ids that one person could have had."""
        if self.crowd is None:
            return self.people[window]
        return np.asarray(np.maximum(self.people[window] - self.crowd.excess(window), 0))

    def arrived(self, window: int) -> Ints:
        """Return the counts (N, scope, counter) of what arrived in a window (ms), whenever it happened."""
        beside = None if self.late is None else self.late.beside(window)
        return self.counts[window] if beside is None else self.counts[window] + beside

    def keep(self) -> None:
        """Compute the counts of all windows, so that they can be read when the windows have moved on."""
        for window in self.counts:
            self.counts[window]
