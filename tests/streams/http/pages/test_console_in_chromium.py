"""The console in Chromium, against the watch's real HTTP server: it keeps up to date, and takes what people say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.process.record import Check, Process
from tests.streams.http.serving import NOW, an_incident, serving
from tests.support.browser.chromium import chromium, tab
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
