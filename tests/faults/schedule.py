"""What goes wrong and when: a list of faults that a seed reproduces."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

__all__ = ["BROKER_KINDS", "SESSION_SECONDS", "Fault", "Kind", "schedule"]

Kind = Literal[
    "kill", "freeze", "stall", "stop", "join", "leave", "broker_kill", "broker_restart", "broker_hang", "grow"
]

#: The session of the consumer groups, as `watchofficer run` has it.
SESSION_SECONDS = 10.0
#: How often each kind is drawn. What is said of a worker:
#: kill -9 and a new start; SIGSTOP for longer than its session, which makes it a zombie; SIGSTOP for less; SIGTERM and
#: a new start; one more worker; one fewer.
_WORKER_KINDS: dict[Kind, int] = {"kill": 45, "freeze": 15, "stall": 6, "stop": 10, "join": 6, "leave": 6}
#: kill -9 of the broker, an orderly restart, a broker that keeps its connections and does not answer; and, as it
#: comes unannounced too, one more partition of the input.
BROKER_KINDS: dict[Kind, int] = {"broker_kill": 7, "broker_restart": 4, "broker_hang": 4, "grow": 2}
_BETWEEN = (5.0, 13.0)  # seconds; a group that loses a member every few seconds never gets to work at all


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at: seconds since the load began.
        kind: what.
        worker: a number that chooses among the workers that run then.
        seconds: for how long the worker or broker is gone or stands still.
    """

    at: float
    kind: Kind
    worker: int
    seconds: float


def schedule(seed: int, faults: int, *, broker: bool) -> list[Fault]:
    """So many faults, in the order of their times.

    Args:
        broker: whether the broker fails too.
    """
    rng = random.Random(f"faults {seed}")
    weights = _WORKER_KINDS | (BROKER_KINDS if broker else {})
    kinds = _drawn(rng, weights, faults)
    out, at = [], 0.0
    for kind in kinds:
        at += rng.uniform(*_BETWEEN)
        out.append(Fault(round(at, 3), kind, rng.randrange(1_000), round(_seconds(rng, kind), 3)))
    return out


def _drawn(rng: random.Random, weights: dict[Kind, int], faults: int) -> list[Kind]:
    """Kinds by weight, in random order; in so many draws that each should come up, each does."""
    kinds = rng.choices(list(weights), list(weights.values()), k=faults)
    if faults >= len(weights):
        kinds[: len(weights)] = list(weights)
    rng.shuffle(kinds)
    return kinds


def _seconds(rng: random.Random, kind: Kind) -> float:
    if kind == "freeze":
        return rng.uniform(SESSION_SECONDS + 1.0, SESSION_SECONDS + 8.0)
    if kind in ("stall", "broker_hang"):
        return rng.uniform(1.0, SESSION_SECONDS - 1.0)
    return rng.choice([0.0, rng.uniform(0.0, 4.0)])
