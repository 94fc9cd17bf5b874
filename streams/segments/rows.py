"""How do rows of facts stand in a segment? As columns of small numbers, beside tables of the strings that they name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import product, repeat
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from detectors.axes import Leaf
from detectors.windows.facts import FactRow, Kind

__all__ = ["AXES_BEFORE", "PackedRows", "fields_of", "pack", "read", "read_before"]

_Position = Annotated[int, Meta(ge=0)]


class PackedRows(msgspec.Struct, array_like=True, frozen=True):
    """N rows of facts, as columns.

    Attributes:
        words: every string that the rows name, once.
        leaves: for each leaf the position in ``words`` of its value on each axis, or None.
        kinds: for each kind the position in ``leaves``, and those in ``words`` of step, outcome, code and error class.
        base: the start of the earliest pane, ms since the epoch.
        kind: (N,) positions in ``kinds``.
        pane: (N,) the start of the row's pane, ms after ``base``.
        first_t, count, timed, over, people, durations: (N,) as in ``FactRow``.
        fields: the names of the further fields that are recorded of a sample of S events; versions before this
            attribute wrote none, and neither this nor the following ones.
        values: for each combination of values of these fields the positions in ``words``, or None.
        sampled_row: (S,) the position of the row that counts the event, as the distance from the one before.
        sampled: (S,) as in ``FactRow``; of a failure the position in the row's people.
        sampled_values: (S,) positions in ``values``.
    """

    words: list[str]
    leaves: list[list[_Position | None]]
    kinds: list[tuple[_Position, _Position, _Position, _Position, _Position]]
    base: int
    kind: list[_Position]
    pane: list[int]
    first_t: list[int]
    count: list[int]
    timed: list[int]
    over: list[list[int]]
    people: list[list[int]]
    durations: list[dict[int, int]]
    fields: list[str] = []
    values: list[list[_Position | None]] = []
    sampled_row: list[_Position] = []
    sampled: list[_Position] = []
    sampled_values: list[_Position] = []


class _Table(dict[Any, int]):
    """Numbers values in the order in which they are first asked for."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def pack(rows: Sequence[FactRow], fields: Sequence[str] = ()) -> PackedRows:
    """Return rows as columns.

    Args:
        rows: the rows.
        fields: the names of the fields of ``FactRow.values``.
    """
    words, leaves, kinds, values = _Table(), _Table(), _Table(), _Table()
    kind = [kinds[row.leaf, row.step, row.outcome, row.code, row.error_class] for row in rows]
    of_kinds = [
        (leaves[leaf], words[step], words[outcome], words[code], words[error_class])
        for leaf, step, outcome, code, error_class in kinds
    ]
    base = min((row.pane for row in rows), default=0)
    stands, sampled, of_values = _packed_sample(rows, values)
    of_fields = [[None if value is None else words[value] for value in one] for one in values]
    return PackedRows(
        leaves=[[None if value is None else words[value] for value in leaf] for leaf in leaves],
        words=list(words),
        kinds=of_kinds,
        base=base,
        kind=kind,
        pane=[row.pane - base for row in rows],
        first_t=[row.first_t for row in rows],
        count=[row.count for row in rows],
        timed=[row.timed for row in rows],
        over=[row.over for row in rows],
        people=[row.people for row in rows],
        durations=[row.durations for row in rows],
        fields=list(fields),
        values=of_fields,
        sampled_row=stands,
        sampled=sampled,
        sampled_values=of_values,
    )


def _packed_sample(rows: Sequence[FactRow], values: _Table) -> tuple[list[int], list[int], list[int]]:
    """Return ``sampled_row``, ``sampled`` and ``sampled_values`` of rows; ``values`` numbers the values."""
    stands: list[int] = []
    sampled: list[int] = []
    of_values: list[int] = []
    last = 0
    for n, row in enumerate(rows):
        if row.sampled:
            stands += [n - last] + [0] * (len(row.sampled) - 1)
            last = n
            places = {person: at for at, person in enumerate(row.people)}
            sampled += [places[one] for one in row.sampled] if places else row.sampled
            of_values += [values[one] for one in row.values]
    return stands, sampled, of_values


def _unpack(
    packed: PackedRows, arrange: Callable[[Leaf], Leaf], further: Callable[[Leaf], Leaf]
) -> list[FactRow]:
    """Return the rows.

    Args:
        packed: the columns.
        arrange: puts the values of a leaf into the order of other axes.
        further: puts the values of further fields into the order of other fields.

    Raises:
        ValueError, IndexError: the columns do not belong together.
    """
    words = list(map(sys.intern, packed.words))
    leaves = [arrange(tuple([None if at is None else words[at] for at in leaf])) for leaf in packed.leaves]
    kinds = [
        Kind(leaves[leaf], words[step], words[outcome], words[code], words[error_class])
        for leaf, step, outcome, code, error_class in packed.kinds
    ]
    columns = (packed.pane, packed.first_t, packed.count, packed.timed, packed.over, packed.people)
    if any(len(column) != len(packed.kind) for column in (*columns, packed.durations)):
        raise ValueError("its columns differ in length")
    if not len(packed.sampled_row) == len(packed.sampled) == len(packed.sampled_values):
        raise ValueError("its columns of a sample differ in length")
    of_kind = [map(one.__getitem__, packed.kind) for one in zip(*kinds, strict=True)]
    if not packed.kind and not packed.sampled_row:
        return []
    if not kinds:
        raise ValueError("its rows have no kinds")
    rows = list(
        map(
            FactRow,
            map(int.__add__, packed.pane, repeat(packed.base)),
            packed.first_t,
            *of_kind,
            packed.count,
            packed.timed,
            packed.over,
            packed.people,
            packed.durations,
        )
    )
    _set_sampled(rows, packed, words, further)
    return rows


def _set_sampled(
    rows: Sequence[FactRow], packed: PackedRows, words: Sequence[str], further: Callable[[Leaf], Leaf]
) -> None:
    """Set ``sampled`` and ``values`` of rows; arguments and errors as of ``_unpack``."""
    values = [further(tuple([None if at is None else words[at] for at in one])) for one in packed.values]
    columns = (packed.sampled_row, packed.sampled, packed.sampled_values)
    of: dict[int, tuple[list[int], list[Leaf]]] = {}
    n = 0
    for step, one, value in zip(*columns, strict=True):
        n += step
        numbers, named = of.setdefault(n, ([], []))
        people = rows[n].people
        numbers.append(people[one] if people else one)
        named.append(values[value])
    for n, (numbers, named) in of.items():
        rows[n].sampled, rows[n].values = numbers, named


# -- the form before --------------------------------------------------------------------------------------------

#: The axes of a leaf in form 1.
AXES_BEFORE = ("auth_method", "csp")
_LEAVES_BEFORE = tuple(product(("ssoe", "sis"), (None, "idme", "logingov", "mhv", "dslogon")))
_STEPS_BEFORE = ("new", "authorize", "callback", "token", "refresh", "revoke", "logout")
_OUTCOMES_BEFORE = ("started", "success", "failure")


class _RowBefore(msgspec.Struct, array_like=True, gc=False):
    """A row of form 1, which names leaf, step and outcome by positions on fixed axes and knows no error class."""

    pane: int
    first_t: int
    leaf: _Position
    step: _Position
    outcome: _Position
    code: str
    count: int = 0
    timed: int = 0
    over: list[int] = []
    people: list[int] = []
    durations: dict[int, int] = {}


_packed_decoder = msgspec.msgpack.Decoder(PackedRows)
_before_decoder = msgspec.msgpack.Decoder(list[_RowBefore])


def _arranging(stood: Sequence[str], wanted: Sequence[str]) -> Callable[[Leaf], Leaf]:
    """Return what puts the values of a leaf on the axes ``stood`` into the order of the axes ``wanted``.

    A value on an axis that the leaf does not have is None.
    """
    if tuple(stood) == tuple(wanted):
        return lambda leaf: leaf
    places = [stood.index(axis) if axis in stood else None for axis in wanted]
    return lambda leaf: tuple([None if place is None else leaf[place] for place in places])


def fields_of(value: Any) -> tuple[str, ...]:
    """Return the further fields of the rows in the MessagePack of a ``PackedRows``."""
    return tuple(_packed_decoder.decode(value).fields)


def read(value: Any, stood: Sequence[str], wanted: Sequence[str], further: Sequence[str]) -> list[FactRow]:
    """Return the rows in the MessagePack of a ``PackedRows``.

    Args:
        value: the bytes.
        stood: the axes of the leaves in ``value``.
        wanted: the axes of the leaves of the rows.
        further: the fields of ``FactRow.values``; the value of a field that was not recorded is None.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, ValueError, IndexError: the bytes are no rows of facts.
    """
    packed = _packed_decoder.decode(value)
    return _unpack(packed, _arranging(stood, wanted), _arranging(packed.fields, further))


def read_before(value: Any, wanted: Sequence[str]) -> list[FactRow]:
    """Return the rows in the MessagePack of form 1, as ``read`` does for the form of today."""
    leaves = list(map(_arranging(AXES_BEFORE, wanted), _LEAVES_BEFORE))
    return [
        FactRow(
            row.pane,
            row.first_t,
            leaves[row.leaf],
            _STEPS_BEFORE[row.step],
            _OUTCOMES_BEFORE[row.outcome],
            row.code,
            "",
            row.count,
            row.timed,
            row.over,
            row.people,
            row.durations,
        )
        for row in _before_decoder.decode(value)
    ]
