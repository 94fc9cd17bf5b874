"""Which records of an input partition are accepted, and from which T on does each of them count?

The order of checks is: valid, future or past, duplicate, late. Everything here is a function of the partition's
records in their order, and of the marks, whatever batches they come in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from xxhash import xxh3_64_hexdigest

from detectors.arrays import Bools, Ints
from detectors.instants import FAR_PAST, SECOND
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from detectors.windows.facts import ON_TIME, TOO_LATE
from streams.aggregate.bounds import Bounds
from streams.aggregate.dedup import Duplicates
from streams.events.kinds import Fields

__all__ = ["Acceptance", "Rules", "Taken"]

#: The clock of a producer is ahead where an event is so much later than the broker's time of it, ms.
_AHEAD = 10 * SECOND


@dataclass(frozen=True)
class Rules:
    """What acceptance and facts depend on; all times in ms (meanings: ``detectors.policy.policy``)."""

    step: int
    watermark_delay: int
    retention: int
    dedup_ids: int
    dedup_horizon: int
    future_limit: int
    past_limit: int
    thresholds: tuple[float, ...]
    fields: Fields = field(default_factory=Fields)
    envs: tuple[str, ...] = ENVS
    max_envs: int = 16

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
            envs=(*ENVS, *policy.envs),
            max_envs=policy.max_envs,
            fields=Fields(
                policy.axes, tuple(sorted(policy.aliases.get("env", {}).items())), policy.recorded_breakdowns
            ),
        )

    def bounds(self) -> Bounds:
        """The bounds of the values of one block."""
        return Bounds(self.envs, self.max_envs)

    def ingest_policy(self) -> str:
        """The hash of what facts depend on beside the log: fields, aliases of environments, latency thresholds."""
        fields = self.fields
        said = msgspec.json.encode((fields.axes, fields.env_aliases, self.thresholds, *fields.further))
        return xxh3_64_hexdigest(said)


class Taken(NamedTuple):
    """What ``Acceptance.take_many`` found.

    Attributes:
        greatest, recorded: (N + 1,) of the partition before each record, and after the last; ``FAR_PAST`` for None.
        watermark: (N + 1,) the partition's watermark before each record, and after the last.
        copies: (N,) whether each record is a duplicate; None if none is.
    """

    greatest: Ints
    recorded: Ints
    watermark: Ints
    copies: Bools | None


class Acceptance:
    """Acceptance of one partition's valid records.

    Attributes:
        greatest: greatest ``occurred_at`` of the valid records so far, duplicates included; None before the first.
        recorded: greatest Kafka timestamp of the valid records so far; None where records have none (files).
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

    def restore(self, greatest: int | None, recorded: int | None, mark: int | None) -> None:
        """Go on from a state that was written down: the values of the attributes of these names."""
        self.greatest, self.recorded, self.mark = greatest, recorded, mark

    def watermark(self) -> int | None:
        """The partition's watermark now, ms; None stands for minus infinity."""
        if self.greatest is None:
            return self.mark
        reached = self.greatest if self.recorded is None else min(self.greatest, self.recorded)
        reached -= self.rules.watermark_delay
        return reached if self.mark is None else max(reached, self.mark)

    def producer_lag(self) -> int | None:
        """How far the newest event was behind the broker's clock, ms; None before the first event.

        Over ``skew_after`` the clock stands in for events: producers deliver late, or their clocks are behind.
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

    def take_many(self, ids: list[str], hashes: Ints, occurred: Ints, recorded: Ints | None) -> Taken:
        """Judge consecutive valid records that lie neither in the future nor in the past.

        Args:
            ids: the event ids; hashes: (N,) Python's hashes of the ids.
            occurred, recorded: (N,) ``occurred_at`` and Kafka timestamps, ms; None for lines of a file.
        """
        rules = self.rules
        greatest = np.maximum.accumulate(np.append(_or_far_past(self.greatest), occurred))
        latest = np.full(len(greatest), _or_far_past(self.recorded))
        reached = greatest
        if recorded is not None:
            latest = np.maximum.accumulate(np.append(_or_far_past(self.recorded), recorded))
            reached = np.minimum(greatest, latest)
        elif self.recorded is not None:
            reached = np.minimum(greatest, latest)
        # without a valid record there is no watermark but the mark
        reached = np.where(reached == FAR_PAST, FAR_PAST, reached - rules.watermark_delay)
        reached = np.maximum(reached, _or_far_past(self.mark))
        copies = self.duplicates.note_many(ids, hashes, greatest[:-1], greatest[1:])
        accepted = occurred if copies is None else occurred[~copies]
        if accepted.size:
            self.accepted_to = int(max(accepted.max(), _or_far_past(self.accepted_to)))
        if occurred.size:
            self.greatest = int(greatest[-1])
            if recorded is not None:
                self.recorded = int(latest[-1])
        return Taken(greatest, latest, reached, copies)

    def counted_from(
        self, occurred: Ints, watermarks: Ints, recorded: Ints | None = None
    ) -> tuple[Ints, Ints]:
        """Pane (start, ms) and ``FactRow.first_t`` of accepted events.

        Args:
            occurred: (N,) their ``occurred_at``, ms.
            watermarks: (N,) the partition's watermark just before each, ms.
            recorded: (N,) their Kafka timestamps, ms; None for lines of a file.
        """
        rules = self.rules
        panes = occurred - occurred % rules.step
        ends = panes + rules.step
        first_t = np.where(ends > watermarks, ON_TIME, (watermarks // rules.step + 1) * rules.step)
        first_t[ends <= watermarks - rules.retention] = TOO_LATE
        if recorded is not None and (ahead := occurred - recorded > _AHEAD).any():
            # The event itself lets the watermark reach the broker's time of it.
            reached = np.maximum(watermarks, recorded - rules.watermark_delay)
            arrives = (reached // rules.step + 1) * rules.step
            first_t = np.where(ahead & (arrives < ends), arrives, first_t)
        return panes, first_t


def _or_far_past(instant: int | None) -> int:
    return FAR_PAST if instant is None else instant
