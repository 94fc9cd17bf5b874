"""Dead letters can be listed, tried again and dropped; a page of what is over is not sent again."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Command
from streams.cli.main import main
from streams.dispatch.dead_letters import DeadLetters, Seen, standing
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topic_reader import TopicValues
from streams.kafka.topics import Topics
from streams.records.verdicts import decode_command
from tests.sinks.samples import OPENED, command

PAGE = command("pagerduty", "trigger", id="prod-7:0:opened:pagerduty:trigger")


def letter(at: int, given: Command = PAGE, error: str = "HTTP 403") -> Seen:
    return Seen(at, {"command": given.id, "error": error, "attempts": "3"}, msgspec.json.encode(given))


def decision(at: int, what: str, name: str = PAGE.id) -> Seen:
    return Seen(at, {"command": name, "decision": what}, None)


def test_a_letter_stands_until_it_is_decided_on() -> None:
    (only,) = standing([letter(1)]).values()
    assert (only.command, only.reason, only.attempts, only.retries) == (PAGE, "HTTP 403", 3, 0)
    for what in ("retried", "dropped"):
        assert standing([letter(1), decision(1, what)]) == {}


def test_a_retry_that_dies_is_a_letter_with_the_number_of_its_retries() -> None:
    again = msgspec.structs.replace(PAGE, id=f"{PAGE.id}~1")
    (only,) = standing([letter(3, again), decision(2, "retried"), letter(1)]).values()
    assert (only.command.id, only.retries) == (again.id, 1)


@given(
    st.permutations([letter(1), decision(2, "dropped"), letter(3), Seen(4, {}, b"\xff"), Seen(5, {}, None)])
)
def test_the_order_in_which_partitions_are_read_does_not_matter(records: list[Seen]) -> None:
    assert list(standing(records)) == [PAGE.id]


async def write(clients: KafkaClients, topic: str, given: Command, **headers: str) -> None:
    producer = clients.producer()
    await producer.start()
    try:
        named = [(name, value.encode()) for name, value in headers.items()]
        await (await producer.send(topic, msgspec.json.encode(given), b"prod-7", headers=named))
    finally:
        await producer.stop()


@pytest.fixture
def clients(embedded_broker: EmbeddedBroker) -> KafkaClients:
    return KafkaClients({"bootstrap_servers": embedded_broker.address})


@pytest.fixture
async def topics(clients: KafkaClients, topic_prefix: str) -> Topics:
    topics = Topics(topic_prefix)
    await write(clients, topics.dead, PAGE, command=PAGE.id, error="HTTP 403", attempts="1")
    await write(clients, topics.commands, PAGE)
    return topics


async def test_a_letter_that_is_tried_again_is_a_command_of_its_own_once(
    clients: KafkaClients, topics: Topics
) -> None:
    dead = DeadLetters(clients, topics)
    assert [one.command.id for one in await dead.standing()] == [PAGE.id]
    assert [one.why for one in await dead.decide([PAGE.id, "no such"], "retried", "Ada")] == [
        "",
        "is no dead letter that stands",
    ]
    assert await dead.standing() == ()
    assert [one.why for one in await dead.decide([PAGE.id], "retried", "Ada")] == [
        "is no dead letter that stands"
    ]
    read = [decode_command(value) for value in await TopicValues(clients).values(topics.commands)]
    written = sorted(read, key=lambda one: one.id)
    assert [one.id for one in written] == [PAGE.id, f"{PAGE.id}~1"]
    assert written[1].dedup_key == PAGE.dedup_key


async def test_a_page_of_what_is_over_is_not_tried_again_and_can_be_dropped(
    clients: KafkaClients, topics: Topics
) -> None:
    over = command("pagerduty", "resolve", id="prod-7:0:resolved:pagerduty:resolve")
    await write(clients, topics.commands, over)
    dead = DeadLetters(clients, topics)
    assert [one.why for one in await dead.decide([PAGE.id], "retried", "Ada")] == [
        "is a page of what is over: drop it"
    ]
    assert [one.why for one in await dead.decide([PAGE.id], "dropped", "Ada")] == [""]
    assert await dead.standing() == ()


def test_without_a_broker_the_command_says_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHOFFICER_BROKER", raising=False)
    done = CliRunner().invoke(main, ["dead-letters", "list"])
    assert done.exit_code == 2
    assert "WATCHOFFICER_BROKER" in done.output
    assert OPENED > 0
