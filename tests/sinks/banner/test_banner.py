"""Which banners the front end is given, and when they change."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.instants import MINUTE
from sinks.banner.banner import banner_schema, decode, encode, headers
from sinks.banner.keys import BannerKeys
from tests.sinks.banner.making import CSPS, POLICY, T, banners, policy_with, states, window
from tests.sinks.samples import OPENED, incident, incidents


def test_every_key_of_an_environment_always_has_a_state() -> None:
    assert set(banners("prod", [], T)) == {
        "prod/ssoe",
        "prod/sis",
        "prod/mvi",
        *(f"prod/{method}/{csp}" for method in ("ssoe", "sis") for csp in CSPS),
    }
    assert states() == {}


def test_an_environment_that_the_policy_does_not_list_has_no_banner() -> None:
    assert banners("qa", [incident(env="qa", scope="qa")], T) == {}


@pytest.mark.parametrize(
    ("scope", "keys"),
    [
        ("prod", ["prod/mvi", "prod/sis", "prod/ssoe"]),
        ("prod/ssoe", ["prod/ssoe"]),
        ("prod/sis/idme", ["prod/sis/idme"]),
        ("prod/*/idme", ["prod/sis/idme", "prod/ssoe/idme"]),
        ("prod/sis/*/vaweb", ["prod/sis/*/vaweb"]),
        ("prod/*/idme/newcomer", ["prod/*/idme/newcomer"]),
        ("prod/*/clear", []),
        ("prod/sis/clear/vaweb", []),
        ("prod/*/newcomer", []),
        ("prod/okta", []),
        ("prod/mvi", []),
        ("prod/*/mhv", []),
        ("prod/other", []),
        ("prod/sis/*/other", []),
    ],
)
def test_an_incident_writes_the_keys_of_its_scope_and_no_others(scope: str, keys: list[str]) -> None:
    assert states(incident(scope=scope)) == dict.fromkeys(keys, "critical")
    assert sorted(BannerKeys(POLICY).of_scope(scope, T)) == keys


@pytest.mark.parametrize(("severity", "state"), [(1, "critical"), (2, "warning"), (3, None)])
def test_the_banner_follows_the_severity(severity: int, state: str | None) -> None:
    assert states(incident(severity=severity)).get("prod/ssoe") == state


@pytest.mark.parametrize("state", ["open", "acknowledged", "recovering"])
def test_it_stands_from_opening_until_resolution(state: str) -> None:
    assert states(incident(state=state)) == {"prod/ssoe": "critical"}


@pytest.mark.parametrize("state", ["resolved", "closed"])
def test_after_resolution_it_is_ok_in_so_many_words(state: str) -> None:
    banner = banners("prod", [incident(state=state)], T)["prod/ssoe"]
    assert (banner.state, banner.title, banner.severity, banner.incident_id) == ("ok", "", None, None)


@pytest.mark.parametrize(("ratio", "shown"), [(0.0499, False), (0.05, True)])
def test_it_is_never_shown_for_a_scope_of_which_fewer_than_five_percent_fail(
    ratio: float, shown: bool
) -> None:
    assert bool(states(incident(failing_ratio=ratio))) == shown


def test_of_several_incidents_the_worst_shows() -> None:
    mild = incident(id="prod-1", severity=2, opened_at=OPENED - 5 * MINUTE)
    bad = incident(id="prod-2", scope="prod", severity=1)
    made = banners("prod", [mild, bad], T)
    assert (made["prod/ssoe"].state, made["prod/ssoe"].incident_id) == ("critical", "prod-2")
    assert made["prod/sis"].incident_id == "prod-2"


def test_an_incident_of_another_environment_writes_nothing_here() -> None:
    assert states(incident(env="staging", scope="staging")) == {}


def test_announced_maintenance_shows_as_such_from_its_start_to_its_end() -> None:
    policy = policy_with(window("prod/ssoe", T, T + MINUTE))
    for at, shown in [(T - 1, {}), (T, {"prod/ssoe": "maintenance"}), (T + MINUTE, {})]:
        assert states(policy=policy, at=at) == shown
    banner = banners("prod", [], T, policy)["prod/ssoe"]
    assert (banner.title, banner.message) == ("Maintenance of signing in", "ISAM patching")


def test_maintenance_of_one_method_hides_no_outage_of_the_other() -> None:
    policy = policy_with(window("prod/ssoe", T, T + MINUTE))
    assert states(incident(scope="prod"), policy=policy) == {
        "prod/ssoe": "maintenance",
        "prod/sis": "critical",
        "prod/mvi": "critical",
    }


def test_an_incident_within_maintenance_is_shown_as_maintenance() -> None:
    assert states(incident(scope="prod/ssoe/idme", in_maintenance=True)) == {"prod/ssoe/idme": "maintenance"}


def test_since_is_when_the_state_began_however_often_it_is_published() -> None:
    first = banners("prod", [incident()], T)
    assert first["prod/ssoe"].since == OPENED
    assert first["prod/sis"].since is None
    again = banners("prod", [incident()], T + MINUTE, previous=first)
    assert (again["prod/ssoe"].since, again["prod/ssoe"].version) == (OPENED, T + MINUTE)
    over = banners("prod", [incident(state="resolved")], T + 2 * MINUTE, previous=again)
    assert (over["prod/ssoe"].state, over["prod/ssoe"].since) == ("ok", T + 2 * MINUTE)
    milder = banners("prod", [incident(severity=2)], T + 2 * MINUTE, previous=again)
    assert (milder["prod/ssoe"].state, milder["prod/ssoe"].since) == ("warning", T + 2 * MINUTE)


def test_headlines_are_those_of_the_front_end() -> None:
    made = banners("prod", [incident(scope="prod"), incident(id="prod-8", scope="prod/*/logingov")], T)
    assert made["prod/ssoe"].title == "Our sign in process isn't working right now"
    assert made["prod/ssoe/logingov"].title == "You may have trouble signing in with Login.gov"
    assert made["prod/mvi"].title == "You may have trouble signing in or using some tools or services"


def test_a_record_is_a_cloud_event_whose_id_is_a_function_of_key_and_version() -> None:
    banner = banners("prod", [incident()], T)["prod/ssoe"]
    found = {name: value.decode() for name, value in headers(banner)}
    assert found == {
        "ce_specversion": "1.0",
        "ce_id": f"prod/ssoe@{T}",
        "ce_source": "/watchofficer/prod",
        "ce_type": "watchofficer.banner-state.v1",
        "ce_subject": "prod/ssoe",
        "ce_time": "2026-11-23T15:15:00Z",
        "content-type": "application/json",
    }


def test_a_value_is_json_that_reads_without_our_code() -> None:
    banner = banners("prod", [incident()], T)["prod/ssoe"]
    value = msgspec.json.decode(encode(banner))
    assert value == {
        "schema_version": 1,
        "key": "prod/ssoe",
        "state": "critical",
        "severity": 1,
        "title": "Our sign in process isn't working right now",
        "message": "We're working to fix this. Please try again later.",
        "since": "2026-11-23T15:05:00Z",
        "version": T,
        "updated_at": "2026-11-23T15:15:00Z",
        "valid_until": "2026-11-23T15:20:00Z",
        "incident_id": "prod-7",
    }


@given(st.lists(incidents(), max_size=4), st.integers(OPENED, OPENED + 10**9))
def test_every_value_agrees_with_its_schema_and_reads_back(given: list[Any], at: int) -> None:
    policy = policy_with(window("prod/*/idme", OPENED, OPENED + 10**8, "x\n" * 3000))
    validator = jsonschema.Draft202012Validator(banner_schema())
    for env in ("prod", "staging", "dev"):
        made = banners(env, given, at, policy)
        always = BannerKeys(policy).of_env(env, at)
        assert tuple(made)[: len(always)] == always
        for banner in made.values():
            validator.validate(msgspec.json.decode(encode(banner)))
            assert decode(encode(banner)) == replace(banner, changes=())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "active"),
        ("severity", 4),
        ("key", "prod"),
        ("schema_version", 2),
        ("version", -1),
        ("since", 5),
    ],
)
def test_the_schema_refuses_what_is_no_banner_and_so_does_reading(field: str, value: object) -> None:
    changed = msgspec.json.decode(encode(banners("prod", [], T)["prod/sis"])) | {field: value}
    assert not jsonschema.Draft202012Validator(banner_schema()).is_valid(changed)
    with pytest.raises(msgspec.ValidationError):
        decode(msgspec.json.encode(changed))
