"""The whole of `watchofficer demo --once` on a wall: at each moment and speed the headline says what the API says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from streams.kafka.embedded_broker import free_port
from tests.support.browser.chromium import chromium, tab
from tests.support.browser.headline import compare, find_disagreements
from tests.support.processes import environment, needs, spawn

pytestmark = [pytest.mark.console, needs("chromium", "chromium"), pytest.mark.timeout(1500)]

_POLL_SECONDS = 1.0


@pytest.mark.parametrize("speed", [60, 240])
async def test_the_headline_says_what_the_api_says_at_each_moment_of_the_demo(
    tmp_path: Path, speed: int
) -> None:
    port, log = free_port(), tmp_path / "demo.log"
    (tmp_path / "browser").mkdir()
    demo = spawn(["demo", "--once", "--speed", str(speed), "--port", str(port)], environment({}), log)
    try:
        with chromium(tmp_path / "browser") as browser:
            async with tab(browser, 1280, 900) as page:
                await _until_served(f"http://127.0.0.1:{port}/")
                await page.open(f"http://127.0.0.1:{port}/")
                await page.value('document.querySelector(".has-script #headline") ? 1 : null')
                await compare(page)
                seen = []
                while demo.poll() is None:
                    await asyncio.sleep(_POLL_SECONDS)
                seen = await page.value("compared")
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 0, log.read_text()[-6000:]
    compared = find_disagreements(seen)
    print(
        f"\nspeed {speed}: {compared.looks} looks, {compared.settled} while the API said one thing, "
        f"{len(compared.disagreements)} disagreements"
    )
    assert compared.disagreements == []
    # From calm to calm: it was seen open, and in somebody's hands.
    told = [one["after"] for one in seen if one["after"] is not None]
    assert told[0] == [] == told[-1]
    assert {one[0]["by"] is None for one in told if one} == {True, False}


async def _until_served(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client, asyncio.timeout(120.0):
        while True:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(_POLL_SECONDS / 4)
