"""What do the topics, or files of their records, say about an incident?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from detectors.incidents import Command
from detectors.instants import MINUTE, format_duration, parse_instant
from detectors.lifecycle.memory import COUNTS_WINDOW
from detectors.policy.policy import Policy
from detectors.process.deploys import SHOWN_BEFORE
from sinks.delivery.outcomes import Delivery
from streams.explain.case_file import CaseFile, Receipt, Sample, Sampled
from streams.kafka.clients import ClientFactory, KafkaClients
from streams.kafka.diagnosis import words_of
from streams.kafka.topic_reader import TopicValues
from streams.kafka.topics import Topics
from streams.records.log_lines import Line, deploys_of, read_line
from streams.records.verdicts import decode_command
from streams.replay.entries import SourceError
from streams.replay.sources import not_of_the_log, placed_values
from streams.settings.settings import read_settings

__all__ = ["case_of", "from_files", "from_topics"]

#: The window of the published SLIs that the plot shows, and how much of it before and after the incident.
_WINDOW = 5 * MINUTE
_AROUND = 30 * MINUTE


def from_files(incident: str, names: Iterable[str], policy: Policy) -> CaseFile:
    """From files of the incident log: values a line, or dumps of ``kcat -J``; commands may be among them.

    Args:
        policy: a policy at hand; it is used if its hash is that of the incident's policy.

    Raises:
        SourceError: a file cannot be read, or holds no line of the incident.
    """
    lines: list[Line] = []
    commands: list[Command] = []
    for place, value in placed_values(list(names)):
        if _is_command(value):
            command = decode_command(value)
            if command.incident_id == incident:
                commands.append(command)
            continue
        try:
            line = read_line(value)
        except ValueError as error:
            raise not_of_the_log(place, value, error) from None
        if line.incident == incident or line.deploy is not None:
            lines.append(line)
    return _case_file(incident, lines, commands or None, policy, "the log")


def _is_command(value: bytes) -> bool:
    try:
        decode_command(value)
    except ValueError:
        return False
    return True


def case_of(incident: str, lines: Iterable[Line], policy: Policy) -> CaseFile:
    """From lines of the incident log, also of other incidents.

    Raises:
        SourceError: none of the lines is of the incident.
    """
    mine = [line for line in lines if line.incident == incident or line.deploy is not None]
    return _case_file(incident, mine, None, policy, "the log")


def from_topics(incident: str, policy: Policy) -> CaseFile:
    """From the topics of ``WATCHOFFICER_BROKER``: the log, commands, deliveries and SLIs, as far as they are kept.

    Raises:
        SourceError: the topics cannot be read, or hold no line of the incident.
    """
    try:
        settings = read_settings(os.environ)
        clients, topics = KafkaClients(settings.kafka_client_kwargs()), Topics(settings.topic_prefix)
        return asyncio.run(_read(incident, clients, topics, policy))
    except (ValueError, KafkaError, OSError) as error:
        raise SourceError(f"the incident log cannot be read: {words_of(error)}") from None


async def _read(incident: str, clients: ClientFactory, topics: Topics, policy: Policy) -> CaseFile:
    topic = TopicValues(clients)
    key = incident.encode()
    lines = [read_line(value) for value in await topic.values(topics.incident_log, key)]
    case_file = _case_file(incident, lines, None, policy, topics.incident_log)
    # what is about an incident was written after it began
    began = case_file.began
    notices = await topic.values(
        topics.incident_log, case_file.scope.partition("/")[0].encode(), since=began - SHOWN_BEFORE
    )
    case_file.deploys = deploys_of(map(read_line, notices))
    commands = [decode_command(value) for value in await topic.values(topics.commands, key, since=began)]
    case_file.commands = commands or None
    receipts = case_file.receipts = {}
    for value in await topic.values(topics.deliveries, since=began):
        delivery = msgspec.json.decode(value, type=Delivery)
        if delivery.incident_id == incident:
            receipts[delivery.command_id] = Receipt(delivery.outcome, delivery.at, delivery.reason)
    window = format_duration(_WINDOW)
    begin, end = began - _AROUND, case_file.ended + _AROUND
    published = await topic.values(
        topics.sli,
        f"{case_file.scope}|{window}".encode(),
        since=begin,
        enough=lambda value: _sample(value).at > end,
    )
    samples = [one for one in map(_sample, published) if begin <= one.at <= end]
    if samples:
        case_file.samples = samples
        case_file.sampled = Sampled(_WINDOW, _WINDOW)
    return case_file


def _sample(value: bytes) -> Sample:
    sli = msgspec.json.decode(value, type=dict[str, Any])
    return Sample(parse_instant(sli["at"]), sli["good"], sli["bad"], sli["users_impacted"])


def _case_file(
    incident: str, lines: list[Line], commands: list[Command] | None, policy: Policy, where: str
) -> CaseFile:
    deploys = deploys_of(lines)
    # An input that changed no incident, or a notice.
    lines = [line for line in lines if line.kind != "applied" and line.incident == incident]
    if all(line.kind == "refused" for line in lines):
        raise SourceError(f"there is no incident {incident} in {where}")
    judged_by = {line.policy_hash for line in lines if line.kind != "refused"}
    case_file = CaseFile(
        incident, lines, commands, policy=policy if judged_by == {policy.hash} else None, deploys=deploys
    )
    case_file.samples = [
        Sample(line.instant, line.counts["good"], line.counts["bad"], line.counts["users_impacted"])
        for line in case_file.lines
        if line.counts is not None
    ]
    case_file.sampled = Sampled(COUNTS_WINDOW, COUNTS_WINDOW, "as far as the log says")
    return case_file
