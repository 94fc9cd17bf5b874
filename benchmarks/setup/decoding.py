"""How long does it take to decode events, and nothing else? The yardstick of what else is done with events.

A figure in seconds says as much of the machine as of the program; beside decoding on the same machine, in the same run,
it says something of the program.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable

import msgspec

from streams.events.login_event import LoginEvent
from tests.support.mixed_events import mixed_events

__all__ = ["DECODING", "decoding", "decoding_of_mixed"]

#: What figures say of this yardstick.
DECODING = "decoding the same events"
_START, _PER_SECOND = 1_790_000_000_000, 2_000
_DECODE = msgspec.json.Decoder(LoginEvent).decode


def decoding(values: Iterable[bytes]) -> float:
    """Return the seconds in which values are decoded into login events, one after another; malformed ones count too."""
    began = time.perf_counter()
    for value in values:
        try:
            _DECODE(value)
        except msgspec.MsgspecError:
            continue
    return time.perf_counter() - began


def decoding_of_mixed(count: int, runs: int = 5) -> float:
    """Return the seconds in which ``count`` mixed events are decoded: the median of several runs."""
    values = [value for _, value in mixed_events(count, _START, _PER_SECOND)]
    return statistics.median(decoding(values) for _ in range(runs))
