"""What GET /v0/backend_statuses answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.instants import MINUTE
from detectors.process.covers import Cover
from sinks.banner.banner import banners as banners_by
from sinks.banner.keys import Visitor
from sinks.banner.statuses import KEPT, known, statuses
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
    made = banners("prod", [incident()], T)
    body = statuses(POLICY, known(made.values(), T + 1, "prod"), Visitor("ssoe"))
    assert set(body["data"]) == {"id", "type", "attributes"}
    assert body["data"]["type"] == "backend_statuses"
    attributes = body["data"]["attributes"]
    assert attributes["reported_at"] == "2026-11-23T15:15:00.000Z"
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
        "last_incident_timestamp": "2026-11-23T15:05:00.000Z",
        "alternatives": [],
    }


def test_when_the_watch_is_blind_the_last_known_state_stands_for_a_while_and_the_report_stands_still() -> (
    None
):
    made = banners("prod", [incident(scope="prod")], T)
    expired = T + POLICY.banner.valid_for
    for now, status, current in (
        (expired - 1, "critical", True),
        (expired, "critical", False),
        (T + KEPT - 1, "critical", False),
        (T + KEPT, "active", False),
    ):
        state = known(made.values(), now, "prod")
        attributes = statuses(POLICY, state)["data"]["attributes"]
        assert state.is_current is current
        assert {one["status"] for one in attributes["statuses"] if one["service_id"] == "ssoe"} == {status}
        assert attributes["reported_at"] == "2026-11-23T15:15:00.000Z"


def test_a_key_that_nobody_renews_is_over_while_the_others_are_judged_and_does_not_come_back() -> None:
    left = banners("prod", [incident(scope="prod/ssoe")], T)["prod/ssoe"]
    others = banners("prod", [], T + 6 * MINUTE)
    made = {**others, left.key: left}
    assert shown(made, "ssoe", T + 7 * MINUTE)["ssoe"] == "active"
    assert shown(made, "ssoe", T + 12 * MINUTE)["ssoe"] == "active"


def test_before_anything_is_judged_the_report_is_from_when_the_watch_began() -> None:
    body = statuses(POLICY, known([], T, "prod"), began=T - MINUTE)
    assert body["data"]["attributes"]["reported_at"] == "2026-11-23T15:14:00.000Z"


def test_the_provider_that_a_person_uses_is_the_only_one_that_is_listed() -> None:
    made = banners("prod", [incident(scope="prod/*/idme")], T)
    listed = [
        statuses(POLICY, known(made.values(), T, "prod"), Visitor("sis", csp))["data"]["attributes"][
            "statuses"
        ]
        for csp in CSPS
    ]
    assert [{one["service_id"]: one["status"] for one in of} for of in listed] == [
        {"idme": "critical", "mvi": "active", "sis": "active"},
        {"logingov": "active", "mvi": "active", "sis": "active"},
    ]


@pytest.mark.parametrize("method", ["ssoe", "sis", None])
def test_without_any_record_the_list_is_whole_and_active(method: Any) -> None:
    assert set(shown({}, method).values()) == {"active"}
    assert set(shown({}, method)) >= {"mvi", *CSPS}


def test_of_two_records_of_a_key_the_newer_version_counts() -> None:
    old, new = banners("prod", [incident()], T), banners("prod", [], T + 1000)
    mixed = [*new.values(), *old.values()]
    body = statuses(POLICY, known(mixed, T + 2000, "prod"), Visitor("ssoe"))
    assert {each["status"] for each in body["data"]["attributes"]["statuses"]} == {"active"}


def test_maintenance_is_announced_to_those_whom_it_concerns_until_it_ends() -> None:
    policy = policy_with(
        window("prod/*/idme", T + MINUTE, T + 2 * MINUTE),
        window("prod/ssoe", T - MINUTE, T + MINUTE, "past soon"),
        window("prod/sis/logingov", T - MINUTE, T, "over"),
        window("staging", T, T + MINUTE),
    )

    def announced(method: Any) -> list[tuple[str, str]]:
        attributes = statuses(policy, known([], T, "prod"), Visitor(method))["data"]["attributes"]
        return [(each["external_service"], each["start_time"]) for each in attributes["maintenance_windows"]]

    idme, ssoe = ("idme", "2026-11-23T15:16:00.000Z"), ("ssoe", "2026-11-23T15:14:00.000Z")
    (first, second) = statuses(policy, known([], T, "prod"), Visitor("ssoe"))["data"]["attributes"][
        "maintenance_windows"
    ]
    assert list(first) == ["id", "external_service", "start_time", "end_time", "description"]
    assert isinstance(first["id"], int)
    assert first["id"] != second["id"]
    assert announced("ssoe") == [ssoe, idme]
    assert announced("sis") == [idme]
    assert announced(None) == [ssoe, idme]
    assert shown({}, "ssoe", policy=policy)["ssoe"] == "maintenance"
    assert shown({}, "ssoe", policy=policy)["idme"] == "active"


def test_maintenance_at_run_time_stands_on_the_banner_and_among_the_windows_and_other_covers_do_not() -> None:
    fields = {"scope": "prod/ssoe", "by": "Ada", "text": "ISAM\npatching", "said_at": T - MINUTE}
    held = Cover(id="prod-c1", kind="maintenance", start=T, end=T + MINUTE, **fields)  # type: ignore[arg-type]
    daily = replace(
        held, id="prod-c2", scope="prod/sis", start=T - 10 * MINUTE, end=T - 9 * MINUTE, recurs="FREQ=DAILY"
    )
    muted = replace(held, id="prod-c3", kind="mute", scope="prod/sis")
    covers = [held, daily, muted]
    made = banners_by(POLICY, "prod", [incident(scope="prod/ssoe")], T, None, covers)
    assert {key: one.state for key, one in made.items() if one.state != "ok"} == {"prod/ssoe": "maintenance"}
    assert made["prod/ssoe"].message == "ISAM patching"
    assert banners_by(POLICY, "prod", [], T + MINUTE, made, covers)["prod/ssoe"].state == "ok"
    body = statuses(POLICY, known([], T, "prod"), Visitor("ssoe"), covers=covers)["data"]["attributes"]
    assert {one["service_id"]: one["status"] for one in body["statuses"]}["ssoe"] == "maintenance"
    windows = statuses(POLICY, known([], T, "prod"), covers=covers)["data"]["attributes"][
        "maintenance_windows"
    ]
    assert [(one["external_service"], one["start_time"], one["description"]) for one in windows] == [
        ("ssoe", "2026-11-23T15:15:00.000Z", "ISAM patching"),
        ("sis", "2026-11-24T15:05:00.000Z", "ISAM patching"),
    ]


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
