"""How does a worker write: records sent together, acknowledged together, and retried while the broker is away?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError

from streams.kafka.clients import Backoff, ClientFactory, Producer
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.runtime.lease import Lease

__all__ = ["BatchProducer", "Header", "ProducerRecord"]

log = structlog.get_logger(__name__)

Header = tuple[str, bytes]
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0  # seconds, of the backoff
#: What goes to a partition in one request, before compression. aiokafka's 16 KB would send each segment of a busy block
#: alone, one round trip after the other. Brokers take a MB, and what cannot be compressed grows a little.
_BATCH_BYTES = 512 << 10


class ProducerRecord(NamedTuple):
    """One record to be written; ``partition`` None leaves it to the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[Header] = ()


class BatchProducer:
    """Writes batches of records, and waits for a broker that is away.

    The producer is not idempotent, so a retry can repeat a record: readers must bear every record twice.

    Args:
        clients: makes the producer.
        clock: ms since the epoch, the timestamp of what is written; None for the producer's own.
        lease: the right to write; without one it is never lost.
        timing: gives sleep and chance to the retries.
    """

    def __init__(
        self,
        clients: ClientFactory,
        clock: Callable[[], int] | None = None,
        lease: Lease | None = None,
        timing: Timing = REAL_TIMING,
    ) -> None:
        self._clients = clients
        self._timing = timing
        self._lease = lease
        self._clock = clock
        self._producer: Producer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers.
        """
        producer = self._clients.producer(
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            max_request_size=8 << 20,
            compression_type="lz4",
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Flush and disconnect."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def write(
        self,
        records: Iterable[ProducerRecord],
        *,
        give_up: Callable[[], bool] = lambda: False,
        attempts: int | None = None,
    ) -> None:
        """Write the records and wait until the broker has acknowledged all of them.

        Args:
            records: in the order in which they are to stand on each partition.
            give_up: asked after a failed attempt; True ends the retries.
            attempts: the greatest number of attempts; None for no limit.

        Raises:
            KafkaError, OSError: the last attempt failed, and there is no other.
            LeaseLost: this worker may not write any more.
        """
        batch = list(records)
        backoff, tried = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing), 0
        while batch:
            try:
                await self._write_once(batch)
                return
            except (KafkaError, OSError) as error:
                tried += 1
                if give_up() or tried == attempts:
                    raise
                log.warning("produce_failed", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()

    async def _write_once(self, batch: Sequence[ProducerRecord]) -> None:
        if self._producer is None:
            await self.start()
        producer = self._producer
        assert producer is not None
        if self._lease is not None:
            self._lease.check()
        now = None if self._clock is None else self._clock()
        waiting = []
        for out in batch:
            waiting.append(
                await producer.send(
                    out.topic,
                    key=out.key,
                    value=out.value,
                    partition=out.partition,
                    headers=list(out.headers),
                    timestamp_ms=now,
                )
            )
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
