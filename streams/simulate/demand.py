"""How many people want to sign in at an instant? The shape of a day, a week and a holiday, without randomness.

Both the simulated traffic and the simulated history draw around this function, so that the traffic agrees with the
counts that the history lets expect.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.instants import DAY, HOUR, MINUTE, SECOND

__all__ = ["DEFAULT_RATE", "ENV_SHARES", "TIME_ZONE", "Demand"]

#: Sign-ins per second at the weekday peak: 9,000 an hour, about 110,000 a day.
DEFAULT_RATE = 2.5
TIME_ZONE = ZoneInfo("America/New_York")

#: Volume of each environment, as a share of the volume of production.
ENV_SHARES = {"prod": 1.0, "staging": 0.02, "dev": 0.002}

#: Demand at each full hour of the Eastern day, 0 to 24, as a share of the peak (10:00-17:00); linear between.
_HOURS = (
    *(0.050, 0.030, 0.018, 0.015, 0.018, 0.050, 0.160, 0.380, 0.680, 0.900),
    *(1.000, 1.000, 1.000, 1.000, 1.000, 1.000, 1.000, 1.000),
    *(0.720, 0.600, 0.500, 0.380, 0.220, 0.110, 0.050),
)
#: Monday to Sunday, as a share of a Monday.
_WEEKDAYS = (1.0, 1.0, 0.97, 0.95, 0.88, 0.45, 0.45)
_HOLIDAY = 0.45
_EPOCH = date(1970, 1, 1)


class Demand:
    """Sign-ins that people want, per second of production.

    Args:
        rate: sign-ins per second at the weekday peak.
        shift: ms by which an instant is moved before its place in the day and week is looked up, so that a run
            at night can have the traffic of an afternoon.
    """

    def __init__(self, rate: float = DEFAULT_RATE, shift: int = 0) -> None:
        self.rate = rate
        self.shift = shift

    def per_second(self, instants: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the expected sign-ins per second at each instant (ms), in an array of equal shape."""
        moved = instants + self.shift
        hours, where = np.unique(moved // HOUR, return_inverse=True)
        # New York changes its clock on full UTC hours, so one look-up an hour is exact.
        offsets = np.array([_utc_offset(int(h)) for h in hours], dtype=np.int64)[where].reshape(moved.shape)
        local = moved + offsets
        days, place = np.unique(local // DAY, return_inverse=True)
        day_factor = np.array([_day_factor(int(d)) for d in days])[place].reshape(moved.shape)
        shape = np.interp((local % DAY) / HOUR, np.arange(25.0), _HOURS)
        demand: npt.NDArray[np.float64] = self.rate * day_factor * shape
        return demand

    def expected(self, begin: int, bins: int, width: int) -> npt.NDArray[np.float64]:
        """Return the expected sign-ins in each of ``bins`` intervals of ``width`` ms (whole minutes) from ``begin``."""
        minutes = begin + MINUTE * np.arange(bins * (width // MINUTE), dtype=np.int64) + MINUTE // 2
        per_minute = self.per_second(minutes) * (MINUTE / SECOND)
        sums: npt.NDArray[np.float64] = per_minute.reshape(bins, width // MINUTE).sum(axis=1)
        return sums


@lru_cache(maxsize=4096)
def _utc_offset(hour: int) -> int:
    """Return the offset of New York from UTC in the given hour since the epoch, ms."""
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(TIME_ZONE).utcoffset()
    return (offset or timedelta()) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _day_factor(day: int) -> float:
    """Return the volume of a local day (days since the epoch) as a share of a Monday."""
    when = _EPOCH + timedelta(days=day)
    factor = _WEEKDAYS[when.weekday()]
    return min(factor, _HOLIDAY) if when in _federal_holidays(when.year) else factor


@lru_cache(maxsize=64)
def _federal_holidays(year: int) -> frozenset[date]:
    import holidays  # slow to import, and only needed once traffic is drawn

    return frozenset(holidays.country_holidays("US", years=year))
