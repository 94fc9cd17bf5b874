"""How are files of records of ``sli-history`` and ``incident-inputs`` read? Each line is one JSON object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from detectors.history.history import History
from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from streams.records.models import decode_input
from streams.replay.entries import SourceError
from streams.replay.files import open_lines

__all__ = ["read_history", "read_inputs"]


def read_history(name: str) -> Iterator[dict[str, Any]]:
    """Yield the five-minute records in a file.

    Raises:
        SourceError: the file cannot be read, or a line is no five-minute record (while iterating).
    """
    tried: dict[str, History] = {}
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = msgspec.json.decode(line, type=dict[str, Any])
                env = record["env"]
                if env not in tried:
                    tried[env] = History(env)
                tried[env].add(record)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SourceError(f"{name}:{number}: not a record of sli-history: {error}") from None
            yield record


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
