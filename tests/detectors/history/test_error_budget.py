"""The month's account states how much error budget is left, when it will be used up, and leaves out exclusions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.history.error_budget import (
    SCHEDULED_A_MONTH,
    Exclusion,
    account,
    accounts,
    burn_rate,
    exclusion_of,
    month_start,
    scheduled,
    window_burns,
)
from detectors.history.history import BUCKET, History
from detectors.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from detectors.policy.policy import Policy
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.lifecycle.scenario import Scenario

POLICY = default_policy()
START = parse_instant("2026-09-01T00:00:00-04:00")
AT = START + 10 * DAY
#: Completed sign-ins in each five minutes.
GOOD, IDME = 1_000, 400


def history(failing: dict[str, list[tuple[int, int]]] | None = None, until: int = AT) -> History:
    """Return steady sign-ins by ssoe from three weeks before the month on; scopes fail in the given spans."""
    out = History("prod")
    for at in range(START - 21 * DAY, until, BUCKET):
        bad: dict[str, int] = {}
        for csp, all_of in (("idme", IDME), ("logingov", GOOD - IDME)):
            spans = [*(failing or {}).get("", ()), *(failing or {}).get(csp, ())]
            if any(begin <= at < end for begin, end in spans):
                bad[csp] = all_of
        scopes = {
            "prod/ssoe": counts(GOOD, sum(bad.values())),
            "prod/ssoe/idme": counts(IDME, bad.get("idme", 0)),
            "prod/ssoe/logingov": counts(GOOD - IDME, bad.get("logingov", 0)),
        }
        out.add({"env": "prod", "at": at, "scopes": scopes})
    return out


def counts(completed: int, bad: int) -> dict[str, int]:
    return {"good": completed - bad, "bad": bad, "excluded": 0, "started": 0, "slow": 0, "timed": 0}


#: Two hours in which idme fails, from four hours after the month's start on.
SPOILT = history({"idme": [(START + 4 * HOUR, START + 6 * HOUR)]})


def maintained(*windows: tuple[str, int, int]) -> Policy:
    listed = ", ".join(
        f'{{scope: {scope}, start: "{format_instant(a)}", end: "{format_instant(b)}", description: patching}}'
        for scope, a, b in windows
    )
    return read_policy(f"maintenance: [{listed}]", "p.yaml")


def test_a_month_that_goes_well_has_all_of_its_budget() -> None:
    found = account(history(), "ssoe", AT, POLICY)
    assert found is not None
    assert (found.start, found.end) == (START, parse_instant("2026-10-01T00:00:00-04:00"))
    assert found.allowed == pytest.approx(0.001 * GOOD * 30 * DAY / BUCKET)
    assert (found.left, found.gone_at, found.availability) == (1.0, None, 1.0)


def test_an_outage_of_43_minutes_spends_the_budget_of_a_month_of_30_days_on_any_day_of_it() -> None:
    outage = (START + DAY, START + DAY + 45 * MINUTE)
    for at in (START + DAY + HOUR, AT):
        found = account(history({"": [outage]}, at), "ssoe", at, POLICY)
        assert found is not None
        assert found.left == pytest.approx(1 - 45 / 43.2, abs=0.001)
        assert found.gone_at == at


def test_when_it_will_be_gone_is_told_by_the_last_hour() -> None:
    outage = (AT - 20 * MINUTE, AT)
    found = account(history({"": [outage]}), "ssoe", AT, POLICY)
    assert found is not None
    assert found.left == pytest.approx(1 - 20 / 43.2, abs=0.001)
    assert found.gone_at == pytest.approx(AT + 23.2 * 3 * MINUTE, abs=2 * MINUTE)
    calm = account(history({"": [(START + DAY, START + DAY + 20 * MINUTE)]}), "ssoe", AT, POLICY)
    assert calm is not None
    assert calm.gone_at is None


def test_what_a_provider_has_caused_is_not_counted_and_what_failed_beside_it_is() -> None:
    down = (START + DAY, START + DAY + 2 * HOUR)
    known = history({"idme": [down], "logingov": [(START + DAY + HOUR, START + DAY + HOUR + 10 * MINUTE)]})
    exclusion = Exclusion("prod/*/idme", down[0] + 90_000, down[1] - 60_000, "csp")
    without = account(known, "ssoe", AT, POLICY)
    found = account(known, "ssoe", AT, POLICY, [exclusion, exclusion])
    assert without is not None
    assert found is not None
    assert without.bad == 24 * IDME + 2 * (GOOD - IDME)
    assert found.bad == 2 * (GOOD - IDME)
    assert (found.excluded_csp, found.excluded_maintenance) == (24 * IDME, 0)
    other = account(known, "ssoe", AT, POLICY, [Exclusion("prod/sis/idme", *down, "csp")])
    assert other == without


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["prod/ssoe/idme", "prod/*/idme", "prod/ssoe", "prod/*/logingov"]),
            st.integers(0, 60),
            st.integers(1, 60),
        ),
        max_size=4,
    )
)
def test_the_accounts_of_a_methods_providers_add_up_to_that_of_the_method(
    caused: list[tuple[str, int, int]],
) -> None:
    exclusions = [
        Exclusion(scope, START + a * HOUR, START + (a + length) * HOUR, "csp") for scope, a, length in caused
    ]
    scopes = ("prod/ssoe", "prod/ssoe/idme", "prod/ssoe/logingov")
    whole, *parts = (accounts(SPOILT, {scope: 0.001}, AT, POLICY, exclusions).get(scope) for scope in scopes)
    assert whole is not None
    for count in ("good", "bad", "excluded_csp"):
        assert getattr(whole, count) == sum(getattr(part, count) for part in parts if part is not None)


def of_vaweb(start: int, end: int) -> list[dict[str, Any]]:
    leaf = {"axes": {"auth_method": "ssoe", "csp": "idme", "client_id": "vaweb"}, "sign_in": counts(GOOD, 0)}
    return [{"v": 2, "env": "prod", "at": at, "leaves": [leaf]} for at in range(start, end, BUCKET)]


def test_a_client_has_no_account_while_records_do_not_tell_clients_apart() -> None:
    known = history(until=AT - HOUR)
    known.extend(of_vaweb(AT - HOUR, AT))
    budgets = dict.fromkeys(("prod/ssoe", "prod/*/*/vaweb"), 0.001)
    known.scopes.admit([("ssoe", "idme", "vaweb")])
    assert set(accounts(known, budgets, AT, POLICY)) == {"prod/ssoe"}
    later = AT + 70 * DAY
    known.extend(of_vaweb(later - DAY, later))
    assert set(accounts(known, budgets, later, POLICY)) == set(budgets)


def test_burn_rates_of_long_windows_are_those_of_each_scope() -> None:
    budgets = dict.fromkeys(("prod/ssoe", "prod/ssoe/idme", "prod/ssoe/logingov", "prod/sis"), 0.01)
    found = window_burns(SPOILT, budgets, START + 2 * HOUR, START + 6 * HOUR)
    assert found["prod/ssoe/idme"] == pytest.approx(100 * 0.5)
    assert found["prod/ssoe/logingov"] == 0
    assert found["prod/ssoe"] == pytest.approx(100 * 0.5 * IDME / GOOD)
    assert found["prod/sis"] is None


def test_maintenance_is_excluded_up_to_four_hours_a_month() -> None:
    begin = START + DAY
    known = history({"": [(begin, begin + 6 * HOUR)]})
    found = account(known, "ssoe", AT, maintained(("prod/ssoe", begin, begin + 6 * HOUR)))
    assert found is not None
    assert found.excluded_maintenance == pytest.approx(48 * GOOD)
    assert found.bad == pytest.approx(24 * GOOD)


def test_what_is_both_in_maintenance_and_a_providers_doing_is_excluded_once() -> None:
    begin = START + DAY
    known = history({"idme": [(begin, begin + HOUR)]})
    policy = maintained(("prod/ssoe/idme", begin, begin + HOUR))
    exclusion = Exclusion("prod/ssoe/idme", begin, begin + HOUR, "csp")
    found = account(known, "ssoe", AT, policy, [exclusion])
    assert found is not None
    assert (found.bad, found.excluded_maintenance, found.excluded_csp) == (0, 12 * IDME, 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["prod/ssoe", "prod", "prod/ssoe/idme", "prod/sis", "staging/ssoe"]),
            st.integers(-300, 900),
            st.integers(1, 400),
        ),
        max_size=6,
    )
)
def test_never_more_than_four_hours_are_scheduled_and_all_of_less(
    windows: list[tuple[str, int, int]],
) -> None:
    spans = [(s, START + a * MINUTE, START + (a + length) * MINUTE) for s, a, length in windows]
    found = list(scheduled(maintained(*spans), "prod/ssoe", START, AT))
    minutes = {m for one in found for m in range(one.start // MINUTE, one.end // MINUTE)}
    announced = {
        m
        for scope, a, b in spans
        if scope in ("prod", "prod/ssoe", "prod/ssoe/idme")
        for m in range(max(a, START) // MINUTE, b // MINUTE)
    }
    assert minutes <= announced
    assert len(minutes) == min(len(announced), SCHEDULED_A_MONTH // MINUTE)


def test_an_incident_excludes_its_scope_from_its_first_failure_until_it_recovers() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/*/idme", people=60, csp_caused=True)
    scenario.at(600).quiet()
    heard = scenario.play(until=1_000)
    incident = heard.incidents["prod-1"]
    assert incident.recovering_at is not None
    found = exclusion_of(incident, incident.updated_at)
    assert found == Exclusion("prod/*/idme", incident.first_bad_at, incident.recovering_at, "csp")
    assert exclusion_of(replace(incident, csp_caused=False), AT) is None
    assert exclusion_of(replace(incident, resolved_reason="merged into prod-2"), AT) is None
    still = replace(incident, recovering_at=None)
    assert exclusion_of(still, AT) == Exclusion("prod/*/idme", incident.first_bad_at, AT, "csp")


def test_nothing_is_said_of_a_month_without_requests() -> None:
    assert account(History("prod"), "ssoe", AT, POLICY) is None
    assert account(history(), "sis", AT, POLICY) is None


@pytest.mark.parametrize(
    ("at", "months", "first"),
    [
        ("2026-11-15T12:00:00Z", 0, "2026-11-01T00:00:00-04:00"),  # summer time ends on that day
        ("2026-11-01T03:59:59Z", 0, "2026-10-01T00:00:00-04:00"),
        ("2026-12-31T23:59:59-05:00", 1, "2027-01-01T00:00:00-05:00"),
        ("2026-10-31T12:00:00Z", 1, "2026-11-01T00:00:00-04:00"),
    ],
)
def test_months_are_those_of_the_policys_time_zone(at: str, months: int, first: str) -> None:
    assert month_start(parse_instant(at), POLICY.time_zone, months) == parse_instant(first)


def test_a_burn_rate_of_one_spends_the_budget_exactly() -> None:
    rates: list[Any] = [burn_rate(999, 1, 0.999), burn_rate(0, 5, 0.999), burn_rate(0, 0, 0.999)]
    assert rates == [pytest.approx(1.0), pytest.approx(1000.0), None]
