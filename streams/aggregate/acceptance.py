"""One input partition: which of its records are accepted, and from which T on each of them counts.

The order of checks is: valid, future or past, duplicate, late. Everything here is a function of the partition's
records in their order, and of the marks, whatever batches they come in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.instants import FAR_PAST
from detectors.policy.policy import Policy
from detectors.windows.facts import ON_TIME, TOO_LATE
from streams.aggregate.dedup import Duplicates
from streams.events.login_event import LoginEvent
from streams.events.validation import Reason

__all__ = ["Acceptance", "Accepted", "Duplicate", "Rules", "Taken"]


@dataclass(frozen=True)
class Rules:
    """The numbers that acceptance depends on; all times in ms (meanings: ``detectors.policy.policy``)."""

    step: int
    watermark_delay: int
    retention: int
    dedup_ids: int
    dedup_horizon: int
    future_limit: int
    past_limit: int
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, policy: Policy, delay_factor: float = 1.0) -> Rules:
        """The rules of a policy. ``delay_factor`` stretches the watermark delay where time runs faster (demo)."""
        return cls(
            step=policy.step,
            watermark_delay=round(policy.watermark_delay * delay_factor),
            retention=policy.retention,
            dedup_ids=policy.dedup_ids,
            dedup_horizon=policy.dedup_horizon,
            future_limit=policy.future_limit,
            past_limit=policy.past_limit,
            thresholds=policy.thresholds,
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that counts: its pane (start, ms) and ``first_t`` as in ``facts.FactRow``."""

    pane: int
    first_t: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A copy of an event that stands earlier on the partition."""


_DUPLICATE = Duplicate()


class Taken(NamedTuple):
    """What ``Acceptance.take_many`` found.

    Attributes:
        greatest, recorded: (N + 1,) of the partition before each record, and after the last; ``FAR_PAST`` for None.
        watermark: (N + 1,) the same of its watermark.
        copies: (N,) which are duplicates; None for none.
    """

    greatest: Ints
    recorded: Ints
    watermark: Ints
    copies: Bools | None


class Acceptance:
    """Acceptance of one partition's valid records.

    Attributes:
        greatest: greatest ``occurred_at`` of the valid records so far, duplicates included; None before the first.
        recorded: greatest Kafka timestamp of them; None where records have none (files).
        mark: the clock's stand-in for events, where it was written down (ms); None without.
        accepted_to: greatest ``occurred_at`` of the accepted events so far.
        duplicates: the memory of event ids.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.greatest: int | None = None
        self.recorded: int | None = None
        self.mark: int | None = None
        self.accepted_to: int | None = None
        self.duplicates = Duplicates(rules.dedup_ids, rules.dedup_horizon)

    def watermark(self) -> int | None:
        """The partition's watermark now, ms; None stands for minus infinity."""
        if self.greatest is None:
            return self.mark
        reached = self.greatest if self.recorded is None else min(self.greatest, self.recorded)
        reached -= self.rules.watermark_delay
        return reached if self.mark is None else max(reached, self.mark)

    def producer_lag(self) -> int | None:
        """How far the newest event was behind the broker's clock, ms; None before the first of them.

        Over ``skew_after`` the clock stands in: its producers deliver late, or their clocks are behind.
        """
        if self.greatest is None or self.recorded is None:
            return None
        return max(0, self.recorded - self.greatest)

    def put_mark(self, watermark: int) -> bool:
        """Let the clock stand in for events from the next record on; False if that does not move the watermark."""
        before = self.watermark()
        if before is not None and watermark <= before:
            return False
        self.mark = watermark
        return True

    def take(
        self, event: LoginEvent, recorded: int | None, reference: int | None
    ) -> Accepted | Duplicate | Reason:
        """Judge the next valid record.

        Args:
            event: the decoded event.
            recorded: its Kafka timestamp, ms; None for a line of a file.
            reference: what its time is held against (the Kafka timestamp, else the present), ms; None for nothing.

        Returns:
            where it counts, or that it is a duplicate, or why it is rejected (``future``, ``past``).
        """
        occurred, rules = event.occurred_at, self.rules
        if reference is not None:
            if occurred > reference + rules.future_limit:
                return Reason.FUTURE
            if occurred < reference - rules.past_limit:
                return Reason.PAST
        watermark = self.watermark()
        is_copy = self._remember(event.event_id, occurred)
        if recorded is not None and (self.recorded is None or recorded > self.recorded):
            self.recorded = recorded
        if is_copy:
            return _DUPLICATE
        if self.accepted_to is None or occurred > self.accepted_to:
            self.accepted_to = occurred
        pane = occurred - occurred % rules.step
        end = pane + rules.step
        if watermark is None or end > watermark:
            return Accepted(pane, ON_TIME)
        if end <= watermark - rules.retention:
            return Accepted(pane, TOO_LATE)
        return Accepted(pane, (watermark // rules.step + 1) * rules.step)

    def _remember(self, event_id: str, occurred: int) -> bool:
        """Note a valid record; whether it is a duplicate."""
        before = self.greatest
        after = occurred if before is None or occurred > before else before
        self.greatest = after
        return self.duplicates.note(event_id, before, after)

    def take_many(self, ids: list[str], hashes: Ints, occurred: Ints, recorded: Ints | None) -> Taken:
        """Judge consecutive valid records that lie neither in the future nor in the past; see ``take``.

        Args:
            ids: their event ids; hashes: (N,) of these.
            occurred, recorded: (N,) ``occurred_at`` and Kafka timestamps, ms; None for lines of a file.
        """
        rules = self.rules
        greatest = np.maximum.accumulate(np.append(_or_never(self.greatest), occurred))
        latest = np.full(len(greatest), _or_never(self.recorded))
        reached = greatest
        if recorded is not None:
            latest = np.maximum.accumulate(np.append(_or_never(self.recorded), recorded))
            reached = np.minimum(greatest, latest)
        elif self.recorded is not None:
            reached = np.minimum(greatest, latest)
        # without a valid record there is no watermark but the mark
        reached = np.where(reached == FAR_PAST, FAR_PAST, reached - rules.watermark_delay)
        reached = np.maximum(reached, _or_never(self.mark))
        copies = self.duplicates.note_many(ids, hashes, greatest[:-1], greatest[1:])
        accepted = occurred if copies is None else occurred[~copies]
        if accepted.size:
            self.accepted_to = int(max(accepted.max(), _or_never(self.accepted_to)))
        if occurred.size:
            self.greatest = int(greatest[-1])
            if recorded is not None:
                self.recorded = int(latest[-1])
        return Taken(greatest, latest, reached, copies)

    def places(self, occurred: Ints, watermarks: Ints) -> tuple[Ints, Ints]:
        """Pane (start, ms) and ``first_t`` of accepted events, from the watermark just before each."""
        rules = self.rules
        panes = occurred - occurred % rules.step
        ends = panes + rules.step
        first_t = np.where(ends > watermarks, ON_TIME, (watermarks // rules.step + 1) * rules.step)
        first_t[ends <= watermarks - rules.retention] = TOO_LATE
        return panes, first_t


def _or_never(instant: int | None) -> int:
    return FAR_PAST if instant is None else instant
