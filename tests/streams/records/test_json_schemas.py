"""The published JSON Schemas are those of the models, and judge events as the decoder does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.events.decode import decode
from streams.events.login_event import FORBIDDEN, LoginEvent
from streams.events.validation import Reason, Rejection
from streams.records import json_schemas as schemas
from tests.streams.events import validator
from tests.streams.events.strategies import event_bytes, instants, odd_events, plain_events
from tests.support.depth import examples

ROOT = Path(__file__).parents[3]

#: What a schema cannot say of an event, because it says nothing about the text that the event is written in.
BEYOND_A_SCHEMA = {Reason.EMPTY, Reason.TOO_LARGE, Reason.NOT_UTF8, Reason.NOT_JSON, Reason.TOO_DEEP}

_schema = Draft202012Validator(schemas.login_event_schema())


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float(digits)


def _read(value: bytes) -> object:
    return json.loads(value, parse_int=_integer)


def a_schema_can_judge(value: bytes) -> bool:
    decoded = decode(value)
    if isinstance(decoded, Rejection) and decoded.reason in BEYOND_A_SCHEMA:
        return False
    event = _read(value)
    if not isinstance(event, dict):
        return True
    # To JSON Schema 1.0 is an integer, and February is as long in any year.
    return not isinstance(event.get("schema_version"), float) and "-02-29T" not in str(
        event.get("occurred_at")
    )


def agree(value: bytes) -> bool:
    return _schema.is_valid(_read(value)) == isinstance(decode(value), LoginEvent)


def test_the_schemas_that_are_checked_in_are_current() -> None:
    for name, schema in schemas.SCHEMAS.items():
        file = ROOT / schemas.FOLDER / f"{name}.schema.json"
        assert file.read_text(encoding="utf-8") == schemas.render(schema()), (
            "run python -m streams.records.json_schemas"
        )


def test_running_the_module_writes_every_schema(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "streams.records.json_schemas", str(tmp_path / "new")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [f"{name}.schema.json" for name in schemas.SCHEMAS]
    assert [Path(line).name for line in run.stdout.splitlines()] == names
    for name in names:
        assert (tmp_path / "new" / name).read_bytes() == (ROOT / schemas.FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_every_schema_is_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(schemas.SCHEMAS[name]())


def test_every_field_is_described_and_the_required_ones_are_those_of_the_domain() -> None:
    schema = schemas.login_event_schema()
    assert list(schema["properties"]) == [*validator.FIELDS, *validator.FORBIDDEN]
    assert schema["required"] == validator.REQUIRED
    assert all(len(field["description"]) > 20 for field in schema["properties"].values())


def test_producers_are_told_not_to_send_what_says_who_a_person_is() -> None:
    fields = schemas.login_event_schema()["properties"]
    assert [name for name in fields if fields[name].get("deprecated")] == list(FORBIDDEN)


@given(plain_events())
def test_schema_and_decoder_accept_what_producers_write(value: bytes) -> None:
    assert _schema.is_valid(json.loads(value))
    assert isinstance(decode(value), LoginEvent)


@settings(max_examples=examples(200))
@given(odd_events())
def test_schema_and_decoder_agree_on_odd_events(value: bytes) -> None:
    assume(a_schema_can_judge(value))
    assert agree(value)


@settings(max_examples=examples(200))
@given(instants())
def test_schema_and_decoder_agree_on_instants(text: str) -> None:
    assume(a_schema_can_judge(event_bytes(occurred_at=text)))
    assert agree(event_bytes(occurred_at=text))


@given(
    st.sampled_from(validator.FIELDS), st.sampled_from([None, True, 0, 1, 2, -1, 0.5, 1e308, "", "1", [], {}])
)
def test_schema_and_decoder_agree_on_every_type_in_every_field(name: str, held: object) -> None:
    assert agree(event_bytes(**{name: held}))


@pytest.mark.parametrize("size", [127, 128, 129, 255, 256, 257])
@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_schema_and_decoder_agree_on_lengths(size: int, character: str) -> None:
    assert agree(event_bytes(event_id=character * size))
    assert agree(event_bytes(flow_id=character * size))


@pytest.mark.parametrize("value", [b"[]", b"1", b'"x"', b"null", b"{}", event_bytes(duration_ms=10**400)])
def test_schema_and_decoder_agree_on_what_is_far_from_an_event(value: bytes) -> None:
    assert agree(value)
