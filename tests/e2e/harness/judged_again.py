"""Does `replay` of a deployment's topics, under the policies that were in force, say what the workers have said?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detectors.instants import format_duration, parse_instant
from tests.e2e.harness.topics import published_slis, read
from tests.e2e.harness.worker import run_to_end

__all__ = ["Again", "judged_again"]

_LIFE = ("opened", "severity", "scope", "recovering", "relapsed", "resolved")
_SHOWN = 3  # differences of a kind


@dataclass
class Again:
    """What a comparison brought.

    Attributes:
        turns: the changes of incidents that the workers have logged, in order, each once: T, states from and to,
            severity and reason.
        slis: the number of indicators that were compared.
        summary: the line of type ``summary`` that the replay ended with.
        faults: what differs, in words.
    """

    turns: list[tuple[str, ...]]
    slis: int = 0
    summary: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


async def judged_again(
    settings: Mapping[str, str], sli_every: int, within: float, *mapped: str, mappings: Sequence[str] = ()
) -> Again:
    """Compare the changes of incidents and the indicators on the topics with those of `replay --policies topic:…`.

    Args:
        settings: of the workers, without ``WATCHOFFICER_``: ``BROKER`` and ``TOPIC_PREFIX`` at least.
        sli_every: of the policies, ms.
        within: seconds that the replay may take.
        mapped: topics of producers' own records.
        mappings: of those topics.

    Raises:
        AssertionError: the replay failed, or two values were published for one T, scope and window.
    """
    broker, prefix = settings["BROKER"], settings["TOPIC_PREFIX"]
    lines = [one.json() for one in await read(broker, f"{prefix}incident-log")]
    again = Again(_turns(line for line in lines if line["type"] in _LIFE))
    status, said, why = await asyncio.to_thread(
        run_to_end,
        settings,
        *("replay", f"topic:{prefix}login-events", *(f"topic:{topic}" for topic in mapped)),
        *("--format", "jsonl", *(word for one in mappings for word in ("--mapping", one))),
        *("--sli-every", format_duration(sli_every)),
        *("--policies", f"topic:{prefix}policy"),
        within=within,
    )
    assert status == 0, why
    replayed = [json.loads(line) for line in said.splitlines()]
    again.summary = next(line for line in replayed if line["type"] == "summary")
    turns = _turns(line for line in replayed if line["type"] == "transition" and line["to"] != "closed")
    if turns != again.turns:
        again.faults.append(f"live:   {again.turns}\nreplay: {turns}")
    _same_slis(again, await published_slis(broker, prefix), [one for one in replayed if one["type"] == "sli"])
    return again


def _turns(some: Iterable[dict[str, Any]]) -> list[tuple[str, ...]]:
    found = [(one["at"], str(one["from"]), one["to"], str(one["severity"]), one["reason"]) for one in some]
    return list(dict.fromkeys(found))


def _same_slis(again: Again, live: list[dict[str, Any]], replayed: list[dict[str, Any]]) -> None:
    """Compare indicators up to the last T that both have: a worker goes on as the clock does, and ends when told to."""
    until = min(max((parse_instant(one["at"]) for one in some), default=0) for some in (live, replayed))
    found, expected = (
        {_place(one): one for one in some if parse_instant(one["at"]) <= until} for some in (live, replayed)
    )
    again.slis = len(expected)
    if not (found and again.turns):
        again.faults.append(f"{len(found)} indicators and {len(again.turns)} changes are nothing to compare")
    differing = [place for place in sorted({*expected, *found}) if expected.get(place) != found.get(place)]
    again.faults += [
        f"sli {place}:\nlive:   {found.get(place)}\nreplay: {expected.get(place)}"
        for place in differing[:_SHOWN]
    ]
    if len(differing) > _SHOWN:
        again.faults.append(f"{len(differing)} indicators differ")


def _place(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["at"], one["scope"], one["window"]
