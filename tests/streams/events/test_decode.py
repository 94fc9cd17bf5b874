"""Which values are login events, judged alike by both decoders and an independent validator."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from detectors.windows.people.crowd import nobody_id_of
from streams.events import decode as events
from streams.events.decode import decode, decode_many
from streams.events.login_event import FORBIDDEN, person_id
from streams.events.validation import Reason, Rejection, decode_exactly
from tests.streams.events import validator
from tests.streams.events.both_ways import accepted, content, expected, reason
from tests.streams.events.strategies import PLAIN, broken, event_bytes, odd_events, plain_events
from tests.support.depth import examples


@settings(max_examples=examples(200))
@given(odd_events())
def test_odd_events_are_judged_alike_by_both_ways_and_by_an_independent_validator(value: bytes) -> None:
    assert content(decode(value)) == content(decode_exactly(value)) == expected(value)


@settings(max_examples=examples(200))
@given(broken())
def test_broken_values_are_judged_alike_by_both_ways_and_by_an_independent_validator(value: bytes) -> None:
    assert content(decode(value)) == content(decode_exactly(value)) == expected(value)


@given(plain_events())
def test_plain_events_are_decoded_without_the_exact_way_and_with_the_same_result(value: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(events, "decode_exactly")
        decoded = decode(value)
    assert decoded == decode_exactly(value)
    assert content(decoded) == expected(value)


@settings(max_examples=examples(40))
@given(st.lists(st.one_of(plain_events(), odd_events(), broken(), st.none()), max_size=8))
def test_many_values_are_decoded_as_each_alone(values: list[bytes | None]) -> None:
    assert decode_many(values) == [decode(value) for value in values]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b" \r\n\t", Reason.EMPTY),
        (b" " * 65_537, Reason.TOO_LARGE),
        (b"\x00", Reason.NOT_JSON),
        (b"\xef\xbb\xbf" + event_bytes(), Reason.NOT_JSON),
        (event_bytes().decode().encode("utf-16"), Reason.NOT_UTF8),
        (event_bytes() + b"x", Reason.NOT_JSON),
        (event_bytes() + event_bytes(), Reason.NOT_JSON),
        (event_bytes() + b"\n" + event_bytes(), Reason.NOT_JSON),
        (event_bytes()[:-1], Reason.NOT_JSON),
        (event_bytes(duration_ms=float("nan")), Reason.NOT_JSON),
        (event_bytes(unheard_of=float("-inf")), Reason.NOT_JSON),
        (b"[" + event_bytes() + b"]", Reason.NOT_AN_OBJECT),
        (b"[1", Reason.NOT_JSON),
        (b"null", Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_FIELD),
        (b"[" * 60_000, Reason.TOO_DEEP),
        (b'{"a":' * 12_000, Reason.TOO_DEEP),
    ],
)
def test_what_is_no_json_object_is_rejected(value: bytes | None, why: Reason) -> None:
    assert reason(value) is why


@pytest.mark.parametrize("name", validator.REQUIRED)
def test_a_required_field_that_is_absent_or_null_is_missing(name: str) -> None:
    assert reason(event_bytes(**{name: ...})) is Reason.MISSING_FIELD
    assert reason(event_bytes(**{name: None})) is Reason.MISSING_FIELD


@pytest.mark.parametrize("name", validator.FIELDS[7:])
def test_an_optional_field_that_is_null_is_absent(name: str) -> None:
    assert accepted(event_bytes(**{name: None})) == accepted(event_bytes())


@pytest.mark.parametrize("name", validator.FIELDS)
@pytest.mark.parametrize("wrong", ["1", 1.0, True, [1], {"a": 1}, 7])
def test_nothing_is_coerced(name: str, wrong: object) -> None:
    is_number = type(wrong) in (int, float)
    why: Reason | None
    if name == "schema_version":
        why = Reason.BAD_VERSION if type(wrong) is int else Reason.WRONG_TYPE
    elif name in validator.NUMBERS:
        why = None if is_number else Reason.WRONG_TYPE
    elif isinstance(wrong, str):
        why = Reason.BAD_INSTANT if name == "occurred_at" else None
    else:
        why = Reason.WRONG_TYPE
    assert reason(event_bytes(**{name: wrong})) is why


@pytest.mark.parametrize("version", [b"1.0", b"1e0", b"10e-1", b'"1"', b"true", b"[1]"])
def test_the_version_is_an_integer(version: bytes) -> None:
    assert reason(event_bytes().replace(b'"schema_version": 1', b'"schema_version": ' + version)) is (
        Reason.WRONG_TYPE
    )


@pytest.mark.parametrize("version", [0, 2, -1, 10**30])
def test_no_other_version_is_known(version: int) -> None:
    assert reason(event_bytes(schema_version=version)) is Reason.BAD_VERSION


@pytest.mark.parametrize("name", ["duration_ms", "authentication_time_s"])
@pytest.mark.parametrize("number", ["-1", "-0.001", "1e400", "-1e400", "9" * 400, "9" * 5000])
def test_numbers_are_finite_and_not_negative(name: str, number: str) -> None:
    value = event_bytes()[:-1] + f', "{name}": {number}}}'.encode()
    assert reason(value) is Reason.OUT_OF_RANGE


@pytest.mark.parametrize("number", ["0", "-0", "-0.0", "412", "0.5", "1e3", "1" + "0" * 300, "1e-400"])
def test_any_other_number_is_a_duration(number: str) -> None:
    assert accepted(event_bytes()[:-1] + f', "duration_ms": {number}}}'.encode()).duration_ms == float(number)


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_lengths_are_counted_in_characters(character: str) -> None:
    assert reason(event_bytes(event_id=character * 128)) is None
    assert reason(event_bytes(event_id=character * 129)) is Reason.OUT_OF_RANGE
    assert reason(event_bytes(event_id="")) is Reason.OUT_OF_RANGE
    assert reason(event_bytes(acr=character * 256)) is None
    assert reason(event_bytes(acr=character * 257)) is Reason.OUT_OF_RANGE
    assert reason(event_bytes(acr="")) is None


def test_64_kib_are_read_and_not_a_byte_more() -> None:
    padding = 65_536 - len(event_bytes(unheard_of=""))
    assert reason(event_bytes(unheard_of="x" * padding)) is None
    assert reason(event_bytes(unheard_of="x" * (padding + 1))) is Reason.TOO_LARGE
    assert reason(event_bytes() + b" " * 65_536) is Reason.TOO_LARGE


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_objects_and_arrays_nest_32_deep_also_where_nobody_looks(left: str, right: str) -> None:
    def nested(levels: int) -> bytes:
        return event_bytes()[:-1] + f', "unheard_of": {left * levels}1{right * levels}}}'.encode()

    assert reason(nested(31)) is None  # the event itself is the first level
    assert reason(nested(31)[:-1] + b', "beside": [[], {}]}') is None
    assert reason(nested(32)) is Reason.TOO_DEEP
    assert reason(nested(32)[:-5]) is Reason.TOO_DEEP
    assert reason(event_bytes(unheard_of="[" * 99 + '"{' * 99)) is None
    assert reason(event_bytes(unheard_of=[[]] * 99)) is None


def test_brackets_after_a_string_that_ends_in_a_backslash_count() -> None:
    value = event_bytes()[:-1] + b', "unheard_of": ["\\\\", ' + b"[" * 31 + b"]" * 31 + b"]}"
    assert reason(value) is Reason.TOO_DEEP


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"])
def test_bad_utf8_is_rejected_wherever_it_stands(bad: bytes) -> None:
    for name in ("acr", "env", "unheard_of"):
        assert reason(event_bytes(**{name: "?"}).replace(b"?", bad)) is Reason.NOT_UTF8
    assert reason(event_bytes(**{"?": 1}).replace(b"?", bad)) is Reason.NOT_UTF8
    assert reason(event_bytes(unheard_of=[{"?": ["?"]}]).replace(b"?", bad)) is Reason.NOT_UTF8


@pytest.mark.parametrize("lone", ["\\ud800", "\\udc00", "\\ud83d\\ud83d", "\\ud83dx", "\\ude00\\ud83d"])
def test_an_escaped_lone_surrogate_is_no_text_wherever_it_stands(lone: str) -> None:
    for changes in ({"acr": "?"}, {"unheard_of": "?"}, {"?": 1}, {"unheard_of": [{"?": 1}]}):
        assert reason(event_bytes(**changes).replace(b"?", lone.encode())) is Reason.NOT_JSON
    assert reason(b'{"acr": "?",'.replace(b"?", lone.encode()) + event_bytes(acr="x")[1:]) is Reason.NOT_JSON


def test_an_escaped_pair_of_surrogates_is_one_character() -> None:
    value = event_bytes(acr="?").replace(b"?", b"\\ud83d\\ude00" * 256)
    assert accepted(value).acr == "\U0001f600" * 256


def test_of_duplicate_keys_the_last_wins() -> None:
    first_wrong = (
        b'{"schema_version": "one", "env": 1, "occurred_at": [], "acr": {},' + event_bytes(acr="x")[1:]
    )
    assert accepted(first_wrong) == accepted(event_bytes(acr="x"))
    assert reason(event_bytes()[:-1] + b', "env": 7}') is Reason.WRONG_TYPE
    assert reason(event_bytes()[:-1] + b', "env": null}') is Reason.MISSING_FIELD
    assert accepted(event_bytes(csp="idme")[:-1] + b', "csp": null}').csp is None
    assert accepted(event_bytes(env="dev")[:-1] + b', "\\u0065nv": "staging"}').env == "staging"
    assert accepted(b'{"ssn": "123-45-6789",' + event_bytes(ssn=None)[1:]).forbidden == ()


def test_unknown_fields_are_ignored_also_where_they_are_named_as_ours() -> None:
    unknown = {
        "forbidden": ["ssn"],
        "stripped": ["ssn"],
        "leaf": 3,
        "code": "9",
        "type": "x",
        "": {"": [None]},
    }
    assert accepted(event_bytes(**unknown)) == accepted(event_bytes())
    assert accepted(event_bytes()[:-1] + b', "unheard_of": 1e400}') == accepted(event_bytes())


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("held", ["123-45-6789", 1, False, ["x"], {"x": {"y": "z"}}, "é", ""])
def test_a_forbidden_field_is_dropped_and_named_and_the_event_still_counts(name: str, held: object) -> None:
    event = accepted(event_bytes(**{name: held, "user_hash": "h:1"}))
    assert event.forbidden == (name,)
    assert isinstance(held, bool | int) or not held or str(held) not in repr(event)
    assert person_id(event) == person_id(accepted(event_bytes(user_hash="h:1")))


def test_forbidden_fields_are_named_in_one_order_however_they_are_spelt() -> None:
    value = event_bytes(birth_date="x")[:-1] + b', "\\u0073sn": 1e400, "icn": [1]}'
    assert accepted(value).forbidden == ("icn", "ssn", "birth_date")


def test_a_rejection_says_which_field_and_never_what_it_held() -> None:
    secret = "Zaphod"
    for name in validator.FIELDS:
        for wrong in (secret, [secret], {secret: secret}, secret * 99):
            decoded = decode(event_bytes(**{name: wrong, "ssn": secret, secret: secret}))
            if isinstance(decoded, Rejection):
                assert name in decoded.detail
                assert secret not in decoded.detail
    assert "as a string, not as a number" in decode(event_bytes(error_code=7)).detail  # type: ignore[union-attr]
    assert "auth_method" in decode(event_bytes(auth_method="x" * 257)).detail  # type: ignore[union-attr]


def test_the_first_fault_in_the_order_of_the_schema_decides() -> None:
    assert reason(event_bytes(schema_version=2, env=7)) is Reason.BAD_VERSION
    assert reason(event_bytes(event_id="", env=7)) is Reason.OUT_OF_RANGE
    assert reason(event_bytes(outcome=["won"], duration_ms=-1)) is Reason.WRONG_TYPE


@pytest.mark.parametrize("name", validator.KNOWN)
@pytest.mark.parametrize("value", ["clear", "Authorize_SSO", "", "va web", "é" * 256])
def test_nothing_is_rejected_for_a_value_that_nobody_has_listed(name: str, value: str) -> None:
    assert getattr(accepted(event_bytes(**{name: value})), name) == value
    assert reason(event_bytes(**{name: "é" * 257})) is Reason.OUT_OF_RANGE


def test_a_person_is_their_hash_else_their_flow_else_the_event() -> None:
    def person(**fields: object) -> int:
        return person_id(accepted(event_bytes(**fields)))

    assert person(user_hash="a", flow_id="x") == person(user_hash="a", flow_id="y", event_id="other")
    assert person(flow_id="x") == person(flow_id="x", event_id="other") != person(flow_id="y")
    assert person(event_id="e") != person(event_id="f")
    assert len({person(user_hash="a"), person(flow_id="a"), person(event_id="a")}) == 3
    assert 0 <= person(user_hash="é") < 2**64


@pytest.mark.parametrize(
    ("fields", "is_nobody"),
    [
        ({}, True),
        ({"error_code": "400", "operation": "authorize", "request_id": "r"}, True),
        ({"error_code": "007"}, False),
        ({"csp": "idme"}, False),
        ({"login_type": "idme_verified"}, False),
        ({"client_id": "vaweb"}, False),
        ({"acr": "loa3"}, False),
        ({"visitor_hash": "h:1"}, False),
        ({"step": "token"}, False),
    ],
)
def test_only_a_callback_that_says_nothing_of_a_way_to_it_tells_of_nobody(
    fields: dict[str, str], is_nobody: bool
) -> None:
    bare = {"csp": None, "client_id": None, "flow_id": None, "step": "callback", "outcome": "failure"}
    found = person_id(accepted(event_bytes(**{**bare, **fields})))
    assert (found == nobody_id_of(found)) is is_nobody


def test_the_id_of_a_person_is_the_same_in_every_process_and_version() -> None:
    # Segments of an older version stand beside those of a newer one.
    event = accepted(event_bytes(user_hash="h:8c"))
    assert person_id(event) == xxh3_64_intdigest(b"user:h:8c") == 14_712_235_088_934_207_419


def test_an_event_of_every_field_is_read_in_full() -> None:
    everything = {
        **PLAIN,
        **dict.fromkeys(validator.FIELDS[8:19], "x"),
        "csp": "idme",
        "duration_ms": 412,
        "authentication_time_s": 38.5,
    }
    event = accepted(json.dumps(everything).encode())
    everything["occurred_at"] = 1_795_446_245_123
    assert {name: getattr(event, name) for name in validator.FIELDS} == everything
