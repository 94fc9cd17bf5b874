"""How does one environment get from facts to SLIs and incidents? This engine does it, live and in replay.

``advance`` evaluates every T up to an instant. Detectors judge frames of many steps in one call; only the life cycle of
incidents proceeds step by step, and only where a detector fires, an incident is not closed, or a person has sent an
input. Which T are evaluated is a function of the facts and the inputs alone, never of how they are divided into calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import gcd

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.detection.attribution import attribute
from detectors.detection.detector_set import Findings, detectors_of
from detectors.detection.faults import Faults, guarded
from detectors.detection.verdicts import Verdicts
from detectors.engine.catching_up import HeldBack
from detectors.engine.frame_builder import FrameBuilder, classify_of
from detectors.engine.sla_days import SlaDays
from detectors.engine.state import EngineState, Spans, StepResult
from detectors.engine.view import FrameView, sli_of
from detectors.engine.waiting import Waiting
from detectors.history.error_budget import Exclusion
from detectors.history.history import BUCKET, History
from detectors.history.rollup import HISTORY_SPAN, FiveMinutes
from detectors.incidents import IncidentInput
from detectors.instants import DAY, FAR_PAST, MINUTE
from detectors.lifecycle.lifecycle import Lifecycle
from detectors.notices.notices import NoticeWatch
from detectors.notification.notices import notice_commands
from detectors.notification.plan import plan
from detectors.policy.policy import Policy
from detectors.urgency import is_serious
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import FactRow
from detectors.windows.frame import Frame
from detectors.windows.latency_histogram import Durations

__all__ = ["QUANTILES", "Engine", "Observer"]

#: A function that receives each frame and the verdicts on it.
Observer = Callable[[Frame, Sequence[Verdicts]], None]

#: If no event has counted for the length of the retention, only T that are multiples of this are evaluated, ms; and
#: none if no incident is open and the history holds less than a week, because then no T can have a result.
_ASLEEP_STRIDE = MINUTE
_A_WEEK = 7 * DAY // BUCKET

#: The quantiles of request durations that are published.
QUANTILES = (0.5, 0.95, 0.99)


class Engine:
    """One environment's windows, detectors and incidents.

    Args:
        env: the environment.
        policy: the policy in force.
        history: the counts of past weeks; the engine adds a record whenever five minutes are complete.
        state: the state of an earlier run, to continue from; ``restore`` must follow.
        sinks: the receivers that are on.
        sli_every: the interval at which SLIs are published, ms; None for never.
        covered_from: the instant (ms) from which all facts are known; None for the first fact that counts.
        durations: whether to keep the durations of requests, for ``quantiles``.
        faults: keeps the faults of detectors; by default they are raised.
        observer: receives every frame with the detectors' verdicts before incidents are updated.

    Attributes:
        scopes: the leaves and groups of the environment, as its traffic has made them.
        last: the frame that ends with the last T; None before the first T.
        restored_history: the records of the history that ``restore`` has made again from facts.
        days: what each day counted, and which days are still to be told.
    """

    def __init__(
        self,
        env: str,
        policy: Policy,
        history: History,
        *,
        state: EngineState | None = None,
        sinks: frozenset[str] = frozenset(),
        sli_every: int | None = None,
        covered_from: int | None = None,
        observer: Observer | None = None,
        durations: bool = False,
        faults: Faults | None = None,
    ) -> None:
        self.env, self.policy, self.history = env, policy, history
        self._sinks, self._sli_every, self._observer = sinks, sli_every, observer
        self._classify, self.faults = classify_of(policy), faults or Faults()
        self._frames = FrameBuilder(env, policy, self._classify, state.scopes if state else None)
        self.scopes = self._frames.scopes
        history.follow(self.scopes)
        self._detectors = guarded(detectors_of(policy, history), self.faults)
        self.lifecycle = Lifecycle(env, policy, state.lifecycle if state else None)
        self.evaluated_to: int | None = state.evaluated_to if state else None
        self._covered_from, self._doubted_to = state.covered_from if state else covered_from, FAR_PAST
        self._five_minutes = FiveMinutes(env, policy, self._classify, state.disturbed if state else ())
        self._notices = NoticeWatch(env, policy, state.noticed if state else None)
        # At each multiple of this (ms) something may be due whatever happens.
        self._turn = gcd(MINUTE, policy.banner.republish_every, sli_every or 0)
        self._waiting = Waiting(policy.step, (self._frames, self._notices))
        self.last: Frame | None = None
        self._durations = Durations(self.scopes, policy.step, max(policy.sli_windows)) if durations else None
        self._quantiles: dict[int, Floats] = {}
        self._held_back = HeldBack(policy, sinks, state.waiting if state else None)
        self.days = SlaDays(policy, history, *((state.csp_caused, state.days) if state else ()))
        self.restored_history: list[dict[str, object]] = []

    def quantiles(self, window: int) -> Floats | None:
        """Return ``QUANTILES`` (scope, quantile) of the durations of completed sign-in requests in a window, ms.

        The window (ms) is one of ``sli_windows`` and ends at the last T at which SLIs were published. The error is at
        most ``RELATIVE_ERROR``; a scope without durations has nan. None before such a T, and if none are kept.
        """
        return self._quantiles.get(window)

    def state(self) -> EngineState:
        """The state that ``watch-state`` stores."""
        return EngineState(
            self.evaluated_to,
            self.lifecycle.memory,
            self._held_back.waiting,
            self._covered_from,
            tuple(self.days.csp_caused),
            dict(self._notices.told),
            self.scopes.memory(),
            self._five_minutes.disturbances.memory(),
            self.days.waiting(),
        )

    def exclusions(self) -> list[Exclusion]:
        """What the SLA does not count: what providers caused, maintenance announced at run time, corrections."""
        return [] if self.evaluated_to is None else self.days.exclusions(self.evaluated_to, self.lifecycle)

    def doubt(self, to: int) -> None:
        """Call nothing silent by a window that begins before ``to`` (ms); see ``Frame.doubted_to``."""
        self._doubted_to = self._notices.doubted_to = max(self._doubted_to, to)

    # -- moving on --------------------------------------------------------------------------------------------

    def restore(self, rows: Sequence[FactRow], since: int) -> None:
        """Run ``restore_in_parts`` to its end."""
        for _ in self.restore_in_parts(rows, since):
            pass

    def restore_in_parts(self, rows: Sequence[FactRow], since: int) -> Iterator[None]:
        """Fill the windows with facts that an earlier run has already judged; yield after every five minutes of facts.

        Afterwards the engine has the state of the last T, if ``since`` lies far enough back; otherwise windows that are
        known in part are not judged. The history must not hold records of after the last T, as they are made again.

        Args:
            rows: the facts that have arrived by the last T.
            since: the instant (ms) from which on ``rows`` hold the facts of all panes.
        """
        if self.evaluated_to is None:
            self._waiting.counting(rows, FAR_PAST)
            return
        step = self.policy.step
        facts = self._waiting.counting(rows, self.evaluated_to)
        self._covered_from = since if self._covered_from is None else max(self._covered_from, since)
        at = int(facts.counts_from[0]) if len(facts) else self.evaluated_to + step
        while at <= self.evaluated_to:
            end = min(self.evaluated_to, at - at % HISTORY_SPAN + HISTORY_SPAN)
            due = self._frames.readmit(facts[facts.up_to(at - 1) : facts.up_to(end)])
            self._frames.fill(at, (end - at) // step + 1, due)
            self._notices.add(due)
            self._add_durations(due, at)
            at = end + step
            yield
        self._restore_history(facts)

    def _restore_history(self, facts: FactColumns) -> None:
        """Restore the history of the last T: a crash may have happened just before or after a record was written."""
        assert self.evaluated_to is not None
        assert self._covered_from is not None
        boundary = self.evaluated_to - self.evaluated_to % HISTORY_SPAN
        written = facts.up_to(boundary)
        self._five_minutes.add(facts[:written])
        self.restored_history = self._five_minutes.written(boundary, self._covered_from, self.history)
        self.history.extend(self.restored_history)
        self._five_minutes.add(facts[written:])

    def advance(
        self,
        to: int,
        rows: Iterable[FactRow],
        inputs: Sequence[tuple[int, IncidentInput]] = (),
        *,
        unread: Spans = (),
        catching_up: bool = False,
    ) -> list[StepResult]:
        """Evaluate every T up to ``to``, and return the results of all T that had any; see ``advance_in_parts``."""
        parts = self.advance_in_parts(to, rows, inputs, unread=unread, catching_up=catching_up)
        return [brought for brought in parts if brought]

    def advance_in_parts(
        self,
        to: int,
        rows: Iterable[FactRow],
        inputs: Sequence[tuple[int, IncidentInput]] = (),
        *,
        unread: Spans = (),
        catching_up: bool = False,
    ) -> Iterator[StepResult]:
        """Evaluate every T up to ``to``; the caller may let others run at each T, and goes on until the last one.

        Args:
            to: the last T, a multiple of the step, ms.
            rows: every row that arrives after the last call's ``to``, up to ``to``.
            inputs: (T, input): the incident inputs, each with the T (ms) at which it applies.
            unread: spans of T in which not all was read, or most was rejected: no incident resolves in them.
            catching_up: whether the engine is so far behind that notifications are held back.

        Returns:
            results in the order of T, at least that of each T at which anything was due; false where one has nothing.

        Raises:
            ValueError: ``to`` is no multiple of the step, or a row counts at a T that was evaluated before.
        """
        if to % (step := self.policy.step):
            raise ValueError(f"{self.env}: {to} is no multiple of the step of {step} ms")
        due = self._waiting.counting(rows, to)
        pending = sorted(inputs, key=lambda pair: pair[0])
        if not self._begin(due, pending):
            return
        assert self.evaluated_to is not None
        taken = due.up_to(self.evaluated_to)
        if taken:
            raise ValueError(f"{self.env}: facts of {due.counts_from[0]} came after {self.evaluated_to}")
        while self.evaluated_to < to:
            next_due = int(due.counts_from[taken]) if taken < len(due) else to + step
            if pending:
                next_due = min(next_due, max(self.evaluated_to + step, pending[0][0]))
            ends = self._next_ends(to, next_due)
            if not len(ends):
                self.evaluated_to = min(to, next_due - step)
                continue
            ends = self._frames.before_newcomers(ends, due[taken : due.up_to(int(ends[-1]))])
            until = due.up_to(int(ends[-1]))
            asked: dict[int, list[IncidentInput]] = {}
            while pending and pending[0][0] <= ends[-1]:
                when, incident_input = pending.pop(0)
                asked.setdefault(max(when, int(ends[0])), []).append(incident_input)
            yield from self._evaluate(ends, due[taken:until], asked, unread, catching_up)
            taken = until
            self.evaluated_to = int(ends[-1])

    def _begin(self, due: FactColumns, pending: Sequence[tuple[int, IncidentInput]]) -> bool:
        """Set the first T, if there is none yet, to that of the first fact or input; False without either."""
        if self.evaluated_to is None:
            starts = due.counts_from[:1].tolist() + [at for at, _ in pending]
            if not starts:
                return False
            self.evaluated_to = min(starts) - self.policy.step
            if self._covered_from is None:
                self._covered_from = self.evaluated_to
            self.scopes.admit(self.history.leaves(self.evaluated_to))
        return True

    def _next_ends(self, to: int, next_due: int) -> Ints:
        """Return (N,) the T (ms) of the next frame; empty if no T before ``next_due`` can have a result.

        Args:
            to: the last T of the call, ms.
            next_due: the next T (ms) at which a fact or an input is due; behind ``to`` if there is none.
        """
        assert self.evaluated_to is not None
        step = self.policy.step
        at = self.evaluated_to + step
        boundary = -(-at // HISTORY_SPAN) * HISTORY_SPAN
        awake_until = self._frames.active_to
        if at <= awake_until or next_due == at:
            return np.arange(at, min(to, boundary, max(awake_until, at)) + 1, step, dtype=np.int64)
        if self.last is not None:
            self.last.keep()
        self._frames.fall_asleep()
        begin = -(-at // _ASLEEP_STRIDE) * _ASLEEP_STRIDE
        end = min(to, next_due - step, boundary)
        if not (self.lifecycle.active or len(self.history) >= _A_WEEK):
            return np.empty(0, dtype=np.int64)
        return np.arange(begin, end + 1, _ASLEEP_STRIDE, dtype=np.int64)

    # -- one frame ------------------------------------------------------------------------------------------

    def _evaluate(
        self,
        ends: Ints,
        facts: FactColumns,
        asked: Mapping[int, Sequence[IncidentInput]],
        unread: Spans,
        catching_up: bool,
    ) -> Iterator[StepResult]:
        """Evaluate the T of one frame, and yield the result of each at which anything is due, after empty ones.

        Args:
            ends: (N,) the T of the frame, ms.
            facts: the rows that count for the first time at one of these T.
            asked: T (ms) -> the incident inputs that apply at this T.
            unread, catching_up: as in ``advance``.
        """
        facts = self._frames.admit(facts)
        active = self._frames.activity(ends, facts)
        frame = self._frames.build(ends, facts, self._covered_from, self._doubted_to)
        self._five_minutes.add(facts)
        self._notices.add(facts)
        self._add_durations(facts, int(ends[0]))
        self.last = frame
        yield StepResult(int(ends[0]), self.env)  # building takes as long as judging
        findings = Findings(frame, self._detectors)
        for _ in findings.judge_in_turn(whole=self._observer is not None or self.lifecycle.active):
            yield StepResult(int(ends[0]), self.env)
        fires = findings.fires()
        if self._observer is not None:
            self._observer(frame, findings.verdicts())
        caught_up = self._held_back.update(catching_up, self.lifecycle.incidents())
        view: FrameView | None = None
        for n, at in enumerate(ends.tolist()):
            moves = fires[n] or at in asked or self.lifecycle.active
            if not (moves or caught_up or at % self._turn == 0 or self.days.is_due(at)):
                continue
            brought = StepResult(at, self.env)
            if self._sli_every and at % self._sli_every == 0:
                self._give_out_slis(brought, frame, n, active[n])
            if moves:
                view = view or FrameView(
                    frame, findings.verdicts(), self._frames, self.policy, unread, self.faults
                )
                view.move_to(n)
                self._move_incidents(brought, view, fires[n], asked.get(at, ()), catching_up)
            elif at % self.policy.banner.republish_every == 0:
                brought.incidents = self.lifecycle.incidents()
            if caught_up:
                brought.commands = caught_up + brought.commands
                brought.incidents = self.lifecycle.incidents()
                caught_up = []
            if at % HISTORY_SPAN == 0:
                self._end_five_minutes(brought)
            self.days.note_notices(brought.notices)
            brought.days = self.days.due(at, self.lifecycle)
            brought.notices += self._notices.due(at, {} if at % MINUTE else findings.moved(n))
            if "slack" in self._sinks and not catching_up:
                brought.commands += notice_commands(brought.notices, self.policy)
            yield brought

    def _end_five_minutes(self, brought: StepResult) -> None:
        """Add the records of the history that are due to the result, and free the places of leaves that are gone."""
        assert self._covered_from is not None
        brought.history = self._five_minutes.due(brought.at, self._covered_from)
        self.history.extend(brought.history)
        self.days.note_records(brought.history)
        standing = [one.scope for one in self.lifecycle.incidents()]
        self._frames.release(brought.at, standing, self.history.leaves(brought.at))

    def _move_incidents(
        self,
        brought: StepResult,
        view: FrameView,
        fires: bool,
        asked: Sequence[IncidentInput],
        catching_up: bool,
    ) -> None:
        """Advance the incidents by one step, and add transitions, commands and refused inputs to the result."""
        standing = (one.incident for one in self.lifecycle.memory.incidents if one.is_open)
        known = [incident.scope for incident in standing if is_serious(incident)]
        maintained = self.lifecycle.maintained(brought.at)
        causes = attribute(view.verdicts, view.frame, view.n, self.policy, known, maintained) if fires else []
        brought.transitions = self.lifecycle.step(view, causes, asked)
        brought.notices += self.lifecycle.take_notices()
        brought.refused, brought.unseen = self.lifecycle.take_refused(), self.lifecycle.take_unseen()
        for transition in brought.transitions:
            if transition.kind == "resolved":
                self.days.note_resolved(transition.incident, brought.at)
            self._held_back.note(transition)
            brought.commands += plan(transition, self.policy, self._sinks, catching_up)
        brought.incidents = self.lifecycle.incidents()
        self._five_minutes.disturbances.note(brought.at, brought.incidents, maintained)

    def _give_out_slis(self, brought: StepResult, frame: Frame, n: int, active: Bools) -> None:
        """Add the SLIs of the active scopes (scope,) at step ``n`` to the result, and update the quantiles."""
        brought.sli = [
            sli_of(frame, n, int(index), window)
            for index in np.flatnonzero(active)
            if self.scopes.paths[index] is not None
            for window in self.policy.sli_windows
        ]
        brought.sli.sort(key=lambda value: (value.scope, value.window))
        if self._durations is not None:
            for window in self.policy.sli_windows:
                self._quantiles[window] = self._durations.quantiles(brought.at, window, QUANTILES)

    def _add_durations(self, facts: FactColumns, at: int) -> None:
        """Keep the durations of completed sign-in requests that count as good or bad."""
        if self._durations is not None:
            self._durations.add(facts[self._classify.is_timed(facts)], at)
