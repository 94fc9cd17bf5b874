"""Is this worker still the one that judges a partition? It asks the log, each time before it goes on.

A worker may be stopped between any two instructions, and the broker fences no writer. So a T is judged, and a T that
an input was given is acted upon, only after a claim of this worker that covers it stands on the partition of
`watch-state`, and no claim of a successor stands before that. A successor claims the partition before it reads any
other topic, so what it reads there includes everything that this worker knew when it claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog
from aiokafka import TopicPartition

from streams.evaluate.ownership.claims import CLAIM_KEY, Claim, StateLog, decode_claim, encode_claim
from streams.evaluate.shard_state import decode_state
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.records.reading import OwnRecords
from streams.runtime.lease import LeaseLost

__all__ = ["Access", "Owner", "TakenOver", "take_over"]

log = structlog.get_logger(__name__)

_CLAIM_NAME = CLAIM_KEY.decode()
#: A claim reaches up to the next multiple of this, ms: so often the owner claims again. As inputs are given a T that no
#: former owner can have judged, an input may wait for so much longer after a takeover.
_CLAIM_EVERY = 10_000


class TakenOver(LeaseLost):
    """Another worker has claimed the partition: this one must not write verdicts of it any more."""


class Access(NamedTuple):
    """How `watch-state` is read and written.

    Attributes:
        producer: writes, and says at which offsets.
        reader: reads back.
        records: what is done with records that cannot be read.
    """

    producer: BatchProducer
    reader: TopicReader
    records: OwnRecords


class Owner:
    """This worker's ownership of a partition of `watch-state`; ``take_over`` makes it.

    Args:
        access: how the partition is read and written.
        place: the partition.
        claim: what this worker claimed first.
        offset: of that claim.

    Attributes:
        term: of this owner.
        judged_to: verdicts up to this T (ms) may be written.
    """

    def __init__(self, access: Access, place: TopicPartition, claim: Claim, offset: int) -> None:
        self._access = access
        self._place = place
        self.term = claim.term
        self.judged_to = claim.judged_to
        self._checked = offset  # up to here no claim of another follows that of this owner

    async def write(self, records: Sequence[ProducerRecord]) -> None:
        """Write states. They count for others only if this worker still owns the partition.

        Raises:
            KafkaError, OSError, LeaseLost: see ``BatchProducer.write``.
        """
        offsets = await self._access.producer.append(records)
        if self._follow(offsets):
            self._checked += len(offsets)

    async def claim(self, goal: int, records: Sequence[ProducerRecord] = ()) -> None:
        """Claim the partition again, so that verdicts up to ``goal`` (T, ms) may be written, and what ``records`` say.

        Args:
            goal: the last T (ms) that is about to be judged.
            records: states that must be in force before it is.

        Raises:
            TakenOver: another worker has claimed the partition: the records may not be in force.
            Unreadable: a claim cannot be read.
            KafkaError, OSError, LeaseLost: see ``BatchProducer.write``.
        """
        to = max(self.judged_to, goal - goal % _CLAIM_EVERY + _CLAIM_EVERY)
        claim = Claim(term=self.term, judged_to=to)
        offsets = await self._access.producer.append([*records, _record(self._place, claim)])
        *_, offset = offsets
        if offset is None:
            raise TakenOver(f"it is not known where {_named(self._place)} was claimed")
        if not self._follow(offsets):
            await self._look_back(offset)
        self._checked = max(self._checked, offset)
        self.judged_to = to

    def _follow(self, offsets: Sequence[int | None]) -> bool:
        """Whether offsets follow what is checked without a gap: nobody else has written in between."""
        return list(offsets) == list(range(self._checked + 1, self._checked + 1 + len(offsets)))

    async def _look_back(self, offset: int) -> None:
        """Look for a claim of another worker between what is checked and a claim of this one."""
        place, reading = self._place, self._access.records.reading(*self._place)
        async for record in self._access.reader.read(place, start=self._checked + 1, end=offset):
            if record.key != CLAIM_KEY:
                continue
            claim = reading.take(record, decode_claim)
            if claim is not None and claim.term > self.term:
                raise TakenOver(f"another worker has taken over {_named(place)} (term {claim.term})")
        reading.refuse(_is_claim)


async def take_over(
    access: Access, place: TopicPartition, is_ours: Callable[[str], bool]
) -> tuple[Owner, StateLog]:
    """Claim a partition of `watch-state`, and return what stood there before the claim.

    The term is one above the greatest that was read. Where another worker has claimed the partition meanwhile under
    that term, or a greater one, the partition is claimed again: no two owners have one term.

    Args:
        access: how the partition is read and written.
        place: the partition.
        is_ours: whether a key is the name of an environment that is judged there.

    Raises:
        Unreadable: what was written last of an environment, or by an owner, cannot be read.
        KafkaError, OSError: the partition cannot be read, and the reader is not patient.
        LeaseLost: this worker may not write any more.
    """
    found, reading = StateLog(), access.records.reading(*place)
    following = late = 0

    async def read(end: int | None) -> None:
        nonlocal following, late
        async for record in access.reader.read(place, start=following, end=end):
            following = record.offset + 1
            if record.key == CLAIM_KEY:
                claim = reading.take(record, decode_claim)
                if claim is not None:
                    found.claimed(claim)
                continue
            env = (record.key or b"").decode("utf-8", "replace")
            state = reading.take(record, decode_state)
            if is_ours(env) and state is not None:
                late += not found.written(env, state)
        reading.refuse(lambda key: is_ours(key) or _is_claim(key))

    await read(None)
    while True:
        claim = Claim(term=found.term + 1, judged_to=found.judged_to)
        (offset,) = await access.producer.append([_record(place, claim)])
        if offset is None:
            raise TakenOver(f"it is not known where {_named(place)} was claimed")
        await read(offset)
        if found.term < claim.term:
            if late:
                log.info("late_states_found", topic=place.topic, partition=place.partition, count=late)
            return Owner(access, place, claim, offset), found


def _record(place: TopicPartition, claim: Claim) -> ProducerRecord:
    return ProducerRecord(place.topic, CLAIM_KEY, encode_claim(claim), place.partition)


def _named(place: TopicPartition) -> str:
    return f"partition {place.partition} of {place.topic}"


def _is_claim(key: str) -> bool:
    return key == _CLAIM_NAME
