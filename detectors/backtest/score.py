"""Which label does each incident of a run answer, and what is wrong with the answer?

Each label gets at most one incident of its own, and each incident (each epoch counts as one) is the own incident of
at most one label. The assignment is the one that answers most labels; of several, the one with the closest scopes,
then the one with the longest overlap. Each other incident is a reopening (a later epoch of a label's own incident), a
duplicate (another incident for a label that has its own), or false (it answers no label). A label without an incident
of its own is missed, even where the incident of another label covers it (``shared``): two outages are two incidents.

A label of the kind ``notice`` needs no incident and is not counted. An incident that answers such labels alone and
wakes nobody is not counted either; one that wakes somebody is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from detectors.backtest.assignment import assign
from detectors.backtest.labels import EARLY, NOTICE, Label, closeness
from detectors.backtest.outcomes import Outcome

__all__ = ["Answer", "Ending", "Score", "score"]

Ending = Literal[
    "in time",
    "faded",  # resolved late for lack of evidence, as on a night with little traffic
    "late",
    "early",  # resolved before the end of the label, and not reopened
    "not over",  # not resolved, although the input continued until it should have been
    "unknown",  # not resolved, and the input ended before it should have been
]


@dataclass(frozen=True)
class Answer:
    """One label and the incidents that answer it.

    Attributes:
        label: the label.
        own: the label's own incident; None if the label was missed.
        again: later epochs of the own incident.
        duplicates: other incidents that answer the label.
        shared: for a missed label, an incident on a related scope that was open during the label; None without one.
        until: the last T of the run, ms.
    """

    label: Label
    own: Outcome | None
    again: tuple[Outcome, ...]
    duplicates: tuple[Outcome, ...]
    shared: Outcome | None
    until: int

    @property
    def pages(self) -> tuple[int, ...]:
        """When the label's own incident, in any epoch, woke somebody in time: instants in order, ms."""
        epochs = (self.own, *self.again) if self.own else ()
        last = self.label.end + self.label.late
        return tuple(sorted(at for one in epochs for at in one.pages if at <= last))

    @property
    def met(self) -> bool | None:
        """Whether the label got the page or the incident that it requires; None if it requires neither."""
        if self.label.page is None:
            return None
        return bool(self.pages) if self.label.page else self.own is not None

    @property
    def to_open(self) -> int | None:
        """Event time from the label's start to the opening of its own incident, ms, at least 0; None if missed."""
        return None if self.own is None else max(0, self.own.opened_at - self.label.start)

    @property
    def to_page(self) -> int | None:
        """Event time from the label's start to the first page, ms, at least 0; None without a page."""
        return max(0, self.pages[0] - self.label.start) if self.pages else None

    @property
    def scope(self) -> str | None:
        """The scope that the own incident had longest before the label's end (or at its opening); None if missed."""
        if self.own is None:
            return None
        return self.own.scope_within(self.own.opened_at, max(self.label.end, self.own.opened_at + 1))

    @property
    def severity(self) -> int | None:
        """The worst severity of the own incident over all its epochs; None if missed."""
        return min(one.peak_severity for one in (self.own, *self.again)) if self.own else None

    @property
    def recovery(self) -> int | None:
        """Time from the label's end to the final resolution, ms; negative if that came first; None without one."""
        last = (self.own, *self.again)[-1]
        if last is None or last.resolved_at is None:
            return None
        return last.resolved_at - self.label.end

    @property
    def ending(self) -> Ending | None:
        """How the own incident ended, compared with when it should have; None if the label was missed."""
        last = (self.own, *self.again)[-1]
        if last is None:
            return None
        took, allowed = self.recovery, self.label.recovery
        if took is None:
            return "unknown" if self.until < self.label.end + allowed else "not over"
        if took < 0:
            return "early"
        if took <= allowed:
            return "in time"
        return "faded" if last.resolved_reason == "faded" else "late"

    @property
    def alone(self) -> bool:
        """Whether the label has exactly one incident, with exactly one epoch."""
        return self.own is not None and not self.again and not self.duplicates


@dataclass(frozen=True)
class Score:
    """The result of comparing a run with its labels.

    Attributes:
        answers: one for each label that the run covers, in the order of the labels, without notices.
        false: incidents that answer no label.
        outside: labels that the run does not cover, because it ended before them or began after them.
    """

    answers: tuple[Answer, ...]
    false: tuple[Outcome, ...]
    outside: tuple[Label, ...] = ()


def score(labels: Sequence[Label], outcomes: Sequence[Outcome], began: int, until: int) -> Score:
    """Compare the outcomes of a run with labels.

    Args:
        labels: what truly happened.
        outcomes: the incidents of the run.
        began, until: the first and the last T of the run, ms.
    """
    within = [label for label in labels if label.start < until and label.end > began]
    covered = [label for label in within if label.kind != NOTICE]
    notices = [label for label in within if label.kind == NOTICE]
    own = _assign(covered, outcomes)
    taken = set(own.values())
    epochs: dict[int, list[Outcome]] = {n: [outcomes[o]] for n, o in own.items()}
    duplicates: dict[int, list[Outcome]] = {}
    false: list[Outcome] = []
    for o, outcome in enumerate(outcomes):
        if o in taken:
            continue
        # An incident that was not assigned can only answer labels that have an own incident.
        may = [n for n, label in enumerate(covered) if label.may_be_answered_by(outcome)]
        if not may:
            told = any(label.may_be_answered_by(outcome) for label in notices)
            if outcome.pages or not told:
                false.append(outcome)
            continue
        n = max(may, key=lambda n: _weight(covered[n], outcome))
        same = outcomes[own[n]].incident == outcome.incident
        (epochs if same else duplicates).setdefault(n, []).append(outcome)
    answers = []
    for n, label in enumerate(covered):
        mine = sorted(epochs.get(n, ()), key=lambda one: one.epoch)
        answers.append(
            Answer(
                label=label,
                own=mine[0] if mine else None,
                again=tuple(mine[1:]),
                duplicates=tuple(duplicates.get(n, ())),
                shared=None if mine else _sharing(label, outcomes),
                until=until,
            )
        )
    return Score(tuple(answers), tuple(false), tuple(label for label in labels if label not in within))


def _weight(label: Label, outcome: Outcome) -> float:
    """Return how well an incident fits a label that it may answer: by scope, then by overlap in time."""
    end = outcome.resolved_at if outcome.resolved_at is not None else label.end
    scope = outcome.scope_within(outcome.opened_at, max(label.end, outcome.opened_at + 1))
    overlap = min(end, label.end) - max(outcome.opened_at, label.start)
    return closeness(label.scope, scope) + max(overlap, 0) / (label.end - label.start + EARLY)


def _assign(labels: Sequence[Label], outcomes: Sequence[Outcome]) -> dict[int, int]:
    """Assign own incidents to labels: position of a label -> position of its own incident."""
    if not labels or not outcomes:
        return {}
    # Each answered label weighs so much that no sum of closer scopes outweighs one more answered label.
    base = 5.0 * len(labels)
    weights = np.zeros((len(labels), len(outcomes)))
    for n, label in enumerate(labels):
        for o, outcome in enumerate(outcomes):
            if label.may_be_answered_by(outcome):
                weights[n, o] = base + _weight(label, outcome)
    return assign(weights)


def _sharing(label: Label, outcomes: Sequence[Outcome]) -> Outcome | None:
    for outcome in outcomes:
        over = outcome.resolved_at is not None and outcome.resolved_at <= label.start
        if outcome.opened_at < label.end and not over and label.concerns(outcome):
            return outcome
    return None
