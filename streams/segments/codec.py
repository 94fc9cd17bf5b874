"""What do the records of `sli-segments` and `ingest-state` hold, and how are they written? A compact binary, versioned.

A *segment* holds the absolute facts of one (input partition, block, environment) up to an offset; a later record of
the same key replaces it. A *frontier* says how far a partition has been folded and what its watermark is; it is
written to every partition of the topic after the segments that it covers were acknowledged. A *resume record* is all
that a worker needs to go on at a block's start.

Records are written in form 2, and form 1 is read as well: its segments name leaves, steps and outcomes by positions
on fixed axes; the other records are alike in both forms.

All three name the consumer group's generation in which their writer took the input partition over, and a new owner
says so with two frontiers: *announced*, before it reads the resume record (offset -1), and *begun*, which names the
offset it begins at. So a reader of `sli-segments` knows what a former owner wrote too late (``fencing``).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from detectors.axes import AXES
from detectors.errors import WatchofficerError
from detectors.windows.facts import FactRow
from streams.segments.input_partition import InputPartition
from streams.segments.rows import AXES_BEFORE, PackedRows, fields_of, pack, read, read_before

__all__ = [
    "BLOCK_OFFSETS",
    "BLOCK_WATERMARK",
    "FormatError",
    "Frontier",
    "NewerVersion",
    "Resume",
    "SealedSegment",
    "Segment",
    "Tally",
    "decode",
    "decode_sealed",
    "encode",
    "frontier_key",
    "owner_key",
    "resume_key",
    "segment_key",
]

#: A block ends at every multiple of this many offsets …
BLOCK_OFFSETS = 8192
#: … and where the partition's watermark passes a multiple of this many ms.
BLOCK_WATERMARK = 10_000

#: The form in which records are written, and the one before, which is read too.
_VERSION, _BEFORE = 2, 1
#: The first byte of a record of a later version is less; printable text begins above.
_VERSIONS = 16


#: An instant (ms), an offset or a number of records: what is beyond can be none, and would not be written again.
_Number = Annotated[int, Meta(ge=-(2**61), le=2**61)]
#: The partitions of a topic are held one by one, so that a number beyond all topics is no number of partitions.
_Partitions = Annotated[int, Meta(ge=0, le=10_000)]
_Inputs = Annotated[dict[str, _Partitions], Meta(max_length=100)]


class FormatError(WatchofficerError, ValueError):
    """A record of an internal topic that this version cannot read. The message says what to do."""


class NewerVersion(FormatError):
    """A record that a newer version of this program wrote."""


class _Head(msgspec.Struct, array_like=True, frozen=True):
    """The part of a segment that says which events it covers.

    Attributes:
        step: length of a pane, ms; block_offsets: ``BLOCK_OFFSETS`` of the writer (a reader refuses another).
        thresholds: the latency thresholds (ms) that the rows' ``over`` counts stand for.
        partition: the input partition; block: the first offset of the block; env: the environment.
        first, last: offsets covered, inclusive.
    """

    step: _Number
    block_offsets: _Number
    thresholds: tuple[float, ...]
    partition: InputPartition
    block: _Number
    env: str
    first: _Number
    last: _Number

    def replaces(self, first: int, last: int) -> bool:
        """Whether this record covers all that another one of its block covers, ``first`` to ``last``, and more."""
        return self.first <= first and self.last > last


def _head(record: _Head) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _Head.__struct_fields__}


class Segment(_Head, frozen=True):
    """Facts of the offsets ``first`` to ``last`` of a block, of one environment.

    Attributes:
        rows: the facts.
        generation: in which the writer took the partition over.
        axes: the fields of an event whose values make a leaf, in the order of the axes.
        ingest_policy: the hash of what the facts depend on beside the log, "" in form 1.
        further: the fields of ``FactRow.values``.
    """

    rows: list[FactRow]
    generation: _Number = -1
    axes: tuple[str, ...] = AXES
    ingest_policy: str = ""
    further: tuple[str, ...] = ()


class _Written(_Head, array_like=True, tag="segment", frozen=True):
    """A ``Segment`` as it is written in form 2."""

    axes: tuple[str, ...]
    ingest_policy: str
    facts: PackedRows
    generation: _Number = -1


class SealedSegment(_Head, array_like=True, tag="segment", frozen=True):
    """A ``Segment`` whose rows have not been read: most are replaced before anybody asks for them.

    Attributes:
        axes, ingest_policy, generation: as in ``Segment``.
        sealed: the rows in the form ``form``.
    """

    axes: tuple[str, ...]
    ingest_policy: str
    sealed: msgspec.Raw
    generation: _Number = -1
    form: int = _VERSION

    def rows(self, axes: tuple[str, ...] = AXES, further: tuple[str, ...] = ()) -> list[FactRow]:
        """The facts, with leaves on the given axes and values of the further fields; None for what was not recorded.

        Raises:
            FormatError: the bytes are no rows of facts.
        """
        try:
            if self.form == _BEFORE:
                return read_before(self.sealed, axes)
            return read(self.sealed, self.axes, axes, further)
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            raise FormatError(f"not a record of this topic: {error}") from None

    def further(self) -> tuple[str, ...]:
        """The further fields that are recorded. Raises ``FormatError`` as ``rows`` does."""
        try:
            return () if self.form == _BEFORE else fields_of(self.sealed)
        except (msgspec.MsgspecError, ValueError) as error:
            raise FormatError(f"not a record of this topic: {error}") from None


class _SealedBefore(_Head, array_like=True, tag="segment", frozen=True):
    """A segment of form 1 whose rows have not been read."""

    sealed: msgspec.Raw
    generation: _Number = -1


class Tally(msgspec.Struct, array_like=True, gc=False):
    """What became of the records of a block up to ``last``: absolute counts, replaced as segments are.

    Attributes:
        records: of login events as many as there are, of others the events that a mapping made.
        skipped: rule of a mapping -> parts of records that are no events.
        slots: the records and the rejected ones by slot (``aggregate.rejected_share``); empty in what versions before
            this field wrote.
    """

    block: _Number
    first: _Number
    last: _Number
    records: _Number = 0
    accepted: _Number = 0
    duplicates: _Number = 0
    late: _Number = 0
    too_late: _Number = 0
    personal_fields: _Number = 0
    rejected: dict[str, _Number] = {}
    slots: dict[int, tuple[_Number, _Number]] = {}
    skipped: dict[str, _Number] = {}


class Frontier(msgspec.Struct, array_like=True, tag="frontier", frozen=True):
    """How far an input partition has been folded.

    Attributes:
        partition: the input partition, of ``partitions`` of its input.
        generation: of the consumer group, in which the writer took the partition over.
        next_offset: the first offset not folded; -1 in an announcement.
        watermark: ms, marks included; None for minus infinity.
        marked: why the clock stands in for events (``idle``, ``skew``, ``blind``; ``resumed`` where a new owner repeats
            the mark it found), or "".
        unread_since: Kafka timestamp (ms) of the last record read while more are unread; None when read to the end.
        written_at: the writer's clock, ms.
        tallies: of the blocks that have grown since the last frontier.
        blind_from: of a mark ``blind``: the watermark (ms) that the partition had when it could be read last.
        inputs: every input of the writer -> the number of its partitions; empty in what versions before this field
            wrote, whose only input is that of login events.
    """

    partition: InputPartition
    partitions: _Partitions
    generation: _Number
    next_offset: _Number
    watermark: _Number | None
    marked: str
    unread_since: _Number | None
    written_at: _Number
    tallies: list[Tally]
    blind_from: _Number | None = None
    inputs: _Inputs = {}


class Resume(msgspec.Struct, array_like=True, tag="resume", frozen=True):
    """The state of acceptance at a block's first offset.

    Attributes:
        start: the block's first offset; step, block_offsets: as in ``Segment``.
        greatest, recorded, mark: of ``acceptance.Acceptance`` just before ``start``.
        read_from: the offset from which the memory of duplicates is read back; ``greatest_there``: before it.
        blind_from: of the mark, as in ``Frontier``.
        rejected_from: the first offset before ``start`` whose copy on the topic of the rejected may be missing; None
            where all are there, and in what versions before this field wrote.
        form: of the input's mappings (``mappings.inputs.Input.form``); "" of login events.
    """

    partition: InputPartition
    generation: _Number
    step: _Number
    block_offsets: _Number
    start: _Number
    greatest: _Number | None
    recorded: _Number | None
    mark: _Number | None
    read_from: _Number
    greatest_there: _Number | None
    blind_from: _Number | None = None
    rejected_from: _Number | None = None
    form: str = ""


_Record = Segment | Frontier | Resume
_Sealed = SealedSegment | Frontier | Resume
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[int, msgspec.msgpack.Decoder[Any]] = {
    _VERSION: msgspec.msgpack.Decoder(_Sealed),
    _BEFORE: msgspec.msgpack.Decoder(_SealedBefore | Frontier | Resume),
}


def encode(record: _Record) -> bytes:
    """The record as bytes: a version byte, then MessagePack."""
    written: _Written | Frontier | Resume
    if isinstance(record, Segment):
        written = _Written(
            **_head(record),
            axes=record.axes,
            ingest_policy=record.ingest_policy,
            facts=pack(record.rows, record.further),
            generation=record.generation,
        )
    else:
        written = record
    return bytes((_VERSION,)) + _encoder.encode(written)


def decode(value: bytes) -> _Record:
    """The record that ``encode`` wrote.

    Raises:
        FormatError: another version, another block size, or no such record.
    """
    record = decode_sealed(value)
    if not isinstance(record, SealedSegment):
        return record
    further = record.further()
    return Segment(
        **_head(record),
        rows=record.rows(record.axes, further),
        generation=record.generation,
        axes=record.axes,
        ingest_policy=record.ingest_policy,
        further=further,
    )


def decode_sealed(value: bytes) -> _Sealed:
    """Decode a record but for the rows of a segment, in a fraction of the time of ``decode``.

    Raises:
        FormatError: as ``decode``; the rows are looked at no sooner than they are asked for.
    """
    decoder = _decoders.get(value[0]) if value else None
    if decoder is None:
        kind = NewerVersion if value and _VERSION < value[0] < _VERSIONS else FormatError
        raise kind("this record was written by another version: stop the older workers before an upgrade")
    try:
        record = decoder.decode(memoryview(value)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"not a record of this topic: {error}") from None
    if not isinstance(record, Frontier) and record.block_offsets != BLOCK_OFFSETS:
        raise FormatError(
            f"written with blocks of {record.block_offsets} offsets, this version uses {BLOCK_OFFSETS}: "
            "give the deployment a new WATCHOFFICER_TOPIC_PREFIX"
        )
    if isinstance(record, _SealedBefore):
        return SealedSegment(
            **_head(record),
            axes=AXES_BEFORE,
            ingest_policy="",
            sealed=record.sealed,
            generation=record.generation,
            form=_BEFORE,
        )
    sealed: _Sealed = record
    return sealed


# Compaction removes a record for a later one of the same key. So all keys name the writer's generation: what a new
# owner has begun to write again, or a former one writes too late, must not remove what others go by.


def segment_key(segment: Segment | SealedSegment) -> bytes:
    """``segment/<partition>/<block>/<env>/<generation>``."""
    return f"segment/{segment.partition}/{segment.block}/{segment.env}/{segment.generation}".encode()


def frontier_key(frontier: Frontier, *, mark: bool = False, finished: bool = False) -> bytes:
    """``frontier/<partition>/<generation>``: the last one is kept, so that a long-silent partition is known too.

    A frontier that is a mark is kept for each offset and reason, as whoever reads the log again needs them all:
    ``mark/<partition>/<generation>/<offset>/<reason>``. So is one with the tallies of finished blocks:
    ``tally/<partition>/<generation>/<last block>``.
    """
    writer = f"{frontier.partition}/{frontier.generation}"
    if finished:
        return f"tally/{writer}/{frontier.tallies[-1].block}".encode()
    if mark:
        return f"mark/{writer}/{frontier.next_offset}/{frontier.marked}".encode()
    return f"frontier/{writer}".encode()


def owner_key(partition: InputPartition, generation: int, *, begun: bool) -> bytes:
    """``owner/<partition>/<generation>`` of an announcement, and with ``/begun`` of a beginning: both are kept."""
    return f"owner/{partition}/{generation}{'/begun' if begun else ''}".encode()


def resume_key(resume: Resume) -> bytes:
    """``resume/<partition>/<generation>``."""
    return f"resume/{resume.partition}/{resume.generation}".encode()
