"""How do the partitions of recorded events become stretches of facts? Without Kafka, and without judging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import cast

import numpy as np

from detectors.arrays import Ints
from detectors.history.rollup import HISTORY_SPAN
from detectors.instants import FAR_PAST
from detectors.windows.facts import ON_TIME, TOO_LATE
from streams.aggregate.acceptance import Acceptance, Rules
from streams.aggregate.batch import Batch, judge_batch
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.aggregate.leaps import Leaps
from streams.aggregate.rejected_share import RejectedShare
from streams.events.decode import decode_many
from streams.events.validation import Rejection
from streams.replay.entries import Begin, Entry, Mark, Record
from streams.replay.facts.stretch import Facts, Stretch
from streams.replay.places import PlacedEntries
from streams.replay.summary import FAULTS_SHOWN, Summary

__all__ = ["EventFacts", "Input"]

_BATCH = 4096
#: The most events of a batch that are looked at for what they leave out; of the first batch.
_SAMPLE, _FIRST_SAMPLE = 8, 256


class Input:
    """One input partition with its acceptance and the facts that it has produced."""

    def __init__(
        self,
        entries: Iterator[Entry],
        rules: Rules,
        summary: Summary,
        now: int,
        rejected_share: RejectedShare,
        *,
        begun: bool,
    ) -> None:
        self._rejected_share = rejected_share
        self._entries = entries
        placed = entries if isinstance(entries, PlacedEntries) else None
        self._places = None if placed is None else placed.places
        self._lines = None if placed is None else placed.lines
        self._read = 0  # records before the batch
        self._counted = summary
        self._summary = summary if begun else Summary()
        self._now = now
        self.acceptance = Acceptance(rules)
        self.cells = FactAccumulator(rules.step, rules.thresholds)
        self.ended = False
        self._leaps = Leaps()
        self.unread: list[tuple[int, int]] = []  # see ``Engine.advance``
        self._batches = self._cut()

    def watermark(self) -> int | None:
        """The watermark up to which T may be judged now, ms: no leap in time is passed before others tell of it."""
        reached, believed = self.acceptance.watermark(), self._leaps.believed
        if reached is None or believed is None:
            return reached
        return min(reached, believed - self.acceptance.rules.watermark_delay)

    def doubted(self) -> list[tuple[int, int]]:
        """Return the spans of T (after, up to; ms) that a wrong clock alone has passed; each is returned once."""
        delay = self.acceptance.rules.watermark_delay
        found, self._leaps.contradicted = self._leaps.contradicted, []
        return [(begin - delay, end) for begin, end in found]

    def read(self) -> None:
        """Read and accept the next batch; only of an input that has not ended."""
        if self._lines is not None:
            self._read_lines(self._lines)
        else:
            self._read_records()
        if self.ended:
            self._leaps.settle()

    def _read_lines(self, lines: Iterator[bytes]) -> None:
        values: list[bytes | None] = list(islice(lines, _BATCH))
        self.ended = len(values) < _BATCH
        if values:
            self._fold(values, None)

    def _read_records(self) -> None:
        records, between = next(self._batches)
        if len({stamp is None for stamp, _ in records}) > 1:
            for _, run in groupby(records, key=lambda record: record[0] is None):
                self._take(list(run))
        elif records:
            self._take(records)
        if isinstance(between, Begin):
            self._summary = self._counted
        elif between is not None:
            self.acceptance.put_mark(between.watermark)
            if between.blind_from is not None:
                self.unread.append((between.blind_from, between.watermark))

    def _cut(self) -> Iterator[tuple[list[Record], Mark | Begin | None]]:
        """Yield the records in batches, each with what stands behind it if that is no record."""
        while not self.ended:
            entries = list(islice(self._entries, _BATCH))
            begin = 0
            if set(map(type, entries)) - {tuple}:
                for n, entry in enumerate(entries):
                    if isinstance(entry, Mark | Begin):
                        yield cast("list[Record]", entries[begin:n]), entry
                        begin = n + 1
            self.ended = len(entries) < _BATCH
            yield cast("list[Record]", entries[begin:]), None

    def _take(self, records: list[Record]) -> None:
        """Accept records of which all have Kafka timestamps, or none."""
        stamps: Ints | None = None
        if records[0][0] is not None:
            stamps = np.array([stamp for stamp, _ in records], dtype=np.int64)
        self._fold([value for _, value in records], stamps)

    def _fold(self, values: list[bytes | None], stamps: Ints | None) -> None:
        summary = self._summary
        batch = judge_batch(self.acceptance, values, stamps, self._now)
        if stamps is None:
            self._leaps.add(batch.events.occurred)
        events, watermarks, recorded = batch.accepted(0, len(batch.events))
        panes, first_ts = self.acceptance.counted_from(events.occurred, watermarks, recorded)
        self.cells.add_many(events, panes, first_ts)
        # What is ahead is not late.
        first_ts = np.where((first_ts > panes) | (first_ts == TOO_LATE), first_ts, ON_TIME)
        too_late = int(np.count_nonzero(first_ts == TOO_LATE))
        self._rejected_share.add(batch.slots(stamps))
        summary.events += batch.size
        summary.accepted += len(events)
        summary.duplicates += len(batch.events) - len(events)
        summary.rejected += len(batch.refused)
        summary.too_late += too_late
        summary.late += int(np.count_nonzero(first_ts != ON_TIME)) - too_late
        for refused in batch.refused.values():
            summary.reasons[refused.reason] = summary.reasons.get(refused.reason, 0) + 1
        self._note_faults(batch, first_ts)
        self._sample(batch, values)
        self._read += batch.size

    def _note_faults(self, batch: Batch, first_ts: Ints) -> None:
        """Note the first records that were rejected or late.

        Args:
            batch: what became of the records.
            first_ts: of the accepted events.
        """
        summary = self._summary
        if batch.refused and len(summary.first_rejected) < FAULTS_SHOWN:
            for n in sorted(batch.refused)[:FAULTS_SHOWN]:
                summary.note_rejected(self._place(n), batch.refused[n])
        if summary.late + summary.too_late and len(summary.first_late) < FAULTS_SHOWN:
            copies = batch.taken.copies
            where = batch.where if copies is None else batch.where[~copies]
            for at in np.flatnonzero(first_ts != ON_TIME)[:FAULTS_SHOWN].tolist():
                summary.note_late(self._place(int(where[at])), too_late=bool(first_ts[at] == TOO_LATE))

    def _sample(self, batch: Batch, values: Sequence[bytes | None]) -> None:
        """Look at some of the valid events, of the first ones at more."""
        sampled = self._summary.sampled
        most = _SAMPLE if sampled.seen else _FIRST_SAMPLE
        each = -(-len(batch.where) // most) or 1
        for event in decode_many(values[n] for n in batch.where[::each].tolist()):
            if not isinstance(event, Rejection):
                sampled.note(event)

    def _place(self, n: int) -> str:
        """Where the n-th record of the batch stood; empty if that is not known."""
        return "" if self._places is None else self._places.of(self._read + n)


class EventFacts(Facts):
    """The facts of partitions of entries.

    Args:
        partitions: the inputs, each in the order of its log.
        rules: what the facts depend on beside the events.
        now: the present with which times of entries without a Kafka timestamp are compared, ms.
        since: the T (ms) of a checkpoint, before which no stretch ends; events count in the summary from the ``Begin``
            of each partition on. None without a checkpoint.
    """

    def __init__(
        self, partitions: Sequence[Iterator[Entry]], rules: Rules, *, now: int, since: int | None = None
    ) -> None:
        self.rules = rules
        self.summary = Summary()
        self._since = since
        self._rejected_share = RejectedShare()
        self._inputs = [
            Input(entries, rules, self.summary, now, self._rejected_share, begun=since is None)
            for entries in partitions
        ]
        self._doubted: list[tuple[int, int]] = []

    def stretches(self) -> Iterator[Stretch]:
        """Yield the stretches in the order of their T.

        Raises:
            SourceError: an input cannot be read.
        """
        reached: int | None = None
        while open_inputs := [one for one in self._inputs if not one.ended]:
            min(open_inputs, key=_progress).read()
            watermarks = [one.watermark() for one in self._inputs if not one.ended]
            if not watermarks or any(mark is None for mark in watermarks):
                continue
            # Never beyond the end of the input: duplicates and marks raise the watermark but are not accepted events.
            to = min([max(self._ends(), default=0), *(mark for mark in watermarks if mark is not None)])
            # Rows are folded further for as long as nothing waits for them; a span at a time is cheap enough, and
            # whole ones are judged in one call each.
            to -= to % HISTORY_SPAN
            if reached is None and self._since is not None and to < self._since:
                continue
            if reached is None or to > reached:
                yield self._stretch(to)
                reached = to
        if ends := self._ends():
            self._doubt_the_end(max(ends))
            yield self._stretch(max(ends) - max(ends) % self.rules.step)

    def _ends(self) -> list[int]:
        """Return when the last accepted event of each input that has one happened, ms."""
        ends = [one.acceptance.accepted_to for one in self._inputs]
        return [end for end in ends if end is not None]

    def _doubt_the_end(self, end: int) -> None:
        """Doubt the T after what the broker says, up to ``end`` (ms), to which only a clock that is ahead has come."""
        of_inputs = [one.acceptance for one in self._inputs]
        recorded = [one.recorded for one in of_inputs if one.recorded is not None]
        said = max([*recorded, *(one.mark for one in of_inputs if one.mark is not None)], default=end)
        if recorded and said < end:
            self._doubted.append((said, end))

    def _stretch(self, to: int) -> Stretch:
        """Return what is known now, to be judged up to ``to`` (T, ms)."""
        self._doubted = sorted(self._doubted + [span for one in self._inputs for span in one.doubted()])
        now = [span for span in self._doubted if span[0] < to]
        self._doubted = self._doubted[len(now) :]
        rows = [one.cells.drain() for one in self._inputs]
        panes = [row.pane for of_envs in rows for of_env in of_envs.values() for row in of_env]
        unread = self._rejected_share.blind(to)
        for one in self._inputs:
            unread += one.unread
            one.unread = []
        return Stretch(to, rows, min(panes, default=None), now, unread)


def _progress(one: Input) -> int:
    watermark = one.watermark()
    return FAR_PAST if watermark is None else watermark
