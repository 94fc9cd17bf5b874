"""Which login events arrive on several partitions, with outages, silences, wrong clocks, copies and invalid records?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from detectors.incidents import IncidentInput
from detectors.instants import SECOND
from tests.detectors.engine.episodes import ENV
from tests.support.oracle import NOON, written

__all__ = ["Arrival", "arrivals", "asked"]

_ENDS: tuple[dict[str, Any], ...] = (
    {"step": "new", "outcome": "started"},
    {"step": "callback", "outcome": "success", "duration_ms": 800},
    {"step": "token", "outcome": "success", "duration_ms": 3_000},
    {"step": "callback", "outcome": "failure", "error_code": "001"},
    {"step": "refresh", "outcome": "success"},
)
_DELAYS = (50, 200, 700, 1_500, 2_500)
_LATE = (4 * SECOND, 11 * SECOND, 40 * SECOND, 200 * SECOND)
_AHEAD = (9 * SECOND, 13 * SECOND, 30 * SECOND, 90 * SECOND, 300 * SECOND)


@dataclass(frozen=True)
class Arrival:
    """A record: when the broker receives it (ms), its partition, and its value."""

    at: int
    partition: int
    value: bytes | None
    timestamp: int


def arrivals(random: Random, partitions: int, seconds: int, *, create_time: bool) -> list[Arrival]:
    """Draw the events of ``seconds`` seconds from noon on, in the order in which they arrive.

    Args:
        create_time: whether the records carry their producers' timestamps, not the broker's.
    """
    out: list[Arrival] = []
    outage = (random.randrange(seconds), random.choice([0, 30, 60, 120]))
    silent = {p: (random.randrange(seconds), random.choice([0, 3, 40])) for p in range(partitions)}
    number = 0
    for second in range(seconds):
        for _ in range(random.choice([0, 1, 1, 2, 3])):
            partition = random.randrange(partitions)
            begin, lasts = silent[partition]
            if begin <= second < begin + lasts:
                continue
            number += 1
            occurred = NOON + second * SECOND + random.randrange(SECOND)
            late = random.choice(_LATE) if random.random() < 0.04 else 0
            ahead = random.choice(_AHEAD) if random.random() < 0.06 else 0
            # Producers' timestamps would be as wrong, and the watermark too; and a run ends before a later time comes.
            if create_time or second * SECOND + ahead >= seconds * SECOND:
                ahead = 0
            event: dict[str, Any] = {
                "schema_version": 1,
                "event_id": f"e{number}",
                "occurred_at": written(occurred + ahead),
                "env": random.choice([ENV] * 12 + ["dev", "staging"]),
                "auth_method": random.choice(["ssoe", "ssoe", "sis"]),
                "csp": random.choice([None, "idme", "idme", "logingov"]),
                "user_hash": f"h{random.randrange(100)}",
                **random.choice(_ENDS),
            }
            if outage[0] <= second < sum(outage) and random.random() < 0.9:
                event |= {"step": "callback", "outcome": "failure", "error_code": "007"}
            at = occurred + random.choice(_DELAYS) + late
            value: bytes | None = json.dumps(event).encode()
            if random.random() < 0.03:
                value = random.choice([None, b"{", b"[]", json.dumps(event | {"env": "nowhere"}).encode()])
            out.append(Arrival(at, partition, value, occurred + 20 if create_time else at))
            if random.random() < 0.05:
                again = at + random.choice([0, 10, 3 * SECOND, 30 * SECOND])
                out.append(Arrival(again, partition, value, again))
    out.sort(key=lambda one: one.at)
    return out


def asked(random: Random, seconds: int, most: int = 4) -> list[tuple[int, IncidentInput]]:
    """Draw incident inputs with the times (ms) at which they arrive, in order; some inputs arrive twice."""
    out = []
    for number in range(random.randint(0, most)):
        kind = random.choice(["acknowledge", "note", "declare", "resolve", "report"])
        scoped = kind == "report" or (kind == "declare" and random.random() < 0.5)
        env = random.choice([ENV, ENV, ENV, "dev"])
        incident_input = IncidentInput(
            id=f"w{number}",
            env=env,
            kind=kind,  # type: ignore[arg-type]
            incident=None if scoped else f"{env}-1",
            scope=random.choice([env, f"{env}/ssoe"]) if scoped else None,
            by="Ada",
            text="words",
        )
        at = NOON + random.randrange(seconds + 20) * SECOND
        out += [(at, incident_input)] * random.choice([1, 1, 2])
    return sorted(out, key=lambda pair: pair[0])
