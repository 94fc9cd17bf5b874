"""When are receivers told of notes? At once, but once a minute at most; the others wait and are joined."""

from __future__ import annotations

from typing import Any

from detectors.bounds import NAME_BYTES, NOTE_BYTES, cut
from detectors.incidents import IncidentInput, Note, TransitionKind
from detectors.instants import MINUTE
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder

__all__ = ["NOTES_EVERY", "WAITING", "note", "put_note", "say", "tell_notes"]

#: Receivers are told of an incident's notes once in this time at most, ms.
NOTES_EVERY = MINUTE
#: The most notes that wait to be told; of those beyond, only the number is told. The incident log has all of them.
WAITING = 20


def note(memory: IncidentMemory, incident_input: IncidentInput, text: str, recorder: Recorder) -> None:
    """Append a note to the incident, which keeps the last of them, cut; the transition has the whole text."""
    happened = incident_input.since
    if happened is None or happened > recorder.at:
        happened = recorder.at
    kept = Note(happened, incident_input.by, text, incident_input.via)
    notes = tuple(sorted((*memory.incident.notes, kept), key=lambda one: one.at))
    say(memory, incident_input, text, recorder, "note", notes=notes)


def put_note(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> None:
    """Append the text of an input to the incident as a note."""
    note(memory, incident_input, incident_input.text, recorder)


def say(
    memory: IncidentMemory,
    incident_input: IncidentInput,
    text: str,
    recorder: Recorder,
    kind: TransitionKind,
    **changes: Any,
) -> None:
    """Record what a person has said as a change of ``kind``, and tell receivers of it as of a note.

    Args:
        text: what was said, in words; the transition has it whole.
        changes: fields of the incident that change with it.
    """
    written = Note(recorder.at, incident_input.by, text, incident_input.via)
    at_once = memory.noted_at is None or recorder.at - memory.noted_at >= NOTES_EVERY
    if at_once:
        memory.noted_at = recorder.at
    elif len(memory.untold) < WAITING:
        short = Note(written.at, cut(written.by, NAME_BYTES), cut(text, NOTE_BYTES), written.via)
        memory.untold = [*memory.untold, short]
    else:
        memory.untold_more += 1
    happened = incident_input.since if kind == "note" else None
    recorder.change(
        memory,
        kind,
        text,
        by=incident_input.by,
        via=incident_input.via,
        tells=(written,) if at_once else (),
        happened_at=happened,
        **changes,
    )


def tell_notes(memory: IncidentMemory, recorder: Recorder, *, last: bool = False) -> None:
    """Tell receivers of the notes that wait, joined, once it is time; at the ``last`` opportunity in any case."""
    if not memory.untold:
        return
    if not last and memory.noted_at is not None and recorder.at - memory.noted_at < NOTES_EVERY:
        return
    untold, more = memory.untold, memory.untold_more
    memory.untold, memory.untold_more, memory.noted_at = [], 0, recorder.at
    further = f" The last {more} are on the timeline alone." if more else ""
    noun = "note" if len(untold) + more == 1 else "notes"
    recorder.change(memory, "notes", f"{len(untold) + more} {noun} more.{further}", tells=untold)
