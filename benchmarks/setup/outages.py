"""With which traffic is the time to a page measured? Sign-ins in real time, with outages of one method."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from aiokafka import AIOKafkaProducer

from detectors.instants import SECOND, format_instant

__all__ = ["Outage", "Plan", "Traffic"]

_CSPS = {"ssoe": ("idme", "logingov", "mhv", "dslogon"), "sis": ("idme", "logingov")}
_AWAY = 5  # seconds that a person spends at the provider
_BACKGROUND = 0.0005  # share of the sign-ins that fail without an outage
_LATE = 0.5  # seconds behind the plan after which late events are left out, so that a stopped machine causes no burst
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Plan:
    """When each method fails, in seconds from the start.

    Attributes:
        first: when the first outage begins; no method fails before it.
        lasts: the duration of each outage.
        pause: the time between two outages.
        outages: the number of outages; the methods take turns.
    """

    first: float
    lasts: float
    pause: float
    outages: int

    @property
    def length(self) -> float:
        """Seconds from the start to the end of the last pause."""
        return self.first + self.outages * (self.lasts + self.pause)

    def out(self, at: float) -> tuple[int, str] | None:
        """Return number and method of the outage ``at`` seconds after the start; None if there is no outage then."""
        number, into = divmod(at - self.first, self.lasts + self.pause)
        if not 0 <= number < self.outages or into >= self.lasts:
            return None
        return int(number), ("ssoe", "sis")[int(number) % 2]


@dataclass(frozen=True)
class Outage:
    """An outage that was played: its method, and ``occurred_at`` (ms) of the first event that it caused to fail."""

    method: str
    began: int


class Traffic:
    """Events at a constant rate on a topic: half of them begin a sign-in, half of them end one.

    Args:
        rate: events per second.
        plan: the plan of the outages.
        clock: ms since the epoch.
        seed: the seed from which people and their providers follow.
    """

    def __init__(self, rate: int, plan: Plan, clock: Callable[[], int], seed: int) -> None:
        self._rate = rate
        self._plan = plan
        self._clock = clock
        self._random = random.Random(seed)
        self._away: deque[tuple[str, str, str]] = deque()
        self._sent = 0
        self.outages: dict[int, Outage] = {}
        self.left_out = 0

    async def play(self, producer: AIOKafkaProducer, topic: str) -> None:
        """Send each event when it is due, to the end of the plan."""
        start = self._clock()
        every = max(0.005, 1 / self._rate)
        number = 0
        while True:
            now = self._clock()
            due = (now - start) * self._rate // SECOND
            if due - number > _LATE * self._rate:
                self.left_out += due - number
                number = due
            for _ in range(number, due):
                key, value = self._next(start, self._clock())  # a tick may take long on a busy machine
                await producer.send(topic, value, key=key)
            number = max(number, due)
            if now - start >= self._plan.length * SECOND:
                await producer.flush()
                return
            await asyncio.sleep(every)

    def events(self, start: int) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (ms, key, value) of all events from ``start`` (ms) on, without waiting."""
        for n in range(round(self._plan.length * self._rate)):
            at = start + n * SECOND // self._rate
            yield at, *self._next(start, at)

    def _next(self, start: int, at: int) -> tuple[bytes, bytes]:
        """Return key and value of the next event, which happens at ``at`` (ms)."""
        rnd, self._sent = self._random, self._sent + 1
        ends = self._sent % 2 == 0 and len(self._away) > self._rate * _AWAY // 2
        if ends:
            method, csp, flow = self._away.popleft()
        else:
            method = ("ssoe", "sis")[self._sent // 2 % 2]
            csp, flow = rnd.choice(_CSPS[method]), f"h:{rnd.getrandbits(64):016x}"
            self._away.append((method, csp, flow))
        event: dict[str, object] = {
            "schema_version": 1,
            "event_id": f"{rnd.getrandbits(96):024x}",
            "occurred_at": format_instant(at),
            "env": "prod",
            "auth_method": method,
            "step": "callback" if ends else "new",
            "outcome": "success" if ends else "started",
            "csp": csp,
            "client_id": "vaweb",
            "flow_id": flow,
            "request_id": f"{rnd.getrandbits(64):016x}",
            "duration_ms": rnd.randint(20, 900),
        }
        if ends:
            event["user_hash"] = f"h:{rnd.randint(0, 5_000_000):016x}"
            out = self._plan.out((at - start) / SECOND)
            struck = out is not None and out[1] == method
            if out is not None and struck and out[0] not in self.outages:
                self.outages[out[0]] = Outage(method, at)
            if struck or rnd.random() < _BACKGROUND:
                event |= {"outcome": "failure", "error_code": "007"}
        return flow.encode(), _encode(event)
