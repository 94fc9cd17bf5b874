"""The quotas that hold for this process are found, beside those of others, and judged by what comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.doctor.quotas import quota_check, quota_checks
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.inspection.quotas import Entity, Quota, in_force
from streams.kafka.topics import Topics
from tests.support.brokers import ApacheKafka
from tests.support.kafka.quotas import set_quotas
from tests.support.kafka.setup import PASSWORD, WORKER, Listener

READS, WRITES = "consumer_byte_rate", "producer_byte_rate"
#: From the one that wins to the one that yields to all, as Kafka's documentation lists them.
RANKED: list[Entity] = [
    {"user": "watch", "client-id": "aiokafka-1"},
    {"user": "watch", "client-id": None},
    {"user": "watch"},
    {"user": None, "client-id": "faust-1"},
    {"user": None, "client-id": None},
    {"user": None},
    {"client-id": "aiokafka-1"},
    {"client-id": None},
]
OF_OTHERS: list[Entity] = [
    {"user": "another"},
    {"client-id": "console"},
    {"user": "watch", "client-id": "x"},
    {"ip": None},
]


@given(entities=st.lists(st.sampled_from(RANKED + OF_OTHERS), unique_by=str))
def test_the_most_specific_entity_wins_whatever_the_order(entities: list[Entity]) -> None:
    entries: list[tuple[Entity, Mapping[str, float]]] = [(one, {READS: 1.0}) for one in entities]
    ours = [one for one in RANKED if one in entities]
    assert [quota.entity for quota in in_force(entries, "watch")] == ours[:1]


def test_each_key_has_an_entity_of_its_own_and_a_user_whom_nobody_knows_has_no_name() -> None:
    entries: list[tuple[Entity, Mapping[str, float]]] = [
        ({"user": "watch"}, {READS: 1.0}),
        ({"user": None}, {READS: 2.0, WRITES: 3.0}),
    ]
    assert [(one.key, one.value) for one in in_force(entries, "watch")] == [(READS, 1.0), (WRITES, 3.0)]
    assert [(one.key, one.value) for one in in_force(entries, None)] == [(READS, 2.0), (WRITES, 3.0)]


@pytest.mark.parametrize(
    ("rate", "brokers", "status", "words"),
    [
        (0.0, 1, "ok", "1,048,576 at the broker: some 2,621 events/s"),
        (1_300.0, 1, "ok", "1,300 came"),
        (1_500.0, 1, "warning", "caught up slowly"),
        (3_000.0, 1, "failed", "falls behind for good"),
        (3_000.0, 3, "ok", "each of 3 brokers: some 7,864 events/s"),
    ],
)
def test_a_quota_of_reading_is_held_against_what_comes(
    rate: float, brokers: int, status: str, words: str
) -> None:
    check = quota_check(Quota(READS, 1_048_576.0, {"user": "watch", "client-id": None}), rate, brokers)
    assert (check.status, words in check.sentence) == (status, True), check
    assert check.sentence.startswith("consumer_byte_rate of user watch, all client-ids is")
    assert (
        " --entity-type users --entity-name watch --entity-type clients --entity-default " in check.remedy
    ) == (status != "ok")


def test_other_quotas_are_told_and_not_judged() -> None:
    check = quota_check(Quota(WRITES, 65_536.0, {"client-id": None}), 9e9, 1)
    assert (check.status, "producer_byte_rate of all client-ids is 65,536" in check.sentence) == ("ok", True)


async def test_a_broker_that_knows_no_quotas_is_asked_for_none(embedded_broker: EmbeddedBroker) -> None:
    kafka = {"bootstrap_servers": embedded_broker.address}
    assert await quota_checks(kafka, None, (), 1, 0) == []


@pytest.mark.kafka
async def test_a_real_quota_is_read_and_one_that_may_not_be_seen_is_a_warning(
    secured_kafka: ApacheKafka, topic_prefix: str
) -> None:
    topics, root = Topics(topic_prefix), {"bootstrap_servers": secured_kafka.address}
    await create_missing(topics, root)
    async with AIOKafkaProducer(**root) as producer:
        for n in range(600):
            await producer.send(topics.login_events, b"%d" % n, partition=n % 4)
    watch: dict[str, Any] = {
        "bootstrap_servers": secured_kafka.address_of(Listener.SASL_PLAINTEXT),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": WORKER,
        "sasl_plain_password": PASSWORD,
    }
    now = round(time.time() * 1_000)
    inputs = (topics.login_events,)
    try:
        await set_quotas(secured_kafka.address, {"user": WORKER}, {READS: 1_200.0, WRITES: 70_000.0})
        (unseen,) = await quota_checks(watch, WORKER, inputs, 1, now)
        assert (unseen.status, f"--entity-name {WORKER}" in unseen.remedy) == ("warning", True)
        async with asyncio.timeout(20):  # the broker applies what an administrator says a little later
            while len(found := await quota_checks(root, WORKER, inputs, 1, now)) < 2:
                await asyncio.sleep(0.1)
        reading, writing = found
        assert (reading.status, "3 events/s of 400 bytes, and 2 came" in reading.sentence) == (
            "warning",
            True,
        )
        assert (writing.status, "70,000" in writing.sentence) == ("ok", True)
        (none,) = await quota_checks(root, None, inputs, 1, now)
        assert (none.status, none.sentence) == ("ok", "none holds")
    finally:
        await set_quotas(secured_kafka.address, {"user": WORKER}, {READS: None, WRITES: None})
