"""What is written of a record that is no login event, and what is kept from view."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.events.decode import decode
from streams.events.login_event import FORBIDDEN
from streams.events.rejected import MAX_OTHERS, RejectedRecord, rejected_record
from streams.events.validation import MAX_BYTES, Reason, Rejection, decode_exactly
from tests.streams.events.strategies import PLAIN, broken, event_bytes, odd_events
from tests.streams.events.validator import FIELDS, NUMBERS
from tests.support.depth import examples


def rejected(value: bytes | None) -> RejectedRecord:
    """The record for a value, with what the decoder says of it; of a valid event as if it were out of time."""
    decoded = decode_exactly(value)
    refused = (
        decoded if isinstance(decoded, Rejection) else Rejection(Reason.PAST, "send events as they happen")
    )
    return rejected_record("login-events", 3, 42, value, refused)


def changes(record: RejectedRecord) -> dict[str, bytes]:
    """The headers that say how the value differs from the original."""
    assert [name for name, _ in record.headers[:5]] == ["reason", "topic", "partition", "offset", "detail"]
    return dict(record.headers[5:])


def as_written(value: bytes) -> Any:
    """JSON with each number as its text, as many digits as it may have."""
    return json.loads(value, parse_int=str, parse_float=str)


def kept(record: RejectedRecord) -> dict[str, Any]:
    assert record.value is not None
    read = json.loads(record.value)
    assert isinstance(read, dict)
    return read


def assert_digest_of(original: bytes, record: RejectedRecord) -> None:
    assert kept(record) == {"length": len(original), "sha256": hashlib.sha256(original).hexdigest()}
    assert changes(record).pop("redacted") == b"digest"


def test_a_rejected_record_says_where_it_stood_why_it_was_refused_and_what_to_send() -> None:
    refused = Rejection(Reason.MISSING_FIELD, "send env: it is missing or null")
    record = rejected_record("a.login-events", 3, 42, b'{"step":"token"}', refused)
    assert record.key == b"a.login-events/3/42"
    assert record.value == b'{"step":"token"}'
    assert record.headers == (
        ("reason", b"missing_field"),
        ("topic", b"a.login-events"),
        ("partition", b"3"),
        ("offset", b"42"),
        ("detail", b"send env: it is missing or null"),
    )


def test_a_null_value_stays_null() -> None:
    assert rejected(None).value is None
    assert changes(rejected(None)) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"env": "moon"},
        {"step": "email", "csp": None},
        {"event_id": "é" * 128, "request_id": "\U0001f600" * 256},
        {"occurred_at": "2026-11-23 15:04:05Z", "error_class": 'Net::HTTP["timeout"]'},
        {"schema_version": 2, "duration_ms": -1.25, "authentication_time_s": 0},
        {"env": ..., "event_id": None},
    ],
)
def test_fields_of_the_schema_keep_values_of_their_kind_and_size(fields: dict[str, Any]) -> None:
    value = event_bytes(**fields)
    assert kept(rejected(value)) == json.loads(value)
    assert changes(rejected(value)) == {}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("env", {"user": "ada"}, {"kind": "object", "length": 14}),
        ("flow_id", ["ada"], {"kind": "array", "length": 7}),
        ("error_code", 536220000, {"kind": "number", "length": 9}),
        ("csp", True, {"kind": "boolean"}),
        ("event_id", "x" * 129, {"kind": "string", "length": 129}),
        ("user_hash", "é" * 257, {"kind": "string", "length": 257}),
        ("duration_ms", "ada", {"kind": "string", "length": 3}),
        ("duration_ms", 10**32, {"kind": "number", "length": 33}),
        ("schema_version", 536220000, {"kind": "number", "length": 9}),
        ("schema_version", 1.5, {"kind": "number", "length": 3}),
        ("error_class", '{"ssn": "536-22-0000"}', {"kind": "string", "length": 22}),
        ("acr", repr({"first_name": "Ada"}), {"kind": "string", "length": 21}),
        ("error_class", "Ada Lovelace", {"kind": "string", "length": 12}),
        ("occurred_at", "ada yesterday", {"kind": "string", "length": 13}),
        ("flow_id", "536-22-0000", {"kind": "string", "length": 11}),
        ("request_id", "198.51.100.77", {"kind": "string", "length": 13}),
        ("password", "hunter2", {"kind": "string", "length": 7}),
        ("http.request:x-forwarded_for", [1, None], {"kind": "array", "length": 8}),
        ("emails", None, {"kind": "null"}),
    ],
)
def test_of_all_else_name_kind_and_length_are_told(name: str, value: object, told: dict[str, Any]) -> None:
    sent = json.dumps({**PLAIN, name: value}, ensure_ascii=False, separators=(",", ":")).encode()
    assert kept(rejected(sent)) == {**PLAIN, name: told}
    assert changes(rejected(sent)) == {"redacted": b"fields"}


@pytest.mark.parametrize("name", ["ada@example.org", "Ada", "", "536-22-0000", "x" * 65, "ünknown", "a b"])
def test_a_name_that_could_be_a_value_is_told_by_its_length(name: str) -> None:
    said = f"(field 2, a name of {len(name)} characters)"
    assert kept(rejected(json.dumps({"env": "dev", name: 1}).encode())) == {
        "env": "dev",
        said: {"kind": "number", "length": 1},
    }


@pytest.mark.parametrize("name", [*FORBIDDEN, *map(str.upper, FORBIDDEN)])
@pytest.mark.parametrize("held", [b'"123-45-6789"', b"null", b"1e400", b'{"a":[{"b":"123-45-6789"}]}'])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_forbidden_field_is_taken_out_and_named(name: str, held: bytes, escaped: bool) -> None:
    spelt = "".join(f"\\u{ord(letter):04X}" for letter in name) if escaped else name
    record = rejected(b'{"env":"dev","%s": %s}' % (spelt.encode(), held))
    assert record.value == b'{"env":"dev"}'
    assert changes(record) == {"redacted": b"fields", "forbidden": name.lower().encode()}


def test_an_earlier_duplicate_does_not_bring_a_forbidden_field_back() -> None:
    record = rejected(b'{"acr": {"ssn": "123-45-6789"}, "ssn": 1, "acr": "loa3", "ssn": null}')
    assert kept(record) == {"acr": "loa3"}
    assert changes(record) == {"redacted": b"fields", "forbidden": b"ssn"}


def test_of_many_other_fields_some_are_named_and_all_are_counted() -> None:
    record = rejected(json.dumps({f"{'n' * 60}{n}": "x" for n in range(900)} | {"env": "dev"}).encode())
    assert kept(record)["(more)"] == {"kind": "fields", "length": 900 - MAX_OTHERS}
    assert kept(record)["env"] == "dev"
    assert len(kept(record)) == MAX_OTHERS + 2
    assert len(record.value or b"") < 4096


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" \n",
        b"\xff\xfe\x00",
        b"x" * MAX_BYTES,
        b"null",
        b'["ada", {"ssn": "123-45-6789"}]',
        b'"{}"',
        event_bytes(ssn="123-45-6789")[:-1],
        event_bytes(ssn="123-45-6789") * 2,
        b'{"ssn": NaN}',
        b'{"ssn": "\xff"}',
        b'{"ssn": "\\ud800"}',
        b"<ssn>123-45-6789</ssn>",
        event_bytes(ssn="123-45-6789").decode().encode("utf-16"),
        b"[" * 33 + b'{"ssn": "123-45-6789"}' + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
    ],
)
def test_of_what_is_no_object_that_can_be_read_length_and_digest_are_kept(value: bytes) -> None:
    assert_digest_of(value, rejected(value))
    assert changes(rejected(value)) == {"redacted": b"digest"}


def test_of_what_is_too_large_length_and_digest_are_kept() -> None:
    value = event_bytes(padding="x" * MAX_BYTES)
    assert_digest_of(value, rejected(value))
    assert changes(rejected(value)) == {"redacted": b"digest", "truncated": b"%d" % len(value)}


#: Planted where no value may pass: a string and the digits of a number that stand nowhere else.
_SECRET, _DIGITS = "Zaphod", "536220917"
_planted = st.recursive(
    st.sampled_from([f'"{_SECRET}"', f'"a {_SECRET} b"', _DIGITS, f"{_DIGITS}.5", f'"{_DIGITS}"']),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2).map(lambda some: f"[{','.join(some)}]"),
        st.dictionaries(st.sampled_from(["a", _SECRET, "ssn"]), inner, min_size=1, max_size=2).map(
            lambda pairs: "{" + ",".join(f'"{name}":{text}' for name, text in pairs.items()) + "}"
        ),
    ),
    max_leaves=3,
)
#: Names that are no names of fields: they may hold the secret as values do.
_names = st.sampled_from(
    [*FORBIDDEN, *FORBIDDEN, "a", "email_verified", "", f"{_SECRET}@example.org", _DIGITS, f"x {_SECRET}"]
)


def _escaped(name: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in name)


@st.composite
def _told_values(draw: st.DrawFn) -> tuple[str, str]:
    """A field and a JSON text that may not pass: a field that is not the schema's, or a kind or size that is not."""
    name = draw(st.one_of(_names, st.sampled_from(FIELDS)))
    text = draw(_planted)
    if name in NUMBERS and text.startswith(_DIGITS):
        text = f"[{text}]"
    elif name in FIELDS and name not in (*NUMBERS, "schema_version") and text.startswith('"'):
        kinds = [
            f"[{text}]",
            f'"{_SECRET * 60}"',
            json.dumps(f'{{"ssn": {text}}}'),
            json.dumps(json.dumps(f'{{"Last_Name": {text}}}')),
        ]
        text = draw(st.sampled_from(kinds))
    return _escaped(name) if draw(st.booleans()) else name, text


@st.composite
def _planted_objects(draw: st.DrawFn) -> str:
    """JSON in which values that may not pass stand before, between and after those that may."""
    pairs = [(name, json.dumps(value)) for name, value in PLAIN.items() if draw(st.booleans())]
    for told in draw(st.lists(_told_values(), min_size=1, max_size=4)):
        pairs.insert(draw(st.integers(0, len(pairs))), told)
    space = draw(st.sampled_from(["", " ", "\n\t"]))
    return "{" + f",{space}".join(f'"{name}"{space}:{space}{text}' for name, text in pairs) + "}"


@settings(max_examples=examples(600))
@given(
    _planted_objects(),
    st.integers(0, 60),
    st.sampled_from([b"", b"\xff", b"}", b"\n{}", b"[" * 40, b" " * 65_536]),
    st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-be", "utf-32"]),
)
@example(f'{{"{_SECRET}": 1, "env": "{_SECRET * 43}", "duration_ms": {{"a": {_DIGITS}}}}}', 1, b"", "utf-8")
def test_what_may_not_pass_is_found_in_no_value_header_or_message(
    text: str, cut: int, end: bytes, encoding: str
) -> None:
    value = text.encode(encoding)
    for sent in (value, value[: len(value) - cut], value + end, end + value, b"[" + value + b"]"):
        record = rejected(sent)
        assert record.value is not None
        refused = decode_exactly(sent)
        message = refused.detail.encode() if isinstance(refused, Rejection) else b""
        for told in (record.value, message, *(said for _, said in record.headers)):
            spelt_out = json.dumps(json.loads(told)).encode() if told is record.value else told
            for planted in (_SECRET, _DIGITS):
                assert planted.lower().encode() not in told.lower()
                assert planted.lower().encode() not in spelt_out.lower()


@settings(max_examples=examples(250))
@example(json.dumps(PLAIN).encode().replace(b'"env"', b'"duration_ms": 1e400, "env"'))
@given(st.one_of(odd_events(), broken()))
def test_what_is_wrong_with_a_record_can_be_seen_in_what_is_kept(value: bytes) -> None:
    decoded = decode(value)
    record = rejected(value)
    if changes(record).get("redacted") == b"digest":
        assert_digest_of(value, record)
        assert isinstance(decoded, Rejection)
        return
    assert record.value is not None
    left, sent = as_written(record.value), as_written(value)
    for name in FIELDS:
        assert (name in left) == (name in sent)
        if name in sent and not isinstance(left[name], dict):
            assert json.dumps(left[name]) == json.dumps(sent[name])
    if isinstance(decoded, Rejection):  # what is kept is not mended either
        assert isinstance(decode(record.value), Rejection)
