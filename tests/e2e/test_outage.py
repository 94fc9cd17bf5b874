"""An outage reaches every receiver, reader and scraper, from the events on the topic on."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from detectors.instants import parse_instant
from sinks.sandbox import ROUTING_KEY
from tests.e2e.conftest import Outage
from tests.e2e.harness.deployment import CONSOLE, SLI_EVERY, Deployment
from tests.e2e.harness.topics import OnTopic, expected_slis, published_slis
from tests.e2e.harness.worker import until
from tests.support.oracle import DEFAULTS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("shared"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),
]

KEY = "watchofficer:prod-1:0"
RUNBOOK = f"{CONSOLE}/runbooks/ssoe"


def kind(event: dict[str, Any]) -> str:
    """Return the class of an event by the shipped policy."""
    if event["outcome"] != "failure":
        return "started" if event["outcome"] == "started" else "good"
    return "excluded" if event.get("error_code") in DEFAULTS["excluded"] else "bad"


def values(records: list[OnTopic], key: str) -> list[dict[str, Any]]:
    return [record.json() for record in records if record.key == key]


def sent(deployment: Deployment, sink: str, path: str) -> list[dict[str, Any]]:
    """Return the bodies that a receiver accepted under a path, without the watch's own alert."""
    (receiver,) = [one for one in deployment.sandbox.receivers if one.name == sink]
    bodies = [
        one.body for one in receiver.requests if one.path == path and one.status // 100 == 2 and one.body
    ]
    return [body for body in bodies if not str(body.get("dedup_key")).startswith("watchofficer:blind")]


async def test_pagerduty_got_one_page_and_its_resolution(deployment: Deployment, outage: Outage) -> None:
    pagerduty = deployment.sandbox.pagerduty
    assert [(woken.dedup_key, woken.who) for woken in pagerduty.woken] == [(KEY, "Ada Byron")]
    assert [(alert.dedup_key, alert.status) for alert in pagerduty.alerts] == [(KEY, "resolved")]

    *triggers, resolve = sent(deployment, "pagerduty", "/v2/enqueue")
    assert resolve == {"routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": KEY}
    # It may open a step before it is severe; the rise goes to the same alert.
    assert [one["payload"]["severity"] for one in triggers] in (["critical"], ["error", "critical"])
    for trigger in triggers:
        assert (trigger["routing_key"], trigger["event_action"]) == (ROUTING_KEY, "trigger")
        assert (trigger["dedup_key"], trigger["client"]) == (KEY, "watchofficer")
        assert trigger["client_url"] == f"{CONSOLE}/incidents/prod-1"
        payload = trigger["payload"]
        assert (payload["source"], payload["component"], payload["group"]) == (
            "watchofficer",
            "prod/ssoe",
            "prod",
        )
        assert re.match(r"SEV [12]: SSOe sign-in is failing, ~[\d,]+ people an hour", payload["summary"])
        details = payload["custom_details"]
        assert (details["incident"], details["scope"], details["reopened"]) == ("prod-1", "prod/ssoe", 0)
        assert [link["href"] for link in trigger["links"]][1].startswith(RUNBOOK)


async def test_the_page_came_within_seconds_and_names_the_first_failure(
    deployment: Deployment, outage: Outage
) -> None:
    failed = [event for event in outage.events if event["auth_method"] == "ssoe" and kind(event) == "bad"]
    first = min(parse_instant(event["occurred_at"]) for event in failed)
    assert 0 < deployment.sandbox.pagerduty.woken[0].at - first < 20_000
    incident = outage.then["resolved"]["/api/v1/incidents/prod-1"]
    assert 0 <= first - parse_instant(incident["first_bad_at"]) < 1_000


async def test_somebody_acknowledged_by_a_signed_webhook(deployment: Deployment, outage: Outage) -> None:
    pagerduty = deployment.sandbox.pagerduty
    acknowledged = [one for one in pagerduty.webhooks if one.event_type == "incident.acknowledged"]
    assert [(one.dedup_key, one.statuses) for one in acknowledged] == [(KEY, (202,))]
    (asked,) = [
        one for one in values(await deployment.on("incident-inputs"), "prod") if one["kind"] == "acknowledge"
    ]
    assert (asked["incident"], asked["by"], asked["via"]) == ("prod-1", "PagerDuty: Ada Byron", "pagerduty")
    incident = outage.then["acknowledged"]["/api/v1/incidents/prod-1"]
    assert incident["acknowledged_by"] == "PagerDuty: Ada Byron"
    # PagerDuty knows of it already.
    actions = [one["event_action"] for one in sent(deployment, "pagerduty", "/v2/enqueue")]
    assert "acknowledge" not in actions


async def test_datadog_got_events_and_one_incident_that_went_along(
    deployment: Deployment, outage: Outage
) -> None:
    datadog = deployment.sandbox.datadog
    events = [event for event in datadog.events if event["aggregation_key"] == KEY]
    statuses = [event["attributes"]["status"] for event in events]
    assert statuses in (["error", "ok"], ["error", "error", "ok"])
    assert events[0]["title"] == "SSOe sign-in is experiencing degraded service"
    assert events[-1]["title"] == "SSOe sign-in has recovered"
    (incident,) = [one for one in datadog.incidents.values() if KEY in one["attributes"]["title"]]
    states = [state for _, its, state, _ in datadog.history if its == incident["id"]]
    assert list(dict.fromkeys(states)) == ["active", "stable", "resolved"]
    assert incident["attributes"]["fields"]["severity"]["value"] == "SEV-2"
    assert incident["attributes"]["customer_impacted"] is True


async def test_slack_got_one_message_that_was_edited_and_a_thread(
    deployment: Deployment, outage: Outage
) -> None:
    slack = deployment.sandbox.slack
    (root,) = [one for one in slack.roots if "prod-1" in one.words]
    assert root.words.startswith("🟢 was SEV 1: SSOe sign-in works again")
    assert root.edits[0].startswith(
        ("🟠 SEV 2: SSOe sign-in is failing", "🔴 SEV 1: SSOe sign-in is failing")
    )
    thread = [one.words for one in slack.thread(root.ts)]
    told = ["a service outage (Datadog SEV-2)", "PagerDuty: Ada Byron", "Sign-ins succeed again", "Resolved"]
    places = [next(n for n, words in enumerate(thread) if what in words) for what in told]
    assert places == sorted(places)
    assert len(thread) == len(told) + (root.edits[0].startswith("🟠"))


async def test_every_receiver_heard_it_in_the_order_of_its_life(
    deployment: Deployment, outage: Outage
) -> None:
    # Links that are known later are edited in by the sender itself: no command on the outbox asks for that.
    delivered = [one for one in await deliveries(deployment) if ":links-" not in one.json()["command_id"]]
    kinds = [record.json()["command_id"].split(":")[2].split("@")[0] for record in delivered]
    order = ["opened", "severity-1", "declared", "acknowledged", "recovering", "resolved"]
    by_sink: dict[str, list[int]] = {}
    for record, name in zip(delivered, kinds, strict=True):
        if name != "linked":  # links are edited into the message as soon as they are known
            by_sink.setdefault(record.json()["sink"], []).append(order.index(name))
    assert set(by_sink) == {"pagerduty", "datadog", "slack"}
    for places in by_sink.values():
        assert places == sorted(places)
    commands = [one["id"] for one in values(await deployment.on("incident-commands"), "prod-1")]
    assert len(commands) == len(set(commands))
    assert set(commands) == {record.json()["command_id"] for record in delivered}


async def deliveries(deployment: Deployment) -> list[OnTopic]:
    """Return the records of the deliveries of the incident."""
    records = [
        one for one in await deployment.on("incident-deliveries") if one.json()["incident_id"] == "prod-1"
    ]
    for one in (record.json() for record in records):
        # An edit that a newer one has overtaken need not be sent.
        assert one["outcome"] == "delivered" or (one["outcome"], one["action"]) == ("superseded", "update")
    return records


async def test_the_incident_topic_has_its_states_and_the_log_every_change(
    deployment: Deployment, outage: Outage
) -> None:
    states = [one["state"] for one in values(await deployment.on("incidents"), "prod-1")]
    life = ["open", "acknowledged", "recovering", "resolved", "closed"]
    assert list(dict.fromkeys(states)) == life
    log = values(await deployment.on("incident-log"), "prod-1")
    lines = [(one["type"], one["to"]) for one in log if one["type"] not in ("refused", "severity", "linked")]
    assert lines == [
        ("opened", "open"),
        ("declared", "open"),
        ("acknowledged", "acknowledged"),
        ("recovering", "recovering"),
        ("resolved", "resolved"),
        ("closed", "closed"),
    ]
    opened = log[0]
    assert opened["from"] is None
    assert {cause["detector"] for cause in opened["evidence"]} >= {"outage"}
    assert set(opened["offsets"]) == {"0", "1", "2", "3"}
    assert re.fullmatch("[0-9a-f]{12}", opened["policy_hash"])


async def test_the_banner_was_up_for_ssoe_and_never_for_sis(deployment: Deployment, outage: Outage) -> None:
    async def of_prod() -> list[OnTopic]:
        return [one for one in await deployment.on("banner-state") if (one.key or "").startswith("prod/")]

    async def is_down() -> bool:  # it is written just after the incident
        return [one.json()["state"] for one in await of_prod() if one.key == "prod/ssoe"][-1:] == ["ok"]

    await until(is_down, 20.0, "the end of the banner", deployment.worker)
    records = await of_prod()
    assert {one.key for one in records if one.json()["state"] != "ok"} == {"prod/ssoe"}
    mine = [one for one in records if one.key == "prod/ssoe"]
    banners = [one.json() for one in mine]
    states = [state for state, _ in groupby(one["state"] for one in banners)]
    assert [state for state in states if state != "warning"][-2:] == ["critical", "ok"]
    assert [state for state in states if state != "ok"] in (["critical"], ["warning", "critical"])
    versions = [one["version"] for one in banners]
    assert versions == sorted(set(versions))
    for record, banner in zip(mine, banners, strict=True):
        headers = {name: value.decode() for name, value in record.headers.items()}
        assert headers == {
            "ce_specversion": "1.0",
            "ce_id": f"prod/ssoe@{banner['version']}",
            "ce_source": "/watchofficer/prod",
            "ce_type": "watchofficer.banner-state.v1",
            "ce_subject": "prod/ssoe",
            "ce_time": banner["updated_at"],
            "content-type": "application/json",
        }
        assert parse_instant(banner["valid_until"]) - parse_instant(banner["updated_at"]) == 300_000
    worst = next(one for one in banners if one["state"] == "critical")
    assert (worst["incident_id"], worst["severity"]) == ("prod-1", 1)
    assert worst["title"] == "Our sign in process isn't working right now"


async def test_the_front_end_was_told_by_auth_method(outage: Outage) -> None:
    def statuses(state: str, query: str) -> dict[str, str]:
        body = outage.then[state][f"/v0/backend_statuses{query}"]
        return {one["service_id"]: one["status"] for one in body["data"]["attributes"]["statuses"]}

    providers = dict.fromkeys(("idme", "logingov", "mvi"), "active")
    assert statuses("acknowledged", "?auth_method=ssoe") == providers | {"ssoe": "critical"}
    assert statuses("acknowledged", "?auth_method=sis") == providers | {"sis": "active"}
    assert statuses("acknowledged", "") == providers | {"ssoe": "critical", "sis": "active"}
    assert statuses("resolved", "") == providers | {"ssoe": "active", "sis": "active"}


async def test_prometheus_scraped_every_event_once_and_the_incident(
    deployment: Deployment, outage: Outage
) -> None:
    def page(state: str, name: str) -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(outage.then[state]["/metrics"])
        return {
            tuple(value for value in sample.labels.values() if value): sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and sample.labels.get("env", "prod") == "prod"
        }

    async def counted() -> Counter[str]:
        found: Counter[str] = Counter()
        for (name, labels), value in (await deployment.metrics()).items():
            if name == "watchofficer_login_events_total" and ("env", "prod") in labels:
                found[dict(labels)["result"]] += int(value)
        return found

    async def all_counted() -> bool:  # the last of them come long after the incident
        return (await counted()).total() >= len(outage.events)

    await until(all_counted, 20.0, "all events in the metrics", deployment.worker)
    assert await counted() == Counter(kind(event) for event in outage.events)

    severity = "watchofficer_incident_severity"
    told = page("acknowledged", severity)
    assert (told["prod",], told["ssoe", "prod"], told["sis", "prod"]) == (1, 1, 0)
    assert set(page("resolved", severity).values()) == {0}
    assert page("acknowledged", "watchofficer_incidents_open")["prod", "1"] == 1
    assert page("acknowledged", "watchofficer_users_impacted")["ssoe", "prod"] > 6
    assert page("acknowledged", "watchofficer_event_to_page_seconds_count") == {(): 1}
    assert page("acknowledged", "watchofficer_event_to_page_seconds_sum")[()] < 20
    ratio = page("acknowledged", "watchofficer_success_ratio")
    assert ratio["ssoe", "prod", "5m"] < 0.9 < ratio["sis", "prod", "5m"]
    assert await deployment.metric("watchofficer_sink_deliveries_total", outcome="dead") == 0


async def test_the_indicators_on_the_topic_are_those_of_the_oracle(
    deployment: Deployment, outage: Outage
) -> None:
    expected = [
        value
        for value in await expected_slis(deployment.broker, deployment.prefix, SLI_EVERY)
        if value["scope"].startswith("prod")
    ]
    last = expected[-1]["at"]
    await deployment.worker.evaluated(parse_instant(last), 20.0)
    published = await published_slis(deployment.broker, deployment.prefix)
    assert len(expected) > 300
    assert [v for v in published if v["scope"].startswith("prod") and v["at"] <= last] == expected


async def test_the_api_serves_the_indicators_and_the_incident_with_its_log(outage: Outage) -> None:
    slis = outage.then["acknowledged"]["/api/v1/slis?scope=prod/ssoe&scope=prod/sis"]
    assert {(one["scope"], one["window"]) for one in slis["slis"]} == {
        (scope, window) for scope in ("prod/ssoe", "prod/sis") for window in ("5m", "15m", "1h")
    }
    assert 0 <= parse_instant(slis["now"]) - parse_instant(slis["evaluated_to"]["prod"]) < 20_000
    incident = outage.then["resolved"]["/api/v1/incidents/prod-1"]
    assert (incident["state"], incident["severity"], incident["peak_severity"]) == ("resolved", 1, 1)
    assert incident["log"][0]["type"] == "opened"
    assert incident["log"][-1]["type"] == "resolved"


async def test_the_worker_is_alive_and_ready(deployment: Deployment) -> None:
    for path in ("/healthz", "/readyz"):
        status, body = await deployment.worker.get(path)
        assert (status, body["status"]) == (200, "ok")
        assert set(body["parts"]) >= {"ingest", "evaluate", "sinks"}
