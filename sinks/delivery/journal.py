"""What is remembered and recorded of commands: which have an outcome, what receivers returned, what went missing?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
import structlog

from detectors.incidents import Command
from sinks.delivery.outcomes import Delivery, Outcome, bounded_receipt
from sinks.delivery.retry import backoff
from sinks.delivery.send import about
from sinks.receivers.answers import Receipts
from sinks.receivers.registry import kind_of
from sinks.wording import one_line, truncate

__all__ = ["Journal", "missed"]

_log = structlog.get_logger(__name__)

#: The most of a reason that a record keeps, characters.
_REASON_LIMIT = 300
#: Ends the id of the message that says that a command was missed.
_MISSED = ":missed"


class _DeadLetter(Protocol):
    def __call__(self, command: Command, reason: str, attempts: int, /) -> Awaitable[None]: ...


class Journal:
    """The outcomes of commands: those of earlier runs, and those that are recorded here.

    Args:
        record: writes an outcome.
        dead_letter: writes a dead letter: command, reason, attempts.
        clock: ms since the epoch.
        sleep: sleeps for seconds of ``clock``.
        chance: a random number in [0, 1).
        on_delivered: called with a delivered command and when it was delivered, ms.

    Attributes:
        deliveries: counts by (sink, outcome).
    """

    def __init__(
        self,
        record: Callable[[Delivery], Awaitable[None]],
        dead_letter: _DeadLetter,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
        *,
        on_delivered: Callable[[Command, int], None] | None = None,
    ) -> None:
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self._record = record
        self._dead_letter = dead_letter
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._on_delivered = on_delivered
        # Grows by a few dozen ids of 100 bytes for each incident, for as long as the process runs: a
        # forgotten id would be paged twice.
        self._known: set[str] = set()
        self._died: dict[str, str] = {}  # command of an earlier run -> why it is a dead letter
        self._receipts: dict[tuple[str, int, str], dict[str, str]] = {}
        self._awaited: dict[tuple[str, int, str], list[asyncio.Future[None]]] = {}

    def restore(self, deliveries: Iterable[Delivery], settled: Iterable[str]) -> None:
        """Take over the outcomes of earlier runs, and the ids of commands that have one that is not known."""
        self._known.update(settled)
        for delivery in sorted(deliveries, key=lambda each: each.at):
            self._known.add(delivery.command_id)
            self._remember(delivery)
            if delivery.outcome == "dead":
                self._died[delivery.command_id] = delivery.reason

    def first_time(self, command_id: str) -> bool:
        """Whether a command is new; from then on it is not."""
        if command_id in self._known:
            return False
        self._known.add(command_id)
        return True

    def knows(self, command_id: str) -> bool:
        """Whether a command has an outcome, or waits for one."""
        return command_id in self._known

    def receipts(self, command: Command) -> Receipts:
        """What receivers have returned for earlier commands of the same incident and epoch, by receiver."""

        def of(sink: str) -> Mapping[str, str]:
            return self._receipts.get((command.incident_id, command.epoch, sink), {})

        return of

    @asynccontextmanager
    async def answered(self, command: Command, sink: str) -> AsyncIterator[asyncio.Future[None]]:
        """A future that is done once a receiver has answered a command of the same incident and epoch."""
        key = (command.incident_id, command.epoch, sink)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(key, []).append(future)
        try:
            yield future
        finally:
            self._awaited[key].remove(future)
            if not self._awaited[key]:
                del self._awaited[key]

    def note_answer(self, command: Command) -> None:
        """The receiver of a command has answered: nobody waits for that any longer."""
        for future in self._awaited.get((command.incident_id, command.epoch, command.sink), ()):
            if not future.done():
                future.set_result(None)

    async def settle(
        self,
        command: Command,
        outcome: Outcome,
        attempts: int,
        *,
        receipt: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> None:
        """Record an outcome; returns once it is written."""
        delivery = Delivery(
            command_id=command.id,
            sink=command.sink,
            incident_id=command.incident_id,
            epoch=command.epoch,
            action=command.action,
            outcome=outcome,
            at=self._clock(),
            receipt=bounded_receipt(receipt or {}),
            attempts=attempts,
            reason=truncate(one_line(reason), _REASON_LIMIT),
            dedup_key=command.dedup_key,
        )
        self._remember(delivery)
        self.note_answer(command)
        self.deliveries[command.sink, outcome] += 1
        if outcome == "delivered":
            self._notify_delivered(command, delivery.at)
        await self._write_until_done(lambda: self._record(delivery), command)

    async def bury(self, command: Command, reason: str, attempts: int) -> Command | None:
        """Write a dead letter and record it; a message that tells people what was missed, if they must know."""
        _log.error("delivery_dead", **about(command), attempts=attempts, why=reason)
        await self._write_until_done(lambda: self._dead_letter(command, reason, attempts), command)
        await self.settle(command, "dead", attempts, reason=reason)
        return missed(command, reason)

    def untold(self, command: Command) -> Command | None:
        """The message that a command of an earlier run was missed, if that run ended before it could say so."""
        reason = self._died.pop(command.id, None)
        told = missed(command, reason) if reason else None
        return told if told is not None and told.id not in self._known else None

    def _remember(self, delivery: Delivery) -> None:
        if delivery.outcome == "delivered" and delivery.receipt:
            key = (delivery.incident_id, delivery.epoch, delivery.sink)
            self._receipts.setdefault(key, {}).update(delivery.receipt)

    def _notify_delivered(self, command: Command, at: int) -> None:
        if self._on_delivered is not None:
            try:
                self._on_delivered(command, at)
            except Exception as error:
                # A fault in a measurement must not stop deliveries.
                _log.error("on_delivered_failed", **about(command), error=type(error).__name__)

    async def _write_until_done(self, write: Callable[[], Awaitable[None]], command: Command) -> None:
        """Repeat a write until it succeeds, so that an unreachable broker does not cause a second delivery."""
        attempts = 0
        while True:
            try:
                return await write()
            except Exception as error:
                attempts += 1
                _log.error("delivery_not_recorded", **about(command), error=type(error).__name__)
                await self._sleep(backoff(attempts, self._chance()))


def missed(command: Command, reason: str) -> Command | None:
    """A line in Slack that says that a command never reached its receiver; its id follows from the command's."""
    kind = kind_of(command.sink)
    sentence = kind.missed(command, reason) if kind is not None else None
    if sentence is None or command.sink == "slack":
        return None
    return msgspec.structs.replace(
        command,
        id=command.id + _MISSED,
        sink="slack",
        action="broadcast",
        level="info",
        kind="missed",
        reason=sentence,
        by=None,
    )
