"""How large may an incident be? What people and receivers put on it is cut, so that no record grows with it."""

from __future__ import annotations

from msgspec.structs import replace

from detectors.bounds import (
    CAUSES_LIMIT,
    LINK_BYTES,
    NAME_BYTES,
    NOTE_BYTES,
    NOTES_KEPT,
    SENTENCE_BYTES,
    cut,
    fits,
)
from detectors.incidents import Incident, Note

__all__ = ["bounded"]


def bounded(incident: Incident) -> Incident:
    """The incident with its last ``NOTES_KEPT`` notes, and with every text cut to its limit in ``detectors.bounds``.

    A link that is too long is left out, because a part of a link leads nowhere.
    """
    return replace(
        incident,
        sentence=cut(incident.sentence, SENTENCE_BYTES),
        acknowledged_by=_name(incident.acknowledged_by),
        declared_by=_name(incident.declared_by),
        resolved_by=_name(incident.resolved_by),
        said_resolved_by=_name(incident.said_resolved_by),
        narrower=incident.narrower[:CAUSES_LIMIT],
        notes=tuple(
            Note(note.at, cut(note.by, NAME_BYTES), cut(note.text, NOTE_BYTES), note.via)
            for note in incident.notes[-NOTES_KEPT:]
        ),
        process=incident.process.bounded(),
        links={name: link for name, link in incident.links.items() if fits(link, LINK_BYTES)},
    )


def _name(name: str | None) -> str | None:
    return None if name is None else cut(name, NAME_BYTES)
