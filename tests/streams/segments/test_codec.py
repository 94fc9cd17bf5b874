"""The binary records of `sli-segments` and `ingest-state`: they come back as they were, and strangers are refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scopes import ENVS
from detectors.windows.facts import FactRow
from streams.segments.codec import (
    BLOCK_OFFSETS,
    FormatError,
    Frontier,
    Resume,
    SealedSegment,
    Segment,
    Tally,
    decode,
    decode_sealed,
    encode,
    frontier_key,
    owner_key,
    resume_key,
    segment_key,
)

HEAD = [name for name in SealedSegment.__struct_fields__ if name not in ("sealed", "form")]
#: Where the rows stand in a segment, and how many columns they had before a sample was recorded.
FACTS, WITHOUT_SAMPLE = 11, 12
ints = st.integers(-(1 << 60), 1 << 60)
small = st.integers(0, 1 << 31)
maybe = st.none() | ints
people = st.lists(st.integers(0, (1 << 64) - 1), max_size=3)
rows = st.builds(
    FactRow,
    st.integers(0, 1 << 60),
    ints,
    st.tuples(*(st.none() | st.text(max_size=3) for _ in range(3))),
    *(st.text(max_size=5) for _ in range(4)),
    small,
    small,
    st.lists(small, max_size=2),
    people,
)
FURTHER = ("acr", "login_type")


@st.composite
def sampled(draw: st.DrawFn, row: FactRow) -> FactRow:
    """Draw a row with the values of some of its events."""
    numbers = st.sampled_from(row.people) if row.people else st.integers(0, (1 << 32) - 1)
    row.sampled = draw(st.lists(numbers, min_size=1, max_size=3))
    row.values = [draw(st.tuples(*(st.none() | st.text(max_size=3) for _ in FURTHER))) for _ in row.sampled]
    return row


counts = st.dictionaries(st.sampled_from(["json", "schema"]), small)
tallies = st.builds(Tally, ints, ints, ints, small, small, small, small, small, small, counts)
segments = st.builds(
    Segment,
    small,
    st.just(BLOCK_OFFSETS),
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
    small,
    small,
    st.sampled_from(ENVS),
    small,
    small,
    st.lists(rows | rows.flatmap(sampled), max_size=3),
    st.integers(-1, 1 << 31),
    further=st.just(FURTHER),
)
frontiers = st.builds(
    Frontier,
    small,
    st.integers(0, 10_000),
    small,
    ints,
    maybe,
    st.sampled_from(["", "idle", "skew", "blind"]),
    maybe,
    ints,
    st.lists(tallies, max_size=3),
)
resumes = st.builds(
    Resume, small, small, small, st.just(BLOCK_OFFSETS), small, maybe, maybe, maybe, small, maybe
)


@given(st.one_of(segments, frontiers, resumes))
def test_a_record_comes_back_as_it_was(record: Segment | Frontier | Resume) -> None:
    assert decode(encode(record)) == record


@given(st.one_of(segments, frontiers, resumes))
def test_a_sealed_segment_says_the_same_once_it_is_opened(record: Segment | Frontier | Resume) -> None:
    sealed = decode_sealed(encode(record))
    if not isinstance(sealed, SealedSegment):
        assert sealed == record
        return
    assert isinstance(record, Segment)
    assert [getattr(sealed, name) for name in HEAD] == [getattr(record, name) for name in HEAD]
    assert sealed.rows(further=FURTHER) == record.rows


def test_a_sealed_segment_whose_rows_are_none_says_so_when_it_is_opened() -> None:
    strange = (1, BLOCK_OFFSETS, (), 0, 0, "prod", 0, 7, ["no row"], 1)
    sealed = decode_sealed(b"\x01" + msgspec.msgpack.encode(("segment", *strange)))
    assert isinstance(sealed, SealedSegment)
    with pytest.raises(FormatError):
        sealed.rows()


def test_a_segment_of_the_form_before_is_read_with_what_it_named_by_positions() -> None:
    rows = [(60_000, 0, 1, 2, 2, "007", 3, 2, [1, 0], [7, 9], {5: 2}), (61_000, 90_000, 5, 0, 0, "", 1)]
    before = ("segment", 1_000, BLOCK_OFFSETS, (1.0, 2.0), 3, 8192, "prod", 8192, 8200, rows, 4)
    value = b"\x01" + msgspec.msgpack.encode(before)
    failed = FactRow(
        60_000, 0, ("ssoe", "idme"), "callback", "failure", "007", "", 3, 2, [1, 0], [7, 9], {5: 2}
    )
    begun = FactRow(61_000, 90_000, ("sis", None), "new", "started", count=1)
    read = decode(value)
    assert isinstance(read, Segment)
    assert (read.rows, read.axes, read.env, read.generation) == (
        [failed, begun],
        ("auth_method", "csp"),
        "prod",
        4,
    )
    sealed = decode_sealed(value)
    assert isinstance(sealed, SealedSegment)
    assert [row.leaf for row in sealed.rows()] == [("ssoe", "idme", None), ("sis", None, None)]
    strange = ("segment", *before[1:9], [(60_000, 0, 10, 0, 0, "")], 4)
    for value in (b"\x01" + msgspec.msgpack.encode(strange), b"\x02" + msgspec.msgpack.encode(before)):
        with pytest.raises(FormatError):
            decode(value)


@given(segments, st.permutations(["auth_method", "csp", "client_id", "acr"]), st.integers(1, 4))
def test_leaves_stand_on_the_axes_that_the_reader_asks_for(
    one: Segment, fields: list[str], many: int
) -> None:
    sealed, axes = decode_sealed(encode(one)), tuple(fields[:many])
    assert isinstance(sealed, SealedSegment)
    for row, before in zip(sealed.rows(axes), one.rows, strict=True):
        recorded = dict(zip(one.axes, before.leaf, strict=True))
        assert row.leaf == tuple(recorded.get(axis) for axis in axes)


@given(segments, st.permutations(["acr", "login_type", "operation"]), st.integers(0, 3))
def test_values_of_further_fields_are_those_that_the_reader_asks_for(
    one: Segment, fields: list[str], many: int
) -> None:
    sealed, further = decode_sealed(encode(one)), tuple(fields[:many])
    assert isinstance(sealed, SealedSegment)
    for row, before in zip(sealed.rows(further=further), one.rows, strict=True):
        assert list(row.sampled) == list(before.sampled)
        for values, stated in zip(row.values, before.values, strict=True):
            recorded = dict(zip(FURTHER, stated, strict=True))
            assert values == tuple(recorded.get(field) for field in further)


@given(segments)
def test_a_segment_from_before_further_fields_were_recorded_has_no_sample(one: Segment) -> None:
    fields = msgspec.msgpack.decode(encode(one)[1:])
    fields[FACTS] = fields[FACTS][:WITHOUT_SAMPLE]
    sealed = decode_sealed(b"\x02" + msgspec.msgpack.encode(fields))
    assert isinstance(sealed, SealedSegment)
    assert sealed.further() == ()
    without = [msgspec.structs.replace(row, sampled=(), values=()) for row in one.rows]
    assert sealed.rows(further=FURTHER) == without


class _Before(msgspec.Struct, array_like=True):
    """The columns of a segment as a reader knows them that knows of no sample."""

    words: list[str]
    leaves: list[list[int | None]]
    kinds: list[list[int]]
    base: int
    kind: list[int]


@given(segments)
def test_a_reader_that_knows_of_no_sample_passes_it_by(one: Segment) -> None:
    fields = msgspec.msgpack.decode(encode(one)[1:])
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[FACTS]), type=_Before)
    assert len(read.kind) == len(one.rows)


@given(segments, st.data())
def test_columns_that_do_not_belong_together_are_no_rows(one: Segment, data: st.DataObject) -> None:
    fields = msgspec.msgpack.decode(encode(one)[1:], strict=False)
    facts = fields[FACTS]
    # The others are tables, which may hold what no row has.
    column = data.draw(st.sampled_from([*range(4, WITHOUT_SAMPLE), *range(WITHOUT_SAMPLE + 2, len(facts))]))
    facts[column] = facts[column] + [facts[column][-1] if facts[column] else 0]
    with pytest.raises(FormatError):
        decode(b"\x02" + msgspec.msgpack.encode(fields))


@given(st.one_of(segments, frontiers, resumes), st.integers(0, 255))
def test_a_record_of_another_version_is_refused(record: Any, version: int) -> None:
    value = encode(record)
    if version not in (1, 2):
        with pytest.raises(FormatError, match="another version"):
            decode(bytes((version,)) + value[1:])


@given(st.one_of(segments, resumes), st.integers(1, 1 << 20).filter(lambda n: n != BLOCK_OFFSETS))
def test_a_record_of_another_block_size_is_refused(record: Segment | Resume, size: int) -> None:
    with pytest.raises(FormatError, match="WATCHOFFICER_TOPIC_PREFIX"):
        decode(encode(msgspec.structs.replace(record, block_offsets=size)))


@given(st.binary(max_size=40))
def test_what_is_no_record_is_refused_and_never_an_error_of_another_kind(value: bytes) -> None:
    for some in (value, b"\x01" + value, b"\x02" + value):
        with suppress(FormatError):
            decode(some)


@given(st.one_of(segments, frontiers, resumes), st.data())
def test_a_record_that_was_cut_off_is_refused(record: Any, data: st.DataObject) -> None:
    value = encode(record)
    with pytest.raises(FormatError):
        decode(value[: data.draw(st.integers(0, len(value) - 1))])


@pytest.mark.parametrize(
    ("partitions", "inputs"),
    [
        (2**40, {}),
        (-1, {}),
        (1, {"login-events": 2**40}),
        (1, {f"input-{n}": 1 for n in range(101)}),
    ],
)
def test_a_frontier_of_more_partitions_than_can_be_held_is_refused(
    partitions: int, inputs: dict[str, int]
) -> None:
    with pytest.raises(FormatError):
        decode(encode(Frontier(0, partitions, 1, 0, None, "", None, 0, [], None, inputs)))


@given(segments, segments)
def test_a_segment_replaces_one_that_it_covers_and_exceeds(one: Segment, other: Segment) -> None:
    covers = one.first <= other.first and other.last <= one.last
    assert one.replaces(other.first, other.last) == (covers and one.last != other.last)
    assert not (one.replaces(other.first, other.last) and other.replaces(one.first, one.last))


@given(st.lists(st.one_of(segments, frontiers, resumes), max_size=8))
def test_a_key_is_that_of_one_place_and_one_owner_of_it(records: list[Segment | Frontier | Resume]) -> None:
    def place(one: Segment | Frontier | Resume) -> Any:
        kind = (type(one), one.partition, one.generation)
        return (*kind, one.block, one.env) if isinstance(one, Segment) else kind

    def key(one: Segment | Frontier | Resume) -> bytes:
        if isinstance(one, Segment):
            return segment_key(one)
        return frontier_key(one) if isinstance(one, Frontier) else resume_key(one)

    assert len({place(one) for one in records}) == len({key(one) for one in records})


def test_an_owner_s_words_and_each_mark_have_a_key_of_their_own() -> None:
    marks = [
        Frontier(p, 1, g, n, 0, why, None, 0, [])
        for p in (1, 11)
        for g in (1, 11)
        for n in (1, 11)
        for why in "ab"
    ]
    keys = {
        *(owner_key(p, g, begun=begun) for p in (1, 11) for g in (1, 11) for begun in (False, True)),
        *(frontier_key(one, mark=True) for one in marks),
        *(frontier_key(one) for one in marks),
    }
    assert len(keys) == 2 * 2 * 2 + 2 * 2 * 2 * 2 + 2 * 2
