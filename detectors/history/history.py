"""What happened in an environment in the past weeks, per five minutes, and which counts are therefore expected?

A record holds the counts of every scope in five minutes, as absolute values: a later revision replaces an
earlier one. 35 days of records supply the windows beyond an hour, and the counts that are usual at a time of the
week. Between the ends of five-minute records counts are interpolated: the events of a record are taken as evenly
spread over its five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.history.arrivals import arrivals, has_starts, returns
from detectors.history.code_history import CodeHistory
from detectors.history.local_calendar import WallClock
from detectors.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from detectors.scopes import SCOPES, scope_path
from detectors.windows.counters import BAD, COUNTERS, EXCLUDED, GOOD

__all__ = ["BUCKET", "FIELDS", "KEPT", "History"]

#: The time that a record covers, ms.
BUCKET = 5 * MINUTE
#: Records are kept for this long before the newest, ms, and dropped within a day after that.
KEPT = 35 * DAY
#: The counts of a scope in a record, in the order of the last axis of the arrays in this module.
FIELDS = COUNTERS[:6]

_DAY_SLOTS = DAY // BUCKET
_KEPT_SLOTS = KEPT // BUCKET
#: The arrays hold one more day, so that old slots are dropped a day at a time.
_MOST_SLOTS = _KEPT_SLOTS + _DAY_SLOTS
_SHAPE = (len(SCOPES), len(FIELDS))
_fields_of = itemgetter(*FIELDS)
#: How many weeks back an equal weekday is searched, and how many of the weeks found are averaged: the nearest ones that
#: are known and no holidays.
_WEEKS_BACK = 4
_WEEKS_AVERAGED = 2
#: A window counts as known if at most this share of its time is unknown.
_GAP = 0.01
#: The days over which usual ratios are computed, and the completions that a day needs in order to count.
_USUAL_DAYS = 14
_USUAL_COMPLETED = 100
_SUNDAY = 6
#: The number of hours whose expectations are cached: they are read each second and change each minute.
_EXPECTED_KEPT = 64
#: Expectations come from records at least this old, ms: a day, less changes of the local clock of up to two hours.
_EXPECTED_AFTER = 22 * HOUR


class History:
    """Five-minute records of one environment.

    Args:
        env: the environment.
        clock: local time and holidays, by which weeks are compared.
    """

    def __init__(self, env: str, clock: WallClock | None = None) -> None:
        self.env = env
        self._clock = clock or WallClock()
        self._places = {scope_path(env, i): i for i in range(len(SCOPES))}
        self._origin = 0  # start of slot 0, in buckets since the epoch
        self._newest = -1  # the last known slot
        self._counts: Ints = np.zeros((0, *_SHAPE), dtype=np.int64)
        self._known = np.zeros(0, dtype=bool)
        # Running sums: row i holds the sum of all slots before slot i, valid up to row ``_summed``. With no slots
        # there are two rows, so that a difference exists.
        self._sums: Ints = np.zeros((2, *_SHAPE), dtype=np.int64)
        self._known_sums: Ints = np.zeros(2, dtype=np.int64)
        self._summed = 0
        self._codes = CodeHistory()
        self._usual: dict[tuple[str, int], Floats] = {}
        # (start of an hour, length of the window) -> expectations
        self._expected: dict[tuple[int, int], Floats] = {}

    def __len__(self) -> int:
        """Return how many records are kept."""
        return int(np.count_nonzero(self._known))

    # -- records ---------------------------------------------------------------------------------------------

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record or a revision of a record. A record older than ``KEPT`` is ignored.

        Args:
            record: ``{"env", "at", "scopes": {path: {good, bad, excluded, started, slow, timed}}, "codes": {path:
                {code: failures}}}``; ``at`` is the start, in ms or RFC 3339; scopes that are left out had no events.
                ``codes`` may be missing.

        Raises:
            ValueError: the environment is another one, a scope is unknown, a counter is missing, or the start is no
                multiple of five minutes.
        """
        at = record["at"]
        start = parse_instant(at) if isinstance(at, str) else int(at)
        slot, rest = divmod(start, BUCKET)
        if record["env"] != self.env or rest:
            raise ValueError(f"not five minutes of {self.env}: env {record['env']!r}, at {at!r}")
        scopes: Mapping[str, Mapping[str, int]] = record["scopes"]
        try:
            places = [self._places[path] for path in scopes]
            values = [_fields_of(counts) for counts in scopes.values()]
            codes = {self._places[path]: counts for path, counts in record.get("codes", {}).items()}
        except KeyError as missing:
            raise ValueError(
                f"{self.env} at {format_instant(start)}: {missing} is no scope or is missing"
            ) from None
        place = self._slot(slot)
        if place is None:
            return
        row = self._counts[place]
        row[:] = 0
        if values:
            row[places] = values
        self._codes.put(place, codes)
        self._known[place] = True
        self._forget_expected(start)
        if place < self._summed:
            self._summed = place
            self._usual.clear()

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add many records, as ``add`` does for one."""
        for record in records:
            self.add(record)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield all records that are kept, in order of time, in the form that ``add`` takes; ``at`` in RFC 3339."""
        for place in np.flatnonzero(self._known):
            counts = self._counts[place]
            scopes = {
                scope_path(self.env, int(s)): dict(zip(FIELDS, counts[s].tolist(), strict=True))
                for s in np.flatnonzero(counts.any(axis=1))
            }
            record: dict[str, Any] = {
                "env": self.env,
                "at": format_instant((self._origin + int(place)) * BUCKET),
                "scopes": scopes,
            }
            codes = self._codes.at(int(place))
            if codes:
                record["codes"] = {scope_path(self.env, s): counts for s, counts in codes.items()}
            yield record

    def _slot(self, slot: int) -> int | None:
        """Return the position of a bucket (number since the epoch) in the arrays, growing them; None if too old."""
        if self._newest < 0:
            self._origin = slot
        place = slot - self._origin
        if place <= self._newest - _KEPT_SLOTS:
            return None
        if place < 0:
            self._grow(front=-place + _DAY_SLOTS, back=0)
            place = slot - self._origin
        if place >= _MOST_SLOTS:
            self._drop(place - _KEPT_SLOTS + 1)
            place = slot - self._origin
        size = len(self._known)
        if place >= size:
            self._grow(front=0, back=max(place + 1, min(2 * size, _MOST_SLOTS), _DAY_SLOTS) - size)
        self._newest = max(self._newest, place)
        return place

    def _grow(self, front: int, back: int) -> None:
        around = (front, back)
        self._counts = np.pad(self._counts, (around, (0, 0), (0, 0)))
        self._known = np.pad(self._known, around)
        self._codes.grow(front, back)
        self._sums = np.zeros((len(self._known) + 1, *_SHAPE), dtype=np.int64)
        self._known_sums = np.zeros(len(self._known) + 1, dtype=np.int64)
        self._origin -= front
        self._newest += front if self._newest >= 0 else 0
        self._summed = 0

    def _drop(self, slots: int) -> None:
        """Drop the first ``slots`` slots; the arrays keep their size."""
        kept = max(0, len(self._known) - slots)
        for array in (self._counts, self._known):
            array[:kept] = array[slots : slots + kept].copy()
            array[kept:] = 0
        self._codes.drop(slots)
        self._origin += slots
        self._newest = max(-1, self._newest - slots)
        self._summed = 0
        self._usual.clear()
        self._expected.clear()

    def _forget_expected(self, start: int) -> None:
        """Drop cached expectations that a record at ``start`` (ms) may change: those of hours a day or more later."""
        for key in [key for key in self._expected if start < key[0] + HOUR - _EXPECTED_AFTER]:
            del self._expected[key]

    def _sum_up(self) -> None:
        """Bring the running sums up to the newest slot."""
        first, end = self._summed, self._newest + 1
        if first >= end:
            return
        np.cumsum(self._counts[first:end], axis=0, out=self._sums[first + 1 : end + 1])
        self._sums[first + 1 : end + 1] += self._sums[first]
        np.cumsum(self._known[first:end], out=self._known_sums[first + 1 : end + 1])
        self._known_sums[first + 1 : end + 1] += self._known_sums[first]
        self._summed = end

    # -- past counts -----------------------------------------------------------------------------------------

    def sums(self, start: int, end: int) -> Floats:
        """Return the counts (scope, counter) in [start, end) ms, as far as records are known."""
        return np.asarray(self.between(np.array([start]), np.array([end]))[0])

    def between(self, starts: Ints, ends: Ints) -> Floats:
        """Return the counts (N, scope, counter) in each [start, end) ms, as far as records are known."""
        self._sum_up()
        lower, share = self._position(starts)
        upper, rest = self._position(ends)
        wide = (slice(None), None, None)
        before = self._sums[lower] + share[wide] * (self._sums[lower + 1] - self._sums[lower])
        after = self._sums[upper] + rest[wide] * (self._sums[upper + 1] - self._sums[upper])
        return np.asarray(after - before)

    def coverage(self, starts: Ints, ends: Ints) -> Floats:
        """Return the share (N,) of each [start, end) ms that records cover."""
        self._sum_up()
        lower, share = self._position(starts)
        upper, rest = self._position(ends)
        known = self._known_sums
        before = known[lower] + share * (known[lower + 1] - known[lower])
        after = known[upper] + rest * (known[upper + 1] - known[upper])
        covered: Floats = (after - before) * BUCKET / np.maximum(ends - starts, 1)
        return covered

    def _position(self, instants: Ints) -> tuple[Ints, Floats]:
        """Return the slot of each instant (ms) and the share of the slot before it, limited to the slots that exist."""
        end = self._newest + 1
        if not end:
            return np.zeros(instants.shape, dtype=np.int64), np.zeros(instants.shape)
        place, rest = np.divmod(instants - self._origin * BUCKET, BUCKET)
        share = np.where((place >= 0) & (place < end), rest / BUCKET, 0.0)
        share = np.where(place >= end, 1.0, share)
        return np.clip(place, 0, end - 1), share

    # -- usual counts ----------------------------------------------------------------------------------------

    def expected(self, ends: Ints, window: int) -> Floats:
        """Return the mean counts (N, scope, counter) in equal clock windows of the previous two weeks; nan if unknown.

        The window [end - window, end) is looked up at the same local time on the same weekday. A week that is
        unknown, or in which the day was a holiday, is replaced by the week before it. A holiday is compared with the
        Sundays before it. If only holidays are known, they are used: fewer people sign in on holidays, so the
        expectation is too low rather than too high.

        Args:
            ends: ends of windows, ms.
            window: length, ms.
        """
        if not ends.size or (ends % MINUTE).any():
            return self._expect(ends, window)
        hours = ends // HOUR * HOUR
        out = np.empty((len(ends), *_SHAPE))
        for hour in np.unique(hours).tolist():
            within = hours == hour
            out[within] = self._expected_in_hour(hour, window)[(ends[within] - hour) // MINUTE]
        return out

    def _expected_in_hour(self, hour: int, window: int) -> Floats:
        """Compute ``expected`` for the windows (ms) that end at each minute of an hour, which share most look-ups."""
        key = hour, window
        if key not in self._expected:
            if len(self._expected) >= _EXPECTED_KEPT:
                self._expected.clear()
            self._expected[key] = self._expect(np.arange(hour, hour + HOUR, MINUTE, dtype=np.int64), window)
        return self._expected[key]

    def _expect(self, ends: Ints, window: int) -> Floats:
        days = self._clock.local_days(ends - 1)
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
        since_sunday = (weekday - _SUNDAY - 1) % 7 + 1
        nearest = np.where(self._clock.is_holiday(days), since_sunday, 7)
        usual, of_holidays = (self._mean_of_weeks(ends, window, nearest, holidays=h) for h in (False, True))
        return np.where(np.isnan(usual), of_holidays, usual)

    def _mean_of_weeks(self, ends: Ints, window: int, nearest: Ints, *, holidays: bool) -> Floats:
        """Return the mean (N, scope, counter) of the nearest known weeks, among holidays or other days; nan if none."""
        total = np.zeros((len(ends), *_SHAPE))
        found = np.zeros(len(ends), dtype=np.int64)
        for week in range(_WEEKS_BACK):
            then = self._clock.days_before(ends, nearest + 7 * week)
            usable = self._clock.is_holiday(self._clock.local_days(then - 1)) == holidays
            usable &= found < _WEEKS_AVERAGED
            if usable.any():
                usable &= self.coverage(then - window, then) >= 1.0 - _GAP
            if usable.any():
                total[usable] += self.between(then[usable] - window, then[usable])
                found += usable
        wide = found[:, None, None]
        return np.where(wide > 0, total / np.maximum(wide, 1), np.nan)

    def expected_arrivals(self, ends: Ints, window: int) -> Floats:
        """Return the mean number (N, scope) of sign-ins in equal clock windows of two weeks, by ``expected``."""
        expected = self.expected(ends, window)
        return arrivals(expected, has_starts(expected))

    def usual_failing_ratio(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of bad / (good + bad) per scope (S,).

        The ratio is 0 if unknown. A median is used so that a day with an outage does not make failures usual.
        """
        return np.nan_to_num(
            self._usually("failing", at, lambda days: (days[..., BAD], days[..., GOOD] + days[..., BAD]))
        )

    def usual_user_errors(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of excluded / completed per scope (S,).

        Completed requests do not include tokens, see ``arrivals.returns``; the ratio is nan if unknown.
        """
        return self._usually("user errors", at, lambda days: (days[..., EXCLUDED], returns(days)[..., 1]))

    def usual_return_ratio(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of returned / started per scope (S,).

        ``arrivals.returns`` defines which requests returned and started; the ratio is nan if unknown.
        """

        def shares(days: Floats) -> tuple[Floats, Floats]:
            both = returns(days)
            return both[..., 1], both[..., 0]

        return self._usually("returning", at, shares)

    def usual_share_of_code(self, code: str, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of a code's share per scope (S,).

        The share is failures with the code / completed requests without tokens. Only days with known codes count;
        without any the share is nan.
        """

        def shares(days: Floats) -> tuple[Floats, Floats]:
            today = (at - 1) // DAY
            slots = (today - np.arange(_USUAL_DAYS, -1, -1)) * _DAY_SLOTS - self._origin
            failed, known = self._codes.sums(code, slots)
            return failed, np.where(known[:, None], returns(days)[..., 1], 0.0)

        return self._usually(f"code {code}", at, shares)

    def _usually(self, name: str, at: int, shares: Callable[[Floats], tuple[Floats, Floats]]) -> Floats:
        """Return the median over the days before ``at`` (ms) of hits / trials (day, scope); nan if unknown.

        The result is cached under ``name`` for a day.
        """
        today = (at - 1) // DAY  # at midnight the day's last five minutes have no record yet
        key = name, today
        if key not in self._usual:
            bounds = (today - np.arange(_USUAL_DAYS, -1, -1)) * DAY
            hits, trials = shares(self.between(bounds[:-1], bounds[1:]))
            ratio = np.where(trials >= _USUAL_COMPLETED, hits / np.maximum(trials, 1.0), np.nan)
            order = np.sort(ratio, axis=0)  # nan last
            days = np.count_nonzero(~np.isnan(ratio), axis=0)
            low = np.take_along_axis(order, np.maximum(days - 1, 0)[None] // 2, axis=0)[0]
            high = np.take_along_axis(order, (days // 2)[None].clip(max=_USUAL_DAYS - 1), axis=0)[0]
            kept = {known: usual for known, usual in self._usual.items() if known[1] >= today}
            self._usual = {**kept, key: np.where(days > 0, (low + high) / 2, np.nan)}
        return self._usual[key]
