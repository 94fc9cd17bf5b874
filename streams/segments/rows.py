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

__all__ = ["AXES_BEFORE", "PackedRows", "pack", "read", "read_before"]

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


class _Table(dict[Any, int]):
    """Numbers values in the order in which they are first asked for."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def pack(rows: Sequence[FactRow]) -> PackedRows:
    """Return rows as columns."""
    words, leaves, kinds = _Table(), _Table(), _Table()
    kind = [kinds[row.leaf, row.step, row.outcome, row.code, row.error_class] for row in rows]
    of_kinds = [
        (leaves[leaf], words[step], words[outcome], words[code], words[error_class])
        for leaf, step, outcome, code, error_class in kinds
    ]
    base = min((row.pane for row in rows), default=0)
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
    )


def _unpack(packed: PackedRows, arrange: Callable[[Leaf], Leaf]) -> list[FactRow]:
    """Return the rows.

    Args:
        packed: the columns.
        arrange: puts the values of a leaf into the order of other axes.

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
    of_kind = [map(one.__getitem__, packed.kind) for one in zip(*kinds, strict=True)]
    if not packed.kind:
        return []
    if not kinds:
        raise ValueError("its rows have no kinds")
    return list(
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


def read(value: Any, stood: Sequence[str], wanted: Sequence[str]) -> list[FactRow]:
    """Return the rows in the MessagePack of a ``PackedRows``.

    Args:
        value: the bytes.
        stood: the axes of the leaves in ``value``.
        wanted: the axes of the leaves of the rows.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, ValueError, IndexError: the bytes are no rows of facts.
    """
    return _unpack(_packed_decoder.decode(value), _arranging(stood, wanted))


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
