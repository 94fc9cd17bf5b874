"""What truly happened in a simulation? Each episode with its extent, the impacted people and the due reaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import gammaincinv

from detectors.instants import HOUR, MINUTE, SECOND, format_instant
from streams.simulate.episodes import Effect, Placed, Troubles
from streams.simulate.rows import NONE, Rows
from streams.simulate.worlds.world import STEPS

__all__ = ["KINDS", "Toll", "most_people", "most_projected", "severity"]

#: Effect -> kind of finding that the effect should cause; other effects are not listed in the truth. Of the kind
#: ``notice`` is what calls for no incident, and may be told without waking anybody.
KINDS: Mapping[Effect, str] = {
    "failure": "outage",
    "bot": "outage",
    "surge": "surge",
    "silence": "silence",
    "no_return": "funnel",
    "wait": "notice",
    "slow": "latency",
    "shift": "notice",
    "scan": "notice",
    "clock": "notice",
    "added": "notice",
}
_COMPLETES = np.isin(STEPS, ("callback", "token"))
#: The time from which the people of an hour are projected, ms.
_RECENT = 5 * MINUTE
#: The chance that people come at less than the rate that is projected.
_CHANCE = 0.2
#: The time after which slowness is declared, ms.
_DECLARED_AFTER = 15 * MINUTE


def severity(scope: str, users: int) -> int:
    """Return the severity by the SLA: 1 over 1,000 people per hour, 2 over 50, else 3; always 3 outside prod."""
    if scope.partition("/")[0] != "prod":
        return 3
    return 1 if users > 1000 else 2 if users > 50 else 3


def most_people(t: npt.NDArray[np.int64], person: npt.NDArray[np.uint64], window: int) -> int:
    """Return the greatest number of distinct people with an instant ``t`` in any [T - window, T); all in ms."""
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


def most_projected(t: npt.NDArray[np.int64], person: npt.NDArray[np.uint64], begin: int, end: int) -> int:
    """Return the greatest projection of an hour's people that stood for ``_RECENT``, as the watch projects.

    At each T from ``_RECENT`` after ``begin`` to ``end`` (ms), at most an hour after ``begin``, people who have had an
    instant ``t`` (ms) before, and for the rest of the hour as many new ones a second as in the last ``_RECENT``, by
    the lower bound of 80 % (Garwood 1936). What ends sooner must have stood to its end.
    """
    order = np.argsort(t, kind="stable")
    _, first = np.unique(person[order], return_index=True)
    new = np.sort(t[order][first])
    at = np.arange(begin + _RECENT, min(end, begin + HOUR) + 1, SECOND)
    if not len(at):
        return 0
    so_far, before = np.searchsorted(new, at), np.searchsorted(new, at - _RECENT)
    recent = gammaincinv(np.maximum(so_far - before, 1), _CHANCE) * (so_far > before)
    projected = so_far + recent * ((begin + HOUR - at) / _RECENT)
    stood = sliding_window_view(projected, min(_RECENT // SECOND, len(at))).min(axis=1)
    return int(stood.max())


class Toll:
    """Collects, batch by batch, the people whom each episode has impacted."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._struck: list[Rows] = []

    def take(self, rows: Rows) -> None:
        """Add the affected events among rows, including ghosts."""
        struck = rows[rows["cause"] != NONE]
        if len(struck):
            self._struck.append(struck[["t", "person", "cause", "step"]].copy())

    def records(self, end: int) -> list[dict[str, Any]]:
        """Return the truth records of the episodes that began before ``end`` (ms), in the order of the episodes."""
        records = (self._record(placed, end) for placed in self._troubles.placed if placed.begin < end)
        return [record for record in records if record is not None]

    def _record(self, placed: Placed, end: int) -> dict[str, Any] | None:
        episode = placed.episode
        if episode.label == "none" or episode.effect not in KINDS:
            return None
        # A bot that may be noticed is no outage of anybody.
        if KINDS[episode.effect] == "notice" or (episode.effect == "bot" and episode.label == "noticed"):
            return self._line(placed, end, 3, 0) | {"kind": "notice", "page": False}
        t, people = self._hurt(placed)
        users = most_people(t, people, HOUR)
        # User errors and slowness must be noticed, but wake nobody.
        impact = users if episode.effect in ("failure", "bot", "silence", "no_return") else 0
        projected = most_projected(t, people, placed.begin, min(placed.end, end)) if impact else 0
        level = severity(episode.scope, max(impact, projected))
        record = self._line(placed, end, level, users)
        wakes = episode.label == "wakes" and level < 3
        # Only a projection of so few people gives severity 2, so a page is allowed but not required.
        doubtful = wakes and severity(episode.scope, impact) == 3
        # Slowness that lasts is declared and pages, unless it is seen too late for that.
        doubtful |= episode.effect == "slow" and min(placed.end, end) - placed.begin >= _DECLARED_AFTER
        if episode.label != "either" and not doubtful:
            record["page"] = wakes
        return record

    @staticmethod
    def _line(placed: Placed, end: int, level: int, users: int) -> dict[str, Any]:
        episode = placed.episode
        return {
            "kind": KINDS[episode.effect],
            "scope": episode.about or episode.scope,
            "start": format_instant(placed.begin),
            "end": format_instant(min(placed.end, end)),
            "severity": level,
            "users": users,
        }

    def _hurt(self, placed: Placed) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Return instants and people. A silence impacts people whose sign-in would have completed, well or not."""
        mine = [struck[struck["cause"] == placed.index] for struck in self._struck]
        if placed.episode.effect == "silence":
            mine = [struck[_COMPLETES[struck["step"]]] for struck in mine]
        if not mine:
            return np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return np.concatenate([m["t"] for m in mine]), np.concatenate([m["person"] for m in mine])
