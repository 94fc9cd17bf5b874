"""How are incidents kept that have closed, for what people do afterwards: follow-ups, post-mortem, completion?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from detectors.incidents import Incident, IncidentInput
from detectors.instants import DAY
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import Level
from detectors.process.record import Process
from detectors.urgency import is_serious

__all__ = ["KEPT_FOR", "PAST_BYTES", "PAST_KEPT", "PROCESS_BYTES", "Act", "act", "is_full", "kept"]

#: An incident takes acts for so long after it closed, ms.
KEPT_FOR = 90 * DAY
#: The most closed incidents that are kept, and the most bytes that they take in a state.
PAST_KEPT, PAST_BYTES = 20, 64 * 1024
#: Of these the newest, which people still work on, are kept before all others.
_NEWEST = 8
#: The most bytes that the processes of the incidents that are not closed take in a state.
PROCESS_BYTES = 48 * 1024

#: Does what an input asks of an incident; returns why it does not apply, or None.
Act = Callable[[IncidentMemory, IncidentInput, Recorder], str | None]


def is_full(memories: Iterable[IncidentMemory]) -> bool:
    """Whether the processes of incidents have the room that a state has for them, so that no act may add to it."""
    return sum(_size(memory.incident.process) for memory in memories) > PROCESS_BYTES


def kept(closed: Sequence[Incident], at: int) -> list[Incident]:
    """Return the closed incidents that still take acts, the oldest first.

    Those that are completed, longer over than ``KEPT_FOR``, merged, or that would have woken nobody need none. Where
    there is no room for all, the newest ``_NEWEST`` are kept before all others, then those that were declared, and
    the newest of each.

    Args:
        closed: closed incidents, the oldest first.
        at: T, ms.
    """
    wanted = [
        one
        for one in closed
        if one.process.completed_at is None
        and at - (one.closed_at or at) < KEPT_FOR
        and not (one.resolved_reason or "").startswith("merged")
        and (is_serious(one) or one.declared_at is not None)
    ]
    newest = {one.id for one in wanted[-_NEWEST:]}
    ranked = sorted(
        wanted,
        key=lambda one: (one.id not in newest, one.declared_at is None, -(one.closed_at or 0)),
    )[:PAST_KEPT]
    room, names = PAST_BYTES, set[str]()
    for one in ranked:
        room -= _size(one)
        if room >= 0:
            names.add(one.id)
    return [one for one in wanted if one.id in names]


def _size(value: Incident | Process) -> int:
    return len(msgspec.msgpack.encode(value))


def act(incidents: list[Incident], asked: IncidentInput, recorder: Recorder, does: Act) -> str | None:
    """Do an act on a closed incident; return why it does not apply, or None.

    Args:
        incidents: the closed incidents; the one that the act changes is replaced.
        asked: names the incident.
        recorder: of the step.
        does: the act.
    """
    for place, incident in enumerate(incidents):
        if incident.id == asked.incident:
            memory = IncidentMemory(
                incident=incident,
                level=Level(),
                scopes=[incident.scope],
                fired_at=recorder.at,
                spoke_at=recorder.at,
                scope_notified=incident.scope,
            )
            reason = does(memory, asked, recorder)
            incidents[place] = memory.incident
            return reason
    return f"there is no incident {asked.incident} that is open or takes acts after it closed"
