"""What consecutive steps of one environment look like to a detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detectors.arrays import Ints

if TYPE_CHECKING:
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
        levels: window (ms) -> (N,) of what sample the people are, see ``impact.Impact``; 0, or left out: of all.
    """

    env: str
    ends: Ints
    counts: Mapping[int, Ints]
    people: Mapping[int, Ints]
    windows: tuple[int, ...]
    returns: Mapping[int, Ints] = field(default_factory=dict)
    codes: CodeWindows | None = None
    levels: Mapping[int, Ints] = field(default_factory=dict)
