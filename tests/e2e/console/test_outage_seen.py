"""A person runs an incident from a phone, and the receivers hear of each act; the wall says what the API says, always.

Then the watch is made blind in the ways that people meet: its clock is wrong, its broker is gone, it is gone itself.
Pictures of each moment, at three widths, are kept in ``build/console``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.e2e.harness.deployment import TOKEN, Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic
from tests.e2e.harness.worker import until
from tests.support.brokers import apache_kafka
from tests.support.browser.chromium import Tab, chromium, tab
from tests.support.browser.headline import compare, disagreements
from tests.support.false_clock.clock import FalseClock
from tests.support.processes import ROOT, needs

pytestmark = [pytest.mark.console, needs("chromium", "chromium"), pytest.mark.timeout(1800)]

_PICTURES = ROOT / "build" / "console"
_WIDTHS = (1280, 768, 390)
_HEIGHT = 900
_PATIENCE = 300.0  # seconds
_TRIES = 5
_HEADLINE = 'document.querySelector("#headline")'
_WELL = f"{_HEADLINE}?.dataset.severity === '0' || null"
#: In the order in which they are pressed: the button, what is filled in, and what the incident's page says then.
_ACTS: list[tuple[str, dict[str, str], str]] = [
    ("ack", {"text": "I look at it"}, "Ada has it"),
    ("update", {"text": "We look for the cause."}, "We look for the cause."),
    ("note", {"text": "The provider was called."}, "The provider was called."),
    ("declare", {"states": "tx"}, "People in TX"),
    ("declare", {"states": "tx, AR"}, "People in AR, TX"),  # "Set states", where it was declared
    ("assign", {"role": "technical_lead", "who": "Grace Hopper"}, "Grace Hopper (technical lead)"),
    ("stage", {"stage": "resolution"}, "Stageresolution"),
    ("eta", {"until": "2030-01-01T12:00"}, "1 Jan 2030"),
    ("follow-up", {"text": "Watch the certificate."}, "1. Watch the certificate."),
    ("unack", {"text": "My shift is over."}, "Nobody has it yet"),
    ("ack", {"by": "Bob"}, "Bob has it"),
]
#: What Slack's thread says of them.
_HEARD = (
    "Ada",
    "We look for the cause.",
    "The provider was called.",
    "AR, TX",
    "Grace Hopper is technical lead",
    "It is in the stage resolution.",
    "2030-01-01T17:00:00Z",
    "Watch the certificate.",
    "has given it back",
    "Bob",
    "Checked: ",
)
#: What it says once all is done.
_HEARD_AFTERWARDS = (
    "It works.",
    "Resolved",
    "tickets.example/7",  # no link that a receiver would follow
    "wiki.example/1",
    "Nobody called back.",
    "Ada completed it.",
)
#: Those of an incident that is over.
_AFTERWARDS: list[tuple[str, dict[str, str], str]] = [
    ("follow-up-{}-1", {"link": "https://tickets.example/7"}, "(Ada) link"),
    ("post-mortem-{}", {"link": "https://wiki.example/1"}, "Post-mortem"),
    ("note-{}", {"text": "Nobody called back."}, "Nobody called back."),
    ("complete-{}", {}, "Stagecompleted"),
]


async def press(page: Tab, button: str, fields: dict[str, str]) -> None:
    """Press a button, fill in its dialog, and send: with the token once it is asked for, again if the watch says so."""
    await page.value(f'document.querySelector(".has-script #{button}") ? 1 : null', within=_PATIENCE)
    filled = json.dumps({"by": "Ada", **fields})
    await page.run(f"""
        document.querySelector("#{button}").click();
        for (const [name, value] of Object.entries({filled}))
            document.querySelector(`#ask [name="${{name}}"]`).value = value;
    """)
    error = 'document.querySelector("#ask-error")'
    for _ in range(_TRIES):
        await page.run(f'{error}.hidden = true; document.querySelector("#ask-send").click()')
        done = f'document.querySelector("#ask").open ? ({error}.hidden ? null : {error}.textContent) : "sent"'
        said = await page.value(done, within=_PATIENCE)
        if said == "sent":
            return
        if "API token" in said:
            await page.run(f'document.querySelector("#ask [name=token]").value = "{TOKEN}"')
        else:  # a broker that is slow to take it
            assert "again" in said, f"{button}: {said}"
    raise AssertionError(f"{button}: {said}")


async def shows(page: Tab, words: str) -> None:
    """Wait until a page says something, without a reload."""
    text = 'document.querySelector("main").textContent'
    await page.value(f"{text}.includes({json.dumps(words)}) ? 1 : null", within=_PATIENCE)


async def keep(page: Tab, name: str, widths: Sequence[int] = _WIDTHS) -> None:
    """Keep a picture of a whole page at each width; none is wider than it."""
    _PICTURES.mkdir(parents=True, exist_ok=True)
    for width in widths:
        await page.resize(width, _HEIGHT)
        assert await page.value("document.documentElement.scrollWidth") <= width
        await page.resize(width, await page.value("document.documentElement.scrollHeight"))
        (_PICTURES / f"{name}-{width}.png").write_bytes(await page.picture())
    await page.resize(_WIDTHS[-1], _HEIGHT)


async def test_a_person_runs_an_incident_and_sees_when_the_watch_is_blind(
    topic_prefix: str, tmp_path: Path
) -> None:
    clock = FalseClock(tmp_path / "clock")
    (tmp_path / "browser").mkdir()
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(apache_kafka(tmp_path / "kafka"))
        browser = stack.enter_context(chromium(tmp_path / "browser"))
        deployment = await stack.enter_async_context(
            deployed(broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND, variables=clock.variables)
        )
        deployment.worker.start()
        await deployment.worker.ready(_PATIENCE)
        traffic = await stack.enter_async_context(Traffic(deployment))
        wall = await stack.enter_async_context(tab(browser, _WIDTHS[0], _HEIGHT))
        phone = await stack.enter_async_context(tab(browser, _WIDTHS[-1], _HEIGHT))
        await wall.open(f"{deployment.worker.url}/")
        await wall.value(_WELL, within=_PATIENCE)
        await compare(wall)
        await keep(wall, "1-calm")

        traffic.failing = frozenset({"ssoe"})
        await _begins(deployment, wall, phone)
        await _is_run(deployment, phone)
        await keep(wall, "3-run")
        await _is_blind(wall, lambda: clock.set(120), "clock", "4-clock-wrong")
        clock.set(0)
        await wall.value(f"{_HEADLINE}.classList.contains('stale') ? null : 1", within=_PATIENCE)
        await _heard(deployment)

        await press(phone, "act-resolve-prod-1", {"text": "It works."})
        traffic.failing = frozenset()
        await _ends(deployment, wall, phone)
        compared = await disagreements(wall)
        print(f"\n{compared.looks} looks, {compared.settled} while the API said one thing")
        assert compared.settled > 100
        assert compared.disagreements == []

        await phone.open(f"{deployment.worker.url}/")
        await press(phone, "act-report", {"scope": "prod/sis", "text": "I cannot sign in."})
        await wall.value(
            f'{_HEADLINE}.querySelector("a")?.pathname === "/incidents/prod-2" || null', within=_PATIENCE
        )
        await keep(wall, "6-reported")
        traffic.failing = frozenset({"sis"})
        await wall.value(
            f'{_HEADLINE}.textContent.includes("SiS sign-in is failing") || null', within=_PATIENCE
        )
        await _is_kept_quiet(deployment, phone)
        await _receivers_seen(deployment, browser)
        await _is_blind(wall, broker.stop, "broker", "7-broker-gone")
        await shows(phone, "This is how it stood at")
        await keep(phone, "7-incident-broker-gone")
        severity = await wall.value(f"{_HEADLINE}.dataset.severity")
        deployment.worker.kill()
        await wall.value('document.querySelector("#lost").hidden ? null : 1', within=_PATIENCE)
        assert await wall.value("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
        assert severity == await wall.value(f"{_HEADLINE}.dataset.severity") != "0"
        await keep(wall, "8-worker-gone")


async def _begins(deployment: Deployment, wall: Tab, phone: Tab) -> None:
    """The wall says so without a reload; a phone comes from there to the incident, and goes back and forward."""
    await wall.value(f'{_HEADLINE}.textContent.includes("SSOe sign-in is failing") || null', within=_PATIENCE)
    await keep(wall, "2-begun")
    await phone.open(f"{deployment.worker.url}/")
    link = 'document.readyState === "complete" ? document.querySelector("#headline a") : null'
    await phone.value(f"({link})?.href", within=_PATIENCE)
    await phone.run("document.querySelector('#headline a').click()")
    for path, then in (("/incidents/prod-1", "back"), ("/", "forward"), ("/incidents/prod-1", "")):
        there = f'location.pathname === "{path}" && document.querySelector(".has-script #main") ? 1 : null'
        await phone.value(there, within=_PATIENCE)
        if then:
            await phone.run(f"history.{then}()")


async def _is_run(deployment: Deployment, phone: Tab) -> None:
    """Each button has its effect on the page, which keeps itself up to date."""
    for word, fields, words in _ACTS:
        await press(phone, f"act-{word}-prod-1", fields)
        await shows(phone, words)
    await press(phone, "conduct .checklist button", {})
    await phone.value(
        'document.querySelector("#conduct .checklist")?.textContent.includes("☑") || null', within=_PATIENCE
    )
    await keep(phone, "3-incident")
    async with httpx.AsyncClient(base_url=deployment.worker.url, trust_env=False, verify=False) as client:
        told = (await client.get("/login_gov_state_incidents")).json()["data"]["attributes"]["incidents"]
    assert [(one["id"], one["states"]) for one in told] == [("prod-1", ["AR", "TX"])]


async def _heard(deployment: Deployment) -> None:
    """Slack's thread, PagerDuty's alert and Datadog's incident tell what was done."""

    async def elsewhere() -> bool:
        alerts = [one for one in deployment.sandbox.pagerduty.alerts if one.dedup_key.endswith(":prod-1:0")]
        return [one.status for one in alerts] == ["acknowledged"] and "SSOe" in _declared(deployment)

    await _told_in_slack(deployment, "SSOe sign-in", *_HEARD)
    await until(elsewhere, _PATIENCE, "an alert that is acknowledged, and an incident", deployment.worker)


async def _told_in_slack(deployment: Deployment, about: str, *expected: str) -> None:
    """Wait until the message that speaks of something, with its thread, has said all words."""

    def told() -> str:
        slack = deployment.sandbox.slack
        threads = [(root, *slack.thread(root.ts)) for root in slack.roots if about in root.words]
        return "\n".join(one.words for thread in threads for one in thread)

    async def said() -> bool:
        return all(words in told() for words in expected)

    try:
        await until(said, _PATIENCE, "what was done, in Slack's thread", deployment.worker)
    except AssertionError as error:
        missing = [words for words in expected if words not in told()]
        raise AssertionError(f"{missing} is not in\n{told()}") from error


async def _ends(deployment: Deployment, wall: Tab, phone: Tab) -> None:
    """A person says that it is over, and does what is left to do."""

    async def ended() -> bool:
        alerts = [one for one in deployment.sandbox.pagerduty.alerts if ":prod-1:" in one.dedup_key]
        return all(one.status == "resolved" for one in alerts) and '"resolved"' in _declared(deployment)

    await wall.value(_WELL, within=_PATIENCE)
    await keep(wall, "5-over")
    await until(ended, _PATIENCE, "the end in PagerDuty and Datadog", deployment.worker)
    for button, fields, words in _AFTERWARDS:
        await press(phone, f"act-{button.format('prod-1')}", fields)
        await shows(phone, words)
    await _told_in_slack(deployment, "SSOe sign-in", *_HEARD_AFTERWARDS)
    await keep(phone, "5-incident")


async def _is_kept_quiet(deployment: Deployment, phone: Tab) -> None:
    """What an incident fails in is muted, and is in maintenance."""
    await phone.open(f"{deployment.worker.url}/incidents/prod-2")
    await press(phone, "act-mute", {"until": _local(2), "text": "It is known."})
    await shows(phone, "muted")
    await _told_in_slack(deployment, "SiS sign-in", "This is muted until")
    when = {"since": _local(24), "until": _local(25)}
    await press(phone, "act-maintain", when | {"text": "It is replaced."})

    async def is_announced() -> bool:
        _, found = await deployment.worker.get("/api/v1/maintenance")
        return "It is replaced." in json.dumps(found)

    await until(is_announced, _PATIENCE, "the maintenance", deployment.worker)


def _local(hours: int) -> str:
    """So many hours from now, as a person in New York writes it."""
    return (datetime.now(ZoneInfo("America/New_York")) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


def _declared(deployment: Deployment) -> str:
    return json.dumps(list(deployment.sandbox.datadog.incidents.values()))


async def _receivers_seen(deployment: Deployment, browser: str) -> None:
    """Keep pictures of what the receivers got, as their sandboxes show it."""
    for receiver in (deployment.sandbox.slack, deployment.sandbox.pagerduty, deployment.sandbox.datadog):
        async with tab(browser, _WIDTHS[0], _HEIGHT) as seen:
            await seen.open(receiver.url)
            await seen.value('document.readyState === "complete" || null')
            await keep(seen, f"6-{receiver.name}", _WIDTHS[:1])


async def _is_blind(wall: Tab, cause: Callable[[], Any], why: str, name: str) -> None:
    """Make the watch blind; the headline keeps its severity, and stands grey with its age and the reason."""
    severity, what = await wall.value(
        f"[{_HEADLINE}.dataset.severity, {_HEADLINE}.textContent]", within=_PATIENCE
    )
    assert severity != "0"
    cause()
    stale = f"{_HEADLINE}.classList.contains('stale') && {_HEADLINE}.textContent.includes('({why}')"
    said = await wall.value(
        f"{stale} ? [{_HEADLINE}.dataset.severity, {_HEADLINE}.textContent] : null", within=_PATIENCE
    )
    assert said[0] == severity
    assert said[1].startswith(what.partition(" (")[0])  # what fails, and since when
    assert "As it stood" in said[1]
    await keep(wall, name)
