"""Avro is read by the schema with which it was written, and no bytes and no schema do harm."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.mappings.mapping import compile_mapping
from streams.mappings.schemas.avro import UnusableSchema, avro_decoder
from streams.mappings.schemas.store import Schemas
from tests.streams.mappings.schemas.records import MAPPING, SIGN_IN, framed, sign_in

NOON = 1_790_000_000_123
_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_LINKED = {"type": "record", "name": "A", "fields": [{"name": "next", "type": ["null", "A"]}]}


def known(schema: Any = SIGN_IN, number: int = 7) -> Schemas:
    schemas = Schemas()
    schemas.add(number, json.dumps({"schema": json.dumps(schema)}).encode())
    return schemas


def test_a_mapping_makes_an_event_of_a_record() -> None:
    mapping = compile_mapping(MAPPING, "m.yaml", schemas=known())
    (event,) = mapping.map(framed(7, sign_in(NOON, "FAILED", code="007")), "t/0/1").events
    made = json.loads(event)
    assert made.pop("user_hash").startswith("h:")
    assert made.pop("flow_id").startswith("h:")
    assert made == {
        "schema_version": 1,
        "event_id": "t/0/1/0",
        "occurred_at": "2026-09-21T14:13:20.123Z",
        "env": "prod",
        "auth_method": "sis",
        "step": "callback",
        "outcome": "failure",
        "error_code": "007",
        "duration_ms": 12.5,
    }
    assert mapping.map(framed(7, sign_in(NOON, "LOOKED")), "t/0/2").skipped == [("looked", "")]


def test_a_change_of_debezium_is_taken_off() -> None:
    inner = {"name": "before", "type": ["null", SIGN_IN]}, {"name": "after", "type": ["null", "SignIn"]}
    fields = [*inner, {"name": "op", "type": "string"}, {"name": "ts_ms", "type": ["null", "long"]}]
    change = {"type": "record", "name": "Envelope", "namespace": "gov.va.identity", "fields": fields}
    mapping = compile_mapping(MAPPING, "m.yaml", schemas=known(change))
    value = {"before": None, "after": sign_in(NOON), "op": "c", "ts_ms": None}
    assert len(mapping.map(framed(7, value, change), "t/0/1").events) == 1


@given(
    at=st.integers(-(1 << 63), (1 << 63) - 1),
    who=st.none() | st.builds(dict, icn=_TEXT),
    code=st.none() | _TEXT,
    took=st.floats(),
    trace=st.binary(max_size=20),
)
def test_what_was_written_is_read_and_no_value_raises(at: int, **more: Any) -> None:
    record = framed(7, sign_in(at, **more))
    read = known().decode(record)
    assert (read["at"], read["who"], read["code"]) == (at, more["who"], more["code"])
    found = compile_mapping(MAPPING, "m.yaml", schemas=known()).map(record, "t/0/1")
    assert len(found.events) == 1
    assert found.unreadable is None


@given(record=st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\0\0\0\0\7" + tail))
def test_bytes_that_are_no_record_are_set_aside(record: bytes) -> None:
    found = compile_mapping(MAPPING, "m.yaml", schemas=known()).map(record, "t/0/1")
    assert found.events or found.skipped or found.unreadable


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b"{}", "five bytes"),
        (b"", "five bytes"),
        (framed(8, sign_in(NOON)), "schema that the folder of schemas does not have"),
        (framed(7, sign_in(NOON))[:-1], "not as its schema says"),
        (framed(7, sign_in(NOON)) + b"x", "longer than its schema says"),
        (b"\0\0\0\0\7" + b"x" * (1 << 20), "larger than"),
    ],
)
def test_why_a_record_is_set_aside(record: bytes, why: str) -> None:
    found = compile_mapping(MAPPING, "m.yaml", schemas=known()).map(record, "t/0/1")
    assert why in str(found.unreadable)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (_LINKED, "holds itself"),
        ({"type": "array", "items": "null"}, "take no bytes"),
        ({"type": "array", "items": {"type": "record", "name": "A", "fields": []}}, "take no bytes"),
        ({"type": "record", "name": "A", "fields": [{"name": "a", "type": "B"}]}, "does not define"),
        ({"type": "record", "name": "A"}, "no fields"),
        ({"type": "tuple"}, "does not define"),
        ({"type": "fixed", "name": "A", "size": -1}, "no schema of Avro"),
        ([], "a type is missing"),
        ("nothing", "does not define"),
    ],
)
def test_a_schema_that_could_do_harm_or_is_none_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(UnusableSchema, match=why):
        avro_decoder(json.dumps(schema))


def test_a_schema_whose_records_grow_without_bytes_is_refused() -> None:
    schema: Any = {"type": "record", "name": "A0", "fields": []}
    for n in range(1, 25):
        twice = [{"name": "a", "type": schema}, {"name": "b", "type": f"A{n - 1}"}]
        schema = {"type": "record", "name": f"A{n}", "fields": twice}
    with pytest.raises(UnusableSchema, match="take no bytes"):
        avro_decoder(json.dumps(schema))


def complex_types(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Unions, and types of all kinds with parts that may fit them."""
    fields = st.lists(st.fixed_dictionaries({"name": st.just("f"), "type": inner}), max_size=3)
    parts = {"name": st.just("A"), "fields": fields, "items": inner, "values": inner, "size": st.integers()}
    kinds = st.sampled_from(["record", "array", "map", "enum", "fixed"]) | inner
    return st.lists(inner, max_size=3) | st.fixed_dictionaries({"type": kinds}, optional=parts)


@given(schema=st.recursive(st.sampled_from(["null", "int", "A", 3, None]), complex_types, max_leaves=8))
def test_no_schema_and_no_bytes_raise_anything_else(schema: Any) -> None:
    with suppress(ValueError):
        avro_decoder(json.dumps(schema))(b"\2\2\2\2")
