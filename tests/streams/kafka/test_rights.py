"""The rights that a worker lacks are found before it needs them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.rights import LeastRights, MissingRight, groups_of, least_rights, missing_rights
from streams.kafka.topics import Topics
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import PASSWORD, WORKER, Listener

ALL = ("ingest", "evaluate", "sinks")


def test_the_groups_are_those_of_the_roles() -> None:
    topics = Topics("x.")
    assert groups_of(topics, ALL) == ["x.watchofficer", "x.watchofficer-ingest"]
    assert groups_of(topics, ["sinks"]) == ["x.watchofficer"]
    assert groups_of(topics, ["ingest"]) == ["x.watchofficer-ingest"]


async def test_a_broker_that_tells_nothing_of_rights_lacks_none(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    kafka = {"bootstrap_servers": embedded_broker.address}
    await create_missing(Topics(topic_prefix), kafka)
    assert await missing_rights(kafka, Topics(topic_prefix), ALL) == []


async def until(kafka: dict[str, Any], topics: Topics, wanted: set[tuple[str, str, str]]) -> None:
    """Wait until exactly these rights are lacking: the broker applies what an administrator says a little later."""
    async with asyncio.timeout(20):
        while {right[:3] for right in await missing_rights(kafka, topics, ALL, settings_too=True)} != wanted:
            await asyncio.sleep(0.1)


@pytest.mark.kafka
async def test_each_right_that_is_taken_is_named(secured_kafka: ApacheKafka, topic_prefix: str) -> None:
    topics, admin = Topics(topic_prefix), secured_kafka.admin
    await create_missing(topics, {"bootstrap_servers": secured_kafka.address})
    kafka = {
        "bootstrap_servers": secured_kafka.address_of(Listener.SASL_PLAINTEXT),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": WORKER,
        "sasl_plain_password": PASSWORD,
    }
    assert len(await missing_rights(kafka, topics, ALL)) > 20
    admin.allow_the_least(topic_prefix)
    await until(kafka, topics, set())
    admin.deny(("WRITE",), "TOPIC", topics.sli)
    admin.deny(("READ", "DESCRIBE_CONFIGS"), "TOPIC", topics.login_events)
    admin.deny(("READ",), "GROUP", topic_prefix + "watchofficer-ingest")
    lacked = {
        ("Write", "topic", topics.sli),
        ("Read", "topic", topics.login_events),
        ("DescribeConfigs", "topic", topics.login_events),
        ("Read", "group", topic_prefix + "watchofficer-ingest"),
    }
    await until(kafka, topics, lacked)
    go_on = [right.name for right in await missing_rights(kafka, topics, ALL) if right.verdicts_go_on]
    assert go_on == [topics.sli]
    admin.forgive("GROUP", topic_prefix + "watchofficer-ingest")
    await until(kafka, topics, {one for one in lacked if one[1] != "group"})


def test_the_least_rights_cover_each_topic_once_and_name_none_that_another_includes() -> None:
    topics = Topics("x.")
    rights = {(one.kind, one.name): one.operations for one in least_rights(topics, ALL, settings_too=True)}
    assert {name for kind, name in rights if kind == "topic"} == set(topics.all())
    assert rights["topic", topics.login_events] == ("DescribeConfigs", "Read")
    assert rights["topic", topics.quarantine] == ("Write",)
    assert rights["topic", topics.sli] == ("Read", "Write")
    assert not [operations for operations in rights.values() if "Describe" in operations]


def test_a_worker_of_one_role_may_describe_what_it_neither_reads_nor_writes() -> None:
    topics = Topics()
    rights = {one.name: one.operations for one in least_rights(topics, ["sinks"], inputs=["pages"])}
    assert rights[topics.segments] == rights[topics.login_events] == rights["pages"] == ("Describe",)
    assert rights[topics.ingest_state] == ("Read",)
    assert rights[topics.commands] == ("Read",)


def test_a_guard_reads_one_topic_and_joins_no_group() -> None:
    topics = Topics()
    assert least_rights(topics, ["guard"]) == [LeastRights("topic", topics.watch_state, ("Read",))]


def test_the_remedy_is_the_command() -> None:
    right = MissingRight("Read", "group", "watchofficer-ingest")
    assert right.remedy("watch") == (
        "kafka-acls.sh --add --allow-principal User:watch --operation Read --group watchofficer-ingest"
    )
