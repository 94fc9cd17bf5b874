"""The schemas and the AsyncAPI document: current, valid, and true of what is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from detectors.incidents import Incident, IncidentInput
from detectors.scopes import ENVS, SCOPES
from detectors.slis import SliValue
from sinks.banner import banner
from streams.kafka.topics import Topics
from streams.records import asyncapi
from streams.records.models import decode_input, encode_incident, encode_input
from streams.settings.policy_file import default_policy
from tests.streams.records.strategies import incidents, inputs

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
DOCUMENT = asyncapi.asyncapi()
SCOPE_PATHS = [f"{env}/{scope}" if scope else env for env in ENVS for scope in SCOPES]


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(asyncapi.SCHEMAS[name](), format_checker=FormatChecker())


INCIDENT, INPUT, SLI, BANNER = (schema(name) for name in ("incident", "incident-input", "sli", "banner"))

slis = st.builds(
    SliValue,
    at=st.integers(0, 4_102_444_800_000),
    scope=st.sampled_from(SCOPE_PATHS),
    window=st.sampled_from([300_000, 900_000, 3_600_000]),
    good=st.integers(0, 99),
    bad=st.integers(0, 99),
    excluded=st.integers(0, 99),
    started=st.integers(0, 99),
    slow=st.just(0),
    timed=st.integers(0, 99),
    users_impacted=st.integers(0, 99),
    users_impacted_error=st.sampled_from([0.0, 0.0019, 1.0]),
)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(pointer: str) -> Any:
    found: Any = DOCUMENT
    for part in pointer.removeprefix("#/").split("/"):
        found = found[part]
    return found


@pytest.mark.parametrize("name", asyncapi.files())
def test_the_files_that_are_checked_in_are_current(name: str) -> None:
    assert (DEPLOY / name).read_text(encoding="utf-8") == asyncapi.files()[name], (
        "run python -m streams.records.asyncapi"
    )


def test_writing_makes_every_file(tmp_path: Path) -> None:
    written = asyncapi.write(tmp_path / "new")
    assert {str(file.relative_to(tmp_path / "new")) for file in written} == set(asyncapi.files())
    assert all(file.read_text(encoding="utf-8") for file in written)


@pytest.mark.parametrize("name", asyncapi.SCHEMAS)
def test_every_schema_is_valid_and_describes_every_field(name: str) -> None:
    value = asyncapi.SCHEMAS[name]()
    Draft202012Validator.check_schema(value)
    assert value["title"]
    assert value["description"]
    for part in (value, *value.get("$defs", {}).values()):
        undescribed = [field for field, of in part["properties"].items() if "description" not in of]
        assert undescribed == [] or name == "banner"


@given(incidents())
def test_an_incident_as_it_is_written_is_what_its_schema_says(incident: Incident) -> None:
    INCIDENT.validate(json.loads(encode_incident(incident)))


@given(slis)
def test_an_indicator_as_it_is_written_is_what_its_schema_says(value: SliValue) -> None:
    SLI.validate(value.as_json())


@given(inputs)
def test_an_input_as_it_is_written_is_what_its_schema_says(value: IncidentInput) -> None:
    INPUT.validate(json.loads(encode_input(value)))


def test_a_banner_as_it_is_written_is_what_its_schema_says() -> None:
    for state in banner.banners(default_policy(), "prod", (), 1_795_446_300_000).values():
        BANNER.validate(json.loads(banner.encode(state)))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.sampled_from(["1", "", "x" * 129, 7, None]),
            "env": st.sampled_from(["prod", "moon", None]),
            "kind": st.sampled_from(["acknowledge", "note", "declare", "report", "explode", 1]),
            "incident": st.sampled_from(["prod-1", "prod-0", "prod", None, 1]),
            "scope": st.sampled_from(["prod", "prod/*/idme", "prod/ssoe/", "prod/*", "", None, 1]),
            "by": st.sampled_from(["Ada", "", None]),
            "text": st.sampled_from(["", "x" * 4001, None]),
            "unknown": st.just(1),
        },
    )
)
def test_the_schema_of_inputs_and_the_reader_agree(value: dict[str, Any]) -> None:
    try:
        decode_input(json.dumps(value).encode())
    except ValueError:
        assert not INPUT.is_valid(value)
    else:
        assert INPUT.is_valid(value)


@pytest.mark.parametrize(
    "scope", [*SCOPE_PATHS, "prod/sis/clear/vaweb", "prod/*/*/vamobile", "qa.7", "a/b/c/d/e"]
)
def test_the_schema_knows_scopes_of_any_values(scope: str) -> None:
    env = scope.partition("/")[0]
    value = {"id": "1", "env": env, "kind": "report", "scope": scope}
    assert INPUT.is_valid(value)
    assert decode_input(json.dumps(value).encode()).scope == scope


@pytest.mark.parametrize(
    "scope", ["prod/*", "*", "prod//idme", "prod/", "prod/Ssoe", "prod/a/b/c/d/e", "prod/ssoe\n", ""]
)
def test_the_schema_and_the_reader_refuse_what_is_no_scope(scope: str) -> None:
    value = {"id": "1", "env": "prod", "kind": "report", "scope": scope}
    assert not INPUT.is_valid(value)
    with pytest.raises(ValueError, match="no such scope"):
        decode_input(json.dumps(value).encode())


def test_every_reference_of_the_document_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        if reference.startswith("#/"):
            assert resolve(reference)
        else:
            assert (DEPLOY / reference).is_file()


def test_every_channel_is_a_topic_of_ours_with_the_settings_it_is_created_with() -> None:
    created = Topics().all()
    for name, channel in DOCUMENT["channels"].items():
        settings = channel["bindings"]["kafka"]["topicConfiguration"]
        assert channel["address"] == "{prefix}" + name
        assert ",".join(settings["cleanup.policy"]) == created[name]["cleanup.policy"]
        assert str(settings.get("retention.ms")) == created[name].get("retention.ms", "None")


def test_every_channel_has_one_operation_and_one_message() -> None:
    operations = [operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()]
    assert sorted(operations) == sorted(f"#/channels/{name}" for name in DOCUMENT["channels"])
    messages = [message for channel in DOCUMENT["channels"].values() for message in channel["messages"]]
    assert sorted(messages) == sorted(DOCUMENT["components"]["messages"])


def test_the_headers_of_a_banner_are_those_of_the_document() -> None:
    (state, *_) = banner.banners(default_policy(), "prod", (), 0).values()
    sent = {name: value.decode() for name, value in banner.headers(state)}
    Draft202012Validator(DOCUMENT["components"]["messages"]["banner-state"]["headers"]).validate(sent)


def test_the_yaml_says_what_the_document_says() -> None:
    assert yaml.safe_load((DEPLOY / "asyncapi.yaml").read_text(encoding="utf-8")) == DOCUMENT
