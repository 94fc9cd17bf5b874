"""What do consecutive steps of one environment look like to a detector?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors.arrays import Ints
from detectors.instants import FAR_PAST
from detectors.windows.error_codes import CodeWindows

__all__ = ["Frame"]


@dataclass(frozen=True)
class Frame:
    """What N consecutive steps of one environment look like.

    Attributes:
        env: the environment.
        ends: (N,) the T of each step, ms.
        counts: window (ms) -> (N, scope, counter).
        people: window (ms) -> (N, scope), distinct people with a bad event.
        windows: the window lengths, ms, ascending.
        returns: window (ms) -> (N, scope, (went, returned)), see ``returns.ReturnWindows``; windows of their own.
        codes: failures by error code, for as long as nothing has moved on; None where there were none.
        levels: window (ms) -> (N,) the level of the sample that the people are counted in, see ``impact.Impact``; 0 of
            all people. Windows in which all people were counted throughout may be left out.
        covered_from: the instant (ms) from which all facts are at hand; a window that begins before it may lack some.
    """

    env: str
    ends: Ints
    counts: Mapping[int, Ints]
    people: Mapping[int, Ints]
    windows: tuple[int, ...]
    returns: Mapping[int, Ints] = field(default_factory=dict)
    codes: CodeWindows | None = None
    levels: Mapping[int, Ints] = field(default_factory=dict)
    covered_from: int = FAR_PAST
