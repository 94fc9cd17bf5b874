"""What does an engine bring at a T, and what of its memory cannot be worked out again after a restart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from detectors.history.error_budget import Exclusion
from detectors.incidents import Command, Incident, IncidentInput, Transition
from detectors.lifecycle.lifecycle import LifecycleMemory
from detectors.slis import SliValue

__all__ = ["EngineState", "Spans", "StepResult", "Waiting"]

#: Spans of T: (after, up to), ms.
Spans = Sequence[tuple[int, int]]


class Waiting(msgspec.Struct):
    """Incidents while notifications wait: as they stood when the wait began, and as they stood last.

    Both by id; ``before`` holds those that were told of, ``latest`` all that have changed since.
    """

    before: dict[str, Incident] = {}
    latest: dict[str, Incident] = {}


class EngineState(msgspec.Struct, frozen=True):
    """What a restarted engine cannot work out again from facts.

    Attributes:
        evaluated_to: the last T, ms; None before the first.
        lifecycle: the memory of incidents.
        waiting: what there will be to say once notifications go out again; None while they do.
        covered_from: the instant (ms) from which the engine has seen all facts.
        csp_caused: what credential providers have caused of late, for the month's account.
    """

    evaluated_to: int | None
    lifecycle: LifecycleMemory
    waiting: Waiting | None = None
    covered_from: int | None = None
    csp_caused: tuple[Exclusion, ...] = ()


@dataclass
class StepResult:
    """What one T brought. Empty lists where it brought nothing of a kind.

    Attributes:
        incidents: the incidents that are not closed, after this step; None where they cannot have changed
            and banners need not be published again.
        refused: inputs that did not apply, each with the reason.
    """

    at: int
    env: str
    sli: list[SliValue] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    history: list[dict[str, object]] = field(default_factory=list)
    incidents: tuple[Incident, ...] | None = None
    refused: list[tuple[IncidentInput, str]] = field(default_factory=list)
