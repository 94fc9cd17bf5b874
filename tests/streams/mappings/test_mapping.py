"""Mappings in general: their files, their conditions, their times, and records that are nothing."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.policy.source import PolicyError
from streams.mappings.conditions import condition
from streams.mappings.formats import read_logfmt
from streams.mappings.mapping import compile_mapping
from streams.mappings.paths import expand, expression, getter
from streams.mappings.ruby import read_ruby
from streams.mappings.suggest import suggest
from streams.mappings.times import timer

FIELDS = """
fields:
  occurred_at: {path: at, unit: ms}
  env: {const: prod}
  auth_method: {const: sis}
  step: {const: callback}
  outcome: {path: ok, table: {'true': success, 'false': failure}}
"""
RECORD = {
    "kind": "LOGIN",
    "details": {"code": "a1", "none": None},
    "list": [{"id": "x"}, {"id": "y"}],
    "flat.key": "z",
    "names": ["one", "two"],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kind", "LOGIN"),
        ("details.code", "a1"),
        ("details.none.more", None),
        ("list[1].id", "y"),
        ("list[9].id", None),
        ("flat.key", "z"),
        ("list[?id == 'y'].id | [0]", "y"),
        ("nothing", None),
    ],
)
def test_a_path_finds_its_value_or_nothing(path: str, value: Any) -> None:
    assert getter(path)(RECORD) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("kind in ['LOGIN', 'LOGOUT']", True),
        ("kind in ['LOGOUT']", False),
        ("kind == 'LOGIN' && details.code == 'a1'", True),
        ("kind != 'LOGIN' || has(details.code)", True),
        ("!(kind == 'LOGIN')", False),
        ("has(details.none)", False),
        ("!has(nothing.at.all)", True),
        ("details.code.startsWith('a') && !details.code.endsWith('2')", True),
        ("details.code.contains('&&')", False),
        ("'two' in names", True),
        ("contains(names, 'two')", True),  # JMESPath
        ("length(list) > `1`", True),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    assert condition(text)(RECORD) is holds


_SIMPLE = st.sampled_from(["kind == 'LOGIN'", "kind == 'x'", "details.code != 'a1'"])


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    both = st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
    return both | inner.map("!({})".format)


@given(st.recursive(_SIMPLE, _joined, max_leaves=8))
def test_the_quick_forms_mean_what_the_library_says(text: str) -> None:
    assert condition(text)(RECORD) is bool(expression(text)(RECORD))


@pytest.mark.parametrize(
    ("unit", "form", "value", "at"),
    [
        ("ms", None, 1763910245123, "2025-11-23T15:04:05.123Z"),
        ("s", None, 1763910245.5, "2025-11-23T15:04:05.500Z"),
        ("ns", None, "1763910245123456789", "2025-11-23T15:04:05.123Z"),
        ("rfc3339", None, "2026-11-23T15:04:05.1234567Z", "2026-11-23T15:04:05.123Z"),
        ("rfc3339", None, "2026-11-23 10:04:05 -0500", "2026-11-23T10:04:05.000-05:00"),
        ("rfc3339", None, "2026-11-23T15:04:05", None),
        ("iso", None, "2026-11-23T15:04:05", "2026-11-23T15:04:05.000Z"),
        ("iso", "%m/%d/%Y %H:%M:%S", "11/23/2026 15:04:05", "2026-11-23T15:04:05.000Z"),
        ("ms", None, -5, None),
        ("ms", None, True, None),
        ("ms", None, 10**30, None),
        ("rfc3339", None, 5, None),
        ("iso", None, "soon", None),
    ],
)
def test_a_time_is_written_with_its_offset_and_ms(
    unit: str, form: str | None, value: Any, at: str | None
) -> None:
    assert timer(unit, form, None)(value) == at


def test_a_time_without_an_offset_is_read_in_its_zone() -> None:
    assert timer("iso", None, "America/New_York")("2026-11-23T10:04:05") == "2026-11-23T15:04:05.000Z"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{:a=>1, "b"=>nil, c: [true, "x\\"y"]}', {"a": 1, "b": None, "c": [True, 'x"y']}),
        ('{"d e": {f: -2.5}}', {"d e": {"f": -2.5}}),
        ("[]", []),
        (":symbol", "symbol"),
        ("#<Foo bar>", "#<Foo bar>"),
    ],
)  # fmt: skip
def test_what_ruby_inspects_is_read_in_both_spellings(text: str, value: Any) -> None:
    assert read_ruby(text) == value


@given(st.text(alphabet='{}[]:=>",a1 \\nil#<'))
def test_ruby_that_is_none_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        read_ruby(text)


def test_deep_ruby_is_refused() -> None:
    with pytest.raises(ValueError, match="too deep"):
        read_ruby("[" * 5_000)


def test_logfmt_has_quoted_and_bare_values() -> None:
    read = read_logfmt('a=1 msg="signed \\"in\\"" empty= b.c=x')
    assert read == {"a": "1", "msg": 'signed "in"', "empty": "", "b.c": "x"}


def test_arrays_are_expanded_wherever_the_path_says() -> None:
    value = {"a": [{"b": [{"c": 1}, {"c": 2}]}, {"b": []}, {}]}
    assert expand(value, "a[].b[]") == [{"c": 1}, {"c": 2}]
    assert expand(value, "no.such[]") == []


def test_one_record_may_hold_many_events_each_with_a_position() -> None:
    mapping = compile_mapping("name: m\nunwrap: 'rows[]'\n" + FIELDS, "m.yaml")
    rows = [{"at": 1763910245123, "ok": True}, {"at": 1763910245124, "ok": False}, {"at": 1, "ok": "maybe"}]
    found = mapping.map(json.dumps({"rows": rows}).encode(), "t/0/7")
    assert [json.loads(event)["event_id"] for event in found.events] == ["t/0/7/0", "t/0/7/1"]
    assert [rule for rule, _ in found.skipped] == ["unlisted"]


@pytest.mark.parametrize("form", ["json", "ndjson", "logfmt", "json_schema_registry", "regex"])
@given(value=st.binary(max_size=200) | st.none())
def test_no_record_raises_and_none_vanishes(form: str, value: bytes | None) -> None:
    pattern = "pattern: '^(?P<at>[0-9]+) (?P<ok>.*)$'\n" if form == "regex" else ""
    mapping = compile_mapping(f"name: m\nformat: {form}\n{pattern}" + FIELDS, "m.yaml")
    found = mapping.map(value, "t/0/7")
    if form in ("logfmt", "regex"):  # of the other forms a record may be an empty list
        assert found.events or found.skipped or found.unreadable is not None
    assert mapping.account.records == 1


def test_a_schema_registry_s_five_bytes_are_taken_off() -> None:
    mapping = compile_mapping("name: m\nformat: json_schema_registry\n" + FIELDS, "m.yaml")
    value = b"\0\0\0\0\x07" + json.dumps({"at": 1763910245123, "ok": True}).encode()
    assert len(mapping.map(value, "t/0/7").events) == 1


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("{path: at, unit: ms}", "{path: at, unit: minutes}"), 3, "must be one of s, ms, us, ns"),
        (("{path: at, unit: ms}", "{path: 'a[?', unit: ms}"), 3, "no path and no expression"),
        (("{const: prod}", "{const: prod, path: x}"), 4, "must have one of path, const and template"),
        (("  env: {const: prod}\n", ""), 2, "lacks env"),
        (("fields:", "form: json\nfields:"), 2, "form"),
        (("fields:", "skip: {a-rule: 'a ==='}\nfields:"), 2, "no path and no expression"),
        (("fields:", "format: regex\npattern: '(x'\nfields:"), 3, "no regular expression"),
        (("fields:", "format: regex\npattern: 'x'\nfields:"), 3, "needs named groups"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    change: tuple[str, str], line: int, said: str
) -> None:
    text = "name: m" + FIELDS.replace(*change)
    with pytest.raises(PolicyError, match=r"m\.yaml") as refused:
        compile_mapping(text, "m.yaml")
    assert said in str(refused.value)
    assert f"m.yaml:{line}:" in str(refused.value)


def test_a_suggested_mapping_can_be_used_and_finds_the_fields() -> None:
    record = {
        "uuid": "1",
        "ts": 1763910245123,
        "action": "login_failed",
        "user": {"user_id": "u"},
        "client_id": "c",
    }
    text = suggest([json.dumps(record).encode()])
    assert text is not None
    (event,) = map(
        json.loads, compile_mapping(text, "s.yaml").map(json.dumps(record).encode(), "t/0/0").events
    )
    assert (event["event_id"], event["outcome"], event["client_id"]) == ("1", "failure", "c")
    assert event["user_hash"].startswith("h:")
    assert suggest([b"plain text"]) is None


def test_whose_a_record_is_and_its_method_are_found_where_they_stand_or_missed_aloud() -> None:
    record = {"id": "e1", "time": "2026-11-23T15:04:05Z", "result": "ok", "method": "SSOe"}
    known = json.dumps({**record, "user": {"id": "u"}}).encode()
    text = suggest([known])
    assert text is not None
    (event,) = map(json.loads, compile_mapping(text, "s.yaml").map(known, "t/0/0").events)
    assert (event["event_id"], event["auth_method"].lower()) == ("e1", "ssoe")
    assert event["user_hash"].startswith("h:")
    text = suggest([json.dumps(record).encode()])
    assert text is not None
    assert "# ? without it, or flow_id, nothing opens an incident" in text
    compile_mapping(text, "s.yaml")


def test_a_mapping_is_suggested_for_what_an_export_holds() -> None:
    events = [{"id": f"e{n}", "at": "2026-11-23T15:04:05Z", "result": "ok"} for n in range(3)]
    text = suggest([json.dumps({"Records": events, "next": "x"}).encode()])
    assert text is not None
    made = compile_mapping(text, "suggested").made(json.dumps({"Records": events}).encode(), "t/0/0")
    assert [json.loads(event)["event_id"] for event in made.events] == ["e0", "e1", "e2"]


@given(
    st.lists(st.sampled_from(["LOGIN a=1", "LOGIN a=2", "no", "", '{"a": 1}', "[1]", "x" * 300]), max_size=30)
)
def test_what_was_made_of_a_text_is_made_of_it_again(texts: list[str]) -> None:
    text = """
name: m
topic: t
format: json
parse:
  - {path: text, pattern: '(?P<word>[A-Z]+) a=(?P<n>.)', into: found}
  - {path: text, as: json, into: held}
"""
    kept = compile_mapping(text + FIELDS + "  error_code: {path: [found.n, held.a]}\n", "m")
    for one in texts:
        record = json.dumps({"at": 1_790_000_000_000, "ok": True, "text": one}).encode()
        fresh = compile_mapping(text + FIELDS + "  error_code: {path: [found.n, held.a]}\n", "m")
        assert kept.made(record, "t/0/0") == fresh.made(record, "t/0/0")
