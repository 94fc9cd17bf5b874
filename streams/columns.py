"""Record values as columns: what of each event is needed to judge and to count it.

Events are decoded some hundred at a time and forgotten again: what fits the processor's cache is decoded in half
the time. Among these, one odd value is enough that all are decoded one by one; ``events.decode`` says what is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import cast

import numpy as np
import numpy.typing as npt

from detectors.scopes import OUTCOMES, STEPS, leaf_index
from streams.duplicates import Bools, Ints
from streams.events import LoginEvent, Rejection, decode_many, decode_plain, instant, person_id
from streams.login_event import StrippedEvent

__all__ = ["AT_A_TIME", "Columns", "Kind", "Kinds", "columns_of", "instants_of"]

Floats = npt.NDArray[np.float64]

#: Values that are decoded together: of so few even the odd ones cost little.
AT_A_TIME = 64
_FACTS = attrgetter("env", "auth_method", "csp", "step", "outcome", "error_code")
_Facts = tuple[str, str, str | None, str, str, str | None]
#: Error codes are free strings: the kinds are numbered anew when somebody sends too many.
_MOST_KINDS = 4096

#: env, leaf, step, outcome, code: what is alike but for its time
Kind = tuple[str, int, int, int, str]


class Kinds(dict[_Facts, int]):
    """Numbers of kinds, by the fields of an event that make one.

    Attributes:
        known: the kinds by number.
        failed: for each, whether it is of failures.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Kind] = []
        self.failed: list[bool] = []
        self._numbers: dict[Kind, int] = {}

    def __missing__(self, facts: _Facts) -> int:
        env, method, csp, step, outcome, error_code = facts
        failed = outcome == "failure"
        code = (error_code or "") if failed else ""
        kind = (env, leaf_index(method, csp), STEPS.index(step), OUTCOMES.index(outcome), code)
        number = self._numbers.get(kind)
        if number is None:
            number = self._numbers[kind] = len(self.known)
            self.known.append(kind)
            self.failed.append(failed)
        if len(self) < 4 * _MOST_KINDS:
            self[facts] = number
        return number


_kinds = Kinds()


@dataclass(frozen=True)
class Columns:
    """V valid events.

    Attributes:
        occurred: (V,) ``occurred_at``, ms.
        kinds: (V,) the numbers of their kinds in ``table``.
        durations: (V,) ms; NaN without.
        people: (V,) who, by ``person_id``, of failures; 0 of others.
        stripped: (V,) which came with forbidden fields; None for none.
        table: what the numbers stand for.
    """

    occurred: Ints
    kinds: Ints
    durations: Floats
    people: npt.NDArray[np.uint64]
    stripped: Bools | None
    table: Kinds

    def __len__(self) -> int:
        return len(self.occurred)

    def at(self, places: Ints | slice) -> Columns:
        """Some of the events."""
        return Columns(
            self.occurred[places],
            self.kinds[places],
            self.durations[places],
            self.people[places],
            None if self.stripped is None else self.stripped[places],
            self.table,
        )


@dataclass
class _Part:
    """Some consecutive records: of the valid ones what is wanted, and the rejected by their place in the part.

    ``occurred`` holds texts of instants where the events are plain, else ms.
    """

    ids: list[str]
    occurred: list[str] | list[int]
    kinds: list[int]
    durations: list[float | None]
    people: list[tuple[int, int]]
    stripped: list[int]
    refused: dict[int, Rejection]


def columns_of(values: Sequence[bytes | None]) -> tuple[list[str], Columns, dict[int, Rejection]]:
    """The ids of the valid events among record values, the events, and the rejected records by position."""
    global _kinds
    if len(_kinds.known) > _MOST_KINDS:
        _kinds = Kinds()
    table = _kinds
    parts = [_part(values[begin : begin + AT_A_TIME], table) for begin in range(0, len(values), AT_A_TIME)]
    plain = [n for n, part in enumerate(parts) if part.occurred and isinstance(part.occurred[0], str)]
    instants, bad = instants_of([text for n in plain for text in cast("list[str]", parts[n].occurred)])
    edges = np.cumsum([0, *(len(parts[n].ids) for n in plain)])
    for n in {plain[place - 1] for place in np.searchsorted(edges, bad, side="right").tolist()}:
        parts[n] = _exactly(values[n * AT_A_TIME : (n + 1) * AT_A_TIME], table)
    taken = dict(zip(plain, pairwise(edges.tolist()), strict=True))
    occurred = [
        instants[slice(*taken[n])]
        if part.occurred and isinstance(part.occurred[0], str)
        else np.array(part.occurred, dtype=np.int64)
        for n, part in enumerate(parts)
    ]
    ids: list[str] = []
    kinds: list[int] = []
    durations: list[float | None] = []
    people: list[tuple[int, int]] = []
    stripped: list[int] = []
    refused: dict[int, Rejection] = {}
    for n, part in enumerate(parts):
        if part.people:
            people += [(len(ids) + place, person) for place, person in part.people]
        if part.stripped:
            stripped += [len(ids) + place for place in part.stripped]
        if part.refused:
            refused.update((n * AT_A_TIME + place, one) for place, one in part.refused.items())
        ids += part.ids
        kinds += part.kinds
        durations += part.durations
    who = np.zeros(len(ids), dtype=np.uint64)
    if people:
        who[[place for place, _ in people]] = np.array([person for _, person in people], dtype=np.uint64)
    is_stripped: Bools | None = None
    if stripped:
        is_stripped = np.zeros(len(ids), dtype=bool)
        is_stripped[stripped] = True
    columns = Columns(
        np.concatenate(occurred) if occurred else np.empty(0, dtype=np.int64),
        np.array(kinds, dtype=np.int64),
        np.array(durations, dtype=np.float64),
        who,
        is_stripped,
        table,
    )
    return ids, columns, refused


def _part(values: Sequence[bytes | None], table: Kinds) -> _Part:
    events = decode_plain(values)
    if events is None:
        return _exactly(values, table)
    return _taken(events, [cast("str", event.occurred_at) for event in events], table, [], {})


def _exactly(values: Sequence[bytes | None], table: Kinds) -> _Part:
    """What is odd somewhere, one value after the other."""
    decoded = decode_many(values)
    refused = {n: one for n, one in enumerate(decoded) if isinstance(one, Rejection)}
    events = [one for one in decoded if not isinstance(one, Rejection)]
    stripped = [n for n, event in enumerate(events) if event.__class__ is StrippedEvent]
    return _taken(events, [event.occurred_at for event in events], table, stripped, refused)


def _taken(
    events: list[LoginEvent],
    occurred: list[str] | list[int],
    table: Kinds,
    stripped: list[int],
    refused: dict[int, Rejection],
) -> _Part:
    kinds = list(map(table.__getitem__, map(_FACTS, events)))
    failed = table.failed
    return _Part(
        [event.event_id for event in events],
        occurred,
        kinds,
        [event.duration_ms for event in events],
        [(n, person_id(events[n])) for n, kind in enumerate(kinds) if failed[kind]],
        stripped,
        refused,
    )


#: Where the digits of ``2026-11-23T15:04:05.123Z`` stand, and the rest.
_SHAPE = b"....-..-..T..:..:......Z"
_LENGTH = len(_SHAPE)
_MARKS = np.array([n for n, mark in enumerate(_SHAPE) if mark != ord(".")] + [19])
_DIGITS = np.setdiff1d(np.arange(_LENGTH), _MARKS)
_MARKED = np.frombuffer(b"--T::Z.", dtype=np.uint8)


def instants_of(texts: list[str]) -> tuple[Ints, list[int]]:
    """Instants in ms, and the positions of texts that are none (0 stands there)."""
    out = np.zeros(len(texts), dtype=np.int64)
    common = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) == _LENGTH
    places = np.flatnonzero(common)
    found = _of_one_day("".join(texts if common.all() else [texts[n] for n in places.tolist()]))
    if found is not None:
        out[places] = found
    bad: list[int] = []
    for n in range(len(texts)) if found is None else np.flatnonzero(~common).tolist():
        try:
            out[n] = instant(texts[n])
        except ValueError:
            bad.append(n)
    return out, bad


def _of_one_day(joined: str) -> Ints | None:
    """Instants of the common shape that lie on one day; None unless all are such."""
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
