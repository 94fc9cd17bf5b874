"""What does a demo play that has events of its own? A recording, as if what it holds happened now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from detectors.instants import MINUTE, SECOND, format_duration, format_instant, parse_instant
from streams.events.decode import decode
from streams.events.validation import Rejection
from streams.replay.entries import SourceError
from streams.simulate.scenario import Scenario

__all__ = ["Recording"]

_MOST_EVENTS = 500_000
#: From the last event to the end, ms: of the demo's clock, and real ones, in which all is judged and told.
_RUN_OUT, _REAL_RUN_OUT = 30 * SECOND, 8 * SECOND


class Recording:
    """Login events that are played in the order in which they happened, with their times moved to the demo's clock.

    Args:
        name: says where the events come from.
        values: login events as JSON; what is none is left out.
        speed: multiple of real time at which it is played.

    Attributes:
        scenario: what the demo shows; without episodes, as nobody says what is true of a recording.
        left_out: the number of values that are no valid events.

    Raises:
        SourceError: there is no valid event, or there are more than a demo can hold.
    """

    def __init__(self, name: str, values: Iterable[bytes | None], speed: float) -> None:
        self.left_out = 0
        self._events: list[tuple[int, dict[str, Any]]] = []
        for value in values:
            if value is None or isinstance(decode(value), Rejection):
                self.left_out += 1
                continue
            event = msgspec.json.decode(value)
            self._events.append((parse_instant(event["occurred_at"]), event))
            if len(self._events) > _MOST_EVENTS:
                raise SourceError(f"{name}: more than {_MOST_EVENTS:,} events: play a part of it")
        if not self._events:
            raise SourceError(
                f"{name}: none of {self.left_out:,} records is a valid event: `watchofficer map` says why"
            )
        self._events.sort(key=lambda one: one[0])
        self._first, last = self._events[0][0], self._events[-1][0]
        lasts = last - self._first
        about = format_duration(max(lasts // MINUTE, 1) * MINUTE)
        words = f"{len(self._events):,} events of {about}, {name}"
        duration = lasts + _RUN_OUT + round(_REAL_RUN_OUT * speed)
        self.scenario = Scenario(name="a recording", description=words, duration=duration)

    def lines(self, start: int) -> Iterator[bytes]:
        """Yield the events as JSON, with times as if the first one happened at ``start`` (ms)."""
        for at, event in self._events:
            yield msgspec.json.encode(event | {"occurred_at": format_instant(start + at - self._first)})
