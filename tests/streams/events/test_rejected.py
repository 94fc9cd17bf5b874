"""What is written of a record that is no login event, and what is kept from view."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events.decode import decode
from streams.events.login_event import FORBIDDEN
from streams.events.rejected import KEPT_BYTES, RejectedRecord, rejected_record
from streams.events.validation import Reason, Rejection
from tests.streams.events.strategies import broken, event_bytes, odd_events
from tests.support.depth import examples


def rejected(value: bytes | None) -> RejectedRecord:
    return rejected_record("login-events", 3, 42, value, Reason.WRONG_TYPE)


def change(record: RejectedRecord) -> tuple[str, bytes] | None:
    """The header that says how the value differs from the original."""
    assert len(record.headers) in (4, 5)
    return record.headers[4] if len(record.headers) == 5 else None


def assert_digest_of(original: bytes, record: RejectedRecord) -> None:
    assert record.value is not None
    assert json.loads(record.value) == {
        "length": len(original),
        "sha256": hashlib.sha256(original).hexdigest(),
    }
    assert change(record) == ("redacted", b"digest")


def test_a_rejected_record_says_where_it_stood_and_why_it_was_refused() -> None:
    record = rejected_record("a.login-events", 3, 42, b"{", Reason.NOT_JSON)
    assert record.key == b"a.login-events/3/42"
    assert record.value == b"{"
    assert record.headers == (
        ("reason", b"not_json"),
        ("topic", b"a.login-events"),
        ("partition", b"3"),
        ("offset", b"42"),
    )


def test_a_null_value_stays_null() -> None:
    assert rejected(None).value is None
    assert change(rejected(None)) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe\x00",
        event_bytes(env="moon") + b"\r\n",
        event_bytes(step="email"),
        event_bytes(email_verified=True, ssns=1, nickname="icn"),
        b'{"a": "my email is broken", "b": "ssn, icn"}',
        b'["ssn", {"x": "last_name"}]',
        b"x" * 65_536,
    ],
)
def test_what_names_no_forbidden_field_is_kept_to_the_byte(value: bytes) -> None:
    assert rejected(value).value == value
    assert change(rejected(value)) is None


@pytest.mark.parametrize("name", [*FORBIDDEN, *map(str.upper, FORBIDDEN)])
@pytest.mark.parametrize("held", [b'"123-45-6789"', b"null", b"1e400", b'{"a":[{"b":"123-45-6789"}]}'])
@pytest.mark.parametrize("escaped", [False, True])
def test_forbidden_fields_are_taken_out_at_any_depth(name: str, held: bytes, escaped: bool) -> None:
    spelt = "".join(f"\\u{ord(letter):04X}" for letter in name) if escaped else name
    field = b'"%s": %s' % (spelt.encode(), held)
    record = rejected(b'{%s, "a": [1e400, {%s, "b": "\\u0041"}], "c": {%s}}' % (field, field, field))
    assert record.value == b'{"a":[1e400,{"b":"\\u0041"}],"c":{}}'
    assert change(record) == ("redacted", b"fields")


def test_an_earlier_duplicate_does_not_bring_a_forbidden_field_back() -> None:
    record = rejected(b'{"a": {"ssn": "123-45-6789"}, "a": 2, "b": 3}')
    assert record.value == b'{"a":2,"b":3}'
    assert change(record) == ("redacted", b"fields")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"ssn": "123-45-6789"}),
        json.dumps({"x": json.dumps({"ssn": "123-45-6789"})}),
        repr({"ssn": "123-45-6789"}),
        '{"\\u0073sn": "123-45-6789"}',
    ],
)
def test_json_within_a_string_is_no_place_for_a_forbidden_field_either(text: str) -> None:
    record = rejected(json.dumps({"a": text, "b": [text, 1], "c": 2, text: 3}).encode())
    assert record.value == b'{"b":[1],"c":2}'
    assert_digest_of(json.dumps(text).encode(), rejected(json.dumps(text).encode()))


@pytest.mark.parametrize(
    "value",
    [
        event_bytes(ssn="123-45-6789")[:-1],
        event_bytes(ssn="123-45-6789") * 2,
        b'{"ssn": NaN}',
        b'{"\\u0073sn": "123-45-67',
        b'{"SSN": "123-45-67',
        b'{"ssn": "\xff"}',
        b'{"ssn": "\\ud800"}',
        b"<ssn>123-45-6789</ssn>",
        event_bytes(ssn="123-45-6789").decode().encode("utf-16"),
        b"[" * 33 + b'{"ssn": "123-45-6789"}' + b"]" * 33,
        event_bytes(ssn="123-45-6789", padding="x" * 65_536),
    ],
)
def test_of_what_cannot_be_read_and_names_a_forbidden_field_only_length_and_digest_go(value: bytes) -> None:
    assert_digest_of(value, rejected(value))


def test_of_what_is_too_large_the_first_4_kib_go() -> None:
    value = event_bytes(padding="x" * 65_536)
    assert rejected(value).value == value[:KEPT_BYTES]
    assert len(value[:KEPT_BYTES]) == 4096
    assert change(rejected(value)) == ("truncated", b"%d" % len(value))
    assert rejected(value[:-100] + b'"ssn": "123-45-6789"').value == value[:KEPT_BYTES]


_SECRET = "Zaphod"
_keys = st.sampled_from([*FORBIDDEN, *FORBIDDEN, "a", "b", "", "email_verified"])
_spellings = st.sampled_from(
    [
        lambda name: name,
        lambda name: "".join(f"\\u{ord(letter):04x}" for letter in name),
        lambda name: name[:1] + "".join(f"\\u{ord(letter):04X}" for letter in name[1:]),
    ]
)


@st.composite
def _objects(draw: st.DrawFn, depth: int = 3) -> str:
    """JSON in which whatever stands under a forbidden name, and nothing else, holds the secret."""
    pairs = []
    for name in draw(st.lists(_keys, max_size=4)):
        if name in FORBIDDEN:
            value = draw(st.sampled_from([f'"{_SECRET}"', f'["{_SECRET}"]', f'{{"a":"{_SECRET}"}}']))
        elif depth and draw(st.booleans()):
            value = draw(_objects(depth=depth - 1))
            value = draw(st.sampled_from([value, f"[1, {value}]", json.dumps(value)]))
        else:
            value = draw(st.sampled_from(["1", "1e400", "null", '"ssn"', '"\\""']))
        pairs.append(f'"{draw(_spellings)(name)}" : {value}')
    return f"{{{', '.join(pairs)}}}"


@settings(max_examples=examples(300))
@given(
    _objects(),
    st.integers(0, 400),
    st.sampled_from([b"", b"\xff", b"}", b"\n{}", b"[" * 40, b" " * 65_536]),
    st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-16-be", "utf-32"]),
)
def test_nothing_personal_is_ever_forwarded(text: str, cut: int, end: bytes, encoding: str) -> None:
    value = text.encode(encoding)
    for sent in (value, value[: len(value) - cut], value + end, end + value):
        kept = rejected(sent).value
        assert kept is not None
        assert _SECRET.encode() not in kept.replace(b"\0", b"")


@given(st.one_of(odd_events(), broken()))
def test_whatever_is_rejected_can_be_told_of(value: bytes) -> None:
    decoded = decode(value)
    record = rejected(value)
    assert record.value is not None
    if change(record) is None:
        assert record.value == value
    elif change(record) == ("redacted", b"fields"):
        assert not isinstance(decoded, Rejection) or decoded.reason not in (
            Reason.NOT_JSON,
            Reason.NOT_UTF8,
            Reason.TOO_DEEP,
        )
        # What is wrong with it does not change with what was taken out.
        assert isinstance(decode(record.value), type(decoded) if isinstance(decoded, Rejection) else object)
    else:
        assert_digest_of(value, record)
