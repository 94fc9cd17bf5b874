"""What would a worker have done with recorded events? The live code runs on files, without Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge

from detectors.engine.engine import Engine, Observer
from detectors.history.history import History
from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import IncidentInput
from detectors.instants import FAR_PAST, parse_instant
from detectors.notification.routes import named_receivers
from detectors.policy.policy import Policy
from detectors.policy.routes import STANDING
from detectors.windows.facts import FactRow
from streams.aggregate.acceptance import Rules
from streams.evaluate.evaluator import Evaluator, Verdict
from streams.evaluate.shard_state import covered_from, read_back
from streams.records.policies import PolicySchedule, last_before, schedule_of
from streams.replay.checkpoint import Checkpoint
from streams.replay.entries import Entry
from streams.replay.facts.events import EventFacts
from streams.replay.facts.stretch import EVERYTHING, Facts, Share, Stretch
from streams.replay.record_files import add_record

__all__ = ["Replay"]


class Replay:
    """One run over partitions of entries, or over facts.

    Args:
        source: the facts; or the partitions of entries of which they are made, each in the order of its log.
        policies: which policy judges which T; or the one that judges every T.
        now: the present with which times of entries without a Kafka timestamp are compared, ms; facts need none.
        sli_every: the interval at which SLIs are returned, ms; None for never.
        history: earlier records of ``sli-history``.
        inputs: (T, input): the incident inputs, each with the T (ms) at which it applies.
        observer: as in ``Engine``.
        checkpoint: the state before the ``Begin`` of each partition; no verdict from before its instant is returned.
        judges: the environments that are judged here; the verdicts of the others come with the facts.

    Attributes:
        summary: the numbers of events in the input; complete once ``run`` has ended.
        span: the beginning of the first batch of events and the last T so far, ms; None before an event was accepted.
    """

    def __init__(
        self,
        source: Facts | Sequence[Iterator[Entry]],
        policies: PolicySchedule | Policy,
        *,
        now: int = 0,
        sli_every: int | None = None,
        history: Iterable[dict[str, object]] = (),
        inputs: Sequence[tuple[int, IncidentInput]] = (),
        clock: Callable[[], float] = time.perf_counter,
        observer: Observer | None = None,
        checkpoint: Checkpoint | None = None,
        judges: Share = EVERYTHING,
    ) -> None:
        self._judges = judges
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
        self.span: tuple[int, int] | None = None
        self._facts = (
            source
            if isinstance(source, Facts)
            else EventFacts(source, Rules.of(policy), now=now, since=checkpoint.since if checkpoint else None)
        )
        self.summary = self._facts.summary
        self._unread: list[tuple[int, int]] = []
        asked = [pair for pair in _open_inputs(inputs, checkpoint) if pair[1].env in judges]
        self._asked = sorted(asked, key=lambda pair: pair[0])
        self._histories: dict[str, History] = {}
        for record in (*history, *(checkpoint.history if checkpoint else ())):
            env = record.get("env")
            if not isinstance(env, str) or env in judges:
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
        seen: set[str] = set()
        for stretch in self._facts.stretches():
            for verdict in merge(self.judge(stretch), stretch.verdicts, key=_place_in_order):
                seen.update(t.incident.id for t in verdict.result.transitions)
                yield verdict
        self.summary.incidents = len(seen)
        self.summary.seconds = self._clock() - began

    def judge(self, stretch: Stretch) -> Iterator[Verdict]:
        """Evaluate the environments that are judged here up to the end of a stretch; yield the verdicts in order.

        What a wrong clock has passed is evaluated as such.
        """
        self._unread += stretch.unread
        rows = [
            {env: some for env, some in of_envs.items() if env in self._judges} for of_envs in stretch.rows
        ]
        if self.span is None and stretch.begins is not None:
            self.span = (max(stretch.begins, self._since), stretch.to)
        for begin, end in stretch.doubted:
            yield from self._advance(begin - begin % self._policy.step, rows)
            self.evaluator.doubt(end)
            rows = []
        yield from self._advance(stretch.to, rows)

    def _advance(self, to: int, drained: Sequence[dict[str, list[FactRow]]]) -> Iterator[Verdict]:
        """Evaluate up to ``to`` (T, ms), each T by the policy that is in force there.

        Args:
            to: the last T.
            drained: of each input partition the facts that have become known, by environment.
        """
        for of_envs in drained:
            for env, some in of_envs.items():
                self.evaluator.settle_arrivals(env, some)
        if not self._restored:
            self._restore(drained)
        for rows in drained:
            self.evaluator.add(rows)
            self._keep(rows)
        while (change := self._policies.next_change(self._reached)) is not None and change <= to:
            yield from self._advance_by_one_policy(last_before(change, self._policy.step))
            self._change_policy(change)
        yield from self._advance_by_one_policy(to)

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

    def _advance_by_one_policy(self, to: int) -> Iterator[Verdict]:
        if self.span is not None:
            self.span = (self.span[0], to)
        asked: dict[str, list[tuple[int, IncidentInput]]] = {}
        while self._asked and self._asked[0][0] <= to:
            at, incident_input = self._asked.pop(0)
            asked.setdefault(incident_input.env, []).append((at, incident_input))
        unread = self._unread
        self._unread = [span for span in unread if span[1] > to]
        for verdict in self.evaluator.advance(to, asked, unread=unread):
            if verdict.result.at >= self._since:
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


def _place_in_order(verdict: Verdict) -> tuple[int, str]:
    return verdict.result.at, verdict.result.env
