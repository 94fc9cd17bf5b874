"""How does a worker write: records sent together, acknowledged together, and retried while the broker is away?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError

from streams.kafka.clients import Backoff, ClientFactory, Producer
from streams.kafka.refused.failures import Failure, Kind, failure_of, is_too_large
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.runtime.lease import Lease
from streams.runtime.progress import Progress, Why

__all__ = ["BatchProducer", "Header", "ProducerRecord"]

log = structlog.get_logger(__name__)

Header = tuple[str, bytes]
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0  # seconds, of the backoff
#: What goes to a partition in one request, before compression. aiokafka's 16 KB would send each segment of a busy block
#: alone, one round trip after the other. Brokers take a MB, and what cannot be compressed grows a little.
_BATCH_BYTES = 512 << 10
#: aiokafka repeats what may succeed later by itself for so long, and only then says what the broker answered.
_ANSWER_MS = 20_000
#: A record of so many bytes is not too large: where it is refused for its size, the topic takes none at all.
_NEVER_TOO_LARGE = 1 << 10


class ProducerRecord(NamedTuple):
    """One record to be written; ``partition`` None leaves it to the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[Header] = ()

    @property
    def size(self) -> int:
        """The bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


class BatchProducer:
    """Writes batches of records, and waits for a broker that is away.

    The producer is not idempotent, so a retry can repeat a record: readers must bear every record twice.

    A write that the broker answers and does not do is an obstacle (``Why.WRITE``) from its first attempt until it is
    done. A record that is refused for its size would be refused for ever: it is said, handed to ``too_large``, and
    counts as written, unless the write has a limit of attempts: then the caller is told. One of at most 1 KiB is
    repeated: what the topic takes is set wrong.

    Args:
        clients: makes the producer.
        clock: ms since the epoch, the timestamp of what is written; None for the producer's own.
        lease: the right to write; without one it is never lost.
        timing: gives sleep, monotonic time and chance to the retries.
        progress: is told which topics take no records.
    """

    def __init__(
        self,
        clients: ClientFactory,
        clock: Callable[[], int] | None = None,
        lease: Lease | None = None,
        timing: Timing = REAL_TIMING,
        *,
        progress: Progress | None = None,
    ) -> None:
        self._clients = clients
        self._timing = timing
        self._lease = lease
        self._clock = clock
        self._progress = progress
        self._producer: Producer | None = None
        self._starting = asyncio.Lock()
        self._held: Counter[str] = Counter()  # topic -> writes that are held up
        self._refused_sizes: dict[str, int] = {}  # topic -> the least size that was refused
        self.too_large: Callable[[ProducerRecord, str], None] = lambda record, why: None

    async def start(self) -> None:
        """Connect, unless this has been done.

        Raises:
            KafkaError: no broker answers.
        """
        async with self._starting:
            if self._producer is None:
                self._producer = await self._started()

    async def _started(self) -> Producer:
        producer = self._clients.producer(
            linger_ms=0,
            max_batch_size=_BATCH_BYTES,
            max_request_size=8 << 20,
            compression_type="lz4",
            request_timeout_ms=_ANSWER_MS,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def stop(self) -> None:
        """Flush and disconnect."""
        if self._progress is not None:
            for topic in self._refused_sizes:
                self._progress.going(Why.WRITE, f"{topic}:size")
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def write(
        self,
        records: Iterable[ProducerRecord],
        *,
        give_up: Callable[[], bool] = lambda: False,
        attempts: int | None = None,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the records and wait until the broker has acknowledged all of them.

        Records of one topic are repeated together; what one topic does not take holds up no other.

        Args:
            records: in the order in which they are to stand on each partition.
            give_up: asked after a failed attempt; True ends the retries.
            attempts: the greatest number of attempts; None for no limit. Where there is a limit a failure is the
                caller's to tell, and no obstacle.
            on_refusal: called whenever the broker has answered that it does not take the records.

        Raises:
            KafkaError, OSError: the last attempt failed, and there is no other.
            LeaseLost: this worker may not write any more.
        """
        topics: dict[str, list[ProducerRecord]] = {}
        for record in records:
            topics.setdefault(record.topic, []).append(record)
        writes: list[Awaitable[object]] = [
            self._write_topic(topic, batch, give_up, attempts, on_refusal) for topic, batch in topics.items()
        ]
        if len(writes) == 1:
            await writes[0]
        elif writes:
            for outcome in await asyncio.gather(*writes, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome

    async def append(self, records: Sequence[ProducerRecord]) -> list[int | None]:
        """Write records of one topic, as ``write`` does; the offset of each, None of one that was set aside.

        Where an attempt was repeated the offsets are those of the last one; copies may stand before them.

        Raises:
            KafkaError, OSError, LeaseLost: see ``write``.
        """
        if not records:
            return []
        return await self._write_topic(records[0].topic, records, lambda: False, None, lambda: None)

    async def _write_topic(
        self,
        topic: str,
        batch: Sequence[ProducerRecord],
        give_up: Callable[[], bool],
        attempts: int | None,
        on_refusal: Callable[[], None],
    ) -> list[int | None]:
        backoff, tried = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing), 0
        began, held = self._timing.monotonic(), False
        try:
            while True:
                try:
                    return await self._write_or_pass(topic, batch, may_pass=attempts is None)
                except (KafkaError, OSError) as error:
                    tried += 1
                    failure = failure_of(error, topic)
                    if attempts is None and failure.kind is not Kind.AWAY:
                        self._hold(topic, failure, began, first=not held)
                        held = True
                    if failure.kind is Kind.REFUSED:
                        on_refusal()
                    if give_up() or tried == attempts or (attempts and is_too_large(error)):
                        raise
                    wait = backoff.failed()
                    log.warning("produce_failed", topic=topic, error=repr(error), retry_in_seconds=wait)
                    await backoff.wait()
        finally:
            if held:
                self._let_go(topic)

    def _hold(self, topic: str, failure: Failure, since: float, *, first: bool) -> None:
        self._held[topic] += first
        if self._progress is not None:
            self._progress.stuck(Why.WRITE, failure.sentence, key=topic, remedy=failure.remedy, since=since)

    def _let_go(self, topic: str) -> None:
        self._held[topic] -= 1
        if not self._held[topic]:
            del self._held[topic]
            if self._progress is not None:
                self._progress.going(Why.WRITE, topic)

    # -- records that are too large ---------------------------------------------------------------------------

    async def _write_or_pass(
        self, topic: str, batch: Sequence[ProducerRecord], *, may_pass: bool
    ) -> list[int | None]:
        """Write the records, but those that are refused for their size, if they may be passed by; their offsets."""
        try:
            offsets = await self._write_once(batch)
            self._took(topic, max(record.size for record in batch))
            return offsets
        except KafkaError as error:
            if not may_pass or not is_too_large(error):
                raise
        # The broker refuses a batch as a whole: alone most of its records are small enough.
        offsets = []
        for record in batch:
            try:
                offsets += await self._write_once([record])
                self._took(topic, record.size)
            except KafkaError as error:
                if not is_too_large(error) or record.size <= _NEVER_TOO_LARGE:
                    raise
                self._pass_by(record, error)
                offsets.append(None)
        return offsets

    def _pass_by(self, record: ProducerRecord, error: KafkaError) -> None:
        topic, size = record.topic, record.size
        self._refused_sizes[topic] = min(size, self._refused_sizes.get(topic, size))
        key = (record.key or b"").decode("utf-8", "replace")
        why = f"a record of {size} bytes is larger than topic {topic} takes"
        log.error("record_too_large", topic=topic, key=key, bytes=size, error=repr(error))
        if self._progress is not None:
            self._progress.stuck(
                Why.WRITE,
                f"{why} (key {key}): it was set aside and is missing there",
                key=f"{topic}:size",
                remedy=f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} "
                "--add-config max.message.bytes=1048588",
            )
        self.too_large(record, why)

    def _took(self, topic: str, size: int) -> None:
        """The topic took a record: what was said of a size is over once one as large is taken."""
        if size >= self._refused_sizes.get(topic, size + 1):
            del self._refused_sizes[topic]
            if self._progress is not None:
                self._progress.going(Why.WRITE, f"{topic}:size")

    async def _write_once(self, batch: Sequence[ProducerRecord]) -> list[int | None]:
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
        offsets: list[int | None] = []
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
            offsets.append(None if result.offset < 0 else result.offset)
        return offsets
