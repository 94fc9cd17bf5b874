"""How are files of records of ``sli-history`` and ``incident-inputs`` read? Each line is one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from detectors.history.history import History
from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from streams.records.models import decode_input
from streams.replay.entries import SourceError
from streams.replay.files import open_lines

__all__ = ["HistoryLine", "add_record", "read_history", "read_inputs"]

_DECODER = msgspec.json.Decoder(dict[str, Any])


class HistoryLine(dict[str, Any]):
    """A record of ``sli-history`` that knows where it stands: ``place`` is ``FILE:LINE``."""

    __slots__ = ("place",)

    def __init__(self, record: dict[str, Any], place: str) -> None:
        super().__init__(record)
        self.place = place


def read_history(name: str, topic: str = "sli-history") -> Iterator[HistoryLine]:
    """Yield the objects in a file of records of a topic; ``add_record`` checks what is in five-minute records.

    Raises:
        SourceError: the file cannot be read, or a line is no JSON object (while iterating).
    """
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            place = f"{name}:{number}"
            try:
                yield HistoryLine(_DECODER.decode(line), place)
            except ValueError as error:
                raise _no_record(place, error, topic) from None


def add_record(history_of: Callable[[str], History], record: Mapping[str, Any]) -> None:
    """Add a five-minute record to the history of its environment.

    Raises:
        SourceError: it is no five-minute record.
    """
    try:
        history_of(record["env"]).add(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_record(getattr(record, "place", "the history"), error) from None


def _no_record(place: str, error: Exception, topic: str = "sli-history") -> SourceError:
    return SourceError(f"{place}: not a record of {topic}: {error}")


def read_inputs(name: str, step: int) -> list[tuple[int, IncidentInput]]:
    """Return the incident inputs in a file, each with its T (ms): ``applied_at``, else the next T after ``at``.

    Raises:
        SourceError: the file cannot be read, or a line is no incident input.
    """
    out = []
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            try:
                value = decode_input(line)
                applied = msgspec.json.decode(line).get("applied_at")
            except ValueError as error:
                raise SourceError(f"{name}:{number}: not a record of incident-inputs: {error}") from None
            at = parse_instant(applied) if applied else (value.at // step + 1) * step
            out.append((at, value))
    return out
