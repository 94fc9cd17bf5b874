"""Which events does a soak put on the topic, and how does it keep its rate?"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaProducer

from streams.kafka.topics import PARTITIONS
from tests.support.oracle import written

__all__ = ["Load"]

_PEOPLE = 20_000
_EACH_SECONDS = 0.05
_FAILING = 0.0003  # of all sign-ins when all is well; 0.0005 are usual by the policy that ships
_METHODS = ("ssoe", "sis")
_CSPS = ("idme", "logingov", "mhv")


class Load:
    """Sign-ins at a steady rate by people who come again and again, spread over all partitions; well but for outages.

    Args:
        broker, topic: where they go.
        rate: events a second.
        now: ms since the epoch.
    """

    def __init__(self, broker: str, topic: str, rate: int, now: Callable[[], int]) -> None:
        self._broker = broker
        self._topic = topic
        self._rate = rate
        self._now = now
        self._rng = random.Random("soak")
        self._numbers = itertools.count()
        self._fail: dict[str, float] = {}
        self._stopped = False
        self.sent = 0

    def fail(self, ways: Iterable[str], share: float) -> None:
        """From now on this share of the sign-ins by these ways (``ssoe/idme``) fails; all others are well."""
        self._fail = dict.fromkeys(ways, share)

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stopped = True

    async def run(self) -> None:
        """Produce until stopped; all that was produced stands on the topic at the end."""
        began = time.monotonic()
        async with AIOKafkaProducer(bootstrap_servers=self._broker, linger_ms=10) as producer:
            while not self._stopped:
                while self.sent < (time.monotonic() - began) * self._rate:
                    number = next(self._numbers)
                    await producer.send(self._topic, self._event(number), partition=number % PARTITIONS)
                    self.sent += 1
                await asyncio.sleep(_EACH_SECONDS)
            await producer.flush()

    def _event(self, number: int) -> bytes:
        rng = self._rng
        method, csp = rng.choice(_METHODS), rng.choice(_CSPS)
        fails = rng.random() < max(_FAILING, self._fail.get(f"{method}/{csp}", 0.0))
        event = {
            "schema_version": 1,
            "event_id": f"soak {number}",
            "occurred_at": written(self._now()),
            "env": "prod",
            "auth_method": method,
            "csp": csp,
            "step": "callback",
            "outcome": "failure" if fails else "success",
            "user_hash": f"h:{rng.randrange(_PEOPLE)}",
            "duration_ms": round(rng.lognormvariate(6.0, 0.8), 1),
        }
        return json.dumps(event | ({"error_code": "007"} if fails else {})).encode()
