"""Which commands never reached their receiver, and what do people decide about them: try again, or drop?

The topic of dead letters holds a record for each command that was given up, with its reason in headers. A decision is a
record of the same key without a value. A letter stands until it is decided on; a command that dies again is a letter
again. A retry is a command of its own on the outbox, ``<id>~1``, since the id of the first has its outcome; what it
sends is the same, so that PagerDuty recognises the key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
from aiokafka import TopicPartition

from detectors.incidents import Command
from streams.kafka.clients import ClientFactory, started
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.records.verdicts import decode_command, incident_partition

__all__ = ["DeadLetters", "Decided", "Letter", "Seen", "standing"]

Decision = Literal["retried", "dropped"]


class Seen(NamedTuple):
    """A record of the topic of dead letters, as far as it matters: when it was written (ms), headers and value."""

    at: int
    headers: Mapping[str, str]
    value: bytes | None


class Letter(NamedTuple):
    """A command that never reached its receiver.

    Attributes:
        at: when it was given up, ms.
        retries: how often it has been tried again already.
    """

    command: Command
    at: int
    reason: str
    attempts: int
    retries: int


class Decided(NamedTuple):
    """What became of a wish: ``why`` it was refused, or ""."""

    id: str
    why: str


def standing(records: Iterable[Seen]) -> dict[str, Letter]:
    """The letters that nobody has decided on, by the id of the command, oldest first. Records come in any order.

    Of a letter and a decision of the same instant the decision is the later one. What cannot be read is passed by.
    """
    letters: dict[str, Letter] = {}
    decided: dict[str, int] = {}
    for record in sorted(records, key=lambda one: (one.at, one.value is None)):
        name = record.headers.get("command", "")
        if record.value is None:
            letters.pop(name, None)
            decided[_base(name)] = decided.get(_base(name), 0) + (record.headers.get("decision") == "retried")
            continue
        try:
            command = decode_command(record.value)
        except ValueError:
            continue
        attempts = record.headers.get("attempts", "")
        letters[command.id] = Letter(
            command,
            record.at,
            record.headers.get("error", ""),
            int(attempts) if attempts.isdecimal() else 0,
            decided.get(_base(command.id), 0),
        )
    return letters


def _base(command_id: str) -> str:
    """The id of a command without the number of its retry."""
    base, tilde, number = command_id.rpartition("~")
    return base if tilde and number.isdecimal() else command_id


class DeadLetters:
    """The dead letters of a deployment. Each method reads the topics anew.

    Args:
        clients: make connections.
        topics: their names.
    """

    def __init__(self, clients: ClientFactory, topics: Topics) -> None:
        self._clients = clients
        self._topics = topics

    async def standing(self) -> Sequence[Letter]:
        """Those that nobody has decided on, oldest first.

        Raises:
            KafkaError, OSError: the broker.
        """
        return tuple(standing(await self._records(self._topics.dead)).values())

    async def decide(self, ids: Sequence[str], decision: Decision, by: str) -> Sequence[Decided]:
        """Try letters again, or drop them; for each id whether that was done.

        A page is not tried again once its alert has been resolved: it would wake somebody for what is over.

        Raises:
            KafkaError, OSError: the broker.
        """
        letters = standing(await self._records(self._topics.dead))
        commands = [_command(one) for one in await self._records(self._topics.commands)]
        over = {
            one.dedup_key for one in commands if one and (one.sink, one.action) == ("pagerduty", "resolve")
        }
        partitions = len(await self._partitions(self._topics.commands))
        out = []
        producer = self._clients.producer()
        await producer.start()
        try:
            for name in dict.fromkeys(ids):
                letter = letters.get(name)
                why = _refusal(letter, over if decision == "retried" else set())
                out.append(Decided(name, why))
                if letter is None or why:
                    continue
                key = letter.command.incident_id
                if decision == "retried":
                    again = msgspec.structs.replace(letter.command, id=f"{_base(name)}~{letter.retries + 1}")
                    value, to = msgspec.json.encode(again), incident_partition(key, partitions)
                    await (await producer.send(self._topics.commands, value, key.encode(), to))
                headers = [("command", name.encode()), ("decision", decision.encode()), ("by", by.encode())]
                await (await producer.send(self._topics.dead, None, key.encode(), headers=headers))
        finally:
            await producer.stop()
        return out

    async def _records(self, topic: str) -> list[Seen]:
        reader = TopicReader(self._clients)
        return [
            Seen(record.timestamp, {k: v.decode("utf-8", "replace") for k, v in record.headers}, record.value)
            for partition in await self._partitions(topic)
            async for record in reader.read(TopicPartition(topic, partition))
        ]

    async def _partitions(self, topic: str) -> list[int]:
        async with started(self._clients.reader()) as consumer:
            return sorted((await consumer.partition_ids(topic))[topic])


def _refusal(letter: Letter | None, over: Collection[str]) -> str:
    """Why nothing can be done with a letter; "" if it can."""
    if letter is None:
        return "is no dead letter that stands"
    page = (letter.command.sink, letter.command.action) == ("pagerduty", "trigger")
    return "is a page of what is over: drop it" if page and letter.command.dedup_key in over else ""


def _command(record: Seen) -> Command | None:
    try:
        return decode_command(record.value) if record.value is not None else None
    except ValueError:
        return None
