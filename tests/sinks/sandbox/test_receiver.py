"""What all sandboxes do: fail when asked to, show themselves, and leave nothing behind."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sinks import sandbox
from sinks.sandbox import PagerDutySandbox, Sandbox
from tests.sinks.paging import KEY, enqueue
from tests.sinks.samples import OPENED


async def test_asked_to_fail_it_fails_so_often_and_processes_nothing(http: httpx.AsyncClient) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    pagerduty.fail(2, status=429, headers={"Retry-After": "7"})
    answers = [await enqueue(http, pagerduty) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["Retry-After"] == "7"
    assert len(pagerduty.woken) == 1
    assert [request.status for request in pagerduty.requests] == [429, 429, 202]
    await pagerduty.stop()


async def test_a_cut_or_stalled_request_is_processed_though_its_answer_never_comes(
    http: httpx.AsyncClient,
) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    pagerduty.cut()
    with pytest.raises(httpx.TransportError):
        await enqueue(http, pagerduty)
    pagerduty.stall()
    with pytest.raises(httpx.ReadTimeout):
        await http.post(f"{pagerduty.url}/v2/enqueue", json={"routing_key": KEY}, timeout=0.05)
    assert len(pagerduty.woken) == 1
    assert [request.status for request in pagerduty.requests] == [0, 0]
    await pagerduty.stop()


async def test_a_stopped_sandbox_leaves_neither_port_nor_task(http: httpx.AsyncClient) -> None:
    before = len(asyncio.all_tasks())
    async with Sandbox.make(sleep=asyncio.sleep, clock=lambda: OPENED, acknowledge_after=1000) as all_of_them:
        urls = [receiver.url for receiver in all_of_them.receivers]
        await enqueue(http, all_of_them.pagerduty, routing_key=sandbox.ROUTING_KEY)
        assert len(set(urls)) == 3
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
    assert len(asyncio.all_tasks()) == before


async def test_a_person_can_look_at_it_and_sees_no_key(http: httpx.AsyncClient) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    await enqueue(
        http, pagerduty, payload={"summary": "<script>alert(1)", "source": "w", "severity": "critical"}
    )
    page = await http.get(pagerduty.url, headers={"Accept": "text/html"})
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text
    data = (await http.get(pagerduty.url)).json()
    assert data["incidents"][0]["status"] == "triggered"
    assert data["requests"][0]["answered"] == 202
    assert KEY not in page.text + str(data)
    assert len(pagerduty.requests) == 1  # looking is not recorded
    await pagerduty.stop()
