"""What became of the records of each input in the last minutes, and which lines does no rule know?

The counts are those of this process, from its start on: a record that is read again after a restart counts again. They
are for people who look whether an input is read as it should be; metrics count each event once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from detectors.policy.policy import Policy
from streams.events.decode import decode
from streams.events.lacking import Lack, Sampled
from streams.events.login_event import LoginEvent
from streams.ingest.blocks import Folded
from streams.mappings.account import note_shape

__all__ = ["InputHealth", "InputReport", "Shape"]

#: The span that is looked at, and that of one bucket, seconds.
_SPAN, _BUCKET = 300.0, 10.0
#: Shapes that are reported. One that fewer records have is not: it might be a sentence about one person.
_SHOWN, _FEWEST = 10, 5
#: Events, one of each batch, after which one says what they leave out.
_SAMPLE = 64

log = structlog.get_logger(__name__)


class Shape(msgspec.Struct, frozen=True):
    """Lines that no rule knows.

    Attributes:
        shape: the words that do not change.
        count: how many there were since the start, or somewhat more.
    """

    shape: str
    count: int


class InputReport(msgspec.Struct, frozen=True, kw_only=True):
    """One input.

    Attributes:
        input: the topic.
        seconds: the span that the counts are of.
        events: what mappings made of the records, or the records of login events; the rejected ones included.
        rejected: reason -> how many of the events are not valid.
        skipped: rule -> parts of records that are no events.
        unknown: how many of the skipped parts no rule knows.
        newest: when the newest event happened, ms since the epoch; None before the first.
        shapes: the most frequent lines that no rule knows.
        lacks: what none of the last events tells, so that the watch cannot judge well.
    """

    input: str
    seconds: int
    events: int
    rejected: dict[str, int]
    skipped: dict[str, int]
    unknown: int
    newest: int | None
    shapes: tuple[Shape, ...]
    lacks: tuple[Lack, ...] = ()


@dataclass
class _Bucket:
    began: float
    events: int = 0
    unknown: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass
class _Known:
    buckets: deque[_Bucket] = field(default_factory=deque)
    shapes: Counter[str] = field(default_factory=Counter)
    newest: int | None = None
    sampled: Sampled = field(default_factory=Sampled)
    lacks: tuple[Lack, ...] = ()
    told: set[str] = field(default_factory=set)


class InputHealth:
    """Counts by input.

    Args:
        inputs: the topics that are read.
        monotonic: seconds that never go back.
        policy: has the environments, methods and aliases.
    """

    def __init__(self, inputs: Sequence[str], monotonic: Callable[[], float], policy: Policy) -> None:
        self._policy = policy
        self._known = {name: _Known() for name in inputs}
        self._monotonic = monotonic

    def note(self, topic: str, folded: Folded) -> None:
        """Note what became of a batch of a topic."""
        known, now = self._known.setdefault(topic, _Known()), self._monotonic()
        if not known.buckets or now - known.buckets[-1].began >= _BUCKET:
            known.buckets.append(_Bucket(now))
        self._drop_old(known, now)
        bucket = known.buckets[-1]
        bucket.events += folded.values
        bucket.rejected.update(str(one.why.reason) for one in folded.refused)
        for _, rule, shape in folded.skipped:
            bucket.skipped[rule] += 1
            if shape:
                bucket.unknown += 1
                note_shape(known.shapes, shape)
        if folded.newest is not None:
            known.newest = max(folded.newest, known.newest or 0)
        event = None if folded.example is None else decode(folded.example)
        if isinstance(event, LoginEvent):
            known.sampled.note(event)
            if known.sampled.seen >= _SAMPLE:
                self._look(topic, known)

    def _look(self, topic: str, known: _Known) -> None:
        """Note what the events since the last look leave out, and say each thing once."""
        known.lacks, known.sampled = tuple(known.sampled.lacks(self._policy)), Sampled()
        for lack in known.lacks:
            if lack.remedy not in known.told:  # what is lacking names values, of which there is no end
                known.told.add(lack.remedy)
                log.warning("input_not_judged_well", input=topic, why=lack.what, remedy=lack.remedy)

    @staticmethod
    def _drop_old(known: _Known, now: float) -> None:
        while known.buckets and now - known.buckets[0].began > _SPAN:
            known.buckets.popleft()

    def report(self) -> list[InputReport]:
        """Return how each input stands, in the order of their names."""
        now, out = self._monotonic(), []
        for name, known in sorted(self._known.items()):
            self._drop_old(known, now)
            frequent = [one for one in known.shapes.most_common(_SHOWN) if one[1] >= _FEWEST]
            out.append(
                InputReport(
                    input=name,
                    seconds=round(_SPAN),
                    events=sum(one.events for one in known.buckets),
                    rejected=dict(sum((one.rejected for one in known.buckets), Counter[str]())),
                    skipped=dict(sum((one.skipped for one in known.buckets), Counter[str]())),
                    unknown=sum(one.unknown for one in known.buckets),
                    newest=known.newest,
                    shapes=tuple(Shape(shape, count) for shape, count in frequent),
                    lacks=known.lacks,
                )
            )
        return out
