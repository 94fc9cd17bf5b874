"""When is a command sent, retried, superseded, or given up? The deliverer: at least once, in order.

* Commands keep their order within an incident and receiver. Nothing else waits: an incident whose commands
  a receiver refuses delays no other incident, and no receiver delays another.
* The outcome of a command is recorded before the next command of its incident and receiver is sent. A crash
  therefore repeats at most the last command. Receivers recognise a repeat by its key (PagerDuty) or by a
  search (Datadog); Slack shows the line twice.
* A command that a newer command makes pointless while it waits is not sent: see ``overtaken``.
* All time is injected (``clock``, ``sleep``), and so is the jitter of retries (``chance``): a simulation
  runs this module on a virtual clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import islice
from typing import Literal, TypeVar

import msgspec
import structlog

from detectors.bounds import LINK_BYTES, fits
from detectors.incidents import Command
from detectors.instants import DAY
from sinks.delivery.pacing import ReceiverGate, backoff, gates_for
from sinks.receivers.answers import Answer, Delivered, Refused, Retry, SinkClient
from sinks.receivers.contract import Fate
from sinks.receivers.registry import kind_of

__all__ = ["Deliverer", "Delivery", "Outcome", "bounded_receipt", "overtaken"]

Outcome = Literal["delivered", "superseded", "dropped", "dead"]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

#: A command that still fails after this time (ms) becomes a dead letter: Datadog rejects events of that age,
#: and a page that late helps nobody.
GIVE_UP_AFTER = DAY

#: The most identifiers that a receipt keeps.
_RECEIPT_FIELDS = 20


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a command: a record of the topic ``incident-deliveries``, with the key ``command_id``.

    Attributes:
        outcome: "delivered"; "superseded" by a newer command; "dropped", because the incident was resolved
            before the command could be sent; "dead": refused by the receiver, or failing for a day.
        at: the instant of the outcome, ms since the epoch.
        receipt: identifiers that the receiver returned (a Slack timestamp, a Datadog id).
        attempts: number of requests made.
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


def overtaken(command: Command, later: Iterable[Command]) -> Fate | None:
    """Whether ``later`` commands, which wait behind ``command``, make it pointless; None if they do not.

    Its receiver decides (``ReceiverSettings.overtaken``), of the later commands of the same epoch.

    Args:
        command: the command at the head of its queue.
        later: the commands behind it, of the same incident and receiver, oldest first.
    """
    kind = kind_of(command.sink)
    same_epoch = [other for other in later if other.epoch == command.epoch]
    return kind.overtaken(command, same_epoch) if kind is not None and same_epoch else None


class Deliverer:
    """Delivers submitted commands until it is closed.

    Args:
        clients: the configured receivers, by sink. The caller owns them and closes them.
        record: awaited with the outcome of a command, before the next command of its incident and receiver
            is sent.
        dead_letter: awaited with (command, reason, attempts) before a dead command is recorded.
        clock: returns ms since the epoch.
        sleep: sleeps for a number of seconds of the time that ``clock`` returns.
        chance: returns a random number in [0, 1), for the jitter of retries.
        gates: the gates to the receivers, by sink, shared by all deliverers of a process, because a rate
            limit or a circuit breaker belongs to a receiver. Without them the deliverer makes its own.
        on_delivered: called with a delivered command and the instant of its delivery, ms.
        give_up_after: ms of failure after which a command becomes a dead letter.

    Attributes:
        deliveries: counts by (sink, outcome). Beside the values of ``Outcome`` there are "off" (the receiver
            is not configured) and "repeat" (a command with this id has an outcome, or waits already).
    """

    def __init__(
        self,
        clients: Mapping[str, SinkClient],
        record: Callable[[Delivery], Awaitable[None]],
        dead_letter: Callable[[Command, str, int], Awaitable[None]],
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
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
        self._chance = chance
        self._on_delivered = on_delivered
        self._give_up_after = give_up_after
        self._gates = dict(gates) if gates is not None else gates_for(clients, clock, sleep)
        self._queues: dict[tuple[str, str], deque[Command]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # tasks without a request in flight
        # Grows by a few dozen ids of 100 bytes for each incident, for as long as the process runs: a
        # forgotten id would be paged twice.
        self._known: set[str] = set()
        self._receipts: dict[tuple[str, int, str], dict[str, str]] = {}
        self._closing = False

    def restore(self, deliveries: Iterable[Delivery], settled: Iterable[str] = ()) -> None:
        """Take over the outcomes that earlier runs recorded. Must be called before ``submit``.

        Args:
            deliveries: the outcomes.
            settled: ids of further commands that have an outcome, which is not known.
        """
        self._known.update(settled)
        for delivery in sorted(deliveries, key=lambda each: each.at):
            self._known.add(delivery.command_id)
            self._remember(delivery)

    def submit(self, command: Command) -> bool:
        """Queue a command and return at once; False for a repeat or an unconfigured receiver, which is only counted."""
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
        """The number of commands without an outcome."""
        return sum(len(queue) for queue in self._queues.values())

    def oldest_pending(self) -> dict[str, tuple[int, int]]:
        """Receiver -> how many of its commands have no outcome yet, and when the oldest of them was made, ms."""
        found: dict[str, tuple[int, int]] = {}
        for (_, sink), queue in self._queues.items():
            if queue:  # its first command is its oldest
                count, at = found.get(sink, (0, queue[0].at))
                found[sink] = (count + len(queue), min(at, queue[0].at))
        return found

    def circuit(self, sink: str) -> Literal["closed", "open", "half_open"]:
        """The state of a receiver's circuit breaker; "closed" for a receiver that is not configured."""
        gate = self._gates.get(sink)
        return gate.circuit.state(self._clock()) if gate else "closed"

    async def close(self, timeout: float = 2.0) -> None:
        """Stop. Requests in flight get ``timeout`` seconds of ``sleep``; waiting commands stay in the outbox."""
        self._closing = True
        for task in list(self._waiting):
            task.cancel()
        if self._tasks:
            await self._wait_for_tasks(timeout)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_tasks(self, timeout: float) -> None:
        """Wait until all tasks have ended, at most ``timeout`` seconds of ``sleep``."""
        if timeout <= 0:
            await asyncio.sleep(0)  # lets the cancelled tasks end
            return
        alarm = asyncio.ensure_future(self._sleep(timeout))
        try:
            while self._tasks and not alarm.done():
                await asyncio.wait({alarm, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            await asyncio.gather(alarm, return_exceptions=True)

    async def _work(self, key: tuple[str, str]) -> None:
        queue = self._queues[key]
        while queue:
            if not await self._process(queue):
                return
            queue.popleft()
        del self._queues[key]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("delivery_stopped", task=task.get_name(), error=type(error).__name__)

    async def _process(self, queue: deque[Command]) -> bool:
        """Deliver the first command of a queue or give it up; False if the deliverer closes before that."""
        command = queue[0]
        gate = self._gates[command.sink]

        def fate() -> Fate | None:
            return overtaken(command, islice(queue, 1, None))

        attempts, began = 0, self._clock()
        while not self._closing:
            if not await self._cancellable(gate.enter(lambda: fate() is None)):
                await self._settle(command, fate() or "superseded", attempts)
                return True
            attempts += 1
            answer = await self._attempt(gate, command, attempts)
            if isinstance(answer, Delivered):
                await self._settle(command, "delivered", attempts, answer.receipt)
                return True
            if isinstance(answer, Retry) and self._clock() - began < self._give_up_after:
                _log.warning("delivery_failed", **_about(command), attempts=attempts, why=answer.why)
                # This wait is the jitter of one command; a wait that the receiver asked for holds its gate.
                await self._cancellable(self._sleep(backoff(attempts, self._chance())))
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
                hold = max(answer.after or 0.0, backoff(attempts, self._chance()))
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
            # A defect of this program. Its text is not logged: some exceptions repeat the request's content.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place is not None else "?"
            _log.error("delivery_fault", **_about(command), error=type(error).__name__, where=where)
            return Refused(f"{type(error).__name__} in {where}")

    async def _dead_letter(self, command: Command, answer: Retry | Refused, attempts: int) -> None:
        reason = answer.why if isinstance(answer, Refused) else f"given up: {answer.why}"
        _log.error("delivery_dead", **_about(command), attempts=attempts, why=reason)
        await self._write_until_done(lambda: self._write_dead_letter(command, reason, attempts), command)
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
            receipt=bounded_receipt(receipt or {}),
            attempts=attempts,
        )
        self._remember(delivery)
        self.deliveries[command.sink, outcome] += 1
        if outcome == "delivered":
            self._notify_delivered(command, delivery.at)
        await self._write_until_done(lambda: self._record(delivery), command)

    def _notify_delivered(self, command: Command, at: int) -> None:
        if self._on_delivered is not None:
            try:
                self._on_delivered(command, at)
            except Exception as error:
                # A fault in a measurement must not stop deliveries.
                _log.error("on_delivered_failed", **_about(command), error=type(error).__name__)

    async def _write_until_done(self, write: Callable[[], Awaitable[None]], command: Command) -> None:
        """Repeat a write until it succeeds, so that an unreachable broker does not cause a second delivery."""
        attempts = 0
        while True:
            try:
                return await write()
            except Exception as error:
                attempts += 1
                _log.error("delivery_not_recorded", **_about(command), error=type(error).__name__)
                await self._sleep(backoff(attempts, self._chance()))

    async def _cancellable(self, waiting: Awaitable[_T]) -> _T:
        """Await ``waiting`` while no request of the task is in flight, so that ``close`` may cancel the task."""
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


def bounded_receipt(receipt: Mapping[str, str]) -> dict[str, str]:
    """What a receipt may keep of what a receiver returned; a part of an identifier or a link is of no use."""
    kept = {name: value for name, value in receipt.items() if fits(name + value, LINK_BYTES)}
    return dict(islice(kept.items(), _RECEIPT_FIELDS))


def _about(command: Command) -> dict[str, str]:
    return {
        "sink": command.sink,
        "incident": command.incident_id,
        "action": command.action,
        "command": command.id,
    }
