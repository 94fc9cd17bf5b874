"""The console as it is served: its pages, its files, and how it hears of changes."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse

from detectors.instants import HOUR, MINUTE, format_instant
from detectors.notices.notices import Notice
from detectors.process.deploys import Deploy
from detectors.process.record import Process
from sinks.console.shell import ASSETS, asset_path
from sinks.delivery.outcomes import Delivery
from streams.http.pages.changes import Changes
from streams.http.pages.told import INCIDENTS, MESSAGES, ToldStates
from streams.http.pages.traces import POINT, SCOPES, Traces
from streams.records.jsonl import notice_object
from streams.settings.policy_file import read_policy
from tests.streams.http.serving import NOW, Serving, an_incident, dumps, serving


async def page(served: Serving, path: str, status: int = 200) -> str:
    async with served.client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.text()


def delivery(number: int, incident: str = "prod-17", **changes: Any) -> bytes:
    values: dict[str, object] = {
        "command_id": f"command-{number}", "sink": "slack", "incident_id": incident, "epoch": 1, "action": "post",
        "outcome": "delivered", "at": NOW - 1000 + number,
    }  # fmt: skip
    return msgspec.json.encode(Delivery(**values | changes))  # type: ignore[arg-type]


def log_line(kind: str, at: int, **fields: object) -> bytes:
    return dumps(
        {"type": kind, "at": format_instant(at), "incident": "prod-17", "scope": "prod/ssoe", **fields}
    )


async def test_an_incident_has_a_page_with_all_that_the_topics_tell_of_it(served: Serving) -> None:
    served.feed(
        an_incident(), an_incident(16, state="closed", opened_at=NOW - HOUR, resolved_at=NOW - HOUR // 2)
    )
    evidence = {
        "detector": "outage",
        "scope": "prod/ssoe",
        "sentence": "4 of 5 failed",
        "numbers": {"bad": 4},
    }
    served.views.apply(
        "incident-log", b"prod-17", log_line("opened", NOW - 50_000, evidence=[evidence], severity=1)
    )
    served.views.apply(
        "incident-log", b"prod-17", log_line("note", NOW - 40_000, by="Ada", reason="a deploy")
    )
    served.views.apply(
        "incident-log", b"prod-17", dumps({"type": "notice", "at": "nonsense", "incident": "prod-17"})
    )
    told: dict[str, Any] = {
        "sink": "datadog",
        "action": "event",
        "receipt": {"event_url": "https://datadog.example/e/1"},
    }
    served.views.apply("incident-deliveries", b"1", delivery(1, **told))
    html = await page(served, "/incidents/prod-17")
    for words in (
        "SSOe sign-in is failing", "1,204", "Note by Ada", "4 of 5 failed", "Datadog was told by an event",
        "https://datadog.example/e/1", "/incidents/prod-16", "/runbooks/ssoe?incident=prod-17", "A response is due in",
    ):  # fmt: skip
        assert words in html
    assert "no such incident" in await page(served, "/incidents/prod-99", 404)
    assert "no parameter" in await page(served, "/incidents/prod-17?x=1", 400)


async def test_the_overview_shows_open_incidents_indicators_and_health(served: Serving) -> None:
    assert "People can sign in" not in await page(served, "/")  # nothing is evaluated yet
    sli = {
        "at": format_instant(NOW - MINUTE),
        "scope": "prod/ssoe",
        "good": 10,
        "bad": 90,
        "success_ratio": 0.1,
    }
    for window, people in (("5m", 80), ("1h", 700)):
        record = sli | {"type": "sli", "window": window, "users_impacted": people}
        served.views.apply("sli", f"prod/ssoe|{window}".encode(), dumps(record))
    assert "People can sign in. No open incident." in await page(served, "/")
    served.feed(an_incident(process=Process(next_update_at=NOW + 30 * MINUTE)))
    assert "Told: nobody yet." in await page(served, "/")
    for n, told in enumerate(({"sink": "slack"}, {"sink": "slack"}, {"sink": "datadog", "outcome": "dead"})):
        served.views.apply("incident-deliveries", b"%d" % n, delivery(n, **told))
    html = await page(served, "/?range=6h")
    for words in (
        "Told: Datadog not, which refused it, Slack at 15:04 UTC.",
        "/runbooks/ssoe?incident=prod-17",
        "The next update is due in 30 min, at 15:35 UTC",
        "Severity 1. SSOe sign-in is failing since",
        "▼ 10.0 %",
        "15:05 UTC, SSOe: 10.0 % of 100 succeeded",
        "10.0% succeed",
        ">700<",
        "/incidents/prod-17",
    ):
        assert words in html
    assert "range is one of" in await page(served, "/?range=2h", 400)
    assert "env is one of" in await page(served, "/?env=nowhere", 404)


async def test_the_charts_of_a_method_mark_the_incidents_that_touch_it(served: Serving) -> None:
    served.feed(an_incident(), an_incident(18, scope="prod"))
    html = await page(served, "/")
    charts = {
        name: html.partition(f'aria-label="{name}">')[2].partition("</article>")[0]
        for name in ("SiS", "SSOe")
    }
    marked = {
        name: {id_: chart.count(f"<title>{id_}:") for id_ in ("prod-17", "prod-18")}
        for name, chart in charts.items()
    }
    assert marked == {"SiS": {"prod-17": 0, "prod-18": 2}, "SSOe": {"prod-17": 2, "prod-18": 2}}


async def test_the_overview_shows_of_the_hours_before_what_the_history_tells(served: Serving) -> None:
    leaf = {"axes": {"auth_method": "ssoe"}, "sign_in": {"good": 1, "bad": 3}}
    told = {"v": 2, "env": "prod", "at": format_instant(NOW - 3 * HOUR), "leaves": [leaf]}
    served.views.apply("sli-history", b"prod", dumps(told))
    assert "25.0% succeed" in await page(served, "/?range=6h")
    assert "25.0% succeed" not in await page(served, "/?range=1h")


async def test_a_deploy_is_a_mark_on_charts_and_stands_on_the_timeline(served: Serving) -> None:
    about = an_incident()
    served.feed(about)
    deploy = Deploy(
        service="vets-api",
        version="v123",
        scope="prod",
        at=about.first_bad_at - 3 * MINUTE,
        by="CI",
        text="<b>",
    )
    notice = Notice(
        at=NOW, kind="deploy", env="prod", field="service", value="vets-api", count=1, text="t", deploy=deploy
    )
    for _ in range(2):
        served.views.apply("incident-log", b"prod", dumps({**notice_object(notice), "incident": None}))
    mark = 'data-kind="deploy"'
    html = await page(served, "/incidents/prod-17")
    assert "3 minutes before the first failure: vets-api v123 deployed to prod: &lt;b&gt;." in html
    assert html.count(mark) == 3  # two charts and the timeline
    assert mark in await page(served, "/")
    assert mark not in await page(served, "/?env=staging")
    for number in range(30):
        told = {**notice_object(notice), "text": f"told {number};", "incident": None}
        served.views.apply("incident-log", b"prod", dumps(told if number else told | {"deploy": None}))
    html = await page(served, "/")
    assert [number for number in range(30) if f"told {number};" in html] == [0, 27, 28, 29]


async def test_the_console_follows_the_policy_that_comes_into_force(served: Serving) -> None:
    served.feed(an_incident())
    assert "1 above 1,000, 2 above 50" in await page(served, "/incidents/prod-17")
    changes = "severity: {severity_1_over: 4321}\nvalues: {auth_method: {ssoe: {name: Old SSO}}}\n"
    served.policy = read_policy(changes, "a test")
    served.feed(an_incident(updated_at=NOW + 1))
    assert "1 above 4,321, 2 above 50" in await page(served, "/incidents/prod-17")
    assert "Old SSO sign-in is failing" in await page(served, "/")


async def test_history_searches_all_incidents(served: Serving) -> None:
    served.feed(an_incident(), an_incident(18, scope="prod/sis"))
    assert "2 found" in await page(served, "/history")
    html = await page(served, "/history?q=prod-18&severity=1&state=open&env=prod")
    assert "1 found" in html
    assert "/incidents/prod-17" not in html
    assert "severity is 1, 2 or 3" in await page(served, "/history?severity=9", 400)


async def test_a_page_is_compressed_and_made_anew_after_each_change(served: Serving) -> None:
    served.feed(an_incident())
    first = await page(served, "/")
    async with served.client.get("/", headers={"Accept-Encoding": "gzip"}, auto_decompress=False) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await response.read()).decode() == first
    served.feed(an_incident(acknowledged_at=NOW, acknowledged_by="Ada Byron", state="acknowledged"))
    assert "Ada Byron has it since" in await page(served, "/")


async def test_files_may_be_kept_as_their_paths_change_with_them(served: Serving) -> None:
    for name, media_type in ASSETS.items():
        async with served.client.get(asset_path(name)) as response:
            assert (response.status, response.content_type) == (200, media_type)
            assert "immutable" in response.headers["Cache-Control"]
    assert "no such file" in await page(served, "/assets/api.py", 404)


async def event(response: ClientResponse) -> str:
    lines = []
    while line := (await response.content.readline()).decode().strip():
        lines.append(line)
    return lines[-1]


async def test_a_console_hears_of_a_change_and_beyond_a_bound_must_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.http.pages.console.LISTENERS", 3)
    async with asyncio.timeout(10), serving() as served, served.client.get("/api/v1/stream") as listening:
        assert listening.content_type == "text/event-stream"
        before = int((await event(listening)).removeprefix("data: "))
        served.feed(an_incident())
        assert int((await event(listening)).removeprefix("data: ")) == before + 1
        others = [await served.client.get("/api/v1/stream") for _ in range(2)]
        assert "poll" in await page(served, "/api/v1/stream", 503)
        for one in others:
            one.close()


async def test_who_waits_for_a_change_is_woken_by_the_next_and_forgotten_when_it_gives_up() -> None:
    changes = Changes()
    waiting = [asyncio.ensure_future(changes.after(0)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    with suppress(asyncio.CancelledError):
        await waiting[0]
    changes.note()
    assert await asyncio.gather(*waiting[1:]) == [1, 1]
    assert await changes.after(0) == 1


def test_traces_keep_the_worst_of_two_minutes_for_a_day_in_bounded_memory() -> None:
    traces = Traces()
    begin = NOW - NOW % POINT
    for seconds, success, people in ((0, 0.9, 5), (10, 0.2, 3), (20, None, None), (30, 1.0, 9)):
        traces.add("prod", begin + seconds * 1000, success=success, people=people)
    (point,) = traces.of("prod", begin)
    assert (point.success, point.people) == (0.2, 9)
    traces.add("prod", begin + POINT, success=1.0)
    traces.add("prod", begin - 25 * HOUR, success=0.0)  # older than what stands in its place
    assert [one.success for one in traces.of("prod", begin)] == [0.2, 1.0]
    traces.add("prod", begin + 24 * HOUR, success=0.5)
    assert [one.success for one in traces.of("prod", begin)] == [1.0, 0.5]
    for number in range(SCOPES + 10):
        traces.add(f"prod/{number}", begin, success=1.0)
    assert traces.of(f"prod/{SCOPES}", 0) == []
    traces.forget("prod")
    assert traces.of("prod", 0) == []


@pytest.mark.parametrize("times", [1, 2])
def test_what_receivers_were_told_is_kept_once_and_bounded(times: int) -> None:
    told = ToldStates()
    for _ in range(times):
        for number in range(MESSAGES + 5):
            told.learn(delivery(number, receipt={"permalink": f"https://slack.example/{number}"}))
    assert len(told.messages("prod-17")) == MESSAGES
    assert told.links("prod-17") == {"slack": f"https://slack.example/{MESSAGES + 4}"}
    for number in range(INCIDENTS):
        told.learn(delivery(1, incident=f"dev-{number}"))
    assert told.messages("prod-17") == []


def test_whom_an_incident_was_told_to_first_is_kept_when_much_was_told_since() -> None:
    told = ToldStates()
    told.learn(delivery(0, sink="pagerduty", action="trigger"))
    told.learn(delivery(1, outcome="dead", reason="no such channel"))
    told.learn(delivery(2))
    for number in range(3, 3 * MESSAGES):
        told.learn(delivery(number, action="update" if number % 2 else "reply"))
    kept = told.messages("prod-17")
    assert len(kept) == MESSAGES
    assert [(one.sink, one.at - NOW + 1000) for one in kept[:2]] == [("pagerduty", 0), ("slack", 2)]
    assert not any(one.is_quiet for one in kept[2:])  # an edit goes before a reply
