"""What really happened: each episode with its true extent, the people it hurt, and what it deserves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.instants import HOUR, format_instant
from detectors.scopes import SIGN_IN_STEPS, STEPS
from streams.simulate.episodes import Effect, Placed, Troubles
from streams.simulate.rows import NONE, Rows

__all__ = ["KINDS", "Toll", "people_per_hour", "severity"]

#: Kind of finding that each effect deserves; effects that are not listed are no episodes of truth.
KINDS: Mapping[Effect, str] = {
    "failure": "outage",
    "surge": "surge",
    "silence": "silence",
    "no_return": "funnel",
    "slow": "latency",
}
_SIGN_IN = np.array([step in SIGN_IN_STEPS for step in STEPS])


def severity(scope: str, users: int) -> int:
    """By the SLA's rule: 1 over 1,000 people an hour, 2 over 50, else 3; always 3 outside prod."""
    if scope.partition("/")[0] != "prod":
        return 3
    return 1 if users > 1000 else 2 if users > 50 else 3


def people_per_hour(t: npt.NDArray[np.int64], person: npt.NDArray[np.uint64]) -> int:
    """The greatest number of distinct people in any [T - 1 h, T), of the people's instants (ms)."""
    if not len(t):
        return 0
    order = np.argsort(t, kind="stable")
    t, person = t[order], person[order]
    if t[-1] - t[0] < HOUR:
        return len(np.unique(person))
    inside: Counter[int] = Counter()
    most = first = 0
    instants, people = t.tolist(), person.tolist()
    for now, who in zip(instants, people, strict=True):
        inside[who] += 1
        while instants[first] <= now - HOUR:
            gone = people[first]
            first += 1
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        most = max(most, len(inside))
    return most


class Toll:
    """Who was hurt by which episode, collected while events pass."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._struck: list[Rows] = []

    def take(self, rows: Rows) -> None:
        """Remembers the struck among rows, ghosts included."""
        struck = rows[rows["cause"] != NONE]
        if len(struck):
            self._struck.append(struck[["t", "person", "cause", "step"]].copy())

    def records(self, end: int) -> list[dict[str, Any]]:
        """Truth records, in the order of the episodes, of those that began before ``end`` (ms)."""
        records = (self._record(placed, end) for placed in self._troubles.placed if placed.begin < end)
        return [record for record in records if record is not None]

    def _record(self, placed: Placed, end: int) -> dict[str, Any] | None:
        episode = placed.episode
        if episode.label == "none" or episode.effect not in KINDS:
            return None
        users = self._users(placed)
        # Errors of the user's and slowness are noticed, not woken for.
        impact = users if episode.effect in ("failure", "silence", "no_return") else 0
        level = severity(episode.scope, impact)
        record: dict[str, Any] = {
            "kind": KINDS[episode.effect],
            "scope": episode.scope,
            "start": format_instant(placed.begin),
            "end": format_instant(min(placed.end, end)),
            "severity": level,
            "users": users,
        }
        if episode.label != "either":
            record["page"] = episode.label == "wakes" and level < 3
        return record

    def _users(self, placed: Placed) -> int:
        """People hurt per hour. Silence hurts those of whose sign-in something would have been seen."""
        mine = [struck[struck["cause"] == placed.index] for struck in self._struck]
        if placed.episode.effect == "silence":
            mine = [struck[_SIGN_IN[struck["step"]]] for struck in mine]
        if not mine:
            return 0
        return people_per_hour(
            np.concatenate([m["t"] for m in mine]), np.concatenate([m["person"] for m in mine])
        )
