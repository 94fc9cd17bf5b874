"""What is read over HTTP, and how errors are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from detectors.instants import format_instant
from sinks.metrics.snapshot import EnvSnapshot
from tests.streams.http.serving import NOW, Serving, an_incident, dumps


def sli(scope: str = "prod/ssoe", window: str = "5m", at: int = NOW, good: int = 9) -> bytes:
    return dumps(
        {
            "type": "sli",
            "at": format_instant(at),
            "scope": scope,
            "window": window,
            "good": good,
            "bad": 10 - good,
            "excluded": 0,
            "started": 10,
            "slow": 0,
            "success_ratio": good / 10,
            "latency_ratio": 1.0,
            "users_impacted": 1,
        }
    )


async def get(served: Serving, path: str, **headers: str) -> tuple[int, Any]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.client.get(path, headers=given) as response:
        return response.status, await response.json()


def is_error(body: Any) -> bool:
    return set(body["error"]) == {"code", "message"} and all(
        isinstance(v, str) for v in body["error"].values()
    )


async def test_the_indicators_come_with_the_time_up_to_which_they_are_evaluated(served: Serving) -> None:
    for scope, window in (("prod/ssoe", "5m"), ("prod/ssoe", "1h"), ("prod/sis", "5m"), ("staging", "5m")):
        served.views.apply("sli", b"k", sli(scope, window))
    status, body = await get(served, "/api/v1/slis")
    assert status == 200
    assert (body["now"], body["evaluated_to"]) == (
        "2026-11-23T15:05:00Z",
        {"prod": "2026-11-23T15:05:00Z", "staging": "2026-11-23T15:05:00Z"},
    )
    assert [(s["scope"], s["window"]) for s in body["slis"]] == [
        ("prod/sis", "5m"),
        ("prod/ssoe", "1h"),
        ("prod/ssoe", "5m"),
        ("staging", "5m"),
    ]
    assert body["slis"][2] == json.loads(sli())


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("scope=prod/ssoe", ["prod/ssoe|1h", "prod/ssoe|5m"]),
        ("scope=prod/ssoe&scope=staging&window=5m", ["prod/ssoe|5m", "staging|5m"]),
        ("env=staging", ["staging|5m"]),
        ("window=1h", ["prod/ssoe|1h"]),
        ("scope=nowhere", []),
    ],
)
async def test_indicators_can_be_chosen(served: Serving, query: str, shown: list[str]) -> None:
    for scope, window in (("prod/ssoe", "5m"), ("prod/ssoe", "1h"), ("staging", "5m")):
        served.views.apply("sli", b"k", sli(scope, window))
    _, body = await get(served, f"/api/v1/slis?{query}")
    assert [f"{s['scope']}|{s['window']}" for s in body["slis"]] == shown


async def test_the_last_hour_comes_with_the_indicators_on_request(served: Serving) -> None:
    for step in range(3):
        served.views.apply("sli", b"k", sli(at=NOW + step * 10_000, good=step))
    _, body = await get(served, "/api/v1/slis?history=true")
    assert body["slis"][0]["history"] == [
        {"at": format_instant(NOW + step * 10_000), "success_ratio": step / 10, "users_impacted": 1}
        for step in range(3)
    ]
    _, plain = await get(served, "/api/v1/slis")
    assert "history" not in plain["slis"][0]


async def test_incidents_are_listed_the_open_and_worst_first(served: Serving) -> None:
    served.feed(
        an_incident(1, state="closed"),
        an_incident(2, severity=3),
        an_incident(3),
        an_incident(4, state="resolved"),
    )
    status, body = await get(served, "/api/v1/incidents")
    assert status == 200
    assert [i["id"] for i in body["incidents"]] == ["prod-3", "prod-2", "prod-4", "prod-1"]
    assert body["total"] == 4
    assert body["incidents"][0]["opened_at"] == format_instant(NOW - 50_000)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=open", [3, 2]),
        ("state=open,closed", [3, 2, 1]),
        ("state=open&state=closed&limit=1", [3]),
        ("env=dev", []),
    ],
)
async def test_incidents_can_be_chosen(served: Serving, query: str, shown: list[int]) -> None:
    served.feed(
        an_incident(1, state="closed"),
        an_incident(2, severity=3),
        an_incident(3),
        an_incident(4, state="resolved"),
    )
    _, body = await get(served, f"/api/v1/incidents?{query}")
    assert [i["id"] for i in body["incidents"]] == [f"prod-{number}" for number in shown]


async def test_one_incident_comes_with_its_log(served: Serving) -> None:
    served.feed(an_incident(17))
    for incident in ("prod-17", "prod-18"):
        served.views.apply(
            "incident-log", incident.encode(), dumps({"incident": incident, "reason": "it opened"})
        )
    status, body = await get(served, "/api/v1/incidents/prod-17")
    assert (status, body["id"], body["scope"]) == (200, "prod-17", "prod/ssoe")
    assert body["log"] == [{"incident": "prod-17", "reason": "it opened"}]


async def test_an_incident_that_is_not_there_is_not_found_but_only_once_all_have_been_read(
    served: Serving,
) -> None:
    status, body = await get(served, "/api/v1/incidents/prod-1")
    assert (status, body["error"]["code"]) == (404, "not_found")
    served.views.ready = False
    status, body = await get(served, "/api/v1/incidents/prod-1")
    assert (status, body["error"]["code"]) == (503, "service_unavailable")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/slis?history=perhaps",
        "/api/v1/incidents?limit=0",
        "/api/v1/incidents?limit=501",
        "/api/v1/incidents?limit=٣",
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused(served: Serving, path: str) -> None:
    status, body = await get(served, path)
    assert (status, body["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/incidents/prod-1/ack/again", 404, "not_found"),
        ("POST", "/api/v1/incidents/prod-1/explode", 404, "not_found"),
        ("POST", "/metrics", 405, "method_not_allowed"),
        ("GET", "/webhooks/pagerduty", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/incidents/prod-1", 405, "method_not_allowed"),
    ],
)
async def test_paths_and_methods_that_are_not_there_are_told_as_json(
    served: Serving, method: str, path: str, status: int, code: str
) -> None:
    async with served.client.request(method, path) as response:
        body = await response.json()
        assert (response.status, body["error"]["code"]) == (status, code)
        assert is_error(body)
        assert ("Allow" in response.headers) == (status == 405)


async def test_a_fault_of_ours_is_told_without_its_details(
    served: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("the details")

    monkeypatch.setattr(served.views, "incidents", broken)
    status, body = await get(served, "/api/v1/incidents")
    assert (status, body["error"]["code"]) == (500, "internal_server_error")
    assert "the details" not in json.dumps(body)
    assert "the details" in capsys.readouterr().out


async def test_the_metrics_are_served_in_the_format_that_is_asked_for(served: Serving) -> None:
    served.metrics.set_env("prod", EnvSnapshot(users_impacted={("", "", ""): 3}))
    async with served.client.get("/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {f.name: f for f in parse_text(await response.text())}
    assert families["watchofficer_users_impacted"].samples[0].value == 3
    wanted = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with served.client.get("/metrics", headers=wanted) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = await response.text()
    assert "watchofficer_build_info" in {
        f.name
        for f in parse_openmetrics(text)  # type: ignore[no-untyped-call]
    }


async def test_it_is_alive_while_all_loops_go_round(served: Serving) -> None:
    served.health.expect("ingest", within=10.0)
    assert await get(served, "/healthz") == (200, {"status": "ok", "parts": {"ingest": "ok"}})
    served.monotonic = 10.5
    status, body = await get(served, "/healthz")
    assert status == 503
    assert body["error"] == {"code": "service_unavailable", "message": "ingest: no sign of life for 10 s"}
    assert (await get(served, "/readyz"))[0] == 503
    served.health.beat("ingest")
    assert (await get(served, "/healthz"))[0] == 200


async def test_it_is_ready_when_every_part_is(served: Serving) -> None:
    served.health.unready("evaluate", "rebuilding")
    served.health.unready("views", "reading")
    status, body = await get(served, "/readyz")
    assert status == 503
    assert body["error"]["message"] == "evaluate: rebuilding; views: reading"
    assert (await get(served, "/healthz"))[0] == 200
    served.health.ready("evaluate")
    served.health.forget("views")
    assert await get(served, "/readyz") == (200, {"status": "ok", "parts": {"evaluate": "ok"}})
