"""Which rights on topics and groups does this worker lack, and how are they given?

The broker is asked what this worker may do with each topic and group (authorized operations), so that a right that is
missing is named before a part of the worker needs it. A broker that does not tell, and one that asks no rights of
anybody, lacks none.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.types import Array, Boolean, Schema, String

from streams.kafka.inspection.metadata import MetadataRequest
from streams.kafka.topics import Topics

__all__ = ["LeastRights", "MissingRight", "groups_of", "least_rights", "missing_rights"]

_READ, _WRITE, _DESCRIBE, _DESCRIBE_CONFIGS = "Read", "Write", "Describe", "DescribeConfigs"
#: The bits of Kafka's field ``authorized_operations``.
_BITS = {_READ: 1 << 3, _WRITE: 1 << 4, _DESCRIBE: 1 << 8, _DESCRIBE_CONFIGS: 1 << 10}
#: Who has one of these rights on a topic may describe it as well.
_DESCRIBED_BY = {_READ, _WRITE}
_NOT_TOLD = -(1 << 31)
_ANSWER_MS = 8_000  # for each answer
_OF_A_GROUP = 0  # the type of a coordinator
#: Without these rights evaluation and notification go on: what they serve is written or shown later.
_VERDICTS_GO_ON = {
    ("sli", _WRITE),
    ("banner", _WRITE),
    ("dead", _WRITE),
    ("history", _WRITE),
    ("days", _WRITE),
}

#: Role -> field of ``Topics`` -> the rights that the role needs.
_NEEDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ingest": {
        "login_events": (_READ,),
        "rejected": (_WRITE,),
        "ingest_state": (_READ, _WRITE),
        "segments": (_READ, _WRITE),
        "inputs": (_WRITE,),
    },
    "evaluate": {
        "segments": (_READ,),
        "history": (_READ, _WRITE),
        "days": (_READ, _WRITE),
        "watch_state": (_READ, _WRITE),
        "incidents": (_READ, _WRITE),
        "inputs": (_READ,),
        "commands": (_WRITE,),
        "incident_log": (_WRITE,),
        "sli": (_WRITE,),
        "banner": (_WRITE,),
        "policy": (_WRITE,),
    },
    "sinks": {"commands": (_READ,), "deliveries": (_READ, _WRITE), "dead": (_WRITE,)},
    "guard": {"watch_state": (_READ,)},
}
#: What a worker of each role needs beside that before it starts: `ingest-state` tells the step of the policy.
_TO_START: Mapping[str, tuple[str, ...]] = {"ingest_state": (_READ,)}
#: What a worker of each role needs for what HTTP shows and takes, for its own words, and for what nobody can read.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "sli": (_READ,),
    "incidents": (_READ,),
    "banner": (_READ,),
    "incident_log": (_READ,),
    "deliveries": (_READ,),
    "history": (_READ,),
    "days": (_READ,),
    "watch_state": (_READ, _WRITE),
    "inputs": (_READ, _WRITE),
    "policy": (_READ,),
    "quarantine": (_WRITE,),
}
_GUARD = "guard"


class LeastRights(NamedTuple):
    """The rights that a process needs on one topic or group.

    Attributes:
        kind: topic or group.
        name: of the topic or group.
        operations: in Kafka's words, in the order of the alphabet, without those that others include.
    """

    kind: str
    name: str
    operations: tuple[str, ...]

    def command(self, user: str) -> str:
        """The command that gives the rights, without the address of the broker.

        Args:
            user: the name with which the process enters.
        """
        operations = " ".join(f"--operation {one}" for one in self.operations)
        who = shlex.quote(f"User:{user}")
        return f"kafka-acls.sh --add --allow-principal {who} {operations} --{self.kind} {self.name}"


class _Needed(NamedTuple):
    operation: str
    verdicts_go_on: bool


class MissingRight(NamedTuple):
    """A right that this worker lacks.

    Attributes:
        operation: in Kafka's words: Read, Write.
        kind: topic or group.
        name: of the topic or group.
        verdicts_go_on: whether evaluation and notification do without it for a while.
    """

    operation: str
    kind: str
    name: str
    verdicts_go_on: bool = False

    @property
    def sentence(self) -> str:
        """What is missing, for a person who was just woken."""
        return f"this process lacks the right {self.operation} on the {self.kind} {self.name}"

    def remedy(self, user: str | None) -> str:
        """The command that gives the right to the user with whose name this worker enters."""
        who = "ANONYMOUS" if user is None else user
        return LeastRights(self.kind, self.name, (self.operation,)).command(who)


def groups_of(topics: Topics, roles: Collection[str]) -> list[str]:
    """The consumer groups that the roles join."""
    base = f"{topics.prefix}watchofficer"
    groups = [base] if {"evaluate", "sinks"} & set(roles) else []
    return [*groups, f"{base}-ingest"] if "ingest" in roles else groups


async def missing_rights(
    kafka: Mapping[str, Any],
    topics: Topics,
    roles: Collection[str],
    *,
    inputs: Sequence[str] = (),
    settings_too: bool = False,
) -> list[MissingRight]:
    """The rights that a worker of these roles lacks, on topics and groups that exist.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: the names of the topics.
        roles: ingest, evaluate, sinks, guard.
        inputs: the topics that are read; that of login events by default.
        settings_too: whether the settings of these topics are looked at as well.

    Raises:
        KafkaError, OSError: the broker does not answer.
    """
    needed = _needed(topics, roles, inputs, settings_too=settings_too)
    client = AIOKafkaClient(**kafka, request_timeout_ms=_ANSWER_MS)
    try:
        await client.bootstrap()
        return [*await _on_topics(client, needed), *await _on_groups(client, groups_of(topics, roles))]
    finally:
        await client.close()


def least_rights(
    topics: Topics,
    roles: Collection[str],
    *,
    inputs: Sequence[str] = (),
    settings_too: bool = False,
) -> list[LeastRights]:
    """The rights that a process of these roles needs, and no others, where all topics exist.

    Args:
        topics: the names of the topics.
        roles: ingest, evaluate, sinks, guard.
        inputs: the topics that are read; that of login events by default.
        settings_too: whether the settings of these topics are looked at as well.
    """
    needed = _needed(topics, roles, inputs, settings_too=settings_too)
    on_topics = [
        LeastRights("topic", name, _without_included({one.operation for one in rights}))
        for name, rights in sorted(needed.items())
    ]
    return [*on_topics, *(LeastRights("group", name, (_READ,)) for name in groups_of(topics, roles))]


def _without_included(operations: set[str]) -> tuple[str, ...]:
    return tuple(sorted(operations - {_DESCRIBE} if operations & _DESCRIBED_BY else operations))


def _needed(
    topics: Topics, roles: Collection[str], inputs: Sequence[str], *, settings_too: bool
) -> dict[str, list[_Needed]]:
    """Name of a topic -> the rights that the roles need on it, each once."""
    needed: dict[str, dict[str, bool]] = {}

    def need(name: str, operation: str, *, goes_on: bool = False) -> None:
        rights = needed.setdefault(name, {})
        rights[operation] = rights.get(operation, True) and goes_on

    for role in roles:
        for field, operations in _NEEDS[role].items():
            for one in operations if field != "login_events" else ():
                need(getattr(topics, field), one, goes_on=(field, one) in _VERDICTS_GO_ON)
    if set(roles) <= {_GUARD}:
        return _listed(needed)
    for field, operations in _TO_START.items():
        for one in operations:
            need(getattr(topics, field), one)
    for field, operations in _BESIDE.items():
        for one in operations:
            need(getattr(topics, field), one, goes_on=True)
    for name in topics.all():  # whether each exists
        need(name, _DESCRIBE)
    for name in inputs or [topics.login_events]:
        need(name, _DESCRIBE)
        for one in _NEEDS["ingest"]["login_events"] if "ingest" in roles else ():
            need(name, one)
        if settings_too:
            need(name, _DESCRIBE_CONFIGS)
    return _listed(needed)


def _listed(needed: Mapping[str, Mapping[str, bool]]) -> dict[str, list[_Needed]]:
    return {name: [_Needed(*one) for one in sorted(rights.items())] for name, rights in needed.items()}


async def _on_topics(
    client: AIOKafkaClient, needed: Mapping[str, Collection[_Needed]]
) -> Iterable[MissingRight]:
    try:
        answer = await client.send(client.get_random_node(), MetadataRequest(sorted(needed)))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return []
    missing = []
    for code, name, _, _, bits in answer.topics:
        denied = code == TopicAuthorizationFailedError.errno
        rights = needed.get(name, ())
        described = any(one.operation in _DESCRIBED_BY for one in rights)  # who is given that may describe
        for operation, goes_on in rights:
            if operation == _DESCRIBE and described:
                continue
            if denied or _lacks(bits, operation):
                # What may not be described seems to be missing, with which no worker starts.
                missing.append(MissingRight(operation, "topic", name, goes_on and not denied))
    return missing


async def _on_groups(client: AIOKafkaClient, groups: Iterable[str]) -> Iterable[MissingRight]:
    missing = []
    for group in groups:
        try:
            node = await client.coordinator_lookup(_OF_A_GROUP, group)
            answer = await client.send(node, _DescribeGroupsRequest([group]))
        except GroupAuthorizationFailedError:
            missing.append(MissingRight(_READ, "group", group))
            continue
        except (IncompatibleBrokerVersion, NotImplementedError, GroupCoordinatorNotAvailableError):
            continue
        for code, name, *_, bits in answer.groups:
            if code == GroupAuthorizationFailedError.errno or (code == 0 and _lacks(bits, _READ)):
                missing.append(MissingRight(_READ, "group", name))
    return missing


def _lacks(bits: int, operation: str) -> bool:
    return bits not in (0, _NOT_TOLD) and not bits & _BITS[operation]


class _DescribeGroupsRequestStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _DescribeGroupsRequest(Request[_DescribeGroupsRequestStruct]):  # type: ignore[misc]
    """Asks for groups with what this client may do with each; aiokafka reads the answer as one of version 2."""

    API_KEY = 15

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    def build(self, request_struct_class: type[_DescribeGroupsRequestStruct]) -> _DescribeGroupsRequestStruct:
        return request_struct_class(self._groups, True)
