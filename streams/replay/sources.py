"""Where do `replay` and `produce` read events from? Files, standard input, and dumps of ``kcat -J``.

A plain line has no Kafka timestamp. A dump of ``kcat -J`` (each line an envelope with topic, partition, offset, ts and
payload) states the timestamps, and is split by partition.
"""

from __future__ import annotations

import contextlib
import json
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from streams.aggregate.source import values_of
from streams.mappings.inputs import Input
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Begin, Entry, Mark, SourceError, Spool
from streams.replay.files import open_blocks
from streams.replay.order.in_order import in_order
from streams.replay.places import LinesOfFiles, LinesRead, PlacedEntries, Places
from streams.segments.input_partition import LOGIN_EVENTS

__all__ = ["TOPIC", "checkpoint_of", "not_of_the_log", "partitions", "placed_values"]


#: The prefix of inputs that are topics.
TOPIC = "topic:"
_ENVELOPE = {"topic", "partition", "offset", "payload"}


def _envelope(line: bytes) -> tuple[tuple[str, int], Entry, int] | None:
    """Return the partition, the entry and the offset of a line of ``kcat -J``; None if the line is no envelope."""
    try:
        # kcat writes bytes that are not UTF-8 unchanged, so they are recovered from the payload unchanged.
        record = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not record.keys() >= _ENVELOPE:
        return None
    if not isinstance(record["partition"], int):
        return None
    payload, stamp = record["payload"], record.get("ts")
    value = _bytes(payload) if isinstance(payload, str) else None
    if value is None and payload is not None:
        value = json.dumps(payload).encode()
    timestamp = stamp if isinstance(stamp, int) and stamp >= 0 else None
    offset = record["offset"] if isinstance(record["offset"], int) else -1
    return (str(record["topic"]), record["partition"]), (timestamp, value), offset


def _bytes(payload: str) -> bytes:
    try:
        return payload.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that was escaped, which corresponds to no byte
        return payload.encode("utf-8", "surrogatepass")


def partitions(
    names: Sequence[str],
    *,
    partitioned: bool = False,
    back: int = 0,
    inputs: Sequence[Input] = (),
    sort: bool = False,
) -> list[Iterator[Entry]]:
    """Return the partitions of the inputs, each as an iterator over its entries in order.

    Several files of plain lines are read one after another as one partition, or as one partition each with
    ``partitioned``. Dumps of ``kcat -J`` are split by their topic and partition, and so is
    ``topic:NAME[@FROM..TO]``, which is read from ``back`` (ms) before FROM on. Of the topic of one of ``inputs`` its
    mappings make events, as a worker does; with a single input they do so of all records whose topic is not known, or
    is no topic of login events. With ``sort`` the events of files come in the order in which they happened, and the
    records of dumps in that of their offsets.

    Raises:
        SourceError: an input cannot be read (also while iterating), or is a dump of a producer's own and to be sorted.
    """
    plain: list[Iterator[bytes]] = []
    files: list[LinesRead] = []
    spools: dict[tuple[str, int], Spool] = {}
    for name in names:
        if name.startswith(TOPIC):
            _sortable(sort, inputs)
            from streams.replay.topic_source import read_topic

            spools.update(read_topic(name.removeprefix(TOPIC), back))
            continue
        with contextlib.ExitStack() as stack:
            read = LinesRead(name)
            blocks = stack.enter_context(open_blocks(name, read))
            first = next(filter(None, blocks), None)
            if first is None:
                continue
            if _envelope(first[0]) is None:
                plain.append(chain.from_iterable(_held(first, blocks, stack.pop_all())))
                files.append(read)
                continue
            _sortable(sort, inputs)
            for number, line in enumerate(chain(first, chain.from_iterable(blocks))):
                _spool(line, spools).places.note(number, read.of)
    out: list[PlacedEntries] = []
    if plain and not partitioned:
        out.append(PlacedEntries.of_lines(chain.from_iterable(plain), LinesOfFiles(files)))
    else:
        out += [PlacedEntries.of_lines(lines, read) for lines, read in zip(plain, files, strict=True)]
    read_lines = [_mapped(entries, inputs, None, n, ()) for n, entries in enumerate(out)]
    if sort:
        by_offset = [_by_offset(spools[key]) for key in sorted(spools)]
        return [*(in_order(entries) for entries in read_lines), *by_offset]
    logs = [_mapped(spools[key].placed(), inputs, *key, spools[key].offsets) for key in sorted(spools)]
    return [*read_lines, *logs]


def _sortable(sort: bool, inputs: Sequence[Input]) -> None:
    if sort and inputs:
        raise SourceError("--sort is for files of a producer's own records, and for dumps of login events")


def _by_offset(spool: Spool) -> PlacedEntries:
    """Return the records of a partition in the order of the log; those of a topic stand in it."""
    known = [offset for offset in spool.offsets if offset >= 0]
    if all(before <= after for before, after in pairwise(known)):
        return spool.placed()
    return in_order(spool.placed(), spool.offsets)


def _mapped(
    entries: PlacedEntries, inputs: Sequence[Input], topic: str | None, number: int, offsets: Sequence[int]
) -> PlacedEntries:
    """Return the events of a partition, if an input is meant that has mappings; else its entries."""
    meant = next((one for one in inputs if one.topic == topic), None)
    if meant is None and len(inputs) == 1 and not (topic or "").endswith(LOGIN_EVENTS):
        meant = inputs[0]
    if meant is None or not meant.mappings:
        return entries
    mapped = _MappedEntries(entries, meant, f"{topic or meant.topic}/{number}", offsets, entries.places)
    return PlacedEntries(mapped.events(), mapped)


def checkpoint_of(names: Sequence[str]) -> Checkpoint | None:
    """Return the state before FROM, if the only input is ``topic:NAME@FROM..TO``; None if no input has a FROM.

    Raises:
        SourceError: the topics cannot be read, or an input with a FROM is not the only one.
    """
    topics = [name.removeprefix(TOPIC) for name in names if name.startswith(TOPIC)]
    if not topics:
        return None
    from streams.replay.topic_source import read_checkpoint

    found = read_checkpoint(topics[0])
    if found is not None and len(names) > 1:
        raise SourceError(
            "topic:NAME@FROM goes on from what was known at FROM: give no other input beside it"
        )
    return found


def _spool(line: bytes, spools: dict[tuple[str, int], Spool]) -> Spool:
    parsed = _envelope(line)
    if parsed is None:
        # no envelope in a dump of envelopes: it becomes a record of the first partition and will be rejected
        parsed = next(iter(spools)), (None, line), -1
    key, entry, offset = parsed
    if key not in spools:
        spools[key] = Spool()
    spools[key].append(entry, offset)
    return spools[key]


def _held(
    first: list[bytes], rest: Iterator[list[bytes]], stack: contextlib.ExitStack
) -> Iterator[list[bytes]]:
    """Yield all lists of lines of a file, and close it with ``stack``."""
    with stack:
        yield first
        yield from rest


class _MappedEntries:
    """The events that a mapping makes of the entries of one partition, each with the time stamp of its record.

    A record that cannot be read becomes a value that is rejected, as live.

    Args:
        entries: the producer's records.
        meant: the input, whose mappings make events of them.
        place: ``topic/partition``, by which an event without an id is named, with the record's offset.
        offsets: of the records; where one is not known, the record's number stands for it.
        places: where the records stood, if that is known.
    """

    def __init__(
        self,
        entries: Iterator[Entry],
        meant: Input,
        place: str,
        offsets: Sequence[int],
        places: Places | None,
    ) -> None:
        self._entries, self._input, self._place, self._offsets = entries, meant, place, offsets
        self._records = array("q")
        self._places = places

    def of(self, n: int) -> str:
        """The place of the record of the n-th event, counted from 0."""
        return "" if self._places is None else self._places.of(self._records[n])

    def events(self) -> Iterator[Entry]:
        """Yield the entries of events, in order."""
        number = -1
        for entry in self._entries:
            if isinstance(entry, Mark | Begin):
                yield entry
                continue
            number += 1
            stamp, value = entry
            known = self._offsets[number] if number < len(self._offsets) else -1
            mapped = self._input.map(value, f"{self._place}/{number if known < 0 else known}")
            for event in values_of(mapped, value):
                self._records.append(number)
                yield stamp, event


def placed_values(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (place, value) of each record in files or topics, named as for ``partitions``; no marks, no deletions.

    The place is ``FILE:LINE``, or a partition and an offset; "" where it is not known.

    Raises:
        SourceError: an input cannot be read.
    """
    for entries in partitions(list(names)):
        places = entries.places if isinstance(entries, PlacedEntries) else None
        n = -1
        for entry in entries:
            if isinstance(entry, Mark | Begin):
                continue
            n += 1
            if entry[1] is not None:
                yield "" if places is None else places.of(n), entry[1]


def not_of_the_log(place: str, value: bytes, error: Exception) -> SourceError:
    """Return the error that a record is no line of the incident log: where it stands, and what to give instead."""
    where = f"{place}: " if place else ""
    return SourceError(
        f"{where}not a line of the incident log: {error}: {value[:80]!r}\nWhat to do: give the records of the topic"
        " incident-log, or what incidents export, replay --log-out or replay --format jsonl has written."
    )
