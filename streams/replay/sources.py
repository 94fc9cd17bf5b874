"""Where do `replay` and `produce` read events from? Files, standard input, and dumps of ``kcat -J``.

A plain line has no Kafka timestamp. A dump of ``kcat -J`` (each line an envelope with topic, partition, offset, ts and
payload) states the timestamps, and is split by partition.
"""

from __future__ import annotations

import contextlib
import json
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

from streams.mappings.mapping import RecordMapping
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Begin, Entry, Mark, SourceError, Spool
from streams.replay.files import open_lines
from streams.replay.places import LinesOfFiles, LinesRead, PlacedEntries, Places

__all__ = ["checkpoint_of", "partitions"]


#: The prefix of inputs that are topics.
TOPIC = "topic:"
_ENVELOPE = {"topic", "partition", "offset", "payload"}


def _envelope(line: bytes) -> tuple[tuple[str, int], Entry] | None:
    """Return the partition and the entry of a line of ``kcat -J``; None if the line is no envelope."""
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
    return (str(record["topic"]), record["partition"]), (timestamp, value)


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
    mapping: RecordMapping | None = None,
) -> list[Iterator[Entry]]:
    """Return the partitions of the inputs, each as an iterator over its entries in order.

    Several files of plain lines are read one after another as one partition, or as one partition each with
    ``partitioned``. Dumps of ``kcat -J`` are split by their topic and partition, and so is
    ``topic:NAME[@FROM..TO]``, which is read from ``back`` (ms) before FROM on. With a mapping the inputs hold a
    producer's own records, of which it makes events.

    Raises:
        SourceError: an input cannot be read (also while iterating).
    """
    plain: list[Iterator[Entry]] = []
    files: list[LinesRead] = []
    spools: dict[tuple[str, int], Spool] = {}
    for name in names:
        if name.startswith(TOPIC):
            from streams.replay.topic_source import read_topic

            spools.update(read_topic(name.removeprefix(TOPIC), back))
            continue
        with contextlib.ExitStack() as stack:
            read = LinesRead(name)
            lines = stack.enter_context(open_lines(name, read))
            first = next(lines, None)
            if first is None:
                continue
            if _envelope(first) is None:
                plain.append(_plain(first, lines, stack.pop_all()))
                files.append(read)
                continue
            for number, line in enumerate(chain((first,), lines)):
                _spool(line, spools).places.note(number, read.of)
    out: list[Iterator[Entry]] = []
    if plain and not partitioned:
        out.append(PlacedEntries(chain.from_iterable(plain), LinesOfFiles(files)))
    else:
        out += [PlacedEntries(entries, read) for entries, read in zip(plain, files, strict=True)]
    out += [spools[key].placed() for key in sorted(spools)]
    if mapping is None:
        return out
    mapped = [
        _MappedEntries(entries, mapping, n, entries.places if isinstance(entries, PlacedEntries) else None)
        for n, entries in enumerate(out)
    ]
    return [PlacedEntries(one.events(), one) for one in mapped]


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
        parsed = next(iter(spools)), (None, line)
    key, entry = parsed
    if key not in spools:
        spools[key] = Spool()
    spools[key].append(entry)
    return spools[key]


def _plain(first: bytes, rest: Iterator[bytes], stack: contextlib.ExitStack) -> Iterator[Entry]:
    with stack:
        yield None, first
        for line in rest:
            yield None, line


class _MappedEntries:
    """The events that a mapping makes of the entries of one partition, each with the time stamp of its record.

    A record that cannot be read is handed on as it is, so that it is rejected like any other that is no event.

    Args:
        entries: the producer's records.
        mapping: makes events of them.
        partition: number of the partition, by which an event without an id is named, with the record's number.
        places: where the records stood, if that is known.
    """

    def __init__(
        self, entries: Iterator[Entry], mapping: RecordMapping, partition: int, places: Places | None
    ) -> None:
        self._entries, self._mapping, self._partition = entries, mapping, partition
        self._records = array("q")
        self._places = places

    def of(self, n: int) -> str:
        """The place of the record of the n-th event, counted from 0."""
        return "" if self._places is None else self._places.of(self._records[n])

    def events(self) -> Iterator[Entry]:
        """Yield the entries of events, in order."""
        mapping, topic = self._mapping, f"{self._mapping.topic}/{self._partition}"
        number = -1
        for entry in self._entries:
            if isinstance(entry, Mark | Begin):
                yield entry
                continue
            number += 1
            stamp, value = entry
            mapped = mapping.map(value, f"{topic}/{number}")
            events: list[bytes | None] = [*mapped.events]
            if mapped.unreadable is not None:
                # What could be taken for an event is none: the mapping alone says what is.
                events.append(b"{}" if value is not None and value.lstrip().startswith(b"{") else value)
            for event in events:
                self._records.append(number)
                yield stamp, event
