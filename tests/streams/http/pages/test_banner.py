"""What the front end is told over HTTP of the banners."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detectors.incidents import Incident
from detectors.instants import MINUTE, SECOND, format_instant
from detectors.process.record import Process, Said
from streams.runtime.progress import Why
from tests.streams.http.serving import NOW, Serving, an_incident, dumps, serving

PATH, STATES = "/v0/backend_statuses", "/login_gov_state_incidents"
ORIGIN = "https://www.va.gov"


async def get(served: Serving, path: str) -> tuple[int, Any]:
    async with served.client.get(path) as response:
        return response.status, await response.json()


def status_of(body: Any) -> dict[str, str]:
    return {one["service_id"]: one["status"] for one in body["data"]["attributes"]["statuses"]}


async def test_the_front_end_sees_a_banner_for_the_method_that_fails_and_not_for_the_other(
    served: Serving,
) -> None:
    served.feed_banner(an_incident(scope="prod/ssoe"))
    seen = {}
    for method in ("ssoe", "sis"):
        status, body = await get(served, f"{PATH}?auth_method={method}")
        assert status == 200
        attributes = body["data"]["attributes"]
        assert (body["data"]["type"], attributes["reported_at"]) == (
            "backend_statuses",
            "2026-11-23T15:05:00.000Z",
        )
        seen[method] = {s["service_id"]: s["status"] for s in attributes["statuses"]}
    assert seen["ssoe"]["ssoe"] == "critical"
    assert "ssoe" not in seen["sis"]
    assert set(seen["sis"].values()) == {"active"}
    _, both = await get(served, PATH)
    assert {"ssoe", "sis"} <= {s["service_id"] for s in both["data"]["attributes"]["statuses"]}


async def test_the_front_end_of_a_client_sees_what_fails_for_the_client_alone(served: Serving) -> None:
    served.feed_banner(an_incident(scope="prod/sis/*/vamobile"))
    seen = {}
    for client in ("VAmobile", "vaweb", "nobody-knows"):
        _, body = await get(served, f"{PATH}?auth_method=sis&client_id={client}")
        listed = body["data"]["attributes"]["statuses"]
        seen[client] = {one["service_id"]: one["status"] for one in listed}["sis"]
    assert seen == {"VAmobile": "critical", "vaweb": "active", "nobody-knows": "active"}


async def test_the_front_end_gets_camel_case_if_it_asks_for_it(served: Serving) -> None:
    served.feed_banner()
    async with served.client.get(PATH, headers={"X-Key-Inflection": "camel"}) as response:
        body = await response.json()
        assert response.headers["Vary"] == "X-Key-Inflection"
    attributes = body["data"]["attributes"]
    assert set(attributes) == {"reportedAt", "statuses", "maintenanceWindows"}
    assert set(attributes["statuses"][0]) == {"service", "serviceId", "status", "lastIncidentTimestamp"}


async def test_the_bytes_are_those_that_today_s_front_end_reads(served: Serving) -> None:
    served.feed_banner()
    async with served.client.get(PATH, params={"auth_method": "ssoe"}) as response:
        assert response.headers["Content-Type"].startswith("application/json")
        assert (await response.read()).decode() == json.dumps(
            {
                "data": {
                    "id": "",
                    "type": "backend_statuses",
                    "attributes": {
                        "reported_at": "2026-11-23T15:05:00.000Z",
                        "statuses": [
                            {
                                "service": name,
                                "service_id": service,
                                "status": "active",
                                "last_incident_timestamp": None,
                            }
                            for name, service in (
                                ("ID.me", "idme"),
                                ("Login.gov", "logingov"),
                                ("MVI", "mvi"),
                                ("SSOe", "ssoe"),
                            )
                        ],
                        "maintenance_windows": [],
                    },
                }
            },
            separators=(",", ":"),
        )


async def test_the_way_in_that_works_is_named_beside_the_one_that_fails(served: Serving) -> None:
    served.feed_banner(an_incident(scope="prod/*/idme"))
    for scope, window, good, at in (
        ("prod/sis/logingov", "5m", 99, NOW),
        ("prod/ssoe/logingov", "5m", 94, NOW),
        ("prod/*/logingov", "5m", 99, NOW - 2 * MINUTE),
    ):
        counts = {"good": good, "bad": 100 - good, "success_ratio": good / 100, "users_impacted": 0}
        sli = {"type": "sli", "at": format_instant(at), "scope": scope, "window": window, **counts}
        served.views.apply("sli", f"{scope}|{window}".encode(), dumps(sli))
    for query, ways in (("?auth_method=sis", ["logingov"]), ("?auth_method=ssoe", []), ("", [])):
        _, body = await get(served, PATH + query)
        (idme,) = (one for one in body["data"]["attributes"]["statuses"] if one["service_id"] == "idme")
        assert [one["service_id"] for one in idme["alternatives"]] == ways


async def test_a_person_who_uses_one_provider_sees_nothing_of_another(served: Serving) -> None:
    served.feed_banner(an_incident(scope="prod/*/idme"))
    _, body = await get(served, f"{PATH}?auth_method=sis&csp=LoginGov")
    assert status_of(body) == {"logingov": "active", "mvi": "active", "sis": "active"}


@pytest.mark.parametrize(
    "query",
    ["auth_method=saml", "csp=mhv", "csp=", "client_id=", "client_id=no%20spelling", "strict=yes", "x=1"],
)
async def test_a_question_that_makes_no_sense_is_refused(served: Serving, query: str) -> None:
    status, body = await get(served, f"{PATH}?{query}")
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_before_anything_is_judged_all_are_active_and_the_state_is_said_to_be_unknown(
    served: Serving,
) -> None:
    async with served.client.get(PATH) as response:
        assert (response.status, response.headers["Watchofficer-State"]) == (200, "unknown")
        body = await response.json()
    assert set(status_of(body).values()) == {"active"}
    assert {"idme", "logingov", "mvi", "ssoe", "sis"} == set(status_of(body))
    async with served.client.get(f"{PATH}?strict=1") as response:
        assert (response.status, response.headers["Watchofficer-State"]) == (503, "unknown")
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("ago", "header", "status"),
    [
        (4 * MINUTE, None, "critical"),
        (6 * MINUTE, "unknown", "critical"),
        (15 * MINUTE - 1, "unknown", "critical"),
        (15 * MINUTE, "unknown", "active"),
    ],
)
async def test_a_watch_that_has_gone_leaves_its_last_word_for_a_quarter_of_an_hour(
    served: Serving, ago: int, header: str | None, status: str
) -> None:
    served.feed_banner(an_incident(scope="prod/ssoe"), at=NOW - ago)
    async with served.client.get(f"{PATH}?auth_method=ssoe") as response:
        body = await response.json()
        assert (response.status, response.headers.get("Watchofficer-State")) == (200, header)
    assert status_of(body)["ssoe"] == status
    assert body["data"]["attributes"]["reported_at"] == f"{format_instant(NOW - ago)[:19]}.{-ago % 1000:03d}Z"
    assert (await get(served, f"{PATH}?strict=1"))[0] == (200 if header is None else 503)


async def test_a_worker_that_is_blind_says_so_while_its_last_word_is_still_valid(served: Serving) -> None:
    served.feed_banner(an_incident(scope="prod/ssoe"))
    served.progress.stuck(Why.BROKER, sentence="no broker answers", remedy="start one")
    served.monotonic += 61
    async with served.client.get(f"{PATH}?auth_method=ssoe") as response:
        assert response.headers["Watchofficer-State"] == "unknown"
        assert status_of(await response.json())["ssoe"] == "critical"
    assert (await get(served, f"{PATH}?strict=1"))[0] == 503


async def test_while_the_topics_are_still_being_read_the_state_is_unknown(served: Serving) -> None:
    served.feed_banner()
    served.views.ready = False
    assert (await get(served, f"{PATH}?strict=1"))[0] == 503
    served.views.ready = True
    assert (await get(served, f"{PATH}?strict=1"))[0] == 200


async def test_an_answer_that_has_not_changed_is_not_sent_again(served: Serving) -> None:
    served.feed_banner()
    async with served.client.get(PATH) as response:
        tag, kept = response.headers["ETag"], response.headers["Cache-Control"]
    assert kept == "public, max-age=10, stale-if-error=900"
    for asked in (tag, f'"other", W/{tag}', "*"):
        async with served.client.get(PATH, headers={"If-None-Match": asked}) as response:
            assert (response.status, response.headers["ETag"]) == (304, tag)
            assert response.headers["Cache-Control"] == kept
            assert await response.read() == b""
    for query, camel in (("?auth_method=sis", ""), ("", "camel")):
        given = {"If-None-Match": tag, "X-Key-Inflection": camel}
        async with served.client.get(PATH + query, headers=given) as response:
            assert response.status == 200
    served.feed_banner(an_incident(scope="prod/ssoe"), at=NOW + SECOND)
    async with served.client.get(PATH, headers={"If-None-Match": tag}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), ORIGIN, None),
        ((ORIGIN,), ORIGIN, ORIGIN),
        ((ORIGIN,), "https://www.va.gov.example", None),
        (("*",), "https://anywhere.example", "*"),
    ],
)
async def test_pages_of_configured_origins_may_read_the_answer(
    origins: tuple[str, ...], origin: str, allowed: str | None
) -> None:
    async with serving(banner_origins=origins) as served:
        async with served.client.get(PATH, headers={"Origin": origin}) as response:
            told = response.headers
            assert response.status == 200
        async with served.client.options(PATH, headers={"Origin": origin}) as response:
            assert response.status == 204
            asked = response.headers.get("Access-Control-Allow-Headers", "")
        assert told.get("Access-Control-Allow-Origin") == allowed
        # Cookies go along only to the origins that are named: a browser refuses them with *.
        assert ("Access-Control-Allow-Credentials" in told) == (allowed == ORIGIN)
        assert ("X-Key-Inflection" in asked) == (allowed is not None)
        assert ("Origin" in told["Vary"]) == bool(origins)


def for_states(**changes: Any) -> Incident:
    process = Process(states=("AR", "TX"), said=Said(NOW, "Ada", "Use ID.me meanwhile.", True))
    return an_incident(scope="prod/*/logingov", declared_at=NOW, process=process, **changes)


async def test_what_was_declared_for_states_is_told_without_a_token(served: Serving) -> None:
    about = for_states()
    served.feed(about, an_incident(18, declared_at=NOW))
    served.feed_banner(about)
    async with served.client.get(STATES) as response:
        body, tag = await response.json(), response.headers["ETag"]
        assert (response.status, response.headers.get("Watchofficer-State")) == (200, None)
        assert response.headers["Cache-Control"] == "public, max-age=10, stale-if-error=900"
    assert body == {
        "data": {
            "attributes": {
                "incidents": [
                    {
                        "id": "prod-17",
                        "active": True,
                        "states": ["AR", "TX"],
                        "title": "Login.gov on both sign-in methods",
                        "message": "Use ID.me meanwhile.",
                        "status": "error",
                    }
                ]
            }
        }
    }
    async with served.client.get(STATES, headers={"If-None-Match": tag}) as response:
        assert response.status == 304
    served.feed(for_states(state="resolved", resolved_at=NOW, updated_at=NOW + SECOND))
    (told,) = (await get(served, STATES))[1]["data"]["attributes"]["incidents"]
    assert (told["active"], told["message"]) == (
        False,
        "The problem with Login.gov on both sign-in methods is over.",
    )


@pytest.mark.parametrize(
    ("ago", "header", "told"),
    [(4 * MINUTE, None, 1), (6 * MINUTE, "unknown", 1), (15 * MINUTE, "unknown", 0)],
)
async def test_states_too_are_told_the_last_word_of_a_watch_that_has_gone(
    served: Serving, ago: int, header: str | None, told: int
) -> None:
    about = for_states()
    served.feed(about)
    served.feed_banner(about, at=NOW - ago)
    async with served.client.get(STATES) as response:
        body = await response.json()
        assert (response.status, response.headers.get("Watchofficer-State")) == (200, header)
    assert len(body["data"]["attributes"]["incidents"]) == told
    assert (await get(served, f"{STATES}?strict=1"))[0] == (200 if header is None else 503)
    assert (await get(served, f"{STATES}?csp=idme"))[0] == 400


async def test_pages_of_configured_origins_may_read_what_states_are_told() -> None:
    async with serving(banner_origins=(ORIGIN,)) as served:
        async with served.client.options(STATES, headers={"Origin": ORIGIN}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
        async with served.client.get(STATES, headers={"Origin": ORIGIN}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
