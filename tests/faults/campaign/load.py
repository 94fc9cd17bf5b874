"""Which load do faults meet? Login events that are shuffled, doubled, late, malformed, from wrong clocks, with outages.

The events are random with a seed; when they reach the topic, and in which order, depends on the machine. Checks
therefore compare with the records on the topic.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.support.oracle import written

__all__ = ["CODECS", "Load", "Outage", "Produced", "Traffic", "outages"]

#: The compression of each input partition.
CODECS = (None, "gzip", "snappy", "lz4", "zstd")
_SPARSE, _LAGGING = 2, 3  # input partitions: one that is often silent, one whose producer is slow at times

_PLACES = (
    *(
        (env, method, csp)
        for env in ("prod",) * 9
        for method in ("ssoe", "sis")
        for csp in ("idme", "logingov", "mhv")
    ),
    *(("staging", method, "idme") for method in ("ssoe", "sis")),
    ("staging", "ssoe", None),
    ("dev", "sis", "dslogon"),
    ("localhost", "ssoe", "idme"),
)
_WHERE_IT_FAILS = (
    "prod/ssoe",
    "prod/*/idme",
    "prod/sis/logingov",
    "prod/ssoe/idme",
    "prod",
    "staging/ssoe",
    "prod/sis",
)
_SPOILT: tuple[bytes | None, ...] = (
    None,
    b"",
    b"{",
    b"\xff\xfe",
    b'{"schema_version":1}',
    b'{"schema_version":"1","event_id":"x"}',
    b"[" * 100,
    b"x" * 900_000,
)


@dataclass(frozen=True)
class Outage:
    """An interval (seconds since the load began) in which most sign-ins of a scope fail."""

    begin: float
    end: float
    scope: str

    def hits(self, env: str, method: str, csp: str | None) -> bool:
        """Return whether a sign-in is in the scope of the outage."""
        parts = [*self.scope.split("/"), "*", "*"][:3]
        return all(part in ("*", own) for part, own in zip(parts, (env, method, csp), strict=True))


def outages(seed: int, seconds: float) -> list[Outage]:
    """Draw outages one after another, with time to recover in between; the last one ends before ``seconds``."""
    rng = random.Random(f"outages {seed}")
    out: list[Outage] = []
    at = rng.uniform(8.0, 14.0)
    while at + 16.0 < seconds or not out:
        end = at + rng.uniform(8.0, 16.0)
        out.append(Outage(at, end, rng.choice(_WHERE_IT_FAILS)))
        at = end + rng.uniform(14.0, 40.0)
    return out


@dataclass(frozen=True)
class Produced:
    """A record to be sent, with the second at which it is due."""

    wait: float
    partition: int
    key: bytes | None
    value: bytes | None


class Traffic:
    """Draws events.

    Args:
        seed: the seed of all random numbers.
        partitions: the number of partitions of the input topic.
        failing: the outages.
        rate: sign-ins per second, with about 2.5 events each.
    """

    def __init__(self, seed: int, partitions: int, failing: list[Outage], rate: float) -> None:
        self._rng = random.Random(f"traffic {seed}")
        self._partitions = partitions
        self._failing = failing
        self._rate = rate
        self._sign_ins = 0
        self._next = 0.0
        self._lag_until = self._quiet_until = -math.inf
        self._lags = False

    def grow(self, partitions: int) -> None:
        """Use ``partitions`` partitions of the input from now on."""
        self._partitions = partitions

    def until(self, elapsed: float, now: int, *, calm: bool = False) -> list[Produced]:
        """Return the records of sign-ins that begin up to ``elapsed`` seconds after the load began.

        Args:
            now: ms since the epoch.
            calm: whether to leave out events from the future, so that the end of the log is the end in event time.
        """
        out: list[Produced] = []
        while self._next <= elapsed:
            out += self._sign_in(self._next, now - round(1000 * (elapsed - self._next)), calm)
            self._next += self._rng.expovariate(self._rate)
        return out

    def _sign_in(self, elapsed: float, at: int, calm: bool) -> list[Produced]:
        rng = self._rng
        self._sign_ins += 1
        partition = rng.choices(range(self._partitions), [10, 8, 0.4, 3, *[2] * (self._partitions - 4)])[0]
        if elapsed > self._quiet_until and rng.random() < 0.002:
            self._quiet_until = elapsed + rng.uniform(2.0, 8.0)
        if partition == 1 and elapsed < self._quiet_until:
            partition = 0
        env, method, csp = rng.choice(_PLACES)
        fails = any(o.begin <= elapsed < o.end and o.hits(env, method, csp) for o in self._failing)
        person = f"h:{self._sign_ins if fails else rng.randrange(400)}"
        flow = f"f:{self._sign_ins}"
        begun = {"env": env, "auth_method": method, "csp": csp, "flow_id": flow}
        out = self._event(elapsed, at, partition, calm, begun | {"step": "new", "outcome": "started"})
        took = rng.uniform(0.02, 1.5)
        ended: dict[str, Any] = {"outcome": "success", "duration_ms": round(rng.lognormvariate(6.0, 0.8), 1)}
        chance = rng.random()
        if fails and chance < 0.92:
            ended = {"outcome": "failure", "error_code": "007", "duration_ms": 900}
        elif chance < 0.004:
            ended = {"outcome": "failure", "error_code": rng.choice(["400", "007", None])}
        elif chance < 0.04:
            ended = {"outcome": "failure", "error_code": rng.choice(["001", "009"])}
        elif chance < 0.2:
            return out  # never came back
        who = {"user_hash": person} if rng.random() < 0.9 else {}
        later = (elapsed + took, at + round(1000 * took), partition, calm)
        out += self._event(*later, begun | who | {"step": "callback"} | ended)
        if ended["outcome"] == "success" and method == "sis":
            out += self._event(
                *later, begun | who | {"step": "token", "outcome": "success", "duration_ms": 40}
            )
        return [Produced(p.wait + took, p.partition, p.key, p.value) if n else p for n, p in enumerate(out)]

    def _event(
        self, elapsed: float, at: int, partition: int, calm: bool, fields: dict[str, Any]
    ) -> list[Produced]:
        rng = self._rng
        wait = rng.expovariate(4.0)
        odd = rng.random()
        if odd < 0.03:
            wait += rng.uniform(2.0, 30.0)
        elif odd < 0.033:
            at -= rng.choice([10 * 60_000, 59 * 60_000, 119 * 60_000, 3 * 3_600_000, 40 * 3_600_000])
        elif odd < 0.035 and not calm:
            at += rng.choice(
                [3_000, 15_000, 900_000]
            )  # the last one is too far ahead, also where the broker is away first
        if partition == _LAGGING:
            at -= self._lag(elapsed)
        event = {
            "schema_version": 1,
            "event_id": f"e:{rng.getrandbits(64):x}",
            "occurred_at": written(at),
            **fields,
        }
        key = None if rng.random() < 0.5 else fields["flow_id"].encode()
        value = json.dumps(event).encode()
        out = [Produced(wait, partition, key, value)]
        if rng.random() < 0.04:
            if rng.random() < 0.3:
                value = json.dumps(
                    event | {"occurred_at": written(at + rng.randrange(-2_000, 1_000))}
                ).encode()
            out.append(Produced(wait + rng.choice([0.0, rng.uniform(0.0, 20.0)]), partition, key, value))
        if rng.random() < 0.01:
            weights = [4] * (len(_SPOILT) - 1) + [0.3]
            out.append(Produced(wait, partition, key or b"k", rng.choices(_SPOILT, weights)[0]))
        return out

    def _lag(self, elapsed: float) -> int:
        """Return how late the slow producer is, ms: during intervals of a quarter of a minute, and otherwise 0."""
        if elapsed > self._lag_until:
            self._lag_until = elapsed + 15.0
            self._lags = self._rng.random() < 0.35
        return self._rng.randrange(11_000, 13_000) if self._lags else 0


class Load:
    """Writes traffic to a topic in real time, each record at least once, even if the broker fails.

    Args:
        broker: ``host:port`` of the broker.
        topic: the input topic.
        traffic: the source of the events.
        now: ms since the epoch.
    """

    def __init__(self, broker: str, topic: str, traffic: Traffic, now: Callable[[], int]) -> None:
        self._broker = broker
        self._topic = topic
        self._traffic = traffic
        self._now = now
        self._producers: list[AIOKafkaProducer] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None
        self._began = 0.0
        self.calm = False
        self.sent = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the load began."""
        return asyncio.get_running_loop().time() - self._began

    async def start(self) -> None:
        """Begin to produce."""
        for codec in CODECS:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._broker,
                acks="all",
                compression_type=codec,
                linger_ms=5,
                request_timeout_ms=5_000,
            )
            await producer.start()
            self._producers.append(producer)
        self._began = asyncio.get_running_loop().time()
        self._running = asyncio.create_task(self._run(), name="load")

    async def grow(self, partitions: int) -> None:
        """Use the partitions that have been added to the topic."""
        for producer in self._producers:
            while len(await producer.partitions_for(self._topic)) < partitions:
                await producer.client.force_metadata_update()
                await asyncio.sleep(0.2)
        self._traffic.grow(partitions)

    async def stop(self) -> None:
        """Stop producing, and wait until all records are on the topic."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        while self._under_way:
            await asyncio.wait(set(self._under_way))
        for producer in self._producers:
            await producer.stop()
        self._producers.clear()

    async def _run(self) -> None:
        while True:
            for one in self._traffic.until(self.elapsed, self._now(), calm=self.calm):
                task = asyncio.create_task(self._send(one))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(0.1)

    async def _send(self, one: Produced) -> None:
        await asyncio.sleep(one.wait)
        producer = self._producers[one.partition % len(CODECS)]
        while True:
            try:
                headers = [("trace", b"00-1-2-01")] if one.key else []
                await producer.send_and_wait(
                    self._topic, one.value, key=one.key, partition=one.partition, headers=headers
                )
                self.sent += 1
                return
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(0.5)
