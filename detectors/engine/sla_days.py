"""What did each day of an environment count, by scope, and when is that told, and told anew?

A day is one of the policy's time zone. It is told at the first T at which it is over, and again where what counts in
it, or what the SLA leaves out of it, has changed: by events that came late, by a correction, or because the cause of an
incident is known by now. All values are absolute, so that what is told last counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from detectors.arrays import Floats
from detectors.axes import ANY, contains, named, path_of
from detectors.history.error_budget import (
    Exclusion,
    LeftOut,
    exclusion_of,
    month_start,
    scheduled,
    with_exclusion,
)
from detectors.history.history import FIELDS, KEPT, History
from detectors.incidents import Incident
from detectors.instants import FAR_FUTURE, SECOND
from detectors.lifecycle.conduct.covering import exclusions
from detectors.lifecycle.lifecycle import Lifecycle
from detectors.notices.notices import Notice
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD

__all__ = ["Day", "SlaDays", "day_of", "day_records"]

#: The axes by which a day is told apart.
_AXES = ("auth_method", "csp")
#: The most scopes of a day; those with the fewest sign-ins are left out, and count in wider ones.
_MOST_SCOPES = 100


class Day(NamedTuple):
    """A local day: its date, such as 2026-11-30, and its bounds, ms."""

    date: str
    start: int
    end: int


def day_of(at: int, time_zone: str) -> Day:
    """Return the local day that an instant (ms) lies in.

    Args:
        at: ms since the epoch.
        time_zone: IANA name.
    """
    first = datetime.fromtimestamp(at / SECOND, ZoneInfo(time_zone)).replace(
        hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    start, end = (
        round(day.astimezone(UTC).timestamp()) * SECOND for day in (first, first + timedelta(days=1))
    )
    return Day(f"{first:%Y-%m-%d}", start, end)


class SlaDays:
    """The days of one environment that are still to be told, and the interruptions that providers have caused.

    Args:
        policy: has the time zone and the maintenance.
        history: the five-minute records of the environment.
        csp_caused: interruptions that an earlier run has found.
        waiting: the days that an earlier run has still to tell.

    Attributes:
        csp_caused: recent interruptions that credential providers have caused.
    """

    def __init__(
        self,
        policy: Policy,
        history: History,
        csp_caused: Iterable[Exclusion] = (),
        waiting: Iterable[Day] = (),
    ) -> None:
        self.csp_caused = list(csp_caused)
        self._policy = policy
        self._history = history
        self._waiting = set(waiting)
        self._first_end: int | None = None  # of the days that wait, ms; None where it is to be computed anew

    def waiting(self) -> tuple[Day, ...]:
        """Return the days that are not over, or have changed, for the state of the engine."""
        return tuple(sorted(self._waiting))

    def exclusions(self, at: int, lifecycle: Lifecycle) -> list[Exclusion]:
        """Return what the SLA does not count up to T (ms): what providers have caused, maintenance that was announced
        at run time, and corrections.
        """
        standing = [one for one in lifecycle.incidents() if one.state not in ("resolved", "closed")]
        found = (exclusion_of(one, at) for one in standing)
        said = exclusions(lifecycle.memory.covers, at, self._policy)
        return [*self.csp_caused, *(one for one in found if one is not None), *said]

    def note_records(self, records: Iterable[dict[str, Any]]) -> None:
        """Note that five-minute records (``at`` in ms) are new or have changed."""
        for record in records:
            self._waiting.add(day_of(record["at"], self._policy.time_zone))
            self._first_end = None

    def note_notices(self, notices: Iterable[Notice]) -> None:
        """Note the corrections that were made or taken back."""
        for notice in notices:
            if notice.cover is not None and notice.cover.kind == "correction":
                self._note_span(notice.cover.start, notice.cover.end)

    def note_resolved(self, incident: Incident, at: int) -> None:
        """Note that an incident is over at T (ms), which a provider may have caused."""
        self.csp_caused = with_exclusion(self.csp_caused, incident, at)
        self._note_span(incident.first_bad_at if incident.epoch == 0 else incident.opened_at, at)

    def _note_span(self, start: int, end: int) -> None:
        newest = self._history.end
        if newest is None:
            return
        at = max(start, newest - KEPT)
        while at < end:
            day = day_of(at, self._policy.time_zone)
            self._waiting.add(day)
            self._first_end = None
            at = day.end

    def is_due(self, at: int) -> bool:
        """Return whether a day that is still to be told is over at T (ms)."""
        if self._first_end is None:
            self._first_end = min((day.end for day in self._waiting), default=FAR_FUTURE)
        return at >= self._first_end

    def due(self, at: int, lifecycle: Lifecycle) -> list[dict[str, Any]]:
        """Return the records of the days that are over at T (ms) and were not told as they are; see ``day_records``.

        Args:
            at: ms.
            lifecycle: the incidents, and what people said of the account.
        """
        if not self.is_due(at):
            return []
        over = [day for day in self._waiting if day.end <= at]
        self._first_end = None
        self._waiting.difference_update(over)
        found = self.exclusions(at, lifecycle)
        return [record for day in sorted(over) for record in self._records(day, found)]

    def missing(
        self, at: int, told: Collection[str], left_out: Sequence[Exclusion]
    ) -> Iterator[dict[str, Any]]:
        """Yield the records of the days that are over at T (ms) and were told never, as far as the history reaches.

        Args:
            at: ms.
            told: the dates that were told.
            left_out: what the SLA does not count up to T.
        """
        newest = self._history.end
        day = None if newest is None else day_of(newest - KEPT, self._policy.time_zone)
        while day is not None and day.end <= at:
            if day.date not in told:
                yield from self._records(day, left_out)
            day = day_of(day.end, self._policy.time_zone)

    def _records(self, day: Day, left_out: Sequence[Exclusion]) -> list[dict[str, Any]]:
        newest = self._history.end
        if newest is None or day.start < newest - KEPT:
            return []  # the history has begun to forget the day
        return day_records(self._history, self._policy, day, left_out)


def day_records(
    history: History, policy: Policy, day: Day, left_out: Sequence[Exclusion]
) -> list[dict[str, Any]]:
    """Return the records of a day: of the environment, of each method, and of each provider on a method.

    Args:
        history: of one environment.
        policy: the policy, whose maintenance the SLA does not count.
        day: a day that is over.
        left_out: what the SLA does not count beside: what providers caused, announced maintenance, corrections.

    Returns:
        records ``{"v": 1, "env", "scope", "axes": {axis: value}, "date", "start", "end", "coverage", "sign_in": {good,
        bad, excluded, started, slow, timed}, "not_counted": {"csp" | "maintenance" | "correction": {good, bad}}}``;
        start and end in ms; ``coverage`` is the share (0-1) of the day that five-minute records cover. None where
        nothing is known of the day.
    """
    covered = float(history.coverage(np.array([day.start]), np.array([day.end]))[0])
    if covered <= 0:
        return []
    parts = history.parts(history.env, day.start, day.end)
    month = month_start(day.start, policy.time_zone)
    accounts: dict[tuple[Exclusion, ...], LeftOut] = {}
    records = []
    for scope, axes, counts in _scopes(history.env, policy.axes, parts):
        planned = tuple(scheduled(policy, scope, month, day.end, left_out))
        if planned not in accounts:
            accounts[planned] = LeftOut.of(history, planned, left_out, day.start, day.end)
        found = accounts[planned].within(scope)
        reasons = {"csp": found.csp, "maintenance": found.planned, "correction": found.corrected}
        records.append(
            {
                "v": 1,
                "env": history.env,
                "scope": scope,
                "axes": axes,
                "date": day.date,
                "start": day.start,
                "end": day.end,
                "coverage": round(covered, 6),
                "sign_in": dict(zip(FIELDS, (round(float(n)) for n in counts), strict=False)),
                "not_counted": {
                    why: some for why, of in reasons.items() if any((some := _both(of)).values())
                },
            }
        )
    return records


def _both(counts: Floats) -> dict[str, float]:
    return {"good": round(float(counts[GOOD]), 3), "bad": round(float(counts[BAD]), 3)}


def _scopes(
    env: str, axes: Sequence[str], parts: dict[str, Floats]
) -> Iterator[tuple[str, dict[str, str], Floats]]:
    """Yield path, values and counts (counter,) of the scopes that are told apart, the widest first."""
    paths = {env: dict[str, str]()}
    for part in parts:
        values = dict(zip(axes, named(part), strict=False))
        for told in (_AXES[:1], _AXES):
            chosen = {axis: values[axis] for axis in told if values.get(axis, ANY) != ANY}
            paths[path_of(env, (chosen.get(axis, ANY) for axis in axes))] = chosen
    zero = np.zeros_like(next(iter(parts.values()))) if parts else np.zeros(len(FIELDS))
    counts = {path: sum((of for part, of in parts.items() if contains(path, part)), zero) for path in paths}
    most = sorted(paths, key=lambda path: (len(paths[path]), -counts[path][GOOD] - counts[path][BAD], path))
    for path in most[:_MOST_SCOPES]:
        if path == env or counts[path][: len(FIELDS)].any():
            yield path, paths[path], counts[path]
