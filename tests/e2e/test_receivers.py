"""A command for a failing receiver arrives later and once, or ends as a dead letter, and delays nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sinks import sandbox
from sinks.sandbox import Received, Receiver
from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import TOKEN, Deployment, deployed, login
from tests.e2e.harness.worker import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("receivers"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

BEARER = {"Authorization": f"Bearer {TOKEN}"}
KEY = "watchofficer:prod-1:0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A worker without settings for Datadog."""
    folder = tmp_path_factory.mktemp("receivers")
    off = ("DATADOG__API_KEY", "DATADOG__APP_KEY")
    async with deployed(embedded_broker.address, "receivers.", folder, without=off) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        await deployment.leftovers_resolved()
        yield deployment


def requests(receiver: Receiver, path: str, action: str = "") -> list[Received]:
    """Return the requests under a path, only those with ``action`` if given, without the watch's own alert."""
    return [
        one
        for one in receiver.requests
        if one.path == path
        and not str(one.body.get("dedup_key")).startswith("watchofficer:blind")
        and one.body.get("event_action", "") == action
    ]


async def test_a_page_that_was_refused_put_off_and_left_unanswered_wakes_once(deployment: Deployment) -> None:
    pagerduty, slack, worker = deployment.sandbox.pagerduty, deployment.sandbox.slack, deployment.worker
    pagerduty.fail(status=500, path="/v2/")
    pagerduty.fail(status=429, headers={"Retry-After": "2"}, path="/v2/")
    pagerduty.stall(path="/v2/")
    slack.fail(status=429, headers={"Retry-After": "3"}, path="/api/chat.postMessage")
    failed = {"outcome": "failure", "error_code": "007"}
    await deployment.produce(login(f"e{n}", at=None, flow_id=f"f:{n}", **failed) for n in range(40))

    async def posted() -> bool:
        return bool(slack.roots)

    await until(posted, 40.0, "the message in Slack", worker)

    async def paged() -> bool:
        return 202 in [one.status for one in requests(pagerduty, "/v2/enqueue", "trigger")]

    await until(paged, 60.0, "the page", worker)
    assert (await worker.get("/readyz"))[0] == 200
    tries = requests(pagerduty, "/v2/enqueue", "trigger")
    assert [one.status for one in tries][:4] == [500, 429, 0, 202]
    assert {one.body["dedup_key"] for one in tries} == {KEY}
    assert tries[2].at - tries[1].at >= 2_000
    assert len(pagerduty.woken) == 1
    posts = requests(slack, "/api/chat.postMessage")
    assert [one.status for one in posts[:2]] == [429, 200]
    assert posts[1].at - posts[0].at >= 3_000
    # No receiver waits for another.
    assert posts[1].at < tries[3].at
    assert len(slack.roots) == 1


async def test_what_is_refused_for_good_is_a_dead_letter_and_what_follows_is_sent(
    deployment: Deployment,
) -> None:
    pagerduty, worker = deployment.sandbox.pagerduty, deployment.worker
    pagerduty.fail(status=400, path="/v2/")
    assert (await worker.post("/api/v1/incidents/prod-1/ack", {"by": "Ada"}, **BEARER))[0] == 202

    async def dead() -> bool:
        return bool(await deployment.on("incident-commands.dead"))

    await until(dead, 20.0, "the dead letter", worker)
    assert (await worker.post("/api/v1/incidents/prod-1/resolve", {"by": "Ada"}, **BEARER))[0] == 202

    async def resolved() -> bool:
        return [alert.status for alert in pagerduty.alerts] == ["resolved"]

    await until(resolved, 20.0, "the resolution in PagerDuty", worker)
    assert [one.status for one in requests(pagerduty, "/v2/enqueue", "acknowledge")] == [400]

    (letter,) = await deployment.on("incident-commands.dead")
    command = letter.json()
    assert (letter.key, command["sink"], command["action"]) == ("prod-1", "pagerduty", "acknowledge")
    headers = {name: value.decode() for name, value in letter.headers.items()}
    assert headers["topic"] == f"{deployment.prefix}incident-commands"
    assert (headers["command"], headers["attempts"]) == (command["id"], "1")
    assert headers["error"].startswith("HTTP 400")
    (original,) = [
        one
        for one in await deployment.on("incident-commands")
        if (str(one.partition), str(one.offset)) == (headers["partition"], headers["offset"])
    ]
    assert original.json() == command

    async def counted() -> bool:
        name = "watchofficer_sink_deliveries_total"
        return await deployment.metric(name, sink="pagerduty", outcome="dead") == 1

    await until(counted, 5.0, "the dead letter in the metrics", worker)
    await deployment.all_told()
    outcomes = [one.json()["outcome"] for one in await deployment.on("incident-deliveries")]
    assert outcomes.count("dead") == 1


async def test_a_receiver_without_credentials_is_off_and_the_log_says_so(deployment: Deployment) -> None:
    assert "Datadog is off: WATCHOFFICER_DATADOG__API_KEY is not set" in deployment.worker.said()
    assert deployment.sandbox.datadog.requests == []
    sinks = {one.json()["sink"] for one in await deployment.on("incident-commands")}
    assert sinks == {"pagerduty", "slack"}


async def test_no_secret_is_in_the_log_or_on_a_topic(deployment: Deployment) -> None:
    secrets = (
        sandbox.ROUTING_KEY,
        sandbox.SLACK_TOKEN,
        TOKEN,
        deployment.settings["PAGERDUTY__WEBHOOK_SECRET"],
    )
    said = deployment.worker.said()
    topics = ("incident-commands", "incident-commands.dead", "incident-deliveries", "incident-log")
    written = [one.value or b"" for topic in topics for one in await deployment.on(topic)]
    for secret in secrets:
        assert secret not in said
        assert not any(secret.encode() in value for value in written)


async def test_it_ends_in_order_and_quickly_while_a_receiver_does_not_answer(deployment: Deployment) -> None:
    slack, worker = deployment.sandbox.slack, deployment.worker
    before = len(slack.requests)
    slack.stall(times=3)
    assert (await worker.post("/api/v1/incidents/prod-1/note", {"text": "Over."}, **BEARER))[0] == 202

    async def stalled() -> bool:
        return len(slack.requests) > before

    await until(stalled, 20.0, "a request to Slack", worker)
    status, seconds = await worker.stop()
    assert status == 0, worker.said()[-3000:]
    assert seconds < 10
