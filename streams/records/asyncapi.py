"""How are the topics described for programs that read or write them without this code? With JSON Schemas and AsyncAPI.

All descriptions are generated from the models that read and write the records. ``python -m streams.records.asyncapi``
writes them into ``deploy``; a test compares them with the files that are checked in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import yaml

from sinks.banner.banner import KEY_PATTERN, banner_schema
from streams.events.validation import Reason
from streams.kafka.topics import PARTITIONS, Topics
from streams.records import json_schemas as schemas
from streams.records.json_schemas import Schema
from streams.records.models import IncidentRecord, InputRecord, SlaDayRecord, SliRecord
from streams.records.parts import Document

__all__ = ["SCHEMAS", "asyncapi", "files", "write"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_BINDING = "0.5.0"


def _model_schema(model: type[Document], name: str, title: str) -> Schema:
    """Return a model's schema without titles of fields, which only repeat their names."""
    mode: Literal["validation", "serialization"] = "validation" if model is InputRecord else "serialization"
    schema = _untitled(model.model_json_schema(mode=mode))
    return {"$schema": _DIALECT, "$id": f"urn:watchofficer:{name}:1", **schema, "title": title}


def _untitled(value: Any) -> Any:
    """Remove titles, which repeat names, and defaults of instants, which are not in RFC 3339."""
    if isinstance(value, dict):
        return {
            key: {name: _untitled(field) for name, field in item.items()}
            if key in ("properties", "$defs")
            else _untitled(item)
            for key, item in value.items()
            if key != "title" and not (key == "default" and value.get("format") == "date-time")
        }
    return [_untitled(item) for item in value] if isinstance(value, list) else value


#: File name without its ending -> function that builds the schema.
SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    **schemas.SCHEMAS,
    "incident": lambda: _model_schema(IncidentRecord, "incident", "Incident, version 1"),
    "sla-day": lambda: _model_schema(SlaDayRecord, "sla-day", "Day of the SLA, version 1"),
    "sli": lambda: _model_schema(SliRecord, "sli", "Service level indicators, version 1"),
    "incident-input": lambda: _model_schema(InputRecord, "incident-input", "Incident input, version 1"),
    "banner": banner_schema,
}


@dataclass(frozen=True)
class _Channel:
    """A topic that other programs may read or write.

    ``action`` is that of this program: ``receive`` for records that others write, ``send`` for records that they read.
    """

    topic: str
    action: Literal["receive", "send"]
    text: str
    message: str
    key: Schema
    key_text: str
    schema: str | None = None
    content_type: str | None = None
    headers: Schema | None = None


def _string(text: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": text} if text else {}), **more}


def _headers(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required)}


_CLOUD_EVENT = _headers(
    {
        "ce_specversion": _string(const="1.0"),
        "ce_id": _string("key and version: a repeat has the same"),
        "ce_source": _string("/watchofficer/ and the environment"),
        "ce_type": _string("names the kind and version of the value"),
        "ce_subject": _string("the key"),
        "ce_time": _string(format="date-time"),
        "content-type": _string(const="application/json"),
    }
)
_REJECTED = _headers(
    {
        "reason": _string("why it is no event", enum=[reason.value for reason in Reason]),
        "topic": _string("of the original"),
        "partition": _string("of the original, decimal"),
        "offset": _string("of the original, decimal"),
        "detail": _string("which field is wrong, and what to send; quotes no value"),
    },
    {
        "redacted": _string(
            "fields: of some fields only kind and length are kept; digest: only length and SHA-256 are kept"
        ),
        "forbidden": _string(
            "names of the forbidden fields that were there, with commas; they are taken out"
        ),
        "truncated": _string("the original's length in bytes, if it is too large"),
    },
)

_QUARANTINED = _headers(
    {
        "topic": _string("of the original"),
        "partition": _string("of the original, decimal; -1 of a record that was never written"),
        "offset": _string("of the original, decimal; -1 of a record that was never written"),
        "why": _string("why it cannot be read, or was not written"),
    },
    {"truncated": _string("the original's length in bytes, of which the first 64 KiB are kept")},
)

_CHANNELS = (
    _Channel(
        "login_events",
        "receive",
        "One record for each step of a sign-in. Keep all copies of an event_id on one partition: key by "
        "flow_id, else by event_id. Create the topic with message.timestamp.type=LogAppendTime.",
        "login-event",
        _string(),
        "flow_id, else event_id",
        schema="login-event",
    ),
    _Channel(
        "inputs",
        "receive",
        "What people and webhooks ask for: to acknowledge, note, declare, resolve, and reports. The HTTP "
        "interface writes here.",
        "incident-input",
        _string(),
        "the environment",
        schema="incident-input",
    ),
    _Channel(
        "rejected",
        "send",
        "Records of login-events that are no valid event, at least once each. Fields of the schema keep values "
        "that it allows; of all others the record says the name, and the kind and length of the value; of what "
        "is no JSON object, or over 64 KiB, length and sha256. Null if the original was.",
        "rejected-login-event",
        _string(),
        "topic/partition/offset of the original",
        headers=_REJECTED,
    ),
    _Channel(
        "sli",
        "send",
        "The service level indicators of every scope and window, each 10 s of event time (sli_every).",
        "sli",
        _string(),
        "scope|window",
        schema="sli",
    ),
    _Channel(
        "incidents",
        "send",
        "Every incident as it stands: the last record of a key counts.",
        "incident",
        _string(),
        "the incident's id",
        schema="incident",
    ),
    _Channel(
        "incident_log",
        "send",
        "Every transition of an incident with its evidence: inputs, thresholds, offsets of the log, policy; "
        "what was asked for and refused; and notices, which belong to no incident. Append-only; after a crash a line "
        "may come twice.",
        "incident-log-line",
        _string(),
        "the incident's id, or the environment of a notice",
    ),
    _Channel(
        "banner",
        "send",
        "What to tell people who are about to sign in. Read to the end, keep the greatest version of each "
        "key, take what is past valid_until as unknown, then follow. A null value retires the key.",
        "banner-state",
        _string(pattern=KEY_PATTERN),
        "the banner's scope, such as prod/sis",
        schema="banner",
        headers=_CLOUD_EVENT,
    ),
    _Channel(
        "history",
        "send",
        "Counts of every scope in each five minutes; a later record of a key replaces an earlier one.",
        "sli-history",
        _string(),
        "env|start",
    ),
    _Channel(
        "days",
        "send",
        "Sign-ins of each day and scope, for two years: written when the day is over, and again when late events, a "
        "correction or the cause of an incident change what counts; a later record of a key replaces an earlier one.",
        "sla-day",
        _string(),
        "scope|date",
        schema="sla-day",
    ),
    _Channel(
        "quarantine",
        "send",
        "Records of watchofficer's own topics that cannot be read, and records that a topic refused for their "
        "size; at least once each.",
        "quarantined-record",
        _string(),
        "topic/partition/offset of the original",
        content_type="application/octet-stream",
        headers=_QUARANTINED,
    ),
)


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the topics that other programs may read or write."""
    topics = Topics()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:watchofficer",
        "info": {
            "title": "watchofficer",
            "version": version("watchofficer"),
            "description": (
                "Login events in; service level indicators, incidents and banners out. Topics that are not "
                "listed here are internal: their records change without notice."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{broker}",
                "protocol": "kafka",
                "description": "The broker that WATCHOFFICER_BROKER names.",
                "variables": {"broker": {"default": "localhost:9092"}},
            }
        },
        "channels": {_name(channel): _channel(channel, topics) for channel in _CHANNELS},
        "operations": {
            f"{channel.action}-{_name(channel)}": {
                "action": channel.action,
                "channel": {"$ref": f"#/channels/{_name(channel)}"},
            }
            for channel in _CHANNELS
        },
        "components": {"messages": {channel.message: _message(channel) for channel in _CHANNELS}},
    }


def files() -> dict[str, str]:
    """Return path below ``deploy`` -> text of every generated file."""
    texts = {f"schemas/{name}.schema.json": schemas.render(make()) for name, make in SCHEMAS.items()}
    heading = "# Generated by `python -m streams.records.asyncapi`.\n"
    texts["asyncapi.yaml"] = heading + yaml.safe_dump(
        asyncapi(), sort_keys=False, allow_unicode=True, width=110
    )
    return texts


def write(folder: Path) -> list[Path]:
    """Write every file below ``folder``; return the files, in order.

    Raises:
        OSError: a file cannot be written.
    """
    written = []
    for name, text in files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


def _name(channel: _Channel) -> str:
    """Return the name of a channel's topic without a prefix."""
    name: str = getattr(Topics(), channel.topic)
    return name


def _channel(channel: _Channel, topics: Topics) -> dict[str, Any]:
    name = _name(channel)
    settings = topics.all()[name]
    created: dict[str, Any] = {"cleanup.policy": settings["cleanup.policy"].split(",")}
    if "retention.ms" in settings:
        created["retention.ms"] = int(settings["retention.ms"])
    return {
        "address": "{prefix}" + name,
        "description": channel.text,
        "parameters": {
            "prefix": {"description": "WATCHOFFICER_TOPIC_PREFIX, empty unless set", "default": ""}
        },
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
        "bindings": {
            "kafka": {
                "topic": name,
                "partitions": PARTITIONS,
                "topicConfiguration": created,
                "bindingVersion": _BINDING,
            }
        },
    }


def _message(channel: _Channel) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": channel.message,
        "title": channel.message.replace("-", " ").capitalize(),
    }
    if channel.content_type:
        message["contentType"] = channel.content_type
    if channel.headers:
        message["headers"] = channel.headers
    if channel.schema:
        file = {"$ref": f"./schemas/{channel.schema}.schema.json"}
        message["payload"] = {"schemaFormat": _SCHEMA_FORMAT, "schema": file}
    elif channel.content_type is None:
        message["payload"] = {"type": "object"}
    key = {**channel.key, "description": channel.key_text}
    message["bindings"] = {"kafka": {"key": key, "bindingVersion": _BINDING}}
    return message


if __name__ == "__main__":
    for done in write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("deploy")):
        print(done)
