"""Where do the lines of the incident log and the records of the history of a report come from?"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from detectors.incidents import IncidentInput
from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import words_of
from streams.kafka.topic_reader import TopicValues
from streams.kafka.topics import Topics
from streams.records.log_lines import Line, read_line
from streams.records.models import decode_input
from streams.replay.entries import SourceError
from streams.replay.record_files import read_history
from streams.replay.sources import not_of_the_log, placed_values
from streams.settings.settings import read_settings

__all__ = ["day_records", "history_records", "input_records", "log_lines"]

#: What a line of ``replay --format jsonl`` is told as, by the state before and after; it does not know its kind.
_CHANGES = {
    ("open", "acknowledged"): "acknowledged",
    ("acknowledged", "open"): "unacknowledged",
    ("recovering", "open"): "relapsed",
    ("recovering", "acknowledged"): "relapsed",
    ("resolved", "open"): "reopened",
}
_STATES = {"recovering", "resolved", "closed", "acknowledged"}
#: Objects that stand beside transitions in the output of ``replay --format jsonl``, and are no lines of a log.
_OTHERS = {"sli", "banner", "notify", "summary"}


def log_lines(files: Iterable[str]) -> list[Line]:
    """Return the lines of the incident log in files, or without files of ``WATCHOFFICER_BROKER``.

    Files hold a value a line, or are dumps of ``kcat -J``, or the output of ``replay --format jsonl``.

    Raises:
        SourceError: a file or the topic cannot be read, or a line is none of the incident log.
    """
    names = list(files)
    if not names:
        return [read_line(value) for value in _of_topic("incident_log")]
    lines, epochs = list[Line](), dict[str, int]()
    for place, value in placed_values(names):
        line = _line(place, value, epochs)
        if line is not None:
            lines.append(line)
    return lines


def history_records(file: str | None, env: str) -> Iterator[Mapping[str, Any]]:
    """Yield the five-minute records of an environment in a file, or without one of ``WATCHOFFICER_BROKER``.

    Raises:
        SourceError: the file or the topic cannot be read (while iterating).
    """
    if file is not None:
        yield from (record for record in read_history(file) if record.get("env") == env)
        return
    for value in _of_topic("history"):
        record = msgspec.json.decode(value, type=dict[str, Any])
        if record.get("env") == env:
            yield record


def day_records(file: str | None, env: str, since: int) -> list[Mapping[str, Any]]:
    """Return the records of the days of an environment in a file, or without one of ``WATCHOFFICER_BROKER``.

    Args:
        file: has a record of ``sla-days`` a line; None for the topic.
        env: the environment.
        since: ms; what the topic took before is not read.

    Raises:
        SourceError: the file or the topic cannot be read.
    """
    if file is not None:
        return [record for record in read_history(file, "sla-days") if record.get("env") == env]
    found = (msgspec.json.decode(value, type=dict[str, Any]) for value in _of_topic("days", since))
    return [record for record in found if record.get("env") == env]


def input_records() -> list[IncidentInput]:
    """Return the inputs of people and webhooks on the topic of ``WATCHOFFICER_BROKER``; what is none is passed by.

    Raises:
        SourceError: the topic cannot be read.
    """
    found = []
    for value in _of_topic("inputs"):
        with contextlib.suppress(ValueError):  # evaluate passes such a record by, too
            found.append(decode_input(value))
    return found


def _of_topic(name: str, since: int | None = None) -> list[bytes]:
    try:
        settings = read_settings(os.environ)
        clients, topics = KafkaClients(settings.kafka_client_kwargs()), Topics(settings.topic_prefix)
        return asyncio.run(TopicValues(clients).values(getattr(topics, name), since=since))
    except (ValueError, KafkaError, OSError) as error:
        raise SourceError(
            f"the topic cannot be read: {words_of(error)}; or name files (--log, --history, --days)"
        ) from None


def _line(place: str, value: bytes, epochs: dict[str, int]) -> Line | None:
    try:
        found = msgspec.json.decode(value, type=dict[str, Any])
        if found.get("type") in _OTHERS:
            return None
        if found.get("type") == "transition":
            found = _of_replay(found, epochs)
        return read_line(found)
    except (ValueError, KeyError, TypeError) as error:
        raise not_of_the_log(place, value, error) from None


def _of_replay(found: dict[str, Any], epochs: dict[str, int]) -> dict[str, Any]:
    """Make a line of the log of a transition that ``replay`` printed."""
    before, after, incident = found.get("from"), found["to"], found["incident"]
    if before is None:
        kind = "opened"
    elif before == after:
        kind = "severity"
    else:
        kind = _CHANGES.get((before, after), after if after in _STATES else "severity")
    if kind == "reopened":
        epochs[incident] = epochs.get(incident, 0) + 1
    return {**found, "type": kind, "epoch": epochs.get(incident, 0)}
