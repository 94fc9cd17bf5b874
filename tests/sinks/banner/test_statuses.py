"""What GET /v0/backend_statuses answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, format_instant
from sinks.banner.statuses import statuses
from tests.sinks.banner.making import CSPS, POLICY, T, banners, policy_with, shown, window
from tests.sinks.samples import OPENED, incident, incidents


def test_a_person_sees_their_own_method_and_the_providers_through_it() -> None:
    made = banners("prod", [incident(scope="prod/ssoe"), incident(id="prod-8", scope="prod/sis/idme")], T)
    active = dict.fromkeys(CSPS, "active")
    assert shown(made, "ssoe") == {**active, "mvi": "active", "ssoe": "critical"}
    assert shown(made, "sis") == {**active, "idme": "critical", "mvi": "active", "sis": "active"}
    assert shown(made, None) == {
        **active,
        "idme": "critical",
        "mvi": "active",
        "ssoe": "critical",
        "sis": "active",
    }


def test_a_provider_is_as_it_is_on_the_worse_method() -> None:
    worse = incident(scope="prod/sis/idme", severity=1)
    better = incident(id="prod-8", scope="prod/ssoe/idme", severity=2)
    made = banners("prod", [worse, better], T)
    assert [shown(made, method)["idme"] for method in ("ssoe", "sis", None)] == [
        "warning",
        "critical",
        "critical",
    ]


def test_the_body_is_what_the_front_end_reads() -> None:
    body = statuses(POLICY, banners("prod", [incident()], T).values(), T + 1, auth_method="ssoe")
    assert set(body["data"]) == {"id", "type", "attributes"}
    assert body["data"]["type"] == "backend_statuses"
    attributes = body["data"]["attributes"]
    assert attributes["reported_at"] == "2026-11-23T15:15:00Z"
    assert attributes["statuses"][0] == {
        "service": "ID.me",
        "service_id": "idme",
        "status": "active",
        "last_incident_timestamp": None,
    }
    assert attributes["statuses"][-1] == {
        "service": "SSOe",
        "service_id": "ssoe",
        "status": "critical",
        "last_incident_timestamp": "2026-11-23T15:05:00Z",
    }


def test_when_the_watch_is_blind_the_page_shows_no_outage_and_an_old_report() -> None:
    made = banners("prod", [incident(scope="prod")], T)
    late = T + 5 * MINUTE
    assert shown(made, None, late - 1)["ssoe"] == "critical"
    assert set(shown(made, None, late).values()) == {"active"}
    body = statuses(POLICY, made.values(), late)
    assert body["data"]["attributes"]["reported_at"] == format_instant(T)


@pytest.mark.parametrize("method", ["ssoe", "sis", None])
def test_without_any_record_the_list_is_whole_and_active(method: Any) -> None:
    assert set(shown({}, method).values()) == {"active"}
    assert set(shown({}, method)) >= {"mvi", *CSPS}


def test_of_two_records_of_a_key_the_newer_version_counts() -> None:
    old, new = banners("prod", [incident()], T), banners("prod", [], T + 1000)
    mixed = [*new.values(), *old.values()]
    body = statuses(POLICY, mixed, T + 2000, auth_method="ssoe")
    assert {each["status"] for each in body["data"]["attributes"]["statuses"]} == {"active"}


def test_maintenance_is_announced_to_those_whom_it_concerns_until_it_ends() -> None:
    policy = policy_with(
        window("prod/*/idme", T + MINUTE, T + 2 * MINUTE),
        window("prod/ssoe", T - MINUTE, T + MINUTE, "past soon"),
        window("prod/sis/logingov", T - MINUTE, T, "over"),
        window("staging", T, T + MINUTE),
    )

    def announced(method: Any) -> list[tuple[str, str]]:
        attributes = statuses(policy, [], T, auth_method=method)["data"]["attributes"]
        return [(each["external_service"], each["start_time"]) for each in attributes["maintenance_windows"]]

    idme, ssoe = ("idme", "2026-11-23T15:16:00Z"), ("ssoe", "2026-11-23T15:14:00Z")
    assert announced("ssoe") == [ssoe, idme]
    assert announced("sis") == [idme]
    assert announced(None) == [ssoe, idme]
    assert shown({}, "ssoe", policy=policy)["ssoe"] == "maintenance"
    assert shown({}, "ssoe", policy=policy)["idme"] == "active"


@given(
    st.lists(incidents(), max_size=4),
    st.integers(-(10**7), 10**7),
    st.sampled_from(["ssoe", "sis", None]),
)
def test_no_other_status_than_the_front_end_knows_is_ever_published(
    given: list[Any], ago: int, method: Any
) -> None:
    made = banners("prod", given, OPENED, policy_with(window("prod", OPENED, OPENED + MINUTE)))
    found = shown(made, method, OPENED + ago)
    assert set(found.values()) <= {"active", "warning", "critical", "maintenance"}
    assert len(found) >= 4
