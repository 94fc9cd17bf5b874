"""Topics that exist with other numbers of partitions, or were written with another step, work or are refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    NotControllerError,
    PolicyViolationError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import CreateTopicsResponse_v1

from detectors.instants import SECOND
from streams.kafka.admin import TopicProblem, addressed_partitions, create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import PARTITIONS, Topics
from streams.segments.codec import BLOCK_OFFSETS, Resume, encode
from streams.worker.step_check import check_step


async def create(kafka: dict[str, str], names: Sequence[str], partitions: int) -> None:
    """Create topics beforehand."""
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


@pytest.fixture
def kafka(embedded_broker: EmbeddedBroker) -> dict[str, str]:
    return {"bootstrap_servers": embedded_broker.address}


@pytest.mark.parametrize("number", [1, 6])
async def test_what_is_missing_gets_the_number_of_what_is_there(
    kafka: dict[str, str], topic_prefix: str, number: int
) -> None:
    topics = Topics(topic_prefix)
    await create(kafka, [topics.segments, topics.commands], number)
    await create_missing(topics, kafka)
    assert await addressed_partitions(topics, kafka) == number


async def test_new_topics_have_the_usual_number(kafka: dict[str, str], topic_prefix: str) -> None:
    topics = Topics(topic_prefix)
    await create_missing(topics, kafka, input_partitions=1)
    assert await addressed_partitions(topics, kafka) == PARTITIONS


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (RequestTimedOutError, RequestTimedOutError),
        (NotControllerError, NotControllerError),
        (KafkaTimeoutError, KafkaTimeoutError),
        (TopicAuthorizationFailedError, TopicProblem),
        (PolicyViolationError, TopicProblem),
    ],
)
async def test_what_a_broker_may_create_later_is_tried_again_and_what_it_refuses_is_told(
    kafka: dict[str, str],
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    answer: type[KafkaError],
    raised: type[Exception],
) -> None:
    topics = Topics(topic_prefix)
    await create(kafka, [name for name in topics.all() if name != topics.sli], 4)

    async def answered(self: object, wanted: list[NewTopic], timeout_ms: int) -> object:
        if answer is KafkaTimeoutError:  # which aiokafka raises itself
            raise KafkaTimeoutError
        return CreateTopicsResponse_v1([(one.name, answer.errno, None) for one in wanted])

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", answered)
    with pytest.raises(raised) as told:
        await create_missing(topics, kafka)
    if raised is TopicProblem:
        assert f"kafka-topics.sh --create --topic {topics.sli} --partitions 4" in str(told.value)
        assert answer.__name__ in str(told.value)


async def test_different_numbers_are_refused_in_one_line(kafka: dict[str, str], topic_prefix: str) -> None:
    topics = Topics(topic_prefix)
    await create(kafka, [topics.segments], 6)
    await create(kafka, [topics.inputs], 4)
    with pytest.raises(TopicProblem, match="the same number of partitions") as refused:
        await create_missing(topics, kafka)
    said = str(refused.value)
    assert f"{topics.inputs} 4, {topics.segments} 6" in said
    assert "\n" not in said


async def test_another_step_than_what_was_written_is_refused_in_one_line(
    kafka: dict[str, str], topic_prefix: str
) -> None:
    topics, clients = Topics(topic_prefix), KafkaClients(kafka)
    await create_missing(topics, kafka)
    await check_step(clients, topics, 5 * SECOND)
    resume = Resume(0, 1, SECOND, BLOCK_OFFSETS, 0, None, None, None, 0, None)
    async with AIOKafkaProducer(**kafka) as producer:
        await producer.send_and_wait(topics.ingest_state, encode(resume), key=b"resume/0/1", partition=0)
        await producer.send_and_wait(topics.ingest_state, b"?", partition=0)
    await check_step(clients, topics, SECOND)
    with pytest.raises(TopicProblem) as refused:
        await check_step(clients, topics, 5 * SECOND)
    said = str(refused.value)
    assert "the policy says step: 5s" in said
    assert "put `step: 1s` back" in said
    assert "\n" not in said
