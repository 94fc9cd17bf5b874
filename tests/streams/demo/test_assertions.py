"""What a scenario promises. Each promise is kept by good observations, and broken by the lack of what it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, SECOND
from sinks.sandbox.pagerduty import SentWebhook, Woken
from streams.demo.assertions import Assertion, assertions
from streams.demo.expectations import Expectation
from streams.demo.observations import BannerChange, Observations
from streams.settings.policy_file import default_policy
from tests.streams.demo.stories import (
    BEGAN,
    ENDED,
    KEY,
    SSOE,
    datadog_incident,
    healthy,
    message,
    request,
    scrape,
    ssoe_outage,
    the_incident,
)

Change = Callable[[Observations], Observations]


def judged(observations: Observations, *causes: Expectation) -> list[Assertion]:
    return assertions(causes, observations, default_policy())


def broken(observations: Observations, *causes: Expectation) -> dict[str, str]:
    return {p.what: p.broken for p in judged(observations, *causes) if p.broken is not None}


def with_(**changes: Any) -> Change:
    """Return observations with some fields replaced; a function receives the old value."""

    def change(observations: Observations) -> Observations:
        values = {
            name: value(getattr(observations, name)) if callable(value) else value
            for name, value in changes.items()
        }
        return replace(observations, **values)

    return change


def an_incident(**changes: Any) -> Change:
    return with_(incidents=(the_incident(**changes),))


def more(*extra: Any) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda old: (*old, *extra)


def without(state: Callable[[Any], bool]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    return lambda old: tuple(one for one in old if not state(one))


ONE = "prod/ssoe is one incident, of severity 1 at its worst"
WAKES = "prod/ssoe wakes somebody once"
IN_TIME = "prod/ssoe pages within 60 s of event time"
ACKNOWLEDGED = "prod/ssoe is acknowledged through PagerDuty's signed webhook"
PAGERDUTY = "prod/ssoe is resolved in PagerDuty"
SLACK = "prod/ssoe has a message and a thread in Slack"
EVENT = "prod/ssoe opens an event in Datadog, and closes it"
DECLARED = "prod/ssoe is declared in Datadog, and resolved there"
METRICS = "prod/ssoe shows on /metrics, severity and people"
RESOLVED = "prod/ssoe is resolved"
BANNER = "the banner prod/ssoe goes up (critical), and comes down again"
NO_OTHER = "no other incident"
SLEEP = "nobody is woken for anything else"
PROD_ALONE = "PagerDuty hears of prod alone"
NOT_SIS = "who signs in by sis never sees a banner"
NO_BANNER = "no other banner goes up"
CALM = "in the end /metrics shows no incident, and nothing that was dead or rejected"
OF_INCIDENT = {WAKES, IN_TIME, ACKNOWLEDGED, PAGERDUTY, SLACK, EVENT, DECLARED, METRICS, RESOLVED}

S1 = f"{KEY}:s1"
LATER = BEGAN + 4 * MINUTE
BREAKAGES: list[tuple[str, Change, set[str]]] = [
    ("no incident", with_(incidents=()), {ONE, *OF_INCIDENT, SLEEP}),
    ("on another scope", an_incident(scope="prod/sis"), {ONE, *OF_INCIDENT, SLEEP, NO_OTHER}),
    ("found before it began", an_incident(opened_at=BEGAN - MINUTE), {ONE, *OF_INCIDENT, SLEEP, NO_OTHER}),
    ("found long after", an_incident(opened_at=ENDED + HOUR), {ONE, *OF_INCIDENT, SLEEP, NO_OTHER}),
    ("a second incident", with_(incidents=more(the_incident(id="prod-2", scope="prod/sis/mhv"))), {NO_OTHER}),
    ("of severity 2", an_incident(peak_severity=2), {ONE}),
    ("nobody woken", with_(woken=()), {WAKES}),
    ("woken twice at a key", with_(woken=lambda old: old * 2), {WAKES}),
    (
        "woken again before the acknowledgement",
        with_(
            pagerduty=lambda old: (*old[:2], request("trigger", BEGAN - 2 * MINUTE, key=S1), *old[2:]),
            woken=more(Woken(BEGAN, "Ada", S1, "critical", "SSOe fails")),
        ),
        {WAKES},
    ),
    (
        "woken for another incident",
        with_(woken=more(Woken(LATER, "Ada", "watchofficer:prod-2:0", "error", "SiS fails"))),
        {SLEEP},
    ),
    (
        "paged after a minute",
        with_(pagerduty=(request("trigger", BEGAN + 61 * SECOND), request("resolve", ENDED))),
        {IN_TIME},
    ),
    (
        "only warned",
        with_(pagerduty=(request("trigger", BEGAN, "warning"), request("resolve", ENDED))),
        {IN_TIME},
    ),
    ("no webhook", with_(webhooks=lambda old: old[:1]), {ACKNOWLEDGED}),
    (
        "the webhook was not believed",
        with_(webhooks=(SentWebhook(LATER, "incident.acknowledged", KEY, (503, 401)),)),
        {ACKNOWLEDGED},
    ),
    ("acknowledged by another way", an_incident(acknowledged_by="Grace"), {ACKNOWLEDGED}),
    (
        "the acknowledgement had no effect",
        an_incident(acknowledged_by=None, acknowledged_at=None),
        {ACKNOWLEDGED},
    ),
    ("the alert stays open", with_(alerts=((KEY, "acknowledged"),)), {PAGERDUTY}),
    ("paged again after all", with_(pagerduty=more(request("trigger", ENDED + HOUR))), {PAGERDUTY}),
    ("a refused request", with_(pagerduty=more(request("resolve", ENDED, status=400))), {PAGERDUTY}),
    ("PagerDuty heard nothing", with_(pagerduty=()), {IN_TIME, PAGERDUTY}),
    (
        "PagerDuty heard of staging",
        with_(pagerduty=more(request("trigger", BEGAN, key="watchofficer:staging-1:0"))),
        {PROD_ALONE},
    ),
    (
        "the watch was blind",
        with_(pagerduty=more(request("trigger", BEGAN, key="watchofficer:blind:lag"))),
        {PROD_ALONE},
    ),
    ("no message", with_(slack=lambda old: old[1:]), {SLACK}),
    ("two messages", with_(slack=more(message("2.1", "SSOe\nincident prod-1"))), {SLACK}),
    ("the thread was not closed", with_(slack=lambda old: old[:2]), {SLACK}),
    ("no event", with_(datadog_events=()), {EVENT}),
    ("an event that is closed alone", with_(datadog_events=lambda old: old[2:]), {EVENT}),
    ("the event stays open", with_(datadog_events=lambda old: old[:2]), {EVENT}),
    ("not declared", with_(datadog_incidents=()), {DECLARED}),
    ("declared twice", with_(datadog_incidents=lambda old: old * 2), {DECLARED}),
    ("declared for another", with_(datadog_incidents=(datadog_incident("resolved", KEY + "1"),)), {DECLARED}),
    ("Datadog's stays active", with_(datadog_incidents=(datadog_incident("active"),)), {DECLARED}),
    ("the incident stays", an_incident(state="recovering", resolved_reason=None), {RESOLVED}),
    (
        "no banner",
        with_(banners=without(lambda change: change.state != "ok")),
        {BANNER},
    ),
    ("only a warning", with_(banners=without(lambda change: change.state == "critical")), {BANNER}),
    ("the banner stays", with_(banners=lambda old: old[:-1]), {BANNER}),
    (
        "the front end does not hear of it",
        with_(scrapes=lambda old: (old[0], replace(old[1], statuses={}), old[2])),
        {BANNER},
    ),
    (
        "a banner for sis",
        with_(
            banners=more(BannerChange("prod/sis", "warning", LATER), BannerChange("prod/sis", "ok", ENDED))
        ),
        {NOT_SIS, NO_BANNER},
    ),
    (
        "a banner for a provider as seen through sis",
        with_(banners=more(BannerChange("prod/sis/idme", "warning", LATER))),
        {NOT_SIS, NO_BANNER},
    ),
    (
        "a banner for everybody",
        with_(banners=more(BannerChange("prod/mvi", "warning", LATER))),
        {NO_BANNER},
    ),
    (
        "a person on sis is told",
        with_(scrapes=lambda old: (scrape(BEGAN, statuses={("sis", "mvi"): "critical"}), *old)),
        {NOT_SIS},
    ),
    (
        "the severity was not exported",
        with_(scrapes=lambda old: (old[0], scrape(ENDED, {}, 1_970, {("ssoe", "ssoe"): "critical"}), old[2])),
        {METRICS},
    ),
    (
        "people were not counted",
        with_(
            scrapes=lambda old: (
                old[0],
                scrape(ENDED, {"ssoe": 1}, 1_760, {("ssoe", "ssoe"): "critical"}),
                old[2],
            )
        ),
        {METRICS},
    ),
    ("a severity that stays", with_(scrapes=more(scrape(ENDED, {"ssoe": 1}))), {CALM}),
    ("an incident that is counted as open", with_(scrapes=more(scrape(ENDED, open=1))), {CALM}),
    ("a dead letter", with_(scrapes=more(scrape(ENDED, dead=1))), {CALM}),
    ("a rejected event", with_(scrapes=more(scrape(ENDED, rejected=1))), {CALM}),
    ("no events", with_(scrapes=more(scrape(ENDED, events=0))), {CALM}),
]


def test_an_outage_that_was_told_as_it_should_be_breaks_no_promise() -> None:
    assert broken(ssoe_outage(), SSOE) == {}


@pytest.mark.parametrize(("change", "breaks"), [b[1:] for b in BREAKAGES], ids=[b[0] for b in BREAKAGES])
def test_what_is_missing_breaks_what_was_promised_of_it_and_nothing_else(
    change: Change, breaks: set[str]
) -> None:
    assert set(broken(change(ssoe_outage()), SSOE)) == breaks


def test_there_is_no_promise_that_cannot_be_broken() -> None:
    every = {promise.what for promise in judged(ssoe_outage(), SSOE)}
    alone = set().union(*(breaks for _, _, breaks in BREAKAGES if len(breaks) <= 2))
    assert every == alone


def test_without_metrics_nothing_is_certain() -> None:
    assert {METRICS, CALM, BANNER} == set(broken(replace(ssoe_outage(), scrapes=()), SSOE))


# -- whom a rise may wake again -----------------------------------------------------------------------------------


def paged_again(first_level: str, first: int, acknowledged: int | None, level: str) -> Observations:
    key = f"{KEY}:s{level}"
    observations = ssoe_outage()
    webhooks = (
        [] if acknowledged is None else [SentWebhook(acknowledged, "incident.acknowledged", KEY, (202,))]
    )
    return replace(
        observations,
        pagerduty=(
            request("trigger", BEGAN, first_level),
            request("trigger", first, key=key),
            request("resolve", ENDED),
        ),
        woken=(
            *(observations.woken if first_level != "warning" else ()),
            Woken(first, "Ada", key, "critical", "SSOe fails"),
        ),
        webhooks=tuple(webhooks),
    )


@pytest.mark.parametrize(
    ("first_level", "acknowledged", "level", "allowed"),
    [
        ("error", LATER, "1", True),
        ("error", LATER, "2", False),
        ("error", LATER + HOUR, "1", False),
        ("error", None, "1", False),
        ("warning", None, "2", True),
        ("warning", None, "1", True),
    ],
)
def test_a_rise_wakes_again_only_where_it_would_go_unheard(
    first_level: str, acknowledged: int | None, level: str, allowed: bool
) -> None:
    observations = paged_again(first_level, LATER + MINUTE, acknowledged, level)
    assert (WAKES not in broken(observations, SSOE)) is allowed


# -- scenarios in which less is due -------------------------------------------------------------------------------


def test_a_healthy_hour_keeps_its_promises() -> None:
    assert broken(healthy()) == {}


@pytest.mark.parametrize(
    ("change", "breaks"),
    [
        (with_(incidents=(the_incident(),)), "no incident"),
        (with_(woken=(Woken(BEGAN, "Ada", KEY, "error", "SSOe fails"),)), "nobody is woken"),
        (with_(banners=more(BannerChange("prod/mvi", "warning", BEGAN))), "no banner goes up"),
        (
            with_(banners=more(BannerChange("prod/ssoe", "warning", BEGAN))),
            "who signs in by ssoe never sees a banner",
        ),
        (
            with_(scrapes=more(scrape(BEGAN, statuses={("ssoe", "idme"): "warning"}))),
            "who signs in by ssoe never sees a banner",
        ),
    ],
)
def test_in_a_healthy_hour_nothing_may_happen(change: Change, breaks: str) -> None:
    assert breaks in broken(change(healthy()))


def test_what_should_be_noticed_and_wake_nobody_does_break_its_promises_by_waking() -> None:
    staging = Expectation("outage", "staging/ssoe", BEGAN, ENDED, 3, 30, False)
    told = replace(
        healthy(),
        incidents=(the_incident(id="staging-1", env="staging", scope="staging/ssoe", peak_severity=3),),
        slack=(
            message("1.1", "SSOe in staging\nincident staging-1"),
            message("1.2", "Resolved", thread="1.1"),
        ),
        datadog_events=tuple(
            {"aggregation_key": "watchofficer:staging-1:0", "attributes": {"status": status}}
            for status in ("warn", "ok")
        ),
    )
    labels = (("auth_method", "ssoe"), ("env", "staging"))
    seen = replace(
        told.scrapes[0],
        metrics={
            **told.scrapes[0].metrics,
            ("watchofficer_incident_severity", labels): 3.0,
            ("watchofficer_users_impacted", labels): 31.0,
        },
    )
    told = replace(told, scrapes=(seen, *told.scrapes))
    assert broken(told, staging) == {}
    woken = (Woken(BEGAN, "Ada", "watchofficer:staging-1:0", "error", "SSOe fails"),)
    assert set(broken(replace(told, woken=woken), staging)) == {"nobody is woken"}
    assert "staging/ssoe is one incident, of severity 3 at its worst" in broken(healthy(), staging)


def test_a_banner_of_a_client_within_the_cause_belongs_to_the_cause() -> None:
    clients = more(
        BannerChange("prod/ssoe/*/vaweb", "warning", BEGAN), BannerChange("prod/ssoe/*/vaweb", "ok", ENDED)
    )
    assert broken(with_(banners=clients)(ssoe_outage()), SSOE) == {}


def test_what_may_page_or_not_need_not_be_noticed_but_ends_if_it_is() -> None:
    blip = replace(SSOE, page=None)
    assert broken(healthy(), blip) == {}
    observations = replace(ssoe_outage(), incidents=(the_incident(state="open", resolved_reason=None),))
    assert set(broken(observations, blip)) == {RESOLVED}


def test_an_incident_that_another_took_over_is_none_of_the_cause() -> None:
    merged = the_incident(id="prod-2", resolved_reason="merged into prod-1")
    assert set(broken(replace(ssoe_outage(), incidents=(the_incident(), merged)), SSOE)) == {NO_OTHER}


def test_what_flaps_may_come_back_and_page_each_time() -> None:
    flapping = replace(SSOE, steady=False)
    second = "watchofficer:prod-1:1"
    observations = ssoe_outage()
    again = replace(
        observations,
        incidents=(the_incident(epoch=1),),
        woken=(*observations.woken, Woken(ENDED, "Ada", second, "critical", "SSOe fails")),
        slack=(
            *observations.slack,
            message("3.1", "SSOe\nincident prod-1"),
            message("3.2", "Resolved", thread="3.1"),
        ),
        datadog_incidents=(datadog_incident("resolved"), datadog_incident("resolved", second)),
    )
    assert broken(again, flapping) == {}
    assert set(broken(again, SSOE)) == {ONE}


def test_where_the_projection_is_in_doubt_either_severity_will_do() -> None:
    doubtful = replace(SSOE, severity=1, users=700)
    assert doubtful.severities == (1, 2)
    for peak in (1, 2):
        observations = replace(ssoe_outage(), incidents=(the_incident(peak_severity=peak),))
        assert not [what for what in broken(observations, doubtful) if "one incident" in what]
    assert doubtful.banner is None


def test_promises_name_the_incident_that_is_there_instead() -> None:
    other: Incident = the_incident(id="prod-9", scope="prod/sis")
    said = broken(replace(ssoe_outage(), incidents=(other,)), SSOE)[ONE]
    assert "prod-9 on prod/sis" in said
