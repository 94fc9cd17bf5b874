"""The example front end, in Chromium, against the watch's real HTTP server: who sees which banner?"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, format_instant
from detectors.policy.policy import Policy
from detectors.process.record import Process, Said
from streams.settings.policy_file import default_policy
from tests.sinks.banner.making import policy_with, window
from tests.streams.http.serving import NOW, Serving, an_incident, dumps, serving
from tests.support.browser.chromium import Tab, chromium, tab
from tests.support.processes import ROOT, needs

pytestmark = [pytest.mark.e2e, needs("chromium", "chromium")]

EXAMPLE = ROOT / "deploy" / "examples" / "banner"
SSOE, SIS = {"auth_method": "ssoe"}, {"auth_method": "sis"}
#: What is seen: the state and the words of each banner.
SEEN = """[...document.querySelectorAll(".banner")].map((one) => [
    one.className.replace("banner ", ""), one.querySelector("h2").textContent, one.querySelector("p").textContent])"""
SORRY, LATER = "We’re working to fix this.", "Please try again later."
DOWN = ["critical", "Our sign in process isn’t working right now", f"{SORRY} Sign in another way"]
SEVERAL = [
    "critical",
    "You may have trouble signing in or using some tools or services",
    f"{SORRY} {LATER}",
]


def idme(text: str) -> list[str]:
    return ["critical", "You may have trouble signing in with ID.me", f"{SORRY} {text}"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("chromium")) as devtools:
        yield devtools


@asynccontextmanager
async def opened(
    browser: str, served: Serving, visitor: dict[str, str], api: str | None = None
) -> AsyncIterator[Tab]:
    """The page as this visitor sees it, once it has asked the watch; its own origin is another than the watch's."""
    site = web.Application()
    site.router.add_static("/", EXAMPLE)
    async with TestServer(site, host="127.0.0.1") as pages, tab(browser, now=NOW) as page:
        watch = str(served.client.make_url("/")) if api is None else api
        await page.open(str((pages.make_url("/index.html")).with_query(visitor | {"api": watch})))
        await page.value('document.querySelector("#banners")?.dataset.asked')
        yield page


def all_well(served: Serving) -> None:
    """Let the watch see the sign-ins of every way succeed."""
    for scope in ("prod/sis", "prod/ssoe", "prod/*/logingov", "prod/sis/logingov", "prod/ssoe/logingov"):
        counts = {"good": 99, "bad": 1, "success_ratio": 0.99, "users_impacted": 0}
        sli = {"type": "sli", "at": format_instant(NOW), "scope": scope, "window": "5m", **counts}
        served.views.apply("sli", scope.encode(), dumps(sli))


async def keep(page: Tab, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        (Path(folder) / f"{name}.png").write_bytes(await page.picture())


@pytest.mark.parametrize(
    ("name", "scope", "visitor", "seen"),
    [
        ("ssoe-down-by-ssoe", "prod/ssoe", SSOE, [DOWN]),
        ("ssoe-down-by-sis", "prod/ssoe", SIS, []),
        ("sis-down-by-sis", "prod/sis", SIS, [DOWN]),
        ("sis-down-by-ssoe", "prod/sis", SSOE, []),
        (
            "idme-on-sis-by-sis",
            "prod/sis/idme",
            SIS,
            [idme("You can still sign in using your Login.gov account.")],
        ),
        ("idme-on-sis-by-ssoe", "prod/sis/idme", SSOE, []),
        ("idme-on-sis-with-logingov", "prod/sis/idme", SIS | {"csp": "logingov"}, []),
        ("app-down-in-the-app", "prod/sis/*/vamobile", SIS | {"client_id": "vamobile"}, [DOWN]),
        ("app-down-on-the-web", "prod/sis/*/vamobile", SIS | {"client_id": "vaweb"}, []),
        ("everything-by-sis", "prod", SIS, [SEVERAL]),
        ("everything-not-known", "prod", {}, [SEVERAL]),
        ("all-well", None, {}, []),
    ],
)
async def test_a_person_sees_what_concerns_their_way_in(
    browser: str, name: str, scope: str | None, visitor: dict[str, str], seen: list[Any]
) -> None:
    async with serving(banner_origins=("*",)) as served:
        served.feed_banner(*([an_incident(scope=scope)] if scope else []))
        if scope != "prod":
            all_well(served)
        async with opened(browser, served, visitor) as page:
            await keep(page, name)
            assert await page.value(SEEN) == seen
            assert await page.value('document.querySelector("#banners").dataset.state') == "known"


async def test_what_is_declared_for_states_is_told_to_who_lives_there(browser: str) -> None:
    def declared(number: int, scope: str, *states: str, **changes: Any) -> Incident:
        said = Said(at=NOW, text="We ask the states.", by="Ada", public=True)
        process = Process(states=states, said=said)
        return an_incident(number, scope=scope, declared_at=NOW - MINUTE, process=process, **changes)

    over = {"state": "resolved", "resolved_at": NOW - MINUTE}
    logingov = ["critical", "Login.gov on both sign-in methods", "We ask the states."]
    dslogon = ["info", "DS Logon on both sign-in methods", "We ask the states."]
    async with serving(banner_origins=("*",)) as served:
        served.feed(
            declared(1, "prod/*/logingov", "AR", "TX"),
            declared(2, "prod/*/dslogon", "TX", severity=3),
            declared(3, "prod/*/idme", "AR", **over),
        )
        served.feed_banner()
        for lives, seen in (("TX", [logingov, dslogon]), ("AR", [logingov]), ("CA", []), ("", [])):
            async with opened(browser, served, SSOE | {"state": lives}) as page:
                await keep(page, f"declared-seen-from-{lives or 'anywhere'}")
                assert await page.value(SEEN) == seen


async def test_the_other_way_that_is_offered_shows_no_banner(browser: str) -> None:
    async with serving(banner_origins=("*",)) as served:
        served.feed_banner(an_incident(scope="prod/ssoe"))
        all_well(served)
        async with opened(browser, served, SSOE) as page:
            link = await page.value('document.querySelector(".banner a").href')
            assert "auth_method=sis" in urlsplit(link).query
            await page.open(link)
            await page.value('document.querySelector("#banners")?.dataset.asked')
            assert await page.value(SEEN) == []


def planned(start: int, end: int) -> Policy:
    return policy_with(window("prod/ssoe", start, end))


@pytest.mark.parametrize(
    ("name", "start", "visitor", "is_told"),
    [
        ("maintenance-by-ssoe", NOW - MINUTE, SSOE, True),
        ("maintenance-by-sis", NOW - MINUTE, SIS, False),
        ("maintenance-ahead", NOW + 2 * HOUR, SSOE, True),
        ("maintenance-far-ahead", NOW + 2 * HOUR + 1000, SSOE, False),
    ],
)
async def test_maintenance_is_told_to_those_whom_it_concerns_two_hours_ahead(
    browser: str, name: str, start: int, visitor: dict[str, str], is_told: bool
) -> None:
    async with serving(banner_origins=("*",), policy=planned(start, start + HOUR)) as served:
        served.feed_banner()
        async with opened(browser, served, visitor) as page:
            await keep(page, name)
            seen = await page.value(SEEN)
    assert [one[:2] for one in seen] == [["maintenance", "Maintenance of signing in"]] * is_told
    assert all(one[2].endswith("ISAM patching") and "2026" in one[2] for one in seen)


async def test_a_watch_that_is_blind_leaves_its_last_word_and_then_nothing(browser: str) -> None:
    for ago, states in ((10 * MINUTE, ["critical"]), (20 * MINUTE, [])):
        async with serving(banner_origins=("*",), policy=default_policy()) as served:
            served.feed_banner(an_incident(scope="prod/ssoe"), at=NOW - ago)
            async with opened(browser, served, SSOE) as page:
                await keep(page, f"blind-for-{ago // MINUTE}-minutes")
                assert [one[0] for one in await page.value(SEEN)] == states
                assert await page.value('document.querySelector("#banners").dataset.state') == "unknown"


async def test_a_watch_that_does_not_answer_keeps_nobody_from_signing_in(browser: str) -> None:
    async with serving(banner_origins=("*",)) as served:
        async with opened(
            browser, served, SSOE, api=""
        ) as page:  # the page's own origin, which has no such path
            assert await page.value('document.querySelector("#banners").dataset.state') == "away"
            assert await page.value(SEEN) == []
        served.feed_banner(an_incident(scope="prod/ssoe"))
        async with opened(browser, served, SSOE) as page:
            assert len(await page.value(SEEN)) == 1
            await served.client.server.close()
            await page.value('document.dispatchEvent(new Event("visibilitychange"))')
            state = 'document.querySelector("#banners").dataset.state'
            assert await page.value(f'{state} === "away" ? {state} : null') == "away"
            await keep(page, "watch-away")
            assert len(await page.value(SEEN)) == 1


async def test_a_page_of_an_origin_that_may_not_read_shows_nothing(browser: str) -> None:
    async with serving() as served:
        served.feed_banner(an_incident(scope="prod/ssoe"))
        async with opened(browser, served, SSOE) as page:
            assert await page.value('document.querySelector("#banners").dataset.state') == "away"
            assert await page.value(SEEN) == []
