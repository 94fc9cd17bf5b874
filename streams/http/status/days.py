"""Which share of each day's sign-ins succeeded, by method and provider, as the records of ``sli-history`` tell?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from detectors.instants import MINUTE, SECOND, parse_instant
from sinks.banner.public.content import ENV, Days

__all__ = ["KEPT_DAYS", "DayCounts"]

#: How many days are told.
KEPT_DAYS = 90
_BUCKET = 5 * MINUTE
#: Room for all records of these days, and of the one that is under way.
_SLOTS = (KEPT_DAYS + 1) * 24 * 12
#: The most pairs of method and provider; what is beyond counts for its method alone.
_MOST_PAIRS = 64
Pair = tuple[str, str]


class _Counts(msgspec.Struct):
    good: int
    bad: int


class _Leaf(msgspec.Struct):
    axes: dict[str, str | None]
    sign_in: _Counts


class _Record(msgspec.Struct):
    env: str
    at: str | int
    leaves: list[_Leaf] = []
    scopes: dict[str, _Counts] = {}


_decoder = msgspec.json.Decoder(_Record)


class DayCounts:
    """Good and bad sign-ins of production of each five minutes. A record that comes again replaces what it had said."""

    def __init__(self) -> None:
        self._at = np.full(_SLOTS, -1, dtype=np.int64)
        self._counts: dict[Pair, np.ndarray[Any, np.dtype[np.int64]]] = {}

    def note(self, value: bytes) -> None:
        """Count a five-minute record; those of other environments are passed by.

        Args:
            value: of a record of ``sli-history``, of either form.

        Raises:
            ValueError: it is no five-minute record.
        """
        record = _decoder.decode(value)
        if record.env != ENV:
            return
        at = parse_instant(record.at) if isinstance(record.at, str) else record.at
        slot = at // _BUCKET % _SLOTS
        if at < self._at[slot]:
            return  # older than all that is kept
        self._at[slot] = at
        for counts in self._counts.values():
            counts[slot] = 0
        for (method, csp), one in (*_of_leaves(record.leaves), *_of_scopes(record.scopes)):
            pair = (method, csp)
            if pair not in self._counts and len(self._counts) >= _MOST_PAIRS:
                pair = (method, "") if (method, "") in self._counts else ("", "")
            if pair not in self._counts:
                self._counts[pair] = np.zeros((_SLOTS, 2), dtype=np.int64)
            self._counts[pair][slot] += (one.good, one.bad)

    def days(self, now: int, time_zone: str) -> Days:
        """Return the last ``KEPT_DAYS`` local days of each pair, and of each method ("" for its providers).

        Args:
            now: ms since the epoch; the day that is under way is the last.
            time_zone: IANA name.
        """
        starts = [*_midnights(now, time_zone), now + 1]
        order = np.argsort(self._at)
        bounds = np.searchsorted(self._at[order], starts)
        sums: dict[Pair, list[tuple[int, int]]] = {}
        for (method, csp), counts in self._counts.items():
            upto = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(counts[order], axis=0)])[bounds]
            mine = [(int(good), int(bad)) for good, bad in np.diff(upto, axis=0)]
            for pair in {(method, csp), (method, "")}:
                known = sums.get(pair)
                added = (
                    mine
                    if known is None
                    else [(a + c, b + d) for (a, b), (c, d) in zip(known, mine, strict=True)]
                )
                sums[pair] = added
        dates = [_date(start, time_zone) for start in starts[:-1]]
        return {
            pair: [
                (date, good / (good + bad) if good + bad else None)
                for date, (good, bad) in zip(dates, counts, strict=True)
            ]
            for pair, counts in sums.items()
        }

    def successes(self, method: str, since: int) -> list[tuple[int, float]]:
        """Return the share of a method's sign-ins that succeeded in each five minutes from an instant (ms) on.

        Each share (0-1) stands with the end of its five minutes (ms), the oldest first; those without a sign-in are
        left out.
        """
        sums = self._sums(method)
        done = sums.sum(axis=1)
        (slots,) = np.nonzero((self._at >= since) & (done > 0))
        found = ((int(self._at[slot]) + _BUCKET, float(sums[slot, 0] / done[slot])) for slot in slots)
        return sorted(found)

    def failures(self, method: str, since: int, points: int) -> list[tuple[int, int]]:
        """Return how many of a method's sign-ins have failed from an instant (ms) up to each of some instants (ms).

        Args:
            method: the method.
            since: ms.
            points: about how many instants are returned, the oldest first; fewer where less is known.
        """
        (slots,) = np.nonzero(self._at >= since)
        slots = slots[np.argsort(self._at[slots])]
        failed = np.cumsum(self._sums(method)[slots, 1])
        each = max(1, len(slots) // points)
        chosen = range(len(slots) - 1, -1, -each)
        return [(int(self._at[slots[n]]) + _BUCKET, int(failed[n])) for n in reversed(chosen)]

    def _sums(self, method: str) -> np.ndarray[Any, np.dtype[Any]]:
        """The good and bad sign-ins of a method, over its providers, of each slot."""
        return sum(
            (counts for (of, _), counts in self._counts.items() if of == method), np.zeros((_SLOTS, 2))
        )


def _of_leaves(leaves: Iterable[_Leaf]) -> Iterator[tuple[Pair, _Counts]]:
    for leaf in leaves:
        yield (leaf.axes.get("auth_method") or "", leaf.axes.get("csp") or ""), leaf.sign_in


def _of_scopes(scopes: Mapping[str, _Counts]) -> Iterator[tuple[Pair, _Counts]]:
    """The pairs of a record of the form before, which has methods and, apart, what of them is a provider's."""
    for path, counts in scopes.items():
        env, *values = path.split("/")
        if len(values) == 1 and values[0] != "*":
            yield (values[0], ""), counts
        elif len(values) == 2 and "*" not in values:
            yield (values[0], values[1]), counts
            if f"{env}/{values[0]}" in scopes:
                yield (values[0], ""), _Counts(-counts.good, -counts.bad)


def _midnights(now: int, time_zone: str) -> list[int]:
    zone = ZoneInfo(time_zone)
    today = datetime.fromtimestamp(now / SECOND, zone).replace(
        hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    days = ((today - timedelta(days=back)).astimezone(UTC) for back in range(KEPT_DAYS - 1, -1, -1))
    return [round(day.timestamp()) * SECOND for day in days]


def _date(at: int, time_zone: str) -> str:
    return f"{datetime.fromtimestamp(at / SECOND, ZoneInfo(time_zone)):%Y-%m-%d}"
