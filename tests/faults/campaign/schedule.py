"""What goes wrong and when: a list of faults that a seed reproduces."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "BROKER_KINDS",
    "SESSION_SECONDS",
    "SILENT_KINDS",
    "TROUBLE_KINDS",
    "WORKER_KINDS",
    "Fault",
    "Kind",
    "schedule",
]

Kind = Literal[
    "kill",
    "freeze",
    "stall",
    "stop",
    "join",
    "leave",
    "clock",
    "broker_kill",
    "broker_restart",
    "broker_hang",
    "broker_away",
    "grow",
    "disk_full",
    "denied",
    "marker",
    "transaction",
    "poison",
    "hog",
]

#: The session of the consumer groups, as `watchofficer run` has it.
SESSION_SECONDS = 10.0
#: How often each kind is drawn. What is said of a worker:
#: kill -9 and a new start; SIGSTOP for longer than its session, which makes it a zombie; SIGSTOP for less; SIGTERM and
#: a new start; one more worker; one fewer; a clock that jumps by two minutes, and back.
WORKER_KINDS: dict[Kind, int] = {
    "kill": 40,
    "freeze": 15,
    "stall": 6,
    "stop": 10,
    "join": 6,
    "leave": 6,
    "clock": 6,
}
#: kill -9 of the broker, an orderly restart, a broker that keeps its connections and does not answer, a broker that is
#: away for longer than a watch may be blind unsaid; as it comes unannounced too, one more partition of the input; and a
#: disk that fills up, which ends the broker.
BROKER_KINDS: dict[Kind, int] = {
    "broker_kill": 6,
    "broker_restart": 4,
    "broker_hang": 4,
    "broker_away": 2,
    "grow": 2,
    "disk_full": 2,
}
#: What goes wrong between the two: a right that a worker loses for a while; a transaction that is committed, so that a
#: marker stands last; one that stays open and is then aborted; a record that no one can read, on a topic of the watch's
#: own; and other processes that take the processors.
TROUBLE_KINDS: dict[Kind, int] = {
    "denied": 6,
    "marker": 5,
    "transaction": 5,
    "poison": 4,
    "hog": 4,
}
#: The kinds in which processes run and the watch may stand still all the same.
SILENT_KINDS = frozenset[Kind]({"clock", "broker_away", "disk_full", *TROUBLE_KINDS})
_BETWEEN = (5.0, 13.0)  # seconds; a group that loses a member every few seconds never gets to work at all
_LONG = (60.0, 70.0)  # seconds: longer than a stall may be that nobody is told of


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at: seconds since the load began.
        kind: what.
        worker: a number that chooses among the workers that run then, or among topics and partitions.
        seconds: for how long it lasts, or a worker or broker is gone.
    """

    at: float
    kind: Kind
    worker: int
    seconds: float


def schedule(seed: int, faults: int, *, broker: bool, without: Collection[Kind] = ()) -> list[Fault]:
    """So many faults, in the order of their times.

    Args:
        seed: of all that is random.
        faults: how many.
        broker: whether the broker fails too, and all that a broker without rights and transactions does not know.
        without: kinds that cannot be had on this machine.
    """
    rng = random.Random(f"faults {seed}")
    weights = WORKER_KINDS | (BROKER_KINDS | TROUBLE_KINDS if broker else {})
    kinds = _drawn(rng, {kind: weight for kind, weight in weights.items() if kind not in without}, faults)
    out, at = [], 0.0
    for kind in kinds:
        at += rng.uniform(*_BETWEEN)
        out.append(Fault(round(at, 3), kind, rng.randrange(1_000), round(_seconds(rng, kind), 3)))
    return out


def _drawn(rng: random.Random, weights: dict[Kind, int], faults: int) -> list[Kind]:
    """Kinds by weight, in random order: each comes up where there are draws enough, else none comes up twice."""
    if faults < len(weights):
        return rng.sample(list(weights), faults)
    kinds = rng.choices(list(weights), list(weights.values()), k=faults)
    kinds[: len(weights)] = list(weights)
    rng.shuffle(kinds)
    return kinds


def _seconds(rng: random.Random, kind: Kind) -> float:
    assert kind in get_args(Kind)
    if kind == "freeze":
        return rng.uniform(SESSION_SECONDS + 1.0, SESSION_SECONDS + 8.0)
    if kind in ("stall", "broker_hang"):
        return rng.uniform(1.0, SESSION_SECONDS - 1.0)
    if kind == "broker_away":
        return rng.uniform(*_LONG)
    if kind in ("denied", "transaction"):
        return rng.uniform(*rng.choice([(4.0, 15.0), (25.0, 40.0)]))
    if kind in ("clock", "hog", "disk_full"):
        return rng.uniform(5.0, 20.0)
    return rng.choice([0.0, rng.uniform(0.0, 4.0)])
