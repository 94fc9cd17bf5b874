"""How does a command get to its receiver? Order, supersede, limit, send, record, retry or dead letter: at least once.

Each step is a module: ``lanes`` keeps the order, ``supersede`` says what is pointless, ``gate`` says when and whose
request goes, ``send`` sends it, ``journal`` records what became of it, ``retry`` says what happens after a failure.

* Commands keep their order within a lane. Nothing else waits: an incident whose commands a receiver refuses delays no
  other incident, and no receiver delays another.
* The outcome of a command is recorded before the next command of its lane is sent. A crash therefore repeats at most
  the last command of a lane. Receivers recognise a repeat by its key (PagerDuty), or it is looked for first (Datadog,
  Slack).
* All time is injected (``clock``, ``sleep``), and so is the jitter of retries (``chance``): a simulation
  runs this module on a virtual clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, TypeVar

import structlog

from detectors.incidents import Command
from detectors.instants import MINUTE
from sinks.delivery.gate import ReceiverGate, gates_for
from sinks.delivery.journal import Journal, missed
from sinks.delivery.lanes import Lane, lane_of
from sinks.delivery.outcomes import Delivery
from sinks.delivery.retry import GIVE_UP_AFTER, backoff
from sinks.delivery.send import about, send
from sinks.delivery.supersede import overtaken
from sinks.delivery.waits import wait_within
from sinks.receivers.answers import Answer, Delivered, Retry, SinkClient
from sinks.receivers.contract import ReceiverSettings
from sinks.receivers.registry import kind_of

__all__ = ["Deliverer"]

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

#: A page that waited so long (ms) before its incident was over is told as history; a shorter outage needs no story.
_NOTABLE_AFTER = MINUTE
#: The most newest commands that are remembered for links that come later.
_REMEMBERED = 500


class Deliverer:
    """Delivers submitted commands until it is closed.

    Args:
        clients: the configured receivers, by sink. The caller owns them and closes them.
        record: awaited with the outcome of a command, before the next command of its lane is sent.
        dead_letter: awaited with (command, reason, attempts) before a dead command is recorded.
        clock: returns ms since the epoch.
        sleep: sleeps for a number of seconds of the time that ``clock`` returns.
        chance: returns a random number in [0, 1), for the jitter of retries.
        gates: the gates to the receivers, by sink, shared by all deliverers of a process, because a rate
            limit or a circuit breaker belongs to a receiver. Without them the deliverer makes its own.
        on_delivered: called with a delivered command and the instant of its delivery, ms.
        give_up_after: ms without delivery after which a command becomes a dead letter.

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
        self._clients = dict(clients)
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._give_up_after = give_up_after
        self._gates = dict(gates) if gates is not None else gates_for(clients, clock, sleep)
        self._latest: dict[tuple[str, str, int], Command] = {}
        self._journal = Journal(record, dead_letter, clock, sleep, chance, on_delivered=on_delivered)
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # tasks without a request in flight
        self._closing = False

    @property
    def deliveries(self) -> Counter[tuple[str, str]]:
        """(sink, outcome) -> how often."""
        return self._journal.deliveries

    def restore(self, deliveries: Iterable[Delivery], settled: Iterable[str] = ()) -> None:
        """Take over the outcomes that earlier runs recorded. Must be called before ``submit``.

        Args:
            deliveries: the outcomes.
            settled: ids of further commands that have an outcome, which is not known.
        """
        self._journal.restore(deliveries, settled)

    def submit(self, command: Command, written: int | None = None) -> bool:
        """Queue a command and return at once; False for a repeat or an unconfigured receiver, which is only counted.

        Args:
            command: the command.
            written: when it was written to the outbox, ms, if that is known: from then on, or from when it was made if
                that was later, its age counts.
        """
        if command.sink not in self._clients:
            self.deliveries[command.sink, "off"] += 1
            return False
        if not self._journal.first_time(command.id):
            self.deliveries[command.sink, "repeat"] += 1
            self._tell_missed(self._journal.untold(command))
            return False
        self._note_latest(command)
        name = lane_of(command)
        lane = self._lanes.get(name)
        since = command.at if written is None else max(command.at, written)
        if lane is not None:
            lane.append(command, since)
            return True
        lane = self._lanes[name] = Lane(name)
        lane.append(command, since)
        task = asyncio.get_running_loop().create_task(self._work(lane), name=f"deliver {':'.join(name)}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    @property
    def pending(self) -> int:
        """The number of commands without an outcome."""
        return sum(len(lane) for lane in self._lanes.values())

    def oldest_pending(self) -> dict[str, tuple[int, int]]:
        """Receiver -> how many of its commands have no outcome yet, and when the oldest of them was made, ms."""
        found: dict[str, tuple[int, int]] = {}
        for (sink, _), lane in self._lanes.items():
            if len(lane):  # its first command is its oldest
                count, at = found.get(sink, (0, lane.head.at))
                found[sink] = (count + len(lane), min(at, lane.head.at))
        return found

    def waiting_since(self) -> int | None:
        """When the command was made or written that has waited the longest, ms; None if none waits."""
        return min((lane.since for lane in self._lanes.values() if len(lane)), default=None)

    def circuit(self, sink: str) -> Literal["closed", "open", "half_open"]:
        """The state of a receiver's circuit breaker; "closed" for a receiver that is not configured."""
        gate = self._gates.get(sink)
        return gate.state() if gate else "closed"

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

    async def _work(self, lane: Lane) -> None:
        gate = self._gates[lane.head.sink]
        while len(lane):
            if not await self._process(lane, gate):
                return
            lane.pop()
        del self._lanes[lane.name]
        gate.forget(lane.key)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("delivery_stopped", task=task.get_name(), error=type(error).__name__)

    async def _process(self, lane: Lane, gate: ReceiverGate) -> bool:
        """Bring the first command of a lane to its outcome; False if the deliverer closes before that."""
        command = lane.head
        attempts, why = 0, "it could not be sent"

        def wanted() -> bool:
            return overtaken(command, lane.behind()) is None and not self._too_old(lane)

        await self._cancellable(self._await_link(command))
        while not self._closing:
            if not await self._cancellable(gate.enter(wanted, key=lane.key, rank=lambda: lane.rank)):
                fate = overtaken(command, lane.behind())
                if fate is None:
                    break
                await self._journal.settle(command, fate, attempts, reason=why if attempts else "")
                if fate == "dropped" and self._clock() - lane.since >= _NOTABLE_AFTER:
                    self._tell_missed(missed(command, f"the incident was over before that: {why}"))
                return True
            attempts += 1
            answer = await self._attempt(gate, lane, command, attempts)
            if isinstance(answer, Delivered):
                await self._journal.settle(command, "delivered", attempts, receipt=answer.receipt)
                self._relink(command)
                return True
            why = answer.why
            self._journal.note_answer(command)
            if not isinstance(answer, Retry):
                await self._bury(command, why, attempts)
                return True
            if self._too_old(lane):
                break
            _log.warning("delivery_failed", **about(command), attempts=attempts, why=why)
            await self._cancellable(self._rest(gate, answer, attempts))
        if self._closing:
            return False
        await self._bury(command, f"given up: {why}", attempts)
        return True

    async def _await_link(self, command: Command) -> None:
        """Wait a moment for a link that a command shows, if the receiver that returns it is about to answer."""
        awaited = (kind_of(command.sink) or ReceiverSettings).awaits(command)
        if awaited is None or self._closing:
            return
        sink, seconds = awaited
        lane = self._lanes.get((sink, command.incident_id))
        if lane is None or self._journal.receipts(command)(sink):
            return
        if not self._gates[sink].prompt(lane.key, within=seconds):
            return
        async with self._journal.answered(command, sink) as answered:
            await wait_within(answered, self._sleep(seconds))

    def _note_latest(self, command: Command) -> None:
        """Remember the newest command that shows links, of each incident and epoch."""
        if (kind_of(command.sink) or ReceiverSettings).shows_links:
            key = (command.sink, command.incident_id, command.epoch)
            self._latest.pop(key, None)
            self._latest[key] = command
            if len(self._latest) > _REMEMBERED:
                del self._latest[next(iter(self._latest))]

    def _relink(self, command: Command) -> None:
        """Bring links that a delivery has returned to the messages that stand without them."""
        for sink in self._clients:
            latest = self._latest.get((sink, command.incident_id, command.epoch))
            kind = kind_of(sink)
            if latest is None or kind is None or self._closing:
                continue
            more = kind.relinked(latest, self._journal.receipts(command))
            if more is not None and more.sink in self._clients and not self._journal.knows(more.id):
                self.submit(more, self._clock())

    def _too_old(self, lane: Lane) -> bool:
        return self._clock() - lane.since >= self._give_up_after

    async def _rest(self, gate: ReceiverGate, answer: Retry, attempts: int) -> None:
        """Wait before the next attempt. A wait that a receiver asked of all holds its gate, not this command alone."""
        wait = backoff(attempts, self._chance())
        if answer.after is not None and not answer.throttled:
            await self._sleep(max(wait, gate.bounded(answer.after)))
        else:
            await gate.rest(wait)

    async def _attempt(self, gate: ReceiverGate, lane: Lane, command: Command, attempts: int) -> Answer:
        answer: Answer | None = None
        hold = 0.0
        try:
            answer = await send(self._clients, command, self._journal.receipts(command))
            if isinstance(answer, Retry) and answer.throttled:
                hold = max(answer.after or 0.0, backoff(attempts, self._chance()))
            elif isinstance(answer, Delivered):
                hold = answer.pause or 0.0
            return answer
        finally:
            gate.leave(answer, key=lane.key, hold=hold)

    async def _bury(self, command: Command, reason: str, attempts: int) -> None:
        """Make a dead letter of a command, and tell people of it elsewhere if it was a page."""
        self._tell_missed(await self._journal.bury(command, reason, attempts))

    def _tell_missed(self, told: Command | None) -> None:
        if told is not None and not self._closing:
            self.submit(told, self._clock())

    async def _cancellable(self, waiting: Awaitable[_T]) -> _T:
        """Await ``waiting`` while no request of the task is in flight, so that ``close`` may cancel the task."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await waiting
        finally:
            self._waiting.discard(task)
