"""Which records do the topics hold of a verdict: commands, log lines, SLIs, history, banners?"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from detectors.bounds import CAUSES_LIMIT, SENTENCE_BYTES, cut
from detectors.incidents import Cause, Command, IncidentInput, Transition
from detectors.instants import format_instant
from detectors.notices.notices import Notice
from detectors.slis import SliValue
from sinks.banner.banner import Banner
from sinks.banner.banner import encode as encode_banner
from sinks.banner.banner import headers as banner_headers
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.records.jsonl import notice_object, transition_object
from streams.records.parts import ProcessRecord
from streams.segments.input_partition import InputPartition

__all__ = [
    "applied_out",
    "banner_out",
    "command_out",
    "day_out",
    "decode_command",
    "history_out",
    "incident_partition",
    "log_line",
    "log_out",
    "notice_out",
    "refused_out",
    "sli_out",
]


def incident_partition(incident: str, partitions: int) -> int:
    """The partition of the outbox that holds an incident's commands: sinks spread by incident."""
    return zlib.crc32(incident.encode()) % partitions


def command_out(topics: Topics, partitions: int, command: Command) -> ProducerRecord:
    """A record of the outbox; instants in ms, as in ``detectors.incidents``."""
    key = command.incident_id
    return ProducerRecord(
        topics.commands, key.encode(), msgspec.json.encode(command), incident_partition(key, partitions)
    )


def decode_command(value: bytes) -> Command:
    """The command of a record of the outbox.

    Raises:
        ValueError: it is none (``msgspec.ValidationError`` is a ValueError).
    """
    return msgspec.json.decode(value, type=Command)


def log_out(
    topics: Topics,
    partition: int,
    transition: Transition,
    offsets: Mapping[InputPartition, int],
    policy_hash: str,
) -> ProducerRecord:
    """A record of the incident log; see ``log_line``."""
    line = log_line(transition, offsets, policy_hash)
    return ProducerRecord(
        topics.incident_log, transition.incident.id.encode(), msgspec.json.encode(line), partition
    )


def log_line(
    transition: Transition, offsets: Mapping[InputPartition, int], policy_hash: str
) -> dict[str, Any]:
    """A line of the incident log: the transition with its inputs, thresholds, log offsets and policy."""
    left_out = len(transition.causes) - CAUSES_LIMIT
    return {
        **transition_object(transition),
        "type": transition.kind,
        "epoch": transition.incident.epoch,
        "first_bad_at": format_instant(transition.incident.first_bad_at),
        **({} if transition.happened_at is None else {"happened_at": format_instant(transition.happened_at)}),
        "by": transition.by,
        "input": transition.input,
        "process": _process(transition),
        "page": msgspec.to_builtins(transition.page),
        "sentence": transition.incident.sentence,
        "counts": msgspec.to_builtins(transition.incident.counts_now),
        "common": msgspec.to_builtins(transition.incident.common),
        "evidence": [_evidence(cause) for cause in transition.causes[:CAUSES_LIMIT]],
        **({"evidence_left_out": left_out} if left_out > 0 else {}),
        "offsets": {str(p): offset for p, offset in offsets.items()},
        "policy_hash": policy_hash,
    }


def _process(transition: Transition) -> dict[str, Any]:
    """How the incident is conducted after a change, without what is not known yet."""
    process = ProcessRecord.model_validate(msgspec.to_builtins(transition.incident.process))
    return process.model_dump(mode="json", exclude_defaults=True)


def _evidence(cause: Cause) -> dict[str, Any]:
    out: dict[str, Any] = msgspec.to_builtins(cause)
    out["sentence"] = cut(cause.sentence, SENTENCE_BYTES)
    if cause.first_bad is not None:
        out["first_bad"] = format_instant(cause.first_bad)
    return out


def refused_out(
    topics: Topics, partition: int, at: int, incident_input: IncidentInput, why: str
) -> ProducerRecord:
    """A record of the incident log: an input, and why it was not applied."""
    line = {
        "type": "refused",
        "at": format_instant(at),
        "incident": incident_input.incident,
        "input": incident_input.id,
        "kind": incident_input.kind,
        "by": incident_input.by,
        "reason": why,
    }
    key = (incident_input.incident or incident_input.env).encode()
    return ProducerRecord(topics.incident_log, key, msgspec.json.encode(line), partition)


def applied_out(topics: Topics, partition: int, at: int, incident_input: IncidentInput) -> ProducerRecord:
    """A record of the incident log: an input that applied and that no transition shows."""
    line = {
        "type": "applied",
        "at": format_instant(at),
        "incident": incident_input.incident,
        "input": incident_input.id,
        "kind": incident_input.kind,
        "by": incident_input.by,
        "reason": "it was applied, and changed no incident",
    }
    key = (incident_input.incident or incident_input.env).encode()
    return ProducerRecord(topics.incident_log, key, msgspec.json.encode(line), partition)


def notice_out(topics: Topics, partition: int, notice: Notice) -> ProducerRecord:
    """A record of the incident log: something that people should know and that is no incident."""
    line = {**notice_object(notice), "incident": None}
    return ProducerRecord(topics.incident_log, notice.env.encode(), msgspec.json.encode(line), partition)


def sli_out(topics: Topics, partition: int, value: SliValue) -> ProducerRecord:
    """A record of the topic ``sli``, key ``scope|window``."""
    body = value.as_json()
    key = f"{body['scope']}|{body['window']}"
    return ProducerRecord(topics.sli, key.encode(), msgspec.json.encode(body), partition)


def history_out(topics: Topics, partition: int, record: Mapping[str, Any]) -> ProducerRecord:
    """A record of the topic ``sli-history``, key ``env|start``."""
    at = format_instant(record["at"])
    body = {**record, "at": at}
    return ProducerRecord(
        topics.history, f"{record['env']}|{at}".encode(), msgspec.json.encode(body), partition
    )


def day_out(topics: Topics, partition: int, record: Mapping[str, Any]) -> ProducerRecord:
    """A record of the topic ``sla-days``, key ``scope|date``; instants of ``record`` are in ms."""
    instants = {name: format_instant(record[name]) for name in ("start", "end")}
    key = f"{record['scope']}|{record['date']}"
    return ProducerRecord(topics.days, key.encode(), msgspec.json.encode({**record, **instants}), partition)


def banner_out(topics: Topics, partition: int, banner: Banner) -> ProducerRecord:
    """A record of the topic ``banner-state``: CloudEvents in binary mode."""
    return ProducerRecord(
        topics.banner, banner.key.encode(), encode_banner(banner), partition, banner_headers(banner)
    )
