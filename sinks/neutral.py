"""Which form have texts by other people in what receivers get? One of which no receiver makes a link or a command.

The words stay readable: ``https://example.org`` becomes ``https[:]//example.org``. What a receiver makes of asterisks
and the like is left to its wording.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from detectors.bounds import plain_line, plain_text
from detectors.incidents import Command, Incident, Note
from detectors.process.record import Process

__all__ = ["neutral", "neutral_text"]

_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}):(?=//)")
_ADDRESS = re.compile(r"(?i)\b(mailto|tel|javascript|data):")
_HOST = re.compile(r"(?i)\bwww\.")


def neutral_text(text: str) -> str:
    """A text without control characters, with its lines, in which no address is a link."""
    text = _SCHEME.sub(r"\1[:]", plain_text(text))
    text = _ADDRESS.sub(r"\1[:]", text)
    return _HOST.sub("www[.]", text)


def neutral(command: Command) -> Command:
    """A command whose texts by other people, and texts that quote them, are neutral. Links stay what they are."""
    return replace(
        command,
        reason=neutral_text(command.reason),
        by=_name(command.by),
        incident=_incident(command.incident),
    )


def _incident(incident: Incident) -> Incident:
    return replace(
        incident,
        sentence=neutral_text(incident.sentence),
        acknowledged_by=_name(incident.acknowledged_by),
        declared_by=_name(incident.declared_by),
        resolved_by=_name(incident.resolved_by),
        said_resolved_by=_name(incident.said_resolved_by),
        resolved_reason=_name(incident.resolved_reason),
        process=_process(incident.process),
        notes=tuple(
            Note(note.at, _name(note.by) or "", neutral_text(note.text), note.via) for note in incident.notes
        ),
    )


def _process(process: Process) -> Process:
    said = process.said
    return replace(
        process,
        roles={role: _name(who) or "" for role, who in process.roles.items()},
        said=None if said is None else replace(said, by=_name(said.by) or "", text=neutral_text(said.text)),
        follow_ups=tuple(
            replace(one, by=_name(one.by) or "", text=neutral_text(one.text)) for one in process.follow_ups
        ),
        checklist=tuple(replace(one, done_by=_name(one.done_by)) for one in process.checklist),
        completed_by=_name(process.completed_by),
    )


def _name(name: str | None) -> str | None:
    return None if name is None else plain_line(neutral_text(name))
