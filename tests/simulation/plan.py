"""What goes wrong in a simulated run, when and to whom? All faults are drawn from the seed before the run begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, Self

from tests.simulation.processes import AGENTS_GROUP, INGEST_GROUP, SINKS, TOPICS, Role
from tests.simulation.receivers import MOODS

__all__ = ["Fault", "Kind", "Plan"]

Kind = Literal[
    "crash",  # a worker is killed, and another follows after ``seconds``
    "stop",  # a worker ends in order, and another follows after ``seconds``
    "freeze",  # a worker stands still for ``seconds``
    "crash_at_write",  # whoever writes the ``count``-th record of a topic is killed before it hears of it
    "freeze_at_write",  # whoever writes the ``count``-th record of a topic stands still for ``seconds``
    "cut_off",  # a worker does not reach the coordinator of a group (ingest's) for ``seconds``, but all else
    "rebalance",  # a group deals out its partitions anew
    "forget",  # all members of a group are killed, and the broker forgets the group before others follow
    "away",  # the broker answers nothing for ``seconds``
    "slow",  # requests and answers take up to ``amount`` seconds longer, for ``seconds``
    "lose",  # the answer to a request that was carried out is lost with the chance ``amount``, for ``seconds``
    "drop",  # a request is lost with the chance ``amount``, for ``seconds``
    "compact",  # the broker compacts a topic
    "retain",  # the broker removes from a topic what nobody needs any more
    "unfetchable",  # no fetch of an input partition is answered, for ``seconds``
    "deny",  # nobody may write on a topic, for ``seconds``
    "receiver",  # a receiver answers as ``what`` says, for ``seconds``
]
_KINDS: tuple[tuple[Kind, int], ...] = (
    ("crash", 4),
    ("stop", 2),
    ("freeze", 6),
    ("crash_at_write", 8),
    ("freeze_at_write", 8),
    ("cut_off", 5),
    ("rebalance", 3),
    ("forget", 1),
    ("away", 2),
    ("slow", 2),
    ("lose", 4),
    ("drop", 2),
    ("compact", 4),
    ("retain", 2),
    ("unfetchable", 2),
    ("receiver", 5),
)
#: Topics on which a verdict is written but once, or again after a crash, and those by which workers take over.
_WRITTEN = (
    TOPICS.commands,
    TOPICS.commands,
    TOPICS.incident_log,
    TOPICS.incidents,
    TOPICS.watch_state,
    TOPICS.deliveries,
    TOPICS.segments,
    TOPICS.ingest_state,
    TOPICS.history,
    TOPICS.banner,
    TOPICS.rejected,
)
#: The chance that a plan denies the topic of the rejected, which no verdict needs.
_DENIED = 0.3
_COMPACTED = (TOPICS.segments, TOPICS.ingest_state, TOPICS.watch_state, TOPICS.history, TOPICS.deliveries)
_LAYOUTS: tuple[tuple[Role, ...], ...] = (
    ("all", "all"),
    ("all", "all", "all"),
    ("ingest", "ingest", "agents"),
    ("ingest", "ingest", "agents", "agents"),
    ("ingest", "agents", "all"),
)


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what.
        at: seconds after the run began.
        seconds: how long it lasts.
        who: the number of a worker or input partition.
        what: a topic, group, or sink; of a receiver ``sink:mood``.
        count, amount: see ``Kind``.
    """

    kind: Kind
    at: float = 0.0
    seconds: float = 0.0
    who: int = 0
    what: str = ""
    count: int = 0
    amount: float = 0.0

    def __repr__(self) -> str:
        """Return a call that builds the plan, without arguments that have their default values."""
        names = ("at", "seconds", "who", "what", "count", "amount")
        given = [f"{n}={getattr(self, n)!r}" for n in names if getattr(self, n) != getattr(Fault, n)]
        return f"Fault({', '.join([repr(self.kind), *given])})"


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    Attributes:
        seed: of the events, of what people ask for, and of all times that requests take.
        partitions: of the input.
        seconds: for how long events come.
        layout: the roles of the workers.
        leased: of each worker, whether it writes only while it holds its lease.
        faults: what goes wrong.
        asks: whether people ask for anything.
        cost_seed: of what judging costs.
    """

    seed: int
    partitions: int
    seconds: int
    layout: tuple[Role, ...]
    leased: tuple[bool, ...]
    faults: tuple[Fault, ...]
    asks: bool = True
    cost_seed: int = 0

    @classmethod
    def drawn(cls, seed: int) -> Self:
        """The plan of a seed."""
        random = Random(f"{seed}/plan")
        partitions = random.choice([1, 2, 2, 3])
        seconds = random.choice([60, 120, 120, 180])
        layout = random.choice(_LAYOUTS)
        # Ingest goes by nothing but the order on the log; what is sent to receivers rests on the lease.
        leased = tuple(role != "ingest" or random.random() < 0.3 for role in layout)
        number = random.choice([0, 2, 5, 10, 20])
        faults = [_fault(random, seconds, partitions, layout) for _ in range(number)]
        if number and random.random() < _DENIED:  # drawn last: the other faults of a seed are what they were
            faults.append(_fault_of("deny", random, seconds, partitions, layout))
        return cls(seed, partitions, seconds, layout, leased, tuple(sorted(faults, key=lambda f: f.at)))

    def with_faults(self, faults: Iterable[Fault]) -> Self:
        """The plan with other faults."""
        return replace(self, faults=tuple(faults))


def _fault(random: Random, seconds: int, partitions: int, layout: tuple[Role, ...]) -> Fault:
    (kind,) = random.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
    return _fault_of(kind, random, seconds, partitions, layout)


def _fault_of(kind: Kind, random: Random, seconds: int, partitions: int, layout: tuple[Role, ...]) -> Fault:
    at = round(random.uniform(3, seconds), 1)
    who = random.randrange(len(layout))
    short = random.choice([1.0, 4.0, 15.0])
    match kind:
        case "crash" | "stop":
            return Fault(kind, at, short, who)
        case "freeze":
            return Fault(kind, at, random.choice([2.0, 7.0, 7.0, 9.0, 15.0, 25.0]), who)
        case "cut_off":
            lasts = random.choice([4.0, 9.0, 15.0, 25.0])
            return Fault(kind, at, lasts, who, random.choice(["", "", AGENTS_GROUP]))
        case "crash_at_write" | "freeze_at_write":
            topic = random.choice(_WRITTEN)
            most = {TOPICS.segments: 1_500, TOPICS.ingest_state: 100, TOPICS.watch_state: 80}.get(topic, 25)
            lasts = random.choice([4.0, 7.0, 9.0, 15.0])
            return Fault(kind, seconds=lasts, what=topic, count=random.randint(1, most))
        case "rebalance" | "forget":
            return Fault(kind, at, short, what=random.choice([INGEST_GROUP, AGENTS_GROUP]))
        case "away":
            return Fault(kind, at, random.choice([1.0, 5.0, 20.0, 65.0]))
        case "slow":
            return Fault(kind, at, random.choice([5.0, 20.0]), amount=random.choice([0.1, 0.5, 2.0]))
        case "lose" | "drop":
            return Fault(kind, at, random.choice([2.0, 10.0, 30.0]), amount=random.choice([0.02, 0.1, 0.4]))
        case "compact":
            return Fault(kind, at, what=random.choice(_COMPACTED))
        case "retain":
            return Fault(kind, at, what=random.choice([TOPICS.login_events, TOPICS.commands]))
        case "unfetchable":
            return Fault(kind, at, random.choice([4.0, 70.0, 90.0]), random.randrange(partitions))
        case "deny":
            return Fault(kind, at, random.choice([4.0, 20.0, 60.0]), what=TOPICS.rejected)
        case "receiver":
            what = f"{random.choice(sorted(SINKS))}:{random.choice(MOODS)}"
            return Fault(kind, at, random.choice([5.0, 30.0, 90.0]), what=what)
