"""How far have all input partitions been read, and up to which T may be judged?

Each frontier names the inputs of its writer. An input that the last one does not name has been taken away, and holds
nothing back any more.
"""

from __future__ import annotations

import msgspec

from detectors.instants import format_instant
from streams.segments.codec import Frontier
from streams.segments.input_partition import LOGIN_EVENTS, InputPartition, in_words, partitions_of

__all__ = ["InputFrontiers"]


class InputFrontiers:
    """The last frontier of each input partition, as one partition of `sli-segments` names them."""

    def __init__(self) -> None:
        self._frontiers: dict[InputPartition, Frontier] = {}
        self._inputs: dict[str, int] = {}
        self._expected: set[InputPartition] = set()

    def take(self, record: Frontier) -> bool:
        """Take a frontier that counts; return whether it moved anything on."""
        self._expect(record.inputs or {LOGIN_EVENTS: record.partitions})
        known = self._frontiers.get(record.partition)
        if known is not None:
            if record.next_offset < 0:
                return False  # a new owner announces itself, and has read nothing yet
            reached = max((m for m in (known.watermark, record.watermark) if m is not None), default=None)
            record = msgspec.structs.replace(record, watermark=reached)
        self._frontiers[record.partition] = record
        return True

    def _expect(self, inputs: dict[str, int]) -> None:
        """Expect these inputs; a topic never has fewer partitions than before."""
        inputs = {name: max(count, self._inputs.get(name, 0)) for name, count in inputs.items()}
        if inputs != self._inputs:
            self._inputs = inputs
            self._expected = partitions_of(inputs)

    def _read(self) -> dict[InputPartition, Frontier]:
        """Return the frontiers of the partitions that are expected."""
        return {p: frontier for p, frontier in self._frontiers.items() if p in self._expected}

    def watermark(self) -> int | None:
        """Return the overall watermark, ms: the least over the partitions; None until all have reported one."""
        read = self._read()
        if not read or len(read) < len(self._expected):
            return None
        marks = [frontier.watermark for frontier in read.values()]
        known = [mark for mark in marks if mark is not None]
        return min(known) if len(known) == len(marks) else None

    def held_back_by(self) -> str:
        """Return in words which partition is the furthest behind; "" before a partition has reported."""
        read = self._read()
        if missing := len(self._expected) - len(read):
            return f"{missing} partitions of the input have not reported yet"
        silent = [p for p, frontier in read.items() if frontier.watermark is None]
        if silent:
            return f"{in_words(min(silent, key=str))} has not been read yet"
        known = [(f.watermark, str(p), p) for p, f in read.items() if f.watermark is not None]
        if not known:
            return ""
        watermark, _, partition = min(known)
        return f"the furthest behind is {in_words(partition)}, at {format_instant(watermark)}"

    def offsets(self) -> dict[InputPartition, int]:
        """Return input partition -> the first offset that its last frontier does not cover."""
        return {p: one.next_offset for p, one in sorted(self._read().items(), key=lambda each: str(each[0]))}

    def lags(self, limit: int) -> bool:
        """Return whether ingest has left records unread since before ``limit`` (ms), or has not reported since."""
        read = self._read().values()
        unread = any(f.unread_since is not None and f.unread_since < limit for f in read)
        return unread or max((f.written_at for f in read), default=limit) < limit
