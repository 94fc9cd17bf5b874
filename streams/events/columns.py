"""How do record values become columns of what is needed to judge and to count events?

Events are decoded some hundred at a time and forgotten again: what fits the processor's cache is decoded in half
the time. Among these, one odd value is enough that all are decoded one by one; ``events.decode`` says what is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Ints
from streams.events.decode import decode, decode_many, decode_plain, instant
from streams.events.kinds import MOST_KINDS, Fields, Kinds
from streams.events.login_event import LoginEvent, StrippedEvent, person_id
from streams.events.validation import Rejection

__all__ = [
    "AT_A_TIME",
    "Columns",
    "Times",
    "columns_of",
    "instants_of",
    "times_of",
]

Floats = npt.NDArray[np.float64]

#: Values that are decoded together: of so few even the odd ones cost little.
AT_A_TIME = 64
#: The tables of kinds that are in use, by the fields that make kinds.
_tables: dict[Fields, Kinds] = {}
_MOST_TABLES = 8
_DEFAULT = Fields()


@dataclass(frozen=True)
class Times:
    """V valid events, as far as duplicates and the watermark go by them.

    Attributes:
        hashes: (V,) Python's hashes of the ids.
        occurred: (V,) ``occurred_at``, ms.
    """

    hashes: Ints
    occurred: Ints

    def __len__(self) -> int:
        return len(self.occurred)

    def at(self, positions: Ints | slice) -> Self:
        """Some of the events."""
        return type(self)(self.hashes[positions], self.occurred[positions])


@dataclass(frozen=True)
class Columns(Times):
    """V valid events, with all that is counted of them.

    Attributes:
        kinds: (V,) the numbers of their kinds in ``table``.
        durations: (V,) ms; NaN without.
        people: (V,) the ``person_id`` of each failure; 0 of other events.
        stripped: (V,) whether each came with forbidden fields; None if none did.
        table: the kinds that the numbers stand for.
        records: the records among which the events stand.
        where: (V,) the positions of their records.
    """

    kinds: Ints
    durations: Floats
    people: npt.NDArray[np.uint64]
    stripped: Bools | None
    table: Kinds
    records: Sequence[bytes | None]
    where: Ints

    def at(self, positions: Ints | slice) -> Self:
        """Some of the events."""
        return type(self)(
            self.hashes[positions],
            self.occurred[positions],
            self.kinds[positions],
            self.durations[positions],
            self.people[positions],
            None if self.stripped is None else self.stripped[positions],
            self.table,
            self.records,
            self.where[positions],
        )


_Some = TypeVar("_Some", bound=Times)


class _GatheredTimes:
    """Collects the ``Times`` of valid events.

    Instants are texts of the common shape, together in ``texts``; those of other events are known already, by their
    position among all, or are none (``bad``).
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.hashes: list[int] = []
        self.texts: list[str] = []
        self.known: dict[int, int] = {}
        self.bad: list[int] = []
        self.stripped: list[int] = []
        self.refused: dict[int, Rejection] = {}

    def add_all(self, values: Sequence[bytes | None]) -> None:
        """Take in all values there are."""
        for begin in range(0, len(values), AT_A_TIME):
            self.add(values[begin : begin + AT_A_TIME], begin)

    def add(self, values: Sequence[bytes | None], begin: int) -> Sequence[LoginEvent]:
        """Take in consecutive values, of which the first is the ``begin``-th; the valid events among them."""
        events = decode_plain(values)
        if events is None:
            events = self._one_by_one(values, begin)
        else:
            self._note_texts(cast("list[str]", [event.occurred_at for event in events]))
        ids = [event.event_id for event in events]
        self.ids += ids
        self.hashes += map(hash, ids)
        return events

    def _note_texts(self, texts: list[str]) -> None:
        """Note the instants of the next events."""
        if _LENGTHS.issuperset(map(len, texts)):
            self.texts.append("".join(texts))
            return
        for position, text in enumerate(texts, len(self.ids)):
            if len(text) == _LENGTH:
                self.texts.append(text)
            else:
                self._note_odd_text(position, text)

    def _note_odd_text(self, position: int, text: str) -> None:
        try:
            self.known[position] = instant(text)
        except ValueError:
            self.known[position] = 0
            self.bad.append(position)

    def _one_by_one(self, values: Sequence[bytes | None], begin: int) -> list[LoginEvent]:
        """The valid events of values of which some are odd."""
        events: list[LoginEvent] = []
        for n, one in enumerate(decode_many(values)):
            if isinstance(one, Rejection):
                self.refused[begin + n] = one
                continue
            position = len(self.ids) + len(events)
            self.known[position] = one.occurred_at
            if one.__class__ is StrippedEvent:
                self.stripped.append(position)
            events.append(one)
        return events

    def _occurred(self) -> Ints:
        """When the events happened; 0 for those that are ``bad``."""
        joined = "".join(self.texts)
        instants = instants_of(joined)
        if instants is None:
            positions = [position for position in range(len(self.ids)) if position not in self.known]
            for n, position in enumerate(positions):
                self._note_odd_text(position, joined[n * _LENGTH : (n + 1) * _LENGTH])
            instants = np.empty(0, dtype=np.int64)
        if not self.known:
            return instants
        known = np.fromiter(self.known, dtype=np.int64)
        out = np.empty(len(self.ids), dtype=np.int64)
        out[np.delete(np.arange(len(out)), known)] = instants
        out[known] = np.fromiter(self.known.values(), dtype=np.int64)
        return out

    def times(self) -> Times:
        """The times of all events that were taken in."""
        return Times(np.array(self.hashes, dtype=np.int64), self._occurred())

    def without_bad(
        self, found: _Some, values: Sequence[bytes | None]
    ) -> tuple[list[str], _Some, dict[int, Rejection]]:
        """The ids and what was found of the valid events, and the rejected records by position."""
        if not self.bad:
            return self.ids, found, self.refused
        # What is plain but for its instant is refused: the exact way says why.
        where = np.delete(np.arange(len(values)), list(self.refused))
        for n in where[self.bad].tolist():
            self.refused[n] = cast("Rejection", decode(values[n]))
        kept = np.delete(np.arange(len(self.ids)), self.bad)
        return [self.ids[n] for n in kept.tolist()], found.at(kept), self.refused


class _Gathered(_GatheredTimes):
    """Collects the ``Columns`` of valid events; ``people`` holds those of the failures only."""

    def __init__(self, table: Kinds) -> None:
        super().__init__()
        self.table = table
        self.kinds: list[int] = []
        self.durations: list[float | None] = []
        self.people: list[int] = []

    def add(self, values: Sequence[bytes | None], begin: int) -> Sequence[LoginEvent]:
        """Take in consecutive values, of which the first is the ``begin``-th; the valid events among them."""
        events = super().add(values, begin)
        table = self.table
        kinds = table.of(events, lambda: self._valid(values, begin))
        failures = compress(events, map(table.failed.__getitem__, kinds))
        self.kinds += kinds
        self.durations += [event.duration_ms for event in events]
        self.people += map(person_id, failures)
        return events

    def _valid(self, values: Sequence[bytes | None], begin: int) -> list[bytes]:
        """The values that hold valid events, of consecutive ones of which the first is the ``begin``-th."""
        held = (value for n, value in enumerate(values, begin) if n not in self.refused)
        return [value for value in held if value is not None]

    def columns(self, records: Sequence[bytes | None]) -> Columns:
        """The columns of all events that were taken in, which are those of ``records``."""
        times = self.times()
        kinds = np.array(self.kinds, dtype=np.int64)
        people = np.zeros(len(kinds), dtype=np.uint64)
        if self.people:
            people[np.array(self.table.failed)[kinds]] = np.array(self.people, dtype=np.uint64)
        stripped: Bools | None = None
        if self.stripped:
            stripped = np.zeros(len(kinds), dtype=bool)
            stripped[self.stripped] = True
        durations = np.array(self.durations, dtype=np.float64)
        where = np.arange(len(records))
        if self.refused:
            where = np.delete(where, list(self.refused))
        return Columns(
            times.hashes, times.occurred, kinds, durations, people, stripped, self.table, records, where
        )


def columns_of(
    values: Sequence[bytes | None], fields: Fields | None = None
) -> tuple[list[str], Columns, dict[int, Rejection]]:
    """The ids of the valid events among record values, the events, and the rejected records by position."""
    fields = fields or _DEFAULT
    table = _tables.get(fields)
    if table is None or len(table.known) > MOST_KINDS:
        if len(_tables) >= _MOST_TABLES:
            _tables.clear()
        table = _tables[fields] = Kinds(fields)
    found = _Gathered(table)
    found.add_all(values)
    return found.without_bad(found.columns(values), values)


def times_of(values: Sequence[bytes | None]) -> tuple[list[str], Times, dict[int, Rejection]]:
    """The ids and times of the valid events among record values, and the rejected records by position."""
    found = _GatheredTimes()
    found.add_all(values)
    return found.without_bad(found.times(), values)


#: Where the digits of ``2026-11-23T15:04:05.123Z`` stand, and the rest.
_SHAPE = b"....-..-..T..:..:......Z"
_LENGTH = len(_SHAPE)
_LENGTHS = {_LENGTH}
_MARKS = np.array([n for n, mark in enumerate(_SHAPE) if mark != ord(".")] + [19])
_DIGITS = np.setdiff1d(np.arange(_LENGTH), _MARKS)
_MARKED = np.frombuffer(b"--T::Z.", dtype=np.uint8)


def instants_of(joined: str) -> Ints | None:
    """The instants (ms) of texts that are joined, if all of them are of the common shape and lie on one day; else None.

    Each must be of the common shape's length.
    """
    if not joined.isascii():
        return None
    letters = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, _LENGTH)
    if not len(letters):
        return np.empty(0, dtype=np.int64)
    digits = letters[:, _DIGITS] - np.uint8(ord("0"))
    of_one_day = (letters[:, :10] == letters[0, :10]).all()
    if not of_one_day or (digits > 9).any() or (letters[:, _MARKS] != _MARKED).any():
        return None
    try:
        midnight = instant(f"{joined[:10]}T00:00:00Z")
    except ValueError:
        return None
    wide = digits[:, 8:].astype(np.int64)
    hours, minutes, seconds = (wide[:, n] * 10 + wide[:, n + 1] for n in (0, 2, 4))
    if hours.max() > 23 or minutes.max() > 59 or seconds.max() > 59:
        return None
    millis: Ints = wide[:, 6] * 100 + wide[:, 7] * 10 + wide[:, 8]
    instants: Ints = midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis
    return instants
