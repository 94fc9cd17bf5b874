"""What happened in an environment in the past weeks, per five minutes, and which counts are therefore expected?

A record holds the counts of every leaf in five minutes, as absolute values: a later revision replaces an earlier one.
Records of the form before hold the counts of scopes instead; they serve the scopes that they name. 35 days of records
supply the windows beyond an hour, and the counts that are usual at a time of the week. Between the ends of five-minute
records counts are interpolated: the events of a record are taken as evenly spread over its five minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.axes import AXES, Leaf, Scopes
from detectors.history.answers import Answers
from detectors.history.arrivals import Returns
from detectors.history.code_history import CodeHistory
from detectors.history.day_counts import DayCounts
from detectors.history.disturbances import PastDisturbances
from detectors.history.entries import Entries, record_of
from detectors.history.local_calendar import WallClock
from detectors.history.usual import ComparableWeeks, DisturbedDays, KnownDead, UsualRatios, numbers_of_days
from detectors.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, COUNTERS, EXCLUDED, GOOD, SESSION_BAD, SESSION_GOOD
from detectors.windows.fixed_scopes import fixed_scopes

__all__ = ["BUCKET", "FIELDS", "KEPT", "History"]

#: The time that a record covers, ms.
BUCKET = 5 * MINUTE
#: Records are kept for this long before the newest, ms, and dropped within a day after that.
KEPT = 35 * DAY
#: The counts of sign-ins in a record, in the order of the last axis of the arrays in this module; those of sessions
#: follow them.
FIELDS = COUNTERS[:6]

_DAY_SLOTS = DAY // BUCKET
_KEPT_SLOTS = KEPT // BUCKET
#: The number of hours whose expectations are cached: they are read each second and change each minute.
_EXPECTED_KEPT = 64
#: Expectations come from records at least this old, ms: a day, less changes of the local clock of up to two hours.
_EXPECTED_AFTER = 22 * HOUR
#: The time before in which a leaf needs events, and how many, in order to be expected.
_LATELY = 14 * DAY
_EXPECTED_LEAST = 100
#: What a record may count of an entry at most, so that sums over all days are exact in 64 bits and as doubles; and its
#: start, ms since the epoch.
_MOST, _LATEST = 2**40, 2**48


class History:
    """Five-minute records of one environment.

    Args:
        env: the environment.
        clock: local time and holidays, by which weeks are compared.
        axes: the names of the axes on which leaves have values.

    Attributes:
        scopes: the axis "scope" of all arrays is the axis of its groups.
    """

    def __init__(self, env: str, clock: WallClock | None = None, axes: tuple[str, ...] = AXES) -> None:
        self.env = env
        self._axes = axes
        self.scopes = fixed_scopes(env)
        self._clock = clock or WallClock()
        self._newest: int | None = None  # the last known slot, in buckets since the epoch
        self._oldest = 0
        self._entries = Entries(env)
        self._counts = DayCounts(_DAY_SLOTS, len(COUNTERS))
        self._by_scope: set[int] = set()  # slots whose record has the form before
        self._disturbed = PastDisturbances(BUCKET)
        self._codes = CodeHistory(_DAY_SLOTS)
        self._ratios = UsualRatios(self._entries, self._disturbed, self._between, self._to_groups)
        self._returns: tuple[int, Returns] | None = None
        self._weeks = ComparableWeeks(
            self._clock, self._entries, self._disturbed, self._between, self.coverage
        )
        self._answers = Answers()
        # (start of an hour, length of the window) -> expectations by entry
        self._expected: dict[tuple[int, int], Floats] = {}
        # (start of an hour, number of entries) -> what is dead before it; shared by the windows that end in the hour
        self._dead: dict[tuple[int, int], KnownDead] = {}

    @classmethod
    def of(cls, env: str, policy: Policy) -> History:
        """Return an empty history by the axes, the time zone and the holidays of a policy."""
        return cls(env, WallClock(policy.time_zone, policy.holidays), policy.axes)

    def follow(self, scopes: Scopes) -> None:
        """Take the groups of ``scopes`` as the axis "scope" from now on."""
        self.scopes = scopes
        self._returns = None
        self._ratios.clear()
        self._answers.clear()

    def __len__(self) -> int:
        """Return how many records are kept."""
        return len(self._counts)

    @property
    def end(self) -> int | None:
        """The end of the newest record, ms; None without a record."""
        return None if self._newest is None else (self._newest + 1) * BUCKET

    # -- records ---------------------------------------------------------------------------------------------

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record or a revision of a record. A record older than ``KEPT`` is ignored.

        Args:
            record: ``{"v": 2, "env", "at", "leaves": [{"axes": {axis: value}, "sign_in": {good, bad, excluded, started,
                slow, timed}, "session": {good, bad}, "codes": {code: failures}}], "excluded": [path]}``; ``at`` is the
                start, in ms or RFC 3339; leaves that are left out had no events. ``session`` and ``codes`` may be
                missing. The form before, without ``v``, has ``"scopes": {path: {good, …}}`` and ``"codes": {path:
                {code: failures}}`` in place of the leaves.

        Raises:
            ValueError: the environment is another one, a scope is none of it, a counter is missing or out of bounds, or
                the start is no multiple of five minutes.
        """
        at = record["at"]
        start = parse_instant(at) if isinstance(at, str) else int(at)
        slot, rest = divmod(start, BUCKET)
        if record["env"] != self.env or rest or not 0 <= start <= _LATEST:
            raise ValueError(f"not five minutes of {self.env}: env {record['env']!r}, at {at!r}")
        try:
            if "leaves" in record:
                read = self._entries.of_leaves(record["leaves"], self._axes)
            else:
                read = self._entries.of_scopes(record["scopes"], record.get("codes", {}))
        except KeyError as missing:
            raise ValueError(
                f"{self.env} at {format_instant(start)}: {missing} is no scope or is missing"
            ) from None
        if self._newest is not None and slot <= self._newest - _KEPT_SLOTS:
            return
        counts, codes = read
        rows = (*counts.values(), *(of.values() for of in codes.values() if of))
        if rows and (min(map(min, rows)) < -_MOST or max(map(max, rows)) > _MOST):
            raise ValueError(f"{self.env} at {format_instant(start)}: a count is beyond {_MOST}")
        self._answers.clear()
        self._counts.put(slot, counts)
        self._codes.put(slot, codes)
        is_mixed = bool(self._by_scope)
        (self._by_scope.discard if "leaves" in record else self._by_scope.add)(slot)
        if is_mixed != bool(self._by_scope):
            self._forget_all_expected()
        self._disturbed.put(slot, record.get("excluded") or ())
        self._forget_expected(start)
        if self._newest is None or slot <= self._newest:
            self._ratios.clear()
        self._newest = slot if self._newest is None else max(self._newest, slot)
        self._drop_old()

    def extend(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add many records, as ``add`` does for one."""
        for record in records:
            self.add(record)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield all records that are kept, in order of time, in the form that ``add`` takes; ``at`` in RFC 3339."""
        for slot in self._counts.slots():
            counts = [(self._entries[n], of) for n, of in sorted(self._counts.at(slot).items())]
            codes = {self._entries[n]: of for n, of in sorted(self._codes.at(slot).items())}
            axes = None if slot in self._by_scope else self._axes
            record = record_of(self.env, slot * BUCKET, counts, codes, axes, self._disturbed.at(slot))
            yield record | {"at": format_instant(slot * BUCKET)}

    def excluded(self, start: int) -> tuple[str, ...]:
        """Return the scopes that were covered in the five minutes from ``start`` (ms), as far as is known."""
        return self._disturbed.at(start // BUCKET)

    def leaves(self, at: int) -> list[Leaf]:
        """Return the leaves that had events enough in two weeks before ``at`` (ms) for some to be expected."""
        if self._newest is None:
            return []
        ends = np.array([at - _LATELY, at], dtype=np.int64)
        before, after = self._up_to(ends)
        many = (after - before)[:, [GOOD, BAD, EXCLUDED, SESSION_GOOD, SESSION_BAD]].sum(
            axis=1
        ) >= _EXPECTED_LEAST
        return self._entries.leaves(np.flatnonzero(many).tolist(), len(self._axes))

    def _drop_old(self) -> None:
        assert self._newest is not None
        oldest = (self._newest - _KEPT_SLOTS) // _DAY_SLOTS * _DAY_SLOTS
        if oldest <= self._oldest:
            return
        self._oldest = oldest
        self._ratios.clear()
        self._forget_all_expected()
        if not self._counts.has_before(oldest):
            return
        self._entries.keep(self._counts.drop(oldest))
        self._codes.drop(oldest)
        self._by_scope = {slot for slot in self._by_scope if slot >= oldest}
        self._disturbed.drop(oldest)

    def _forget_expected(self, start: int) -> None:
        """Drop cached expectations that a record at ``start`` (ms) may change: those of hours a day or more later."""
        for kept in (self._expected, self._dead):
            for key in [key for key in kept if start < key[0] + HOUR - _EXPECTED_AFTER]:
                del kept[key]

    def _forget_all_expected(self) -> None:
        self._expected.clear()
        self._dead.clear()

    # -- past counts -----------------------------------------------------------------------------------------

    def sums(self, start: int, end: int) -> Floats:
        """Return the counts (scope, counter) in [start, end) ms, as far as records are known."""
        return np.asarray(self.between(np.array([start]), np.array([end]))[0])

    def between(self, starts: Ints, ends: Ints) -> Floats:
        """Return the counts (N, scope, counter) in each [start, end) ms, as far as records are known."""
        return self._answers.of(self.scopes.version, self._between_of_groups, starts, ends)

    def _between_of_groups(self, starts: Ints, ends: Ints) -> Floats:
        return self._to_groups(self._between(starts, ends))

    def _between(self, starts: Ints, ends: Ints) -> Floats:
        return self._up_to(ends) - self._up_to(starts)

    def _to_groups(self, by_entry: Floats) -> Floats:
        """Return (N, scope, counter) from (N, entry, counter)."""
        return self._entries.to_groups(by_entry, self.scopes)

    def _up_to(self, instants: Ints) -> Floats:
        """Return the counts (N, entry, counter) before each instant (ms)."""
        slots, rest = np.divmod(instants, BUCKET)
        return self._counts.up_to(slots, rest / BUCKET, len(self._entries))

    def parts(self, scope: str, start: int, end: int) -> dict[str, Floats]:
        """Return the counts (counter,) in [start, end) ms of the parts of a scope (path) that share no events."""
        return self._entries.parts(scope, self._between(np.array([start]), np.array([end]))[0])

    def is_by_scope(self, start: int, end: int) -> bool:
        """Return whether records of [start, end) ms are of the form before, which knows methods and providers alone."""
        return self._entries.has_scopes(self._between(np.array([start]), np.array([end]))[0])

    def coverage(self, starts: Ints, ends: Ints) -> Floats:
        """Return the share (N,) of each [start, end) ms that records cover."""
        return self._answers.of(self.scopes.version, self._covered, starts, ends)

    def _covered(self, starts: Ints, ends: Ints) -> Floats:
        before, after = (
            self._counts.known_up_to(instants // BUCKET, instants % BUCKET / BUCKET)
            for instants in (starts, ends)
        )
        covered: Floats = (after - before) * BUCKET / np.maximum(ends - starts, 1)
        return covered

    # -- usual counts ----------------------------------------------------------------------------------------

    def expected(self, ends: Ints, window: int) -> Floats:
        """Return the usual counts (N, scope, counter) in equal clock windows of the weeks before; nan if unknown.

        The window [end - window, end) is looked up at the same local time on the same weekday of five weeks; the median
        of those that are known counts (of few events the mean). A week in which the day was a holiday does not count,
        and a holiday is compared with the Sundays before it. If only holidays are known, they are used: fewer people
        sign in on holidays, so the expectation is too low rather than too high. A week in which an incident or
        maintenance covered a leaf, or in which it was dead, does not count for this leaf, unless all known weeks are
        such; neither does one before the leaf had its first events.

        Args:
            ends: ends of windows, ms.
            window: length, ms.
        """
        return self._answers.of(self.scopes.version, self._expected_of_groups, ends, window)

    def _expected_of_groups(self, ends: Ints, window: int) -> Floats:
        if not ends.size or (ends % MINUTE).any():
            return self._to_groups(self._weeks.usual(ends, window, is_mixed=bool(self._by_scope)))
        hours = ends // HOUR * HOUR
        out = np.empty((len(ends), len(self._entries), len(COUNTERS)))
        for hour in np.unique(hours).tolist():
            within = hours == hour
            out[within] = self._expected_in_hour(hour, window)[(ends[within] - hour) // MINUTE]
        return self._to_groups(out)

    def _expected_in_hour(self, hour: int, window: int) -> Floats:
        """Compute what is expected, by entry, for the windows (ms) that end at each minute of an hour.

        Windows of an hour share most look-ups. An entry that is newer than the last computation had no events then.
        """
        key = hour, window
        found = self._expected.get(key)
        if found is not None and found.shape[1] < len(self._entries):
            fresh = np.full((len(found), len(self._entries) - found.shape[1], len(COUNTERS)), 0.0)
            fresh[np.isnan(found[:, :1, :1]).any(axis=(1, 2))] = np.nan
            self._expected[key] = np.concatenate([found, fresh], axis=1)
        if found is None:
            if len(self._expected) >= _EXPECTED_KEPT:
                self._forget_all_expected()
            ends = np.arange(hour, hour + HOUR, MINUTE, dtype=np.int64)
            dead = self._dead.setdefault((hour, len(self._entries)), {})
            is_mixed = bool(self._by_scope)
            self._expected[key] = self._weeks.usual(ends, window, is_mixed=is_mixed, known_dead=dead)
        return self._expected[key]

    def usual_failing_ratio(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of bad / (good + bad) per scope (S,).

        The ratio is 0 if unknown. A median is used so that a day with an outage does not make failures usual.
        """
        return np.nan_to_num(
            self._ratios.usual(
                self.scopes.version,
                "failing",
                at,
                lambda days, _: (days[..., BAD], days[..., GOOD] + days[..., BAD]),
            )
        )

    def usual_session_failing_ratio(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of failed session steps, (S,).

        The ratio is bad / (good + bad) of the steps of ``session``; nan if unknown, as where all records have the form
        before, which knows nothing of sessions.
        """

        def shares(days: Floats, _: DisturbedDays) -> tuple[Floats, Floats]:
            return days[..., SESSION_BAD], days[..., SESSION_GOOD] + days[..., SESSION_BAD]

        return self._ratios.usual(self.scopes.version, "sessions failing", at, shares)

    def usual_user_errors(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of excluded / completed per scope (S,).

        Completed requests do not include tokens, see ``arrivals.Returns``; the ratio is nan if unknown.
        """
        return self._ratios.usual(
            self.scopes.version,
            "user errors",
            at,
            lambda days, _: (days[..., EXCLUDED], self.returns(days)[..., 1]),
        )

    def usual_return_ratio(self, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of returned / started per scope (S,).

        ``arrivals.Returns`` defines which requests returned and started; the ratio is nan if unknown.
        """

        def shares(days: Floats, _: DisturbedDays) -> tuple[Floats, Floats]:
            both = self.returns(days)
            return both[..., 1], both[..., 0]

        return self._ratios.usual(self.scopes.version, "returning", at, shares)

    def usual_share_of_code(self, code: str, at: int) -> Floats:
        """Return the median over the days (UTC) of two weeks before ``at`` (ms) of a code's share per scope (S,).

        The share is failures with the code / completed requests without tokens. Only days with known codes count;
        without any the share is nan.
        """

        def shares(days: Floats, disturbed: DisturbedDays) -> tuple[Floats, Floats]:
            failed, known = self._codes.sums(code, numbers_of_days(at), len(self._entries))
            for day, held, begin, end in disturbed:
                failed[day] -= held * self._codes.within(code, begin // BUCKET, end // BUCKET, len(held))
            by_group = self._to_groups(failed[..., None])[..., 0]
            return by_group, np.where(known[:, None], self.returns(days)[..., 1], 0.0)

        return self._ratios.usual(self.scopes.version, f"code {code}", at, shares)

    def returns(self, counts: Floats) -> Floats:
        """Return (..., scope, (started, returned)) from counts (..., scope, counter), as ``arrivals.Returns`` does."""
        if self._returns is None or self._returns[0] != self.scopes.version:
            self._returns = self.scopes.version, Returns(self.scopes)
        return np.asarray(self._returns[1](counts))
