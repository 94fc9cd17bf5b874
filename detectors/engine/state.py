"""What are an engine's results at a T, and which of its state cannot be computed again after a restart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from detectors.axes import ScopesMemory
from detectors.engine.sla_days import Day
from detectors.history.disturbances import Disturbance
from detectors.history.error_budget import Exclusion
from detectors.incidents import Command, Incident, IncidentInput, Transition
from detectors.lifecycle.lifecycle import LifecycleMemory
from detectors.notices.notices import Notice
from detectors.slis import SliValue

__all__ = ["EngineState", "Spans", "StepResult", "Waiting"]

#: Spans of T: (after, up to), ms.
Spans = Sequence[tuple[int, int]]


class Waiting(msgspec.Struct):
    """Incidents while notifications are held back, by id.

    Attributes:
        before: the incidents of which receivers were notified, as they were when the wait began.
        latest: the incidents that have changed since, as they were last.
    """

    before: dict[str, Incident] = {}
    latest: dict[str, Incident] = {}


class EngineState(msgspec.Struct, frozen=True):
    """The state that a restarted engine cannot compute again from facts.

    Attributes:
        evaluated_to: the last T, ms; None before the first.
        lifecycle: the memory of incidents.
        waiting: the incidents while notifications are held back; None while they are sent.
        covered_from: the instant (ms) from which the engine has received all facts.
        csp_caused: recent interruptions that credential providers caused, for the month's account.
        noticed: the T (ms) of the last notice of each kind, field and value, as ``NoticeWatch.told``.
        scopes: the places of leaves and groups; None in a state that an earlier version wrote.
        disturbed: the scopes that incidents have covered in five minutes whose record may still be revised.
        days: the days that are still to be told.
    """

    evaluated_to: int | None
    lifecycle: LifecycleMemory
    waiting: Waiting | None = None
    covered_from: int | None = None
    csp_caused: tuple[Exclusion, ...] = ()
    noticed: dict[str, int] = {}
    scopes: ScopesMemory | None = None
    disturbed: tuple[Disturbance, ...] = ()
    days: tuple[Day, ...] = ()


@dataclass
class StepResult:
    """The results of one T.

    Attributes:
        at: the T, ms.
        env: the environment.
        sli: the SLIs to publish.
        transitions: the changes of incidents.
        commands: the commands for receivers.
        history: five-minute records that are new or revised.
        incidents: the incidents that are not closed after this step; None if they cannot have changed and
            banners need not be published again.
        refused: inputs that did not apply, each with the reason.
        unseen: inputs that applied and that no transition shows.
        notices: what people should know and wakes nobody.
        days: records of days that are over, new or revised (``sla_days.day_records``).
    """

    at: int
    env: str
    sli: list[SliValue] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    history: list[dict[str, object]] = field(default_factory=list)
    incidents: tuple[Incident, ...] | None = None
    refused: list[tuple[IncidentInput, str]] = field(default_factory=list)
    unseen: list[IncidentInput] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    days: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether this T has any result."""
        told = self.refused or self.unseen or self.notices or self.days
        return bool(self.sli or self.incidents is not None or self.history or told)
