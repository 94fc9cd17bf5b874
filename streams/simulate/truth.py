"""What truly happened in a simulation? Each episode with its extent, the impacted people and the due reaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.instants import HOUR, MINUTE, format_instant
from detectors.scopes import SIGN_IN_STEPS, STEPS
from streams.simulate.episodes import Effect, Placed, Troubles
from streams.simulate.rows import NONE, Rows

__all__ = ["KINDS", "Toll", "most_people", "severity"]

#: Kind of finding that each effect deserves; effects that are not listed are no episodes of truth.
KINDS: Mapping[Effect, str] = {
    "failure": "outage",
    "surge": "surge",
    "silence": "silence",
    "no_return": "funnel",
    "slow": "latency",
}
_SIGN_IN = np.array([step in SIGN_IN_STEPS for step in STEPS])
#: What the coming hour is projected from.
_RECENT = 5 * MINUTE


def severity(scope: str, users: int) -> int:
    """By the SLA's rule: 1 over 1,000 people an hour, 2 over 50, else 3; always 3 outside prod."""
    if scope.partition("/")[0] != "prod":
        return 3
    return 1 if users > 1000 else 2 if users > 50 else 3


def most_people(t: npt.NDArray[np.int64], person: npt.NDArray[np.uint64], window: int) -> int:
    """The greatest number of distinct people in any [T - window, T), of the people's instants; all in ms."""
    if not len(t):
        return 0
    order = np.argsort(t, kind="stable")
    t, person = t[order], person[order]
    if t[-1] - t[0] < window:
        return len(np.unique(person))
    inside: Counter[int] = Counter()
    most = first = 0
    instants, people = t.tolist(), person.tolist()
    for now, who in zip(instants, people, strict=True):
        inside[who] += 1
        while instants[first] <= now - window:
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
        t, people = self._hurt(placed)
        users = most_people(t, people, HOUR)
        # Errors of the user's and slowness are noticed, not woken for.
        impact = users if episode.effect in ("failure", "silence", "no_return") else 0
        # As the watch does, but for its confidence bound: what an hour of the worst five minutes would bring.
        projected = most_people(t, people, _RECENT) * (HOUR // _RECENT) if impact else 0
        level = severity(episode.scope, max(impact, projected))
        record: dict[str, Any] = {
            "kind": KINDS[episode.effect],
            "scope": episode.scope,
            "start": format_instant(placed.begin),
            "end": format_instant(min(placed.end, end)),
            "severity": level,
            "users": users,
        }
        wakes = episode.label == "wakes" and level < 3
        # So few that only a projection says severity 2: either will do.
        doubtful = wakes and severity(episode.scope, impact) == 3
        if episode.label != "either" and not doubtful:
            record["page"] = wakes
        return record

    def _hurt(self, placed: Placed) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Instants and people. Silence hurts those of whose sign-in something would have been seen."""
        mine = [struck[struck["cause"] == placed.index] for struck in self._struck]
        if placed.episode.effect == "silence":
            mine = [struck[_SIGN_IN[struck["step"]]] for struck in mine]
        if not mine:
            return np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return np.concatenate([m["t"] for m in mine]), np.concatenate([m["person"] for m in mine])
