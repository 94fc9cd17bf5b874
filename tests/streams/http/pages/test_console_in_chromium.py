"""The console in Chromium, against the watch's real HTTP server: it keeps up to date, and takes what people say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from detectors.incidents import Common, Page
from detectors.instants import HOUR, format_instant
from detectors.process.record import Check, Process
from tests.streams.http.serving import NOW, Serving, an_incident, dumps, serving
from tests.support.browser.axe.rules import broken_rules
from tests.support.browser.chromium import chromium, tab
from tests.support.browser.headline import compare, disagreements
from tests.support.processes import needs

pytestmark = [pytest.mark.e2e, needs("chromium", "chromium"), pytest.mark.timeout(60)]

HEADLINE = 'document.querySelector("#headline")'
#: Elements that are wider than the page, and buttons and links without a name.
FAULTS = """[
    document.documentElement.scrollWidth > innerWidth ? "too wide" : "",
    ...[...document.querySelectorAll("button, a, input, select, textarea")].filter((one) =>
        !(one.textContent.trim() || one.getAttribute("aria-label") || one.closest("label")))
        .map((one) => one.outerHTML),
].filter(Boolean)"""


def says(words: str) -> str:
    return f'{HEADLINE}?.textContent.includes("{words}") ? 1 : null'


async def test_a_person_on_a_phone_sees_it_begin_and_takes_it(tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser, 390, 844) as page:
            await page.open(str(served.client.make_url("/")))
            await page.value(says("Nothing has been evaluated"))
            process = Process(checklist=(Check("statement", "those who wait were told"),))
            served.feed(an_incident(process=process))
            await page.value(says("SSOe sign-in is failing"))  # without a reload
            assert await page.value(FAULTS) == []

            await page.open(str(served.client.make_url("/incidents/prod-17")))
            await page.value('document.querySelector(".has-script #act-ack-prod-17")')
            top = 'document.querySelector("#act-ack-prod-17").getBoundingClientRect().bottom'
            assert await page.value(top) < 844  # on the first screen
            assert await page.value(FAULTS) == []
            await page.value(
                """(() => {
                    document.querySelector("#act-ack-prod-17").click();
                    document.querySelector("[name=by]").value = "Ada";
                    document.querySelector("[name=text]").value = "on it";
                    document.querySelector("#ask-send").click();
                    return 1;
                })()"""
            )
            await page.value('document.querySelector("#toast")?.textContent.includes("taken") ? 1 : null')
            (asked,) = served.submitted
            assert (asked.kind, asked.incident, asked.by, asked.text) == (
                "acknowledge",
                "prod-17",
                "Ada",
                "on it",
            )

            served.feed(
                an_incident(acknowledged_at=NOW, acknowledged_by="Ada", updated_at=NOW + 1, process=process)
            )
            await page.value('document.querySelector("#head")?.textContent.includes("Ada has it") ? 1 : null')
            await page.value("""(() => {
                document.querySelector("#act-check-prod-17-statement").click();
                document.querySelector("#ask-send").click();
                return 1;
            })()""")
            await page.value('document.querySelector("#toast")?.textContent.startsWith("Tick") ? 1 : null')
            assert (served.submitted[-1].kind, served.submitted[-1].item) == ("check", "statement")
            if folder := os.environ.get("SCREENSHOTS"):
                (Path(folder) / "incident-on-a-phone.png").write_bytes(await page.picture())


#: Each page that people see, of an outage with all that one can have.
PAGES = (
    "/", "/?range=24h", "/incidents/prod-17", "/incidents/prod-16", "/history", "/history?q=nothing", "/runbooks",
    "/runbooks/ssoe?incident=prod-17", "/status", "/login",
)  # fmt: skip
#: Of these, those that are drawn in colours of their own.
DRAWN = ("/", "/incidents/prod-17", "/history")
FILTERED = "/history?q=prod-17&env=&state=&severity=1"


def found(count: int) -> str:
    return f'document.querySelector("#found")?.textContent.startsWith("{count} found") ? 1 : null'


def an_outage(served: Serving) -> None:
    """One open incident of much, one that is over, and what was measured meanwhile."""
    process = Process(checklist=(Check("statement", "those who wait were told"),))
    common = (Common(field="error_code", value="007", failing=88, failing_of=90),)
    over: dict[str, Any] = {"state": "closed", "opened_at": NOW - HOUR, "resolved_at": NOW - HOUR // 2}
    served.feed(
        an_incident(process=process, common=common, pages=(Page("watchofficer:prod-17:1", "critical"),)),
        an_incident(16, **over),
    )
    served.feed_banner(an_incident())
    for scope, good in (
        ("prod/ssoe", 20),
        ("prod/sis", 100),
        ("prod/ssoe/idme", 3),
        ("prod/sis/*/vamobile", 97),
    ):
        for window in ("5m", "1h"):
            counts = {
                "good": good,
                "bad": 100 - good,
                "success_ratio": good / 100,
                "users_impacted": 100 - good,
            }
            sli = {"type": "sli", "at": format_instant(NOW), "scope": scope, "window": window, **counts}
            served.views.apply("sli", f"{scope}|{window}".encode(), dumps(sli))


async def test_no_page_breaks_a_rule_of_accessibility(tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser, 1280, 900) as page:
            an_outage(served)
            await page.allow_scripts()
            broken = {}
            for path in PAGES:
                await page.prefers(color_scheme="light")
                await page.open(str(served.client.make_url(path)))
                broken[path] = await broken_rules(page)
                if path in DRAWN:
                    await page.prefers(color_scheme="dark")
                    broken[f"{path} in the dark"] = await broken_rules(page)
            await page.open(str(served.client.make_url("/incidents/prod-17")))
            await page.value('document.querySelector(".has-script #act-mute")')
            await page.run('document.querySelector("#act-mute").click()')
            broken["the dialog"] = await broken_rules(page)
    assert {where: rules for where, rules in broken.items() if rules} == {}


async def test_a_person_walks_through_many_pages_and_back(tmp_path: Path) -> None:
    """A browser has six connections to a server: pages that were left must not hold them."""
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser, 1280, 900) as page:
            an_outage(served)
            for path in PAGES[:6] + PAGES[:3]:
                await page.open(str(served.client.make_url(path)))
                await page.value('document.querySelector(".has-script")')
            await page.open(str(served.client.make_url("/history")))
            await page.value(found(2))
            await page.run("""
                document.querySelector("[name=q]").value = "prod-17";
                document.querySelector("[name=severity]").value = "1";
                document.querySelector(".search").requestSubmit();
            """)
            await page.value(found(1))
            assert await page.value("location.pathname + location.search") == FILTERED
            await page.run("history.back()")
            await page.value(found(2))
            await page.run("history.forward()")
            await page.value(found(1))
            served.feed(an_incident(18, scope="prod/sis"))  # a page that has come back is kept up to date
            await page.run("history.back()")
            await page.value(found(3))


async def test_a_page_that_gets_no_answer_says_so_and_stands_grey(tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser, 1280, 900) as page:
            an_outage(served)
            await page.open(str(served.client.make_url("/")))
            await page.value(says("SSOe sign-in is failing"))
            await page.go_offline()
            await page.run("const real = Date.now; Date.now = () => real() + 60000;")
            lost = 'document.querySelector("#lost")'
            await page.value(f'{lost}.hidden ? null : {lost}.textContent.includes("No answer") ? 1 : null')
            assert (
                await page.value("getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
            )
            assert await page.value(says("SSOe sign-in is failing")) == 1


async def test_whoever_has_no_mouse_reaches_everything_in_order_and_nothing_moves(tmp_path: Path) -> None:
    focused = "document.activeElement.id || document.activeElement.textContent.trim()"
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser, 1280, 900) as page:
            an_outage(served)
            await page.prefers(reduced_motion="reduce")
            await page.open(str(served.client.make_url("/incidents/prod-17")))
            await page.value('document.querySelector(".has-script")')
            assert await page.value("document.getAnimations().length") == 0
            wanted = await page.value(
                """[...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
                    .filter((one) => one.checkVisibility()).map((one) => one.id || one.textContent.trim())"""
            )
            reached = []
            for _ in wanted:
                await page.press("Tab", 9)
                reached.append(await page.value(focused))
            assert reached == wanted
            assert wanted[0] == "Skip to the content"
            await page.run('document.querySelector("#act-note-prod-17").focus()')
            await page.press("Enter", 13)
            assert (
                await page.value('document.querySelector("#ask").open && document.activeElement.name') == "by"
            )
            await page.press("Escape", 27)
            assert (
                await page.value(f'document.querySelector("#ask").open ? null : {focused}')
                == "act-note-prod-17"
            )


async def test_the_headline_says_what_the_api_says_at_each_moment(tmp_path: Path) -> None:
    taken: dict[str, Any] = {"acknowledged_at": NOW, "acknowledged_by": "Ada", "state": "acknowledged"}
    over: dict[str, Any] = {"state": "resolved", "resolved_at": NOW, "resolved_reason": "recovered"}
    with chromium(tmp_path) as browser:
        async with serving(token=None) as served, tab(browser) as page:
            an_outage(served)
            await page.open(str(served.client.make_url("/")))
            await page.value(says("SSOe sign-in is failing"))
            await compare(page)
            for words, incident in (
                ("Nobody has it yet", an_incident(basis="projected", users_impacted=9431)),
                ("Severity 2", an_incident(severity=2, users_impacted=431)),
                ("Ada has it", an_incident(severity=2, users_impacted=431, **taken)),
                ("SiS sign-in is failing", an_incident(18, scope="prod/sis", users_impacted=2000)),
                ("SSOe sign-in is failing", an_incident(18, scope="prod/sis", **over)),
                ("No open incident", an_incident(**taken | over)),
            ):
                served.feed(incident)
                await page.value(says(words))
                times = await page.value("compared.length")
                await page.value(f"compared.length > {times + 1} || null")
            compared = await disagreements(page)
            assert compared.settled >= 12
            assert compared.disagreements == []
