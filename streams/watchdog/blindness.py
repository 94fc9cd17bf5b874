"""What makes the watch blind now, since when, and which words say so?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from detectors.instants import SECOND
from streams.runtime.progress import Obstacle, Why

__all__ = ["CAUSES", "CONSEQUENCES", "REMEDIES", "Statement", "blind_of", "statements"]

#: Obstacles that are named one by one; the rest are counted.
_NAMED = 4

#: Where one of these stands, the others follow from it.
CAUSES = frozenset({Why.BROKER, Why.WRITE, Why.LOOP})
CONSEQUENCES = frozenset({Why.LAG, Why.START})
#: So many times ``blind_after`` a consequence waits for a cause that stands and is not old enough yet.
_PATIENCE = 1.4

#: What to do where the part that reports an obstacle does not know better.
REMEDIES: Mapping[Why, str] = {
    Why.BROKER: "See whether the brokers run and can be reached from the worker, and whether its credentials hold.",
    Why.START: "See the worker's log, and /readyz for the part that does not begin.",
    Why.LAG: "See /api/v1/health of the workers for what holds evaluation up; restart the worker if it names nothing.",
    Why.PARTITION: "See the partition's leader and its open transactions (kafka-topics.sh --describe, "
    "kafka-transactions.sh find-hanging).",
    Why.WRITE: "See the rights of the worker on the topic, its max.message.bytes, and the brokers' disks.",
    Why.LOOP: "Restart the worker; before that, take its stack with py-spy dump --pid PID.",
    Why.REJECTED: "See topic login-events.rejected for the reasons, and ask the producers what they changed.",
    Why.CLOCK: "Set the clock of the worker's machine (chronyc makestep), or that of the brokers.",
    Why.FAULT: "Go back to the version or policy before; the worker's log has the traceback (judging_failed).",
}


class Statement(NamedTuple):
    """What is said of one kind of blindness.

    Attributes:
        why: of what kind.
        since: monotonic seconds at which it began.
        at: that instant, ms.
        sentence: what does not get on.
        remedy: what to do.
    """

    why: Why
    since: float
    at: int
    sentence: str
    remedy: str


def blind_of(
    obstacles: Sequence[Obstacle],
    *,
    now: float,
    blind_after: float,
    awake_since: float,
    caused_at: float,
    known: Collection[Why] = (),
) -> list[Obstacle]:
    """The obstacles that make the watch blind: those that have stood for ``blind_after`` seconds.

    Where a cause stands, what follows from it is not said beside it, so that nobody is woken twice for one thing.

    Args:
        obstacles: all that stand.
        now: monotonic seconds.
        blind_after: seconds.
        awake_since: when the process went on after it had stood still, monotonic seconds: what could not be observed
            meanwhile counts from there.
        caused_at: when the watch was last blind of a cause, monotonic seconds: what follows from it counts from there.
        known: of which kinds the watch is blind already.
    """
    blind = [one for one in obstacles if now - max(one.since, awake_since) >= blind_after]
    if any(one.why in CAUSES for one in blind):
        return [one for one in blind if one.why not in CONSEQUENCES]
    soon = any(one.why in CAUSES for one in obstacles)  # the cause will be said

    def stands(one: Obstacle) -> bool:
        patience = blind_after * (_PATIENCE if soon and one.why not in known else 1.0)
        return now - max(one.since, awake_since, caused_at) >= patience

    return [one for one in blind if one.why not in CONSEQUENCES or stands(one)]


def statements(
    blind: Iterable[Obstacle], *, now: float, clock: int, pace: float = 1.0
) -> dict[Why, Statement]:
    """What is to be said of the obstacles that make the watch blind, by kind.

    Args:
        blind: the obstacles, the oldest first.
        now: monotonic seconds.
        clock: the present, ms.
        pace: how many ms of ``clock`` pass in a ms.
    """
    kinds: dict[Why, list[Obstacle]] = {}
    for one in blind:
        kinds.setdefault(one.why, []).append(one)
    said = {}
    for why, some in kinds.items():
        since = min(one.since for one in some)
        sentences = list(dict.fromkeys(one.sentence.strip().rstrip(".") for one in some[:_NAMED]))
        if len(some) > _NAMED:
            sentences.append(f"{len(some) - _NAMED} more")
        remedies = dict.fromkeys(one.remedy.strip() for one in some[:_NAMED] if one.remedy.strip())
        at = clock - round((now - since) * SECOND * pace)
        said[why] = Statement(why, since, at, "; ".join(sentences) + ".", " ".join(remedies) or REMEDIES[why])
    return said
