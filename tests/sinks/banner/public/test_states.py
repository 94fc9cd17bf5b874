"""What people of some states are told of outages that were declared for them, and what they are never told."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.incidents import Incident, Note
from detectors.instants import HOUR, MINUTE
from detectors.process.record import FollowUp, Process, Said
from sinks.banner.public.states import state_incidents
from sinks.banner.statuses import KEPT, known
from streams.settings.policy_file import read_policy
from tests.sinks.banner.making import POLICY, T, banners
from tests.sinks.samples import OPENED, incident


def declared(*states: str, **changes: Any) -> Incident:
    process = {"states": states, **changes.pop("process", {})}
    fields = {"scope": "prod/*/logingov", "declared_at": OPENED, "declared_by": "Ada", **changes}
    return incident(process=Process(**process), **fields)


def told(*given: Incident, now: int = T, policy: Any = POLICY, **updates: list[Said]) -> list[dict[str, Any]]:
    state = known(banners("prod", given, T, POLICY).values(), now, "prod")
    by_id = {name.replace("_", "-"): said for name, said in updates.items()}
    body = state_incidents(policy, state, given, updates=by_id)
    found: list[dict[str, Any]] = body["data"]["attributes"]["incidents"]
    return found


def test_an_outage_is_told_in_the_form_that_the_front_end_reads() -> None:
    assert told(declared("AR", "TX")) == [
        {
            "id": "prod-7",
            "active": True,
            "states": ["AR", "TX"],
            "title": "Login.gov on both sign-in methods",
            "message": "Some people cannot sign in (Login.gov on both sign-in methods). We know of it and work on it.",
            "status": "error",
        }
    ]


@pytest.mark.parametrize(("severity", "status"), [(1, "error"), (2, "warning"), (3, "info")])
def test_its_status_follows_the_severity(severity: int, status: str) -> None:
    assert told(declared("AR", severity=severity))[0]["status"] == status


@pytest.mark.parametrize("state", ["resolved", "closed"])
def test_what_is_over_is_told_as_over_for_an_hour(state: str) -> None:
    for ago, shown in ((0, True), (HOUR - 1, True), (HOUR, False)):
        found = told(declared("AR", state=state, resolved_at=T - ago))
        assert [(one["active"], one["status"]) for one in found] == ([(False, "info")] if shown else [])
    (one,) = told(
        declared("AR", state=state, resolved_at=T), prod_7=[Said(OPENED, "Ada", "Use ID.me.", True)]
    )
    assert one["message"] == "The problem with Login.gov on both sign-in methods is over."


@pytest.mark.parametrize(
    "changes",
    [
        {"process": {"states": ()}},
        {"declared_at": None},
        {"muted_until": T + HOUR},
        {"in_maintenance": True},
        {"env": "staging", "id": "staging-7", "scope": "staging/*/logingov"},
        {"state": "resolved", "resolved_at": T, "resolved_reason": "merged into prod-3"},
    ],
)
def test_what_concerns_nobody_or_is_kept_quiet_is_not_told(changes: dict[str, Any]) -> None:
    assert told(declared("AR", **changes)) == []


def test_an_exercise_is_not_told() -> None:
    assert told(declared("AR"), policy=read_policy("notify: {dedup_prefix: exercise}\n", "test.yaml")) == []


def test_the_last_update_that_a_person_marked_public_is_the_message() -> None:
    updates = [
        Said(OPENED - MINUTE, "Ada", "Of the time before.", True),
        Said(OPENED + 2 * MINUTE, "Ada", "Use ID.me: https://va.gov", True),
        Said(OPENED + MINUTE, "Ada", "We ask them.", True),
        Said(OPENED + 3 * MINUTE, "Ada", "The AAMVA is down.", False),
    ]
    assert told(declared("AR"), prod_7=updates)[0]["message"] == "Use ID.me: https[:]//va.gov"


def test_notes_names_and_codes_are_never_told() -> None:
    process = {
        "roles": {"commander": "SECRET"},
        "said": Said(OPENED, "SECRET", "SECRET"),
        "follow_ups": (FollowUp(OPENED, "SECRET", "SECRET"),),
    }
    about = declared(
        "AR",
        process=process,
        sentence="SECRET",
        declared_by="SECRET",
        acknowledged_by="SECRET",
        notes=(Note(OPENED, "SECRET", "SECRET"),),
        links={"console": "https://SECRET"},
    )
    assert "SECRET" not in str(told(about, prod_7=[Said(OPENED, "SECRET", "SECRET", False)]))


def test_once_the_watch_has_been_blind_for_a_quarter_of_an_hour_nothing_is_told() -> None:
    assert len(told(declared("AR"), now=T + KEPT - 1)) == 1
    assert told(declared("AR"), now=T + KEPT) == []


def test_what_lasts_is_told_first_and_the_worst_of_that() -> None:
    given = (
        declared("AR", id="prod-1", state="resolved", resolved_at=T),
        declared("AR", id="prod-2", severity=2),
        declared("AR", id="prod-3"),
    )
    assert [one["id"] for one in told(*given)] == ["prod-3", "prod-2", "prod-1"]
