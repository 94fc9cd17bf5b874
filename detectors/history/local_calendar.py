"""What do the local clock and the local calendar show at an array of instants, across changes of summer time?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints
from detectors.instants import DAY, FAR_PAST, SECOND

__all__ = ["WallClock"]

_EPOCH = date(1970, 1, 1)
_ONE_SECOND = timedelta(seconds=1)


class WallClock:
    """The local time of a place and the public holidays of its country.

    Args:
        zone: IANA name of the time zone.
        country: the country whose holidays apply, as the package ``holidays`` names it; "US" has the federal ones.
    """

    def __init__(self, zone: str = "America/New_York", country: str = "US") -> None:
        self._zone = zone
        self._country = country

    def load(self, instant: int) -> None:
        """Read the holidays around an instant (ms) beforehand: the first time takes a fifth of a second of CPU time."""
        _holidays(self._country, _year(instant))

    def offsets(self, instants: Ints) -> Ints:
        """Return by how much local time is ahead of UTC at each instant (ms), ms."""
        if not instants.size:
            return np.zeros(instants.shape, dtype=np.int64)
        low, high = (_year(int(edge)) for edge in (instants.min(), instants.max()))
        starts, values = _changes(self._zone, low, high)
        return values[np.searchsorted(starts, instants, side="right") - 1]

    def local_days(self, instants: Ints) -> Ints:
        """Return the local calendar day of each instant (ms), in days since 1970-01-01."""
        return (instants + self.offsets(instants)) // DAY

    def days_before(self, instants: Ints, days: npt.ArrayLike) -> Ints:
        """Return the instants (ms) at which the local clock showed an equal time ``days`` calendar days earlier.

        A time of day that did not exist on the earlier day, or existed twice, is taken with one of the two offsets.
        """
        back = np.asarray(days, dtype=np.int64) * DAY
        now = self.offsets(instants)
        then = self.offsets(instants - back)
        return instants - back + now - then

    def is_holiday(self, days: Ints) -> npt.NDArray[np.bool_]:
        """Return whether each day (days since 1970-01-01) is a public holiday."""
        kinds, where = np.unique(days, return_inverse=True)
        return np.array([_is_holiday(self._country, int(day)) for day in kinds], dtype=bool)[where].reshape(
            days.shape
        )


def _year(instant: int) -> int:
    return datetime.fromtimestamp(instant // SECOND, UTC).year


@lru_cache(maxsize=256)
def _changes(zone: str, first: int, last: int) -> tuple[Ints, Ints]:
    """Return the instants (ms) at which the offset changes between two years, and the offset (ms) from each on."""
    rules = ZoneInfo(zone)
    begin = int(datetime(first, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(last + 1, 1, 1, tzinfo=UTC).timestamp())
    offset = _offset(rules, begin)
    starts, values = [FAR_PAST], [offset]
    for day in range(begin, end, DAY // SECOND):
        after = _offset(rules, day + DAY // SECOND)
        if after != offset:
            low, high = day, day + DAY // SECOND  # the old offset applies at low, the new one at high
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(rules, middle) == offset else (low, middle)
            starts.append(high * SECOND)
            values.append(after)
            offset = after
    return np.array(starts, dtype=np.int64), np.array(values, dtype=np.int64)


def _offset(rules: ZoneInfo, second: int) -> int:
    ahead = datetime.fromtimestamp(second, rules).utcoffset()
    return (ahead or timedelta()) // _ONE_SECOND * SECOND


@lru_cache(maxsize=4096)
def _is_holiday(country: str, day: int) -> bool:
    when = _EPOCH + timedelta(days=day)
    return when in _holidays(country, when.year)


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    import holidays  # slow to import, and not needed until a history exists

    return frozenset(holidays.country_holidays(country, years=year))
