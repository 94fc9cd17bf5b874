"""Where `replay` and `produce` read events from: files, standard input, compressed or not, and dumps of ``kcat -J``.

A plain line has no Kafka timestamp. A dump of ``kcat -J`` (an envelope with topic, partition, offset, ts and payload
a line) brings its own, and is split by partition.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from streams.events.decode import MAX_BYTES
from streams.replay.checkpoint import Checkpoint

__all__ = ["Begin", "Entry", "Mark", "SourceError", "Spool", "checkpoint_of", "open_lines", "partitions"]


@dataclass(frozen=True, slots=True)
class Mark:
    """The clock stood in for events before the next record: the watermark is at least this, ms.

    ``blind_from``: the partition could not be read since it had this watermark, ms; None where it could.
    """

    watermark: int
    blind_from: int | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """Entries before this are read only to know what was known then."""


#: (Kafka timestamp in ms or None, value or None), a mark, or where it begins
Entry = tuple[int | None, bytes | None] | Mark | Begin

#: Names of inputs that are topics begin so.
TOPIC = "topic:"
_ENVELOPE = {"topic", "partition", "offset", "payload"}
_SPOOL_BYTES = 64 << 20
_HEADER = struct.Struct("<qi")
_NO_TIMESTAMP = -(1 << 63)
_NO_VALUE, _MARK, _BLIND, _BEGIN = -1, -2, -3, -4
_BLIND_FROM = struct.Struct("<q")


class SourceError(Exception):
    """An input that cannot be read. The message says which and why."""


@contextlib.contextmanager
def open_lines(name: str) -> Iterator[Iterator[bytes]]:
    """The lines of a file (``-`` for standard input; ``.gz`` and ``.zst`` are unpacked), blank ones left out.

    Raises:
        SourceError: it does not exist, may not be read, or is damaged (also while reading).
    """
    with contextlib.ExitStack() as stack:
        try:
            raw: IO[bytes] = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise SourceError(f"{name}: {error.strerror}") from None
        stream: IO[bytes] = raw
        if name.endswith(".gz"):
            stream = cast("IO[bytes]", stack.enter_context(gzip.open(raw, "rb")))
        elif name.endswith(".zst"):
            reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            stream = stack.enter_context(io.BufferedReader(reader, 1 << 20))
        yield _lines(name, stream)


def _lines(name: str, stream: IO[bytes]) -> Iterator[bytes]:
    # A line over the limit is rejected whatever it holds: its head is enough, and memory stays bounded. JSON writes a
    # byte of a payload in up to six.
    limit = 8 * MAX_BYTES
    try:
        while line := stream.readline(limit):
            if len(line) == limit and not line.endswith(b"\n"):
                while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                    pass
            line = line.rstrip(b"\r\n")
            if line and not line.isspace():
                yield line
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise SourceError(f"{name}: damaged or cut off: {error}") from None


def _envelope(line: bytes) -> tuple[tuple[str, int], Entry] | None:
    """The partition and the entry of a line of ``kcat -J``; None if it is no envelope."""
    try:
        # kcat passes on bytes that are not UTF-8 as they are: they come back out of the payload the same.
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
    except UnicodeEncodeError:  # a lone surrogate that was escaped: it stands for no byte
        return payload.encode("utf-8", "surrogatepass")


class Spool:
    """Entries of one partition, in memory up to a bound and then on disk."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by ``entries``

    def append(self, entry: Entry) -> None:
        """Add an entry at the end."""
        if isinstance(entry, Mark):
            if entry.blind_from is None:
                self._file.write(_HEADER.pack(entry.watermark, _MARK))
            else:
                self._file.write(_HEADER.pack(entry.watermark, _BLIND) + _BLIND_FROM.pack(entry.blind_from))
            return
        if isinstance(entry, Begin):
            self._file.write(_HEADER.pack(0, _BEGIN))
            return
        stamp, value = entry
        size = _NO_VALUE if value is None else len(value)
        self._file.write(_HEADER.pack(_NO_TIMESTAMP if stamp is None else stamp, size))
        if value:
            self._file.write(value)

    def entries(self) -> Iterator[Entry]:
        """All entries, once."""
        self._file.seek(0)
        with self._file:
            while head := self._file.read(_HEADER.size):
                stamp, size = _HEADER.unpack(head)
                if size == _BEGIN:
                    yield Begin()
                    continue
                if size == _BLIND:
                    yield Mark(stamp, *_BLIND_FROM.unpack(self._file.read(_BLIND_FROM.size)))
                    continue
                if size == _MARK:
                    yield Mark(stamp)
                    continue
                value = None if size == _NO_VALUE else self._file.read(size)
                yield (None if stamp == _NO_TIMESTAMP else stamp), value


def partitions(names: Sequence[str], *, partitioned: bool = False, back: int = 0) -> list[Iterator[Entry]]:
    """The partitions that the inputs hold, each an iterator over its entries in order.

    Several files of plain lines are read one after another as one partition, or each as one with ``partitioned``;
    dumps of ``kcat -J`` are split by their topic and partition, and so is ``topic:NAME[@FROM..TO]``, which is read from
    ``back`` (ms) before FROM on.

    Raises:
        SourceError: an input cannot be read (also while iterating).
    """
    plain: list[Iterator[Entry]] = []
    spools: dict[tuple[str, int], Spool] = {}
    for name in names:
        if name.startswith(TOPIC):
            from streams.replay.topic_source import read_topic

            spools.update(read_topic(name.removeprefix(TOPIC), back))
            continue
        with contextlib.ExitStack() as stack:
            lines = stack.enter_context(open_lines(name))
            first = next(lines, None)
            if first is None:
                continue
            if _envelope(first) is None:
                plain.append(_plain(first, lines, stack.pop_all()))
                continue
            _spool(first, spools)
            for line in lines:
                _spool(line, spools)
    if plain and not partitioned:
        plain = [_chained(plain)]
    return plain + [spools[key].entries() for key in sorted(spools)]


def checkpoint_of(names: Sequence[str]) -> Checkpoint | None:
    """What was known before FROM, where the only input is ``topic:NAME@FROM..TO``; None where none has a FROM.

    Raises:
        SourceError: the topics cannot be read, or there are other inputs beside it.
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


def _spool(line: bytes, spools: dict[tuple[str, int], Spool]) -> None:
    parsed = _envelope(line)
    if parsed is None:
        # no envelope in a dump of envelopes: it is a record of the first partition that will be rejected
        parsed = next(iter(spools)), (None, line)
    key, entry = parsed
    if key not in spools:
        spools[key] = Spool()
    spools[key].append(entry)


def _plain(first: bytes, rest: Iterator[bytes], stack: contextlib.ExitStack) -> Iterator[Entry]:
    with stack:
        yield None, first
        for line in rest:
            yield None, line


def _chained(parts: list[Iterator[Entry]]) -> Iterator[Entry]:
    for part in parts:
        yield from part
