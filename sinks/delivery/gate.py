"""When may which request go to a receiver? Rate limit, requested pauses, circuit breaker, concurrency, urgency.

``clock`` and ``sleep`` are injected, so that tests and simulations run on a virtual clock; a library's rate
limiter is bound to the clock of the event loop. ``sleep`` must sleep in the time that ``clock`` returns.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import structlog

from detectors.instants import SECOND
from sinks.delivery.bucket import Bucket
from sinks.delivery.circuit import Circuit
from sinks.delivery.waits import wait_within
from sinks.receivers.answers import Answer, Delivered, Kind, Refused, Retry, kind_of_answer
from sinks.receivers.contract import Pace, ReceiverSettings
from sinks.receivers.registry import kind_of

__all__ = ["ReceiverGate", "gates_for"]

Clock = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]

_log = structlog.get_logger(__name__)


def gates_for(sinks: Iterable[str], clock: Clock, sleep: Sleep) -> dict[str, ReceiverGate]:
    """A gate for each sink, at the pace that its settings state."""
    gates = {}
    for sink in sinks:
        kind = kind_of(sink) or ReceiverSettings
        gates[sink] = ReceiverGate(kind.pace, clock, sleep, name=sink, longest_wait=kind.longest_wait)
    return gates


class _Ticket:
    """Somebody who waits for a request to be let through. ``verdict``: whether it may be sent, once that is known."""

    def __init__(self, key: str, wanted: Callable[[], bool], rank: Callable[[], tuple[int, ...]]) -> None:
        self.key = key
        self.wanted = wanted
        self.rank = rank
        self.verdict: bool | None = None
        self.called: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def call(self, verdict: bool | None = None) -> None:
        """Wake the waiting task: with a verdict, or to lead the others."""
        self.verdict = verdict
        if not self.called.done():
            self.called.set_result(None)


class ReceiverGate:
    """The gate to one receiver: decides when the next request may be sent, and whose it is.

    Of those that wait the least rank is next. While the circuit is open, a key that has not failed goes first, then
    the key that was tried the longest ago: what a receiver will not take keeps nobody else from showing that it takes
    the rest. Keys that fail occupy at most half of the requests under way.

    Args:
        pace: the load that the receiver accepts from all workers.
        clock: ms since the epoch.
        sleep: sleeps for seconds of ``clock``.
        name: of the receiver, for logs.
        longest_wait: the most that the receiver may ask to wait, seconds.
        spent: whether the burst counts as spent at first.

    Attributes:
        circuit: the circuit breaker.
        attempts: how often each kind of answer was got.
        taken_at: when the receiver last took a command, ms; None before the first.
    """

    def __init__(
        self,
        pace: Pace,
        clock: Clock,
        sleep: Sleep,
        *,
        name: str = "",
        longest_wait: float = 600.0,
        spent: bool = True,
    ) -> None:
        self.circuit = Circuit()
        self.attempts: Counter[Kind] = Counter()
        self._name = name
        self._longest_wait = longest_wait
        self._bucket = Bucket(pace.per_minute, pace.burst, spent_at=clock() if spent else None)
        self._slots = pace.concurrency
        self._slots_of_failing = max(pace.concurrency // 2, 1)
        self._under_way: Counter[str] = Counter()  # key -> requests
        self._failing: dict[str, int] = {}  # key whose last request failed -> when that was sent, ms
        self._waiting: list[_Ticket] = []
        self._leader: _Ticket | None = None
        self._resting: dict[asyncio.Future[None], None] = {}  # in order, so that a simulation repeats itself
        self._left = asyncio.Event()
        self._clock = clock
        self._sleep = sleep
        self._held_until = 0
        self.taken_at: int | None = None
        self._cut_short = False

    # -- entering ---------------------------------------------------------------------------------------------

    async def enter(
        self, wanted: Callable[[], bool], *, key: str = "", rank: Callable[[], tuple[int, ...]] = lambda: ()
    ) -> bool:
        """Wait until one request may be sent.

        Args:
            wanted: whether the request is still needed; asked before it is let through, and before waits.
            key: whose request it is: one that is not taken says nothing of others.
            rank: the least is let through first; asked whenever one is chosen.

        Returns:
            True if the request may be sent; ``leave`` must then be called after its answer. False if the
            request is no longer wanted; it then uses up nothing of the rate limit.
        """
        ticket = _Ticket(key, wanted, rank)
        self._waiting.append(ticket)
        self._left.set()  # who waits for room may be of a key that fails, and this one may go now
        try:
            while ticket.verdict is None:
                if self._leader is None:
                    await self._lead(ticket)
                else:
                    await ticket.called
                    ticket.called = asyncio.get_running_loop().create_future()
            return ticket.verdict
        except BaseException:
            if ticket.verdict:  # let through and cancelled at the same moment
                self._release(key)
            raise
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._leader is None and self._waiting:
                self._waiting[0].call()  # leads from now on

    async def _lead(self, ticket: _Ticket) -> None:
        """Wait for all who wait, and let one after the other through, until it is one's own turn."""
        self._leader = ticket
        try:
            while ticket.verdict is None:
                now = self._clock()
                closed_for = self.circuit.delay(now)
                wait = max(self._held_until - now, closed_for, self._bucket.delay(now))
                if not ticket.wanted():
                    self._waiting.remove(ticket)
                    ticket.call(False)
                elif closed_for > 0:
                    await self.rest(wait / SECOND)  # an answer may end it sooner
                elif wait > 0:
                    await self._sleep(wait / SECOND)
                if wait > 0 or ticket.verdict is not None:
                    continue
                self._left.clear()
                if not self._let_one_through(now):
                    await self._left.wait()
        finally:
            self._leader = None

    def _let_one_through(self, now: int) -> bool:
        """Decide on the next of those who wait; False if none may go before a request under way has ended."""
        if sum(self._under_way.values()) >= self._slots:
            return False
        failing = sum(self._under_way[key] for key in self._failing)
        eligible = [
            ticket
            for ticket in self._waiting
            if ticket.key not in self._failing or failing < self._slots_of_failing
        ]
        if not eligible:
            return False
        chosen = min(eligible, key=self._place)
        self._waiting.remove(chosen)
        if chosen.wanted():
            self._bucket.take(now)
            self.circuit.sent(now)
            self._under_way[chosen.key] += 1
            if chosen.key in self._failing:
                self._failing[chosen.key] = now
            chosen.call(True)
        else:
            chosen.call(False)
        return True

    def _place(self, ticket: _Ticket) -> tuple[int, ...]:
        """Where a ticket stands among those who wait."""
        if self.circuit.state(self._clock()) == "closed":
            return ticket.rank()
        return (self._failing.get(ticket.key, -1), *ticket.rank())

    # -- leaving ----------------------------------------------------------------------------------------------

    def leave(self, answer: Answer | None, *, key: str = "", hold: float = 0.0) -> None:
        """Report the end of a request that ``enter`` has let through.

        Args:
            answer: the receiver's answer; None if the request was cancelled on this side.
            key: whose request it was.
            hold: seconds during which no other request may be sent to this receiver either.
        """
        now = self._clock()
        self._release(key)
        if answer is not None:
            self.attempts[kind_of_answer(answer)] += 1
        if isinstance(answer, Delivered):
            self.taken_at = now
        if isinstance(answer, Delivered | Refused) or (isinstance(answer, Retry) and answer.throttled):
            self._failing.pop(key, None)
            if self.circuit.succeeded():
                _log.info("receiver_answers_again", sink=self._name)
                self._wake_resting()
        elif answer is not None:
            self._failing[key] = now
            if self.circuit.failed(key, answer.kind, now):
                _log.warning("receiver_circuit_open", sink=self._name, why=answer.why)
        if hold > 0:
            self._held_until = max(self._held_until, now + round(self.bounded(hold) * SECOND))

    def forget(self, key: str) -> None:
        """A key has nothing to send any more."""
        self._failing.pop(key, None)

    def bounded(self, asked: float) -> float:
        """Seconds that are waited of those that the receiver asks for; a wish that is cut is logged once."""
        if asked <= self._longest_wait:
            self._cut_short = False
            return asked
        if not self._cut_short:
            self._cut_short = True
            _log.warning(
                "receiver_asks_for_a_long_wait",
                sink=self._name,
                asked_seconds=round(min(asked, 1e9)),
                waited_seconds=round(self._longest_wait),
            )
        return self._longest_wait

    def _release(self, key: str) -> None:
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]
        self._left.set()

    # -- what else is asked -----------------------------------------------------------------------------------

    async def rest(self, seconds: float) -> None:
        """Wait before a request is tried again; not longer than until the receiver, which was broken, answers again."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._resting[woken] = None
        try:
            await wait_within(woken, self._sleep(seconds))
        finally:
            del self._resting[woken]

    def _wake_resting(self) -> None:
        for woken in list(self._resting):
            if not woken.done():
                woken.set_result(None)

    def prompt(self, key: str, within: float) -> bool:
        """Whether a request of a key is likely to be answered within so many seconds.

        Nothing is broken, no other key waits, and the request is under way, or the rate lets it through while at least
        half of the time is left for the answer.
        """
        well = self.state() == "closed" and key not in self._failing and self.held_for() == 0
        soon = self._under_way[key] > 0 or self._bucket.delay(self._clock()) <= within * SECOND / 2
        return well and soon and all(ticket.key == key for ticket in self._waiting)

    def set_share(self, share: float) -> None:
        """Take a share of the receiver's rate, above 0 and at most 1: other workers send the rest."""
        self._bucket.set_share(share, self._clock())

    def state(self) -> Literal["closed", "open", "half_open"]:
        """The state of the circuit breaker now."""
        return self.circuit.state(self._clock())

    def held_for(self) -> float:
        """Seconds for which the receiver has asked for patience from now on."""
        return max(self._held_until - self._clock(), 0) / SECOND
