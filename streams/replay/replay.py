"""What would a worker have done with recorded events? The live code runs on files, without Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice

import numpy as np

from detectors.arrays import Ints
from detectors.engine.engine import Engine, Observer
from detectors.history.history import History
from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import IncidentInput
from detectors.instants import FAR_PAST, parse_instant
from detectors.notification.routes import named_receivers
from detectors.policy.policy import Policy
from detectors.policy.routes import STANDING
from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow
from streams.aggregate.acceptance import Acceptance, Rules
from streams.aggregate.batch import Batch, judge_batch
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.aggregate.leaps import Leaps
from streams.aggregate.rejected_share import RejectedShare
from streams.evaluate.evaluator import Evaluator, Verdict
from streams.evaluate.shard_state import covered_from, read_back
from streams.records.policies import PolicySchedule, last_before, schedule_of
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Begin, Entry, Mark
from streams.replay.places import PlacedEntries
from streams.replay.record_files import add_record
from streams.replay.summary import FAULTS_SHOWN, Summary

__all__ = ["Input", "Replay"]

_BATCH = 4096


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
        self._places = entries.places if isinstance(entries, PlacedEntries) else None
        self._read = 0  # records before the batch
        self._counted = summary
        self._summary = summary if begun else Summary()
        self._now = now
        self.acceptance = Acceptance(rules)
        self.cells = FactAccumulator(rules.step, rules.thresholds)
        self.ended = False
        self._leaps = Leaps()
        self.unread: list[tuple[int, int]] = []  # see ``Engine.advance``

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
        """Read and accept the next batch."""
        batch: list[tuple[int | None, bytes | None]] = []
        between: Mark | Begin | None = None
        for entry in islice(self._entries, _BATCH):
            if isinstance(entry, Mark | Begin):
                between = entry
                break
            batch.append(entry)
        else:
            self.ended = len(batch) < _BATCH
        for without_stamp, run in groupby(batch, key=lambda entry: entry[0] is None):
            entries = list(run)
            stamps = None if without_stamp else np.array([stamp for stamp, _ in entries], dtype=np.int64)
            self._fold([value for _, value in entries], stamps)
        if self.ended:
            self._leaps.settle()
        if isinstance(between, Begin):
            self._summary = self._counted
        elif between is not None:
            self.acceptance.put_mark(between.watermark)
            if between.blind_from is not None:
                self.unread.append((between.blind_from, between.watermark))

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

    def _place(self, n: int) -> str:
        """Where the n-th record of the batch stood; empty if that is not known."""
        return "" if self._places is None else self._places.of(self._read + n)


class Replay:
    """One run over partitions of entries.

    Args:
        partitions: the inputs, each in the order of its log.
        policies: which policy judges which T; or the one that judges every T.
        now: the present with which times of entries without a Kafka timestamp are compared, ms.
        sli_every: the interval at which SLIs are returned, ms; None for never.
        history: earlier records of ``sli-history``.
        inputs: (T, input): the incident inputs, each with the T (ms) at which it applies.
        observer: as in ``Engine``.
        checkpoint: the state before the ``Begin`` of each partition; no verdict from before its instant is returned.

    Attributes:
        summary: the numbers of events in the input; complete once ``run`` has ended.
        span: the beginning of the first batch of events and the last T so far, ms; None before an event was accepted.
    """

    def __init__(
        self,
        partitions: Sequence[Iterator[Entry]],
        policies: PolicySchedule | Policy,
        *,
        now: int,
        sli_every: int | None = None,
        history: Iterable[dict[str, object]] = (),
        inputs: Sequence[tuple[int, IncidentInput]] = (),
        clock: Callable[[], float] = time.perf_counter,
        observer: Observer | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._policies = schedule_of(policies) if isinstance(policies, Policy) else policies
        # All T up to this one are judged, or lie before the input.
        self._reached = min([checkpoint.since, *checkpoint.reached.values()]) if checkpoint else FAR_PAST
        self._policy = policy = self._policies.at(self._reached).policy()
        self._sli_every = sli_every
        self._judged: dict[str, list[FactRow]] = {}  # before the next change of the policy
        self._checkpoint = checkpoint
        self._restored = checkpoint is None
        self._since = checkpoint.since if checkpoint else FAR_PAST
        self._observer = observer
        self._clock = clock
        self.summary = Summary()
        self.span: tuple[int, int] | None = None
        rules = Rules.of(policy)
        self._rejected_share = RejectedShare()
        self._inputs = [
            Input(entries, rules, self.summary, now, self._rejected_share, begun=checkpoint is None)
            for entries in partitions
        ]
        self._blind: list[tuple[int, int]] = []
        self._doubted: list[tuple[int, int]] = []
        self._asked = sorted(_open_inputs(inputs, checkpoint), key=lambda pair: pair[0])
        self._histories: dict[str, History] = {}
        for record in (*history, *(checkpoint.history if checkpoint else ())):
            add_record(self._history, record)
        self._states = {env: state.engine for env, state in checkpoint.states.items()} if checkpoint else {}
        self.evaluator = Evaluator(policy, self._make)

    @property
    def policy(self) -> Policy:
        """The policy that judged the verdicts which are being returned."""
        return self._policy

    def _history(self, env: str) -> History:
        if env not in self._histories:
            self._histories[env] = History.of(env, self._policy)
        return self._histories[env]

    def _make(self, env: str) -> Engine:
        return Engine(
            env,
            self._policy,
            self._history(env),
            state=self._states.get(env),
            # As if every receiver were on that the policy names.
            sinks=frozenset(STANDING) | named_receivers(self._policy),
            sli_every=self._sli_every,
            observer=self._observer,
        )

    def run(self) -> Iterator[Verdict]:
        """Yield the verdicts of every T that had any, in order. ``summary`` is complete when the iterator ends."""
        began = self._clock()
        step = self._policy.step
        reached: int | None = None
        seen: set[str] = set()
        while open_inputs := [one for one in self._inputs if not one.ended]:
            min(open_inputs, key=_progress).read()
            watermarks = [one.watermark() for one in self._inputs if not one.ended]
            if not watermarks or any(mark is None for mark in watermarks):
                continue
            # Never beyond the end of the input: duplicates and marks raise the watermark but are not accepted events.
            ends = [
                one.acceptance.accepted_to for one in self._inputs if one.acceptance.accepted_to is not None
            ]
            to = min([max(ends, default=0), *(mark for mark in watermarks if mark is not None)])
            # Rows are folded further for as long as nothing waits for them; a span at a time is cheap enough, and
            # whole ones are judged in one call each.
            to -= to % HISTORY_SPAN
            if not self._restored and to < self._since:
                continue
            if reached is None or to > reached:
                yield from self._pass(to, seen)
                reached = to
        ends = [one.acceptance.accepted_to for one in self._inputs if one.acceptance.accepted_to is not None]
        if ends:
            self._doubt_the_end(max(ends))
            yield from self._pass(max(ends) - max(ends) % step, seen)
        self.summary.incidents = len(seen)
        self.summary.seconds = self._clock() - began

    def _doubt_the_end(self, end: int) -> None:
        """Doubt the T after what the broker says, up to ``end`` (ms), to which only a clock that is ahead has come."""
        of_inputs = [one.acceptance for one in self._inputs]
        recorded = [one.recorded for one in of_inputs if one.recorded is not None]
        said = max([*recorded, *(one.mark for one in of_inputs if one.mark is not None)], default=end)
        if recorded and said < end:
            self._doubted.append((said, end))

    def _pass(self, to: int, seen: set[str]) -> Iterator[Verdict]:
        """Evaluate up to ``to`` (T, ms), and what a wrong clock has passed as such."""
        self._doubted = sorted(self._doubted + [span for one in self._inputs for span in one.doubted()])
        while self._doubted and self._doubted[0][0] < to:
            begin, end = self._doubted.pop(0)
            yield from self._advance(begin - begin % self._policy.step, seen)
            self.evaluator.doubt(end)
        yield from self._advance(to, seen)

    def _advance(self, to: int, seen: set[str]) -> Iterator[Verdict]:
        """Evaluate up to ``to`` (T, ms), each T by the policy that is in force there."""
        drained = [one.cells.drain() for one in self._inputs]
        for of_envs in drained:
            for env, some in of_envs.items():
                self.evaluator.settle_arrivals(env, some)
        if not self._restored:
            self._restore(drained)
        for rows in drained:
            if self.span is None:
                panes = [row.pane for of_env in rows.values() for row in of_env]
                self.span = (max(min(panes), self._since), to) if panes else None
            self.evaluator.add(rows)
            self._keep(rows)
        while (change := self._policies.next_change(self._reached)) is not None and change <= to:
            yield from self._advance_by_one_policy(last_before(change, self._policy.step), seen)
            self._change_policy(change)
        yield from self._advance_by_one_policy(to, seen)

    def _keep(self, rows: Mapping[str, Sequence[FactRow]]) -> None:
        """Keep the facts with which the windows are filled anew when the policy changes."""
        change = self._policies.next_change(self._reached)
        if change is not None:
            step = self._policy.step
            begin = last_before(change, step) - read_back(self._policy)
            for env, some in rows.items():
                self._judged.setdefault(env, []).extend(row for row in some if row.counts_from(step) >= begin)

    def _change_policy(self, change: int) -> None:
        """Judge by the next policy from ``change`` (T, ms) on; all T before have been evaluated."""
        before, step = self.evaluator, self._policy.step
        self._policy = self._policies.at(change).policy()
        last = last_before(change, step)
        since = last - read_back(self._policy)
        self._states = {env: engine.state() for env, engine in before.engines.items()}
        self._histories = {env: self._complete(known, last) for env, known in self._histories.items()}
        judged = {
            env: [row for row in rows if since <= row.counts_from(step) and row.arrives(step) <= last]
            for env, rows in self._judged.items()
        }
        self.evaluator = Evaluator(self._policy, self._make)
        self.evaluator.go_on_from(before, judged, covered_from(since, self._policy))
        self._reached = change
        left, self._judged = self._judged, {}
        self._keep(left)

    def _complete(self, history: History, reached: int) -> History:
        """The records of a history that were complete at a T (ms), as the policy of now reads them."""
        out = History.of(history.env, self._policy)
        out.extend(
            record
            for record in history.records()
            if parse_instant(str(record["at"])) + HISTORY_SPAN <= reached
        )
        return out

    def _advance_by_one_policy(self, to: int, seen: set[str]) -> Iterator[Verdict]:
        if self.span is not None:
            self.span = (self.span[0], to)
        asked: dict[str, list[tuple[int, IncidentInput]]] = {}
        while self._asked and self._asked[0][0] <= to:
            at, incident_input = self._asked.pop(0)
            asked.setdefault(incident_input.env, []).append((at, incident_input))
        self._blind += self._rejected_share.blind(to)
        unread = self._blind + [span for one in self._inputs for span in one.unread]
        self._blind = [span for span in self._blind if span[1] > to]
        for one in self._inputs:
            one.unread = [span for span in one.unread if span[1] > to]
        for verdict in self.evaluator.advance(to, asked, unread=unread):
            if verdict.result.at >= self._since:
                seen.update(t.incident.id for t in verdict.result.transitions)
                yield verdict

    def _restore(self, drained: Sequence[dict[str, list[FactRow]]]) -> None:
        """Continue from the checkpoint: refill the windows with the facts that its states have already judged."""
        self._restored = True
        assert self._checkpoint is not None
        step, since = self._policy.step, self._since - self._checkpoint.back(self._policy)
        for env, reached in self._checkpoint.reached.items():
            engine, judged = self.evaluator.engine(env), []
            for rows in drained:
                of_env = rows.get(env, [])
                judged += [row for row in of_env if row.arrives(step) <= reached]
                rows[env] = [row for row in of_env if row.arrives(step) > reached]
            engine.restore(judged, covered_from(since, self._policy))
            self.evaluator.boards[env].restore(self._checkpoint.states[env].board)


def _open_inputs(
    given: Sequence[tuple[int, IncidentInput]], checkpoint: Checkpoint | None
) -> list[tuple[int, IncidentInput]]:
    """Return the incident inputs, of the checkpoint and of the arguments, that were not judged yet."""
    if checkpoint is None:
        return list(given)
    named = {one.id for _, one in given}
    known = [pair for state in checkpoint.states.values() for pair in state.scheduled]
    asked = [*given, *(pair for pair in known if pair[1].id not in named)]
    return [(at, one) for at, one in asked if at > checkpoint.reached.get(one.env, at - 1)]


def _progress(one: Input) -> int:
    watermark = one.watermark()
    return FAR_PAST if watermark is None else watermark
