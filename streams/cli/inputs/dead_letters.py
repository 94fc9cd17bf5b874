"""What do ``watchofficer dead-letters list``, ``retry`` and ``drop`` print, and with which status do they end?"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from detectors.instants import format_instant
from sinks.wording import one_line, truncate
from streams.settings.settings import read_settings

if TYPE_CHECKING:
    from streams.dispatch.dead_letters import DeadLetters, Letter

__all__ = ["drop_command", "list_command", "retry_command"]

_T = TypeVar("_T")
_REASON = 120  # characters


def list_command(as_json: bool) -> int:
    """Print the dead letters, oldest first, each in a line or as a JSON object; return 1 if there are any, else 0."""
    letters = _run(lambda dead: dead.standing())
    for letter in letters:
        print(json.dumps(_object(letter)) if as_json else _line(letter))
    if not as_json:
        count = len(letters)
        print(f"{count} dead letter{'' if count == 1 else 's'}" if count else "no dead letters")
    return 1 if letters else 0


def retry_command(ids: Sequence[str]) -> int:
    """Put dead letters on the outbox again; return 1 if that was refused for any, else 0."""
    return _decide(ids, "retried", "is tried again")


def drop_command(ids: Sequence[str]) -> int:
    """Take dead letters off the list; return 1 if that was refused for any, else 0."""
    return _decide(ids, "dropped", "is dropped")


def _decide(ids: Sequence[str], decision: Literal["retried", "dropped"], word: str) -> int:
    """Decide on letters; return 1 if that was refused for any, else 0."""
    done = _run(lambda dead: dead.decide(ids, decision, getpass.getuser()))
    for one in done:
        print(f"{one.id} {one.why or word}", file=sys.stderr if one.why else sys.stdout)
    return 1 if any(one.why for one in done) else 0


def _run(work: Callable[[DeadLetters], Awaitable[_T]]) -> _T:
    """What the topics of ``WATCHOFFICER_BROKER`` yield; the status is 2, with a line that says why, if they do not."""
    from aiokafka.errors import KafkaError  # other commands need no Kafka

    from streams.dispatch.dead_letters import DeadLetters
    from streams.kafka.clients import KafkaClients
    from streams.kafka.diagnosis import words_of
    from streams.kafka.topics import Topics

    async def run() -> _T:
        settings = read_settings(os.environ)
        clients = KafkaClients(settings.kafka_client_kwargs())
        return await work(DeadLetters(clients, Topics(settings.topic_prefix)))

    try:
        return asyncio.run(run())
    except (ValueError, KafkaError, OSError) as error:
        print(f"dead letters cannot be read: {words_of(error)}", file=sys.stderr)
        sys.exit(2)


def _line(letter: Letter) -> str:
    command = letter.command
    reason = truncate(one_line(letter.reason), _REASON)
    return f"{command.id}  {format_instant(letter.at)}  after {letter.attempts} attempts: {reason}"


def _object(letter: Letter) -> dict[str, object]:
    command = letter.command
    return {
        "id": command.id,
        "at": format_instant(letter.at),
        "sink": command.sink,
        "action": command.action,
        "incident": command.incident_id,
        "dedup_key": command.dedup_key,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "retries": letter.retries,
    }
