"""The public page over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from detectors.instants import HOUR, format_instant
from detectors.process.record import Process, Said
from tests.streams.http.serving import NOW, Serving, an_incident, dumps, serving
from tests.streams.http.status.test_days import record
from tests.support.browser.chromium import chromium, tab


def fill(served: Serving) -> None:
    said = Said(NOW, "Ada", "We ask people to use SiS.", True)
    about = an_incident(process=Process(said=said), acknowledged_at=NOW - 1_000, acknowledged_by="Ada")
    served.feed(about)
    served.feed_banner(about)
    leaves = [("sis", "idme", 99, 0), ("ssoe", "idme", 80, 9)]
    for back in range(120):
        served.views.apply("sli-history", b"prod", record(NOW // 300_000 * 300_000 - back * 6 * HOUR, leaves))


async def get(served: Serving, path: str, **headers: str) -> tuple[int, str, Mapping[str, str]]:
    async with served.client.get(
        path, headers={k.replace("_", "-"): v for k, v in headers.items()}
    ) as response:
        return response.status, await response.text(), response.headers


async def test_the_page_needs_no_token_and_loads_its_own_style_alone(served: Serving) -> None:
    fill(served)
    status, text, headers = await get(served, "/status")
    assert status == 200
    assert "Many people cannot sign in" in text
    assert "We ask people to use SiS." in text
    assert "Ada" not in text
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<script|\son\w+=|\sstyle=", text)


async def test_the_feed_stands_beside_it(served: Serving) -> None:
    fill(served)
    status, text, headers = await get(served, "/status.atom")
    assert (status, headers["Content-Type"]) == (200, "application/atom+xml; charset=utf-8")
    assert "urn:watchofficer:status:prod-17:1" in text


async def test_an_answer_that_is_known_is_not_sent_again(served: Serving) -> None:
    fill(served)
    _, _, headers = await get(served, "/status")
    status, text, again = await get(served, "/status", If_None_Match=headers["ETag"])
    assert (status, text, again["ETag"]) == (304, "", headers["ETag"])
    assert again["Cache-Control"] == "public, max-age=10"


async def test_parameters_are_refused(served: Serving) -> None:
    assert (await get(served, "/status?env=staging"))[0] == 400


async def test_maintenance_that_was_announced_is_told_without_who_and_why(served: Serving) -> None:
    cover = {
        "id": "prod-c1",
        "kind": "maintenance",
        "scope": "prod/sis",
        "start": format_instant(NOW - 8 * 24 * HOUR + HOUR),
        "end": format_instant(NOW - 8 * 24 * HOUR + 2 * HOUR),
        "recurs": "FREQ=WEEKLY",
        "by": "Ada",
        "text": "a secret reason",
    }
    line = {
        "type": "notice",
        "at": format_instant(NOW - HOUR),
        "kind": "maintenance",
        "env": "prod",
        "field": "set",
        "value": "prod-c1",
        "text": "a secret reason",
        "cover": cover,
    }
    served.views.apply("incident-log", b"prod", dumps(line | {"incident": None}))
    _, text, _ = await get(served, "/status")
    assert format_instant(NOW + 6 * 24 * HOUR + HOUR) in text
    assert "secret" not in text
    assert "Ada" not in text


async def test_a_browser_shows_it_at_the_width_of_a_phone(tmp_path: Path) -> None:
    async with serving() as served:
        fill(served)
        with chromium(tmp_path) as devtools:
            async with tab(devtools, 390, 800) as seen:
                await seen.open(str(served.client.make_url("/status")))
                assert await seen.value("document.querySelector('.headline')?.textContent") == (
                    "Many people cannot sign in"
                )
                assert await seen.value("document.documentElement.scrollWidth") <= 390
                size = "getComputedStyle(document.querySelector('.headline')).fontSize"
                assert await seen.value(size) == "25.6px"  # its style was let in
