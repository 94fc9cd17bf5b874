"""The records on our topics: what is written is read back, and what is wrong is named."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Counts, Incident, IncidentInput
from streams.records.models import (
    IncidentRecord,
    InputRecord,
    decode_incident,
    decode_input,
    encode_incident,
    encode_input,
)
from streams.records.parts import CountsRecord, Document
from tests.streams.records.strategies import incidents, inputs


@given(incidents())
def test_an_incident_is_read_back_as_it_was(incident: Incident) -> None:
    assert decode_incident(encode_incident(incident)) == incident


@given(inputs)
def test_an_input_is_read_back_as_it_was(value: IncidentInput) -> None:
    assert decode_input(encode_input(value)) == value


@pytest.mark.parametrize(
    ("record", "value"), [(IncidentRecord, Incident), (InputRecord, IncidentInput), (CountsRecord, Counts)]
)
def test_a_record_states_every_field_of_its_value(record: type[Document], value: Any) -> None:
    assert tuple(record.model_fields) == value.__struct_fields__


def test_instants_windows_and_ratios_are_written_for_people() -> None:
    now = Counts(
        at=1_795_446_300_000,
        window=300_000,
        good=3,
        bad=1,
        excluded=0,
        started=4,
        slow=0,
        timed=4,
        users_impacted=1,
    )
    written = json.loads(CountsRecord.model_validate(msgspec.to_builtins(now)).to_json())
    assert (written["at"], written["window"], written["success_ratio"]) == (
        "2026-11-23T15:05:00Z",
        "5m",
        0.75,
    )


def test_a_reader_survives_fields_that_it_does_not_know() -> None:
    value = decode_input(b'{"id":"1","env":"prod","kind":"note","incident":"prod-1","colour":"red"}')
    assert value.incident == "prod-1"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": "explode"}, "kind: "),
        ({"incident": None}, "acknowledge needs an incident"),
        ({"incident": "staging-1"}, "the incident is of another environment"),
        ({"incident": "prod-0"}, "incident: "),
        ({"kind": "report"}, "a report needs a scope"),
        ({"kind": "declare", "incident": None}, "a declare needs a scope"),
        ({"scope": "prod//nowhere"}, "scope: no such scope"),
        ({"scope": "dev"}, "the scope is of another environment"),
        ({"id": ""}, "id: "),
        ({"id": "x" * 129}, "id: "),
        ({"text": "x" * 4001}, "text: "),
        ({"at": 17}, "at: an instant is written as an RFC 3339 string"),
        ({"at": "yesterday"}, "at: not an RFC 3339 instant with an offset"),
    ],
)
def test_an_input_that_cannot_be_meant_is_refused_by_name(changes: dict[str, Any], complaint: str) -> None:
    value = {"id": "1", "env": "prod", "kind": "acknowledge", "incident": "prod-1"} | changes
    with pytest.raises(ValueError, match="^" + complaint):
        decode_input(json.dumps(value).encode())


def test_a_report_that_names_what_fails_is_accepted() -> None:
    value = decode_input(
        b'{"id":"1","env":"prod","kind":"report","scope":"prod/*/idme","text":"nobody gets in"}'
    )
    assert (value.scope, value.incident) == ("prod/*/idme", None)


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_bytes_that_are_no_input_are_refused_in_order(value: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_input(value)
