"""One input partition: which of its records are accepted, and from which T on each of them counts.

The order of checks is: valid, future or past, duplicate, late. Everything here is a function of the partition's
records in their order, and of the marks, whatever batches they come in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from detectors.facts import ON_TIME, TOO_LATE
from detectors.policy import Policy
from streams.events import LoginEvent, Reason

__all__ = ["Accepted", "Duplicate", "Partition", "Rules"]


@dataclass(frozen=True)
class Rules:
    """The numbers that acceptance depends on; all times in ms (meanings: ``detectors.policy``)."""

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
    """An event that counts: its pane (start, ms) and ``first`` as in ``facts.FactRow``."""

    pane: int
    first: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A copy of an event that stands earlier on the partition."""


_DUPLICATE = Duplicate()


class Partition:
    """Acceptance of one partition's valid records.

    Attributes:
        greatest: greatest ``occurred_at`` of the valid records so far, duplicates included; None before the first.
        recorded: greatest Kafka timestamp of them; None where records have none (files).
        mark: the clock's stand-in for events, where it was written down (ms); None without.
        ordinal: number of valid records so far.
        accepted_to: greatest ``occurred_at`` of the accepted events so far.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.greatest: int | None = None
        self.recorded: int | None = None
        self.mark: int | None = None
        self.ordinal = 0
        self.accepted_to: int | None = None
        self._seen: dict[str, tuple[int, int]] = {}
        self._order: deque[tuple[str, int, int]] = deque()

    def watermark(self) -> int | None:
        """The partition's watermark now, ms; None stands for minus infinity."""
        if self.greatest is None:
            return self.mark
        reached = self.greatest if self.recorded is None else min(self.greatest, self.recorded)
        reached -= self.rules.watermark_delay
        return reached if self.mark is None else max(reached, self.mark)

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
        """Note a valid record; whether an earlier one has the same id, within the reach of the rule."""
        rules = self.rules
        earlier = self._seen.get(event_id)
        is_copy = (
            earlier is not None
            and self.ordinal - earlier[0] <= rules.dedup_ids
            and self.greatest is not None
            and self.greatest - earlier[1] <= rules.dedup_horizon
        )
        if self.greatest is None or occurred > self.greatest:
            self.greatest = occurred
        ordinal = self.ordinal
        self.ordinal += 1
        self._seen[event_id] = (ordinal, self.greatest)
        self._order.append((event_id, ordinal, self.greatest))
        # Neither the ordinal nor the greatest time ever falls, so what is out of reach stays out of reach.
        oldest, horizon = self.ordinal - rules.dedup_ids, self.greatest - rules.dedup_horizon
        while self._order and (self._order[0][1] < oldest or self._order[0][2] < horizon):
            gone, its_ordinal, _ = self._order.popleft()
            if self._seen[gone][0] == its_ordinal:
                del self._seen[gone]
        return is_copy

    def remember(self, event: LoginEvent, recorded: int | None) -> None:
        """Note a valid record that an earlier block has already counted (rebuilding the memory of duplicates)."""
        self._remember(event.event_id, event.occurred_at)
        if recorded is not None and (self.recorded is None or recorded > self.recorded):
            self.recorded = recorded
