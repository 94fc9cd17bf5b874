"""The deliverer: takes commands from the outbox to their receivers, at least once and in order.

* Order is kept within an incident and receiver, and nothing else waits: an incident that a receiver will
  not take blocks no other, and no receiver blocks another.
* What is delivered is recorded before the next command of that incident and receiver is sent, so a crash
  repeats at most the last one; receivers recognise a repeat by its key (PagerDuty), by a search (Datadog),
  or show a line twice (Slack).
* A command that a newer one has overtaken while it waited is not sent: ``overtaken``.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import islice
from typing import Literal, TypeVar

import msgspec
import structlog

from detectors.incidents import Command
from detectors.instants import DAY
from sinks.delivery.pacing import ReceiverGate, backoff, gates_for
from sinks.receivers.answers import Answer, Delivered, Refused, Retry, SinkClient

__all__ = ["Deliverer", "Delivery", "Outcome", "overtaken"]

Outcome = Literal["delivered", "superseded", "dropped", "dead"]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

#: A command that has failed for so long (ms) is a dead letter: Datadog takes no event that old, and no page
#: helps any more.
GIVE_UP_AFTER = DAY

# What a later command of the same epoch makes pointless. An edit says how things stand, so the last one
# says it all.
_SUPERSEDED_BY = {
    ("slack", "update"): frozenset({"update"}),
    ("datadog", "incident_update"): frozenset({"incident_update", "incident_resolve"}),
}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command: a record of ``incident-deliveries``, key ``command_id``.

    Attributes:
        outcome: delivered; superseded by a newer command; dropped, because its incident was over before it
            could be sent; dead: refused, or failing for a day.
        at: when, ms.
        receipt: what the receiver gave back (a Slack timestamp, a Datadog id).
        attempts: requests made.
    """

    command_id: str
    sink: str
    incident_id: str
    epoch: int
    action: str
    outcome: Outcome
    at: int
    receipt: dict[str, str] = {}
    attempts: int = 0


def overtaken(command: Command, later: Iterable[Command]) -> Literal["superseded", "dropped"] | None:
    """Whether commands that wait behind it, of the same incident and receiver, have made this one pointless.

    * An edit is superseded by a newer edit, a routine update of a thread by a newer one.
    * A page whose incident has already been resolved is dropped: nobody is woken for what is over. Its
      resolution is sent all the same. PagerDuty ignores a resolution of what it does not know, and if an
      earlier run was cut off between paging and recording it, this is what closes the alert.
    """
    same_epoch = [other for other in later if other.epoch == command.epoch]
    if command.sink == "pagerduty":
        over = command.action == "trigger" and any(other.action == "resolve" for other in same_epoch)
        return "dropped" if over else None
    newer = _SUPERSEDED_BY.get((command.sink, command.action), frozenset())
    if any(other.action in newer for other in same_epoch):
        return "superseded"
    if (command.sink, command.action, command.kind) == ("slack", "reply", "update"):
        routine = any(other.action == "reply" and other.kind == "update" for other in same_epoch)
        return "superseded" if routine else None
    return None


class Deliverer:
    """Delivers submitted commands until it is closed.

    Args:
        clients: the receivers that are on, by sink. They belong to the caller, who closes them.
        record: awaited with what became of a command, before the next of its incident and receiver is sent.
        dead_letter: awaited with (command, reason, attempts) before a dead command is recorded.
        clock: ms since the epoch.
        sleep: sleeps for seconds, in the time that ``clock`` tells.
        random: in [0, 1).
        gates: the ways to the receivers, by sink, where several deliverers share them: rate limits and
            circuit breakers are a receiver's, not a deliverer's. Made here if not given.
        on_delivered: called with a delivered command and when it was delivered, ms.

    Attributes:
        deliveries: counts by (sink, outcome); outcomes beside ``Outcome`` are "off" (no such receiver) and
            "repeat" (a command id that was dealt with before, or waits already).
    """

    def __init__(
        self,
        clients: Mapping[str, SinkClient],
        record: Callable[[Delivery], Awaitable[None]],
        dead_letter: Callable[[Command, str, int], Awaitable[None]],
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
        *,
        gates: Mapping[str, ReceiverGate] | None = None,
        on_delivered: Callable[[Command, int], None] | None = None,
        give_up_after: int = GIVE_UP_AFTER,
    ) -> None:
        self.deliveries: Counter[tuple[str, str]] = Counter()
        self._clients = dict(clients)
        self._record = record
        self._write_dead_letter = dead_letter
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._on_delivered = on_delivered
        self._give_up_after = give_up_after
        self._gates = dict(gates) if gates is not None else gates_for(clients, clock, sleep)
        self._queues: dict[tuple[str, str], deque[Command]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # tasks with no request under way
        # Grows with the incidents of a lifetime, some dozen ids of 100 bytes each: forgetting one would
        # page twice.
        self._known: set[str] = set()
        self._receipts: dict[tuple[str, int, str], dict[str, str]] = {}
        self._closing = False

    def restore(self, deliveries: Iterable[Delivery]) -> None:
        """Learn what earlier runs have dealt with. To be called before ``submit``."""
        for delivery in sorted(deliveries, key=lambda each: each.at):
            self._known.add(delivery.command_id)
            self._remember(delivery)

    def submit(self, command: Command) -> bool:
        """Queue a command and return at once. False: a repeat, or for a receiver that is off, which only counts."""
        if command.sink not in self._clients:
            self.deliveries[command.sink, "off"] += 1
            return False
        if command.id in self._known:
            self.deliveries[command.sink, "repeat"] += 1
            return False
        self._known.add(command.id)
        key = (command.incident_id, command.sink)
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(command)
            return True
        self._queues[key] = deque([command])
        task = asyncio.get_running_loop().create_task(self._work(key), name=f"deliver {':'.join(key)}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    @property
    def pending(self) -> int:
        """Commands that are neither delivered nor given up."""
        return sum(len(queue) for queue in self._queues.values())

    def circuit(self, sink: str) -> Literal["closed", "open", "half_open"]:
        """The state of a receiver's circuit breaker; of a receiver that is off, closed."""
        gate = self._gates.get(sink)
        return gate.circuit.state(self._clock()) if gate else "closed"

    async def drain(self, timeout: float | None = None) -> bool:
        """Wait until nothing is pending; False if that takes longer than ``timeout`` seconds."""
        while self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=timeout)
            if late:
                return False
        return True

    async def close(self, timeout: float = 2.0) -> None:
        """Stop. Requests under way may end within ``timeout`` seconds; what waits stays in the outbox."""
        self._closing = True
        for task in list(self._waiting):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, key: tuple[str, str]) -> None:
        queue = self._queues[key]
        while queue:
            if not await self._deal_with(queue):
                return
            queue.popleft()
        del self._queues[key]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("delivery_stopped", task=task.get_name(), error=type(error).__name__)

    async def _deal_with(self, queue: deque[Command]) -> bool:
        """Bring the first of a queue to an end; False if the deliverer is closing before that."""
        command = queue[0]
        gate = self._gates[command.sink]

        def fate() -> Literal["superseded", "dropped"] | None:
            return overtaken(command, islice(queue, 1, None))

        attempts, began = 0, self._clock()
        while not self._closing:
            if not await self._idle(gate.enter(lambda: fate() is None)):
                await self._settle(command, fate() or "superseded", attempts)
                return True
            attempts += 1
            answer = await self._attempt(gate, command, attempts)
            if isinstance(answer, Delivered):
                await self._settle(command, "delivered", attempts, answer.receipt)
                return True
            if isinstance(answer, Retry) and self._clock() - began < self._give_up_after:
                _log.warning("delivery_failed", **_about(command), attempts=attempts, why=answer.why)
                # What the receiver asked to wait, the gate waits, for everybody.
                await self._idle(self._sleep(backoff(attempts, self._random())))
                continue
            await self._dead_letter(command, answer, attempts)
            return True
        return False

    async def _attempt(self, gate: ReceiverGate, command: Command, attempts: int) -> Answer:
        answer: Answer | None = None
        hold = 0.0
        try:
            answer = await self._send(command)
            if isinstance(answer, Retry) and (answer.throttled or answer.after is not None):
                hold = max(answer.after or 0.0, backoff(attempts, self._random()))
            elif isinstance(answer, Delivered):
                hold = answer.pause or 0.0
            return answer
        finally:
            gate.leave(answer, hold=hold)

    async def _send(self, command: Command) -> Answer:
        def receipts(sink: str) -> Mapping[str, str]:
            return self._receipts.get((command.incident_id, command.epoch, sink), {})

        try:
            return await self._clients[command.sink].send(command, receipts)
        except Exception as error:
            # A fault of ours. Its text is kept to itself: that of some exceptions repeats what was to be
            # sent.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place is not None else "?"
            _log.error("delivery_fault", **_about(command), error=type(error).__name__, where=where)
            return Refused(f"{type(error).__name__} in {where}")

    async def _dead_letter(self, command: Command, answer: Retry | Refused, attempts: int) -> None:
        reason = answer.why if isinstance(answer, Refused) else f"given up: {answer.why}"
        _log.error("delivery_dead", **_about(command), attempts=attempts, why=reason)
        await self._insist(lambda: self._write_dead_letter(command, reason, attempts), command)
        await self._settle(command, "dead", attempts)

    async def _settle(
        self, command: Command, outcome: Outcome, attempts: int, receipt: Mapping[str, str] | None = None
    ) -> None:
        delivery = Delivery(
            command_id=command.id,
            sink=command.sink,
            incident_id=command.incident_id,
            epoch=command.epoch,
            action=command.action,
            outcome=outcome,
            at=self._clock(),
            receipt=dict(receipt or {}),
            attempts=attempts,
        )
        self._remember(delivery)
        self.deliveries[command.sink, outcome] += 1
        if outcome == "delivered":
            self._tell(command, delivery.at)
        await self._insist(lambda: self._record(delivery), command)

    def _tell(self, command: Command, at: int) -> None:
        if self._on_delivered is not None:
            try:
                self._on_delivered(command, at)
            except Exception as error:
                # Whoever measures must not stop what is measured.
                _log.error("on_delivered_failed", **_about(command), error=type(error).__name__)

    async def _insist(self, write: Callable[[], Awaitable[None]], command: Command) -> None:
        """Write until it is written: what has been sent must not be sent again because a broker was away."""
        attempts = 0
        while True:
            try:
                return await write()
            except Exception as error:
                attempts += 1
                _log.error("delivery_not_recorded", **_about(command), error=type(error).__name__)
                await self._sleep(backoff(attempts, self._random()))

    async def _idle(self, waiting: Awaitable[_T]) -> _T:
        """Wait for something while no request is under way: closing cuts it short."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await waiting
        finally:
            self._waiting.discard(task)

    def _remember(self, delivery: Delivery) -> None:
        if delivery.outcome == "delivered" and delivery.receipt:
            key = (delivery.incident_id, delivery.epoch, delivery.sink)
            self._receipts.setdefault(key, {}).update(delivery.receipt)


def _about(command: Command) -> dict[str, str]:
    return {
        "sink": command.sink,
        "incident": command.incident_id,
        "action": command.action,
        "command": command.id,
    }
