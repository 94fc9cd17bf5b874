"""Columns of events: as each event decoded alone says, whether or not its neighbours are plain."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from detectors.instants import parse_instant
from detectors.windows.facts import FactRow
from detectors.windows.latency_histogram import bucket
from streams.aggregate.fact_accumulator import FactAccumulator, ranked
from streams.events import columns
from streams.events import decode as events
from streams.events.columns import AT_A_TIME, columns_of, instants_of, times_of
from streams.events.decode import decode, decode_plain
from streams.events.kinds import Fields
from streams.events.login_event import LoginEvent, person_id
from streams.events.somebody import says_who
from streams.events.validation import Rejection
from tests.streams.events.strategies import broken, event_bytes, instants, odd_events, plain_events
from tests.support.depth import examples


def kind_of_event(event: LoginEvent) -> tuple[Any, ...]:
    """What makes the kind of an event, as its fields state it."""
    failed = spelt(event.outcome) == "failure"
    said = event.error_class or ""
    name = ("other" if says_who(said) else said.split("::")[-1].lower()) if failed else ""
    code = event.error_code or ""
    env = spelt(event.env) or ""
    return (
        {"production": "prod", "eks-prod": "prod", "eks-staging": "staging"}.get(env, env),
        (spelt(event.auth_method), spelt(event.csp), spelt(event.client_id)),
        spelt(event.step),
        spelt(event.outcome),
        ("other" if len(code) > 64 or says_who(code) or re.search(r"\d{9}", code) else code)
        if failed
        else "",
        (spelt(name) or "").removesuffix("error") or spelt(name) if name else "",
    )


def spelt(value: str | None) -> str | None:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789_.:-"
    if value is None:
        return None
    if says_who(value):
        return "other"
    lower = value.lower()
    return lower if 1 <= len(lower) <= 64 and set(lower) <= set(letters) else "other"


def alike(values: Sequence[bytes | None]) -> None:
    """What the columns of values say is what each value says alone."""
    ids, found, refused = columns_of(values)
    alone = [decode(value) for value in values]
    assert refused == {n: one for n, one in enumerate(alone) if isinstance(one, Rejection)}
    valid = [one for one in alone if isinstance(one, LoginEvent)]
    assert ids == [event.event_id for event in valid]
    assert found.hashes.tolist() == [hash(event.event_id) for event in valid]
    assert found.occurred.tolist() == [event.occurred_at for event in valid]
    assert [found.table.known[n] for n in found.kinds.tolist()] == [kind_of_event(event) for event in valid]
    assert [None if math.isnan(one) else one for one in found.durations.tolist()] == [
        event.duration_ms for event in valid
    ]
    assert found.people.tolist() == [
        person_id(event) if spelt(event.outcome) == "failure" else 0 for event in valid
    ]
    stripped = [False] * len(valid) if found.stripped is None else found.stripped.tolist()
    assert stripped == [bool(event.forbidden) for event in valid]
    same_ids, times, same_refused = times_of(values)
    assert (same_ids, same_refused) == (ids, refused)
    assert times.hashes.tolist() == found.hashes.tolist()
    assert times.occurred.tolist() == found.occurred.tolist()


@settings(max_examples=examples(60))
@example(
    [event_bytes(client_id="0::0"), event_bytes(outcome="failure", error_code="::1", error_class="a@b.org")],
    1,
)
@given(
    st.lists(st.one_of(plain_events(), plain_events(), odd_events(), broken(), st.none()), max_size=12),
    st.integers(1, 4),
)
def test_columns_say_what_each_event_says_alone(values: list[bytes | None], at_a_time: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "AT_A_TIME", at_a_time)
        alike(values)


@settings(max_examples=examples(30))
@given(st.lists(plain_events(), min_size=1, max_size=8))
def test_plain_events_are_decoded_together_without_the_way_for_single_ones(values: list[bytes]) -> None:
    expected = [event for event in map(decode, values) if isinstance(event, LoginEvent)]
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(events, "decode_many")
        together = decode_plain(values)
    assert together is not None
    for event in together:
        event.occurred_at = events.instant(str(event.occurred_at))
    assert [structs.asdict(event) for event in together] == [structs.asdict(event) for event in expected]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        b"",
        b"{",
        b"[" * 40 + b"]" * 40,
        event_bytes(occurred_at="2026-02-30T00:00:00Z"),
        event_bytes(occurred_at="2026-11-23T15:04:60.000Z"),
        event_bytes(occurred_at="2026-11-23T24:04:00.000Z"),
        event_bytes(occurred_at="2026-11-23T15:04:05.123z"),
        event_bytes(occurred_at="2026-11-23T15:0٤:05.123Z"),
        event_bytes(email="x@example.org"),
        event_bytes(login_type="x" * 300),
        event_bytes(unknown="y" * 70_000),
        event_bytes(unknown="y" * 60_000),
        event_bytes(unknown={"a": {"b": 1}}),
        event_bytes(unknown="{" * 40),
        event_bytes(client_id="vaweb").replace(b'"vaweb"', b'"\xff"'),
        event_bytes(client_id="vaweb").replace(b'"vaweb"', b'"\xed\xa0\x80"'),
        event_bytes(unknown="vaweb").replace(b'"vaweb"', b'"\xff"'),
        event_bytes(unknown="vaweb"),
        event_bytes(client_id="vaweb") + b" " * 65_000,
        event_bytes(client_id="vaweb") + b" " * 66_000,
        event_bytes(duration_ms=None),
        event_bytes(error_code="é", outcome="failure"),
    ],
)
def test_one_odd_value_among_plain_ones_changes_nothing_for_them(odd: bytes | None) -> None:
    plain = [event_bytes(event_id=f"e{n}") for n in range(2 * AT_A_TIME)]
    alike([*plain[:AT_A_TIME], odd, *plain[AT_A_TIME:]])


_one_day = st.builds(
    "2026-11-{}T{:02d}:{:02d}:{:02d}.{:03d}Z".format,
    st.sampled_from(("23", "23", "23", "22")),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.integers(0, 999),
)


@settings(max_examples=examples(200))
@given(
    st.lists(st.one_of(_one_day, instants(), st.text(st.characters(codec="utf-8"), max_size=26)), max_size=6)
)
def test_events_are_of_the_instants_that_each_text_says_alone(texts: list[str]) -> None:
    alike([event_bytes(event_id=f"e{n}", occurred_at=text) for n, text in enumerate(texts)])


@given(st.lists(_one_day, min_size=1, max_size=6))
def test_instants_of_one_shape_and_day_are_read_together_as_each_alone(texts: list[str]) -> None:
    found = instants_of("".join(texts))
    try:
        each = [parse_instant(text) for text in texts]
    except ValueError:
        assert found is None
    else:
        one_day = len({text[:10] for text in texts}) == 1
        assert (None if found is None else found.tolist()) == (each if one_day else None)


def test_texts_that_only_together_have_the_common_shape_are_none() -> None:
    whole = "2026-11-23T15:04:05.123Z"
    alike([event_bytes(event_id=text or "none", occurred_at=text) for text in (whole + whole, "", whole)])


def test_any_named_field_is_an_axis_if_it_is_a_string() -> None:
    fields = Fields(("acr", "tenant", "duration_ms", "region"), (("live", "prod"),))
    held: list[dict[str, object]] = [
        {"acr": "LOA3", "tenant": "North", "region": "va web", "duration_ms": 3},
        {"tenant": 7, "region": {"a": "b"}},
        {"tenant": None, "region": "", "env": "LIVE"},
        {"schema_version": 2, "tenant": "of a record that is none"},
        {"tenant": "last"},
        {"icn": "1012667145V762142", "tenant": "of an event with a forbidden field"},
    ]
    values = [event_bytes(event_id=f"e{n}", **one) for n, one in enumerate(held)]
    _, found, refused = columns_of(values, fields)
    assert list(refused) == [3]
    kinds = [found.table.known[n] for n in found.kinds.tolist()]
    assert [kind.leaf for kind in kinds] == [
        ("loa3", "north", None, "other"),
        (None, None, None, None),
        (None, None, None, "other"),
        (None, "last", None, None),
        (None, "other", None, None),
    ]
    assert [kind.env for kind in kinds] == ["prod"] * 5


def test_only_a_failure_has_a_code_and_a_class() -> None:
    def kind(**fields: object) -> tuple[str, str]:
        _, found, _ = columns_of(
            [event_bytes(error_code="007", error_class="SignIn::Errors::AError", **fields)]
        )
        (number,) = found.kinds.tolist()
        return found.table.known[number].code, found.table.known[number].error_class

    assert kind(outcome="failure") == ("007", "a")
    assert kind(outcome="success") == ("", "")


def test_kinds_are_numbered_anew_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_tables", {})
    monkeypatch.setattr(columns, "MOST_KINDS", 3)
    values = [event_bytes(event_id=f"e{n}", outcome="failure", error_code=f"c{n}") for n in range(40)]
    for begin in range(0, 40, 5):
        alike(values[begin : begin + 5])
    assert len(columns._tables[Fields()].known) <= 8


def counted(
    placed: Sequence[tuple[bytes, int, int]], thresholds: Sequence[float]
) -> dict[str, list[FactRow]]:
    """The rows of (event, pane, ``first_t``), by environment, each counted by itself."""
    rows: dict[tuple[Any, ...], FactRow] = {}
    for value, pane, first_t in placed:
        event = decode(value)
        assert isinstance(event, LoginEvent)
        env, *kind = kind_of_event(event)
        fresh = FactRow(pane, first_t, *kind)
        fresh.over = [0] * len(thresholds)
        order = [value or "" for value in fresh.leaf]
        row = rows.setdefault((env, pane, first_t, *order, *kind[1:]), fresh)
        row.count += 1
        if spelt(event.outcome) == "failure":
            row.people = sorted({*row.people, person_id(event)})
        if event.duration_ms is not None:
            row.timed += 1
            row.over = [
                over + (event.duration_ms >= limit) for over, limit in zip(row.over, thresholds, strict=True)
            ]
            index = bucket(event.duration_ms)
            row.durations = dict(sorted({**row.durations, index: row.durations.get(index, 0) + 1}.items()))
    out: dict[str, list[FactRow]] = {}
    for key in sorted(rows):
        out.setdefault(key[0], []).append(rows[key])
    return out


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.tuples(
            plain_events(),
            st.sampled_from([0, 1_000, 2_000, 50_000_000_000]),
            st.sampled_from([0, 0, 0, -1, 9_000]),
        ),
        max_size=12,
    ),
    st.lists(st.integers(1, 5), max_size=6),
)
def test_rows_are_those_that_counting_event_by_event_gives(
    placed: list[tuple[bytes, int, int]], cuts: list[int]
) -> None:
    thresholds = (100.0, 5_000.0)
    many = FactAccumulator(1_000, thresholds)
    begin = 0
    for size in [*cuts, len(placed)]:
        some = placed[begin : begin + size]
        _, found, _ = columns_of([value for value, _, _ in some])
        envs = many.add_many(
            found,
            np.array([pane for _, pane, _ in some], dtype=np.int64),
            np.array([first for _, _, first in some], dtype=np.int64),
        )
        assert envs == {found.table.known[n].env for n in found.kinds.tolist()}
        if size % 2:
            many.rows()
        begin += size
    assert many.drain() == counted(placed, thresholds)
    assert many.drain() == {}


@given(st.lists(st.integers(0, 40), min_size=1), st.sampled_from([41, 1 << 40]))
def test_codes_areranked_alike_in_a_dense_table_and_by_sorting(codes: list[int], bound: int) -> None:
    distinct, times, ranks = ranked(np.array(codes, dtype=np.int64), bound)
    assert distinct.tolist() == sorted(set(codes))
    assert times.tolist() == [codes.count(code) for code in sorted(set(codes))]
    assert distinct[ranks].tolist() == codes
