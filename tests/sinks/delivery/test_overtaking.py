"""What waits to be sent and is overtaken by what comes after it."""

from __future__ import annotations

import pytest

from detectors.incidents import Command
from sinks.delivery.supersede import overtaken
from sinks.receivers.answers import Delivered, Retry
from tests.sinks.deliverer_fixture import DelivererFixture, drained, failing, numbered
from tests.sinks.samples import RunningTime


async def test_of_edits_that_wait_only_the_last_is_sent() -> None:
    fixture = DelivererFixture(RunningTime(), slack=failing(1, Retry(None, "HTTP 500")))
    for n, action in enumerate(["post", "update", "reply", "update", "reply", "update"]):
        fixture.deliverer.submit(numbered(n, "slack", action, kind="severity"))
    assert await drained(fixture.deliverer, 5)
    assert fixture.outcomes() == [
        ("prod-7:0:slack:0", "delivered"),
        ("prod-7:0:slack:1", "superseded"),
        ("prod-7:0:slack:2", "delivered"),
        ("prod-7:0:slack:3", "superseded"),
        ("prod-7:0:slack:4", "delivered"),
        ("prod-7:0:slack:5", "delivered"),
    ]
    assert fixture.deliverer.deliveries["slack", "superseded"] == 2


async def test_an_edit_that_a_newer_one_overtakes_while_it_is_retried_is_not_sent_again() -> None:
    fixture = DelivererFixture(
        slack=lambda c: Retry(None, "HTTP 500") if c.id.endswith(":1") else Delivered()
    )
    fixture.deliverer.submit(numbered(1, "slack", "update"))
    await fixture.time.pass_(1)
    fixture.deliverer.submit(numbered(2, "slack", "update"))
    await fixture.time.pass_(10)
    assert [outcome for _, outcome in fixture.outcomes()] == ["superseded", "delivered"]
    assert fixture.recorded[0].attempts >= 1


async def test_nobody_is_woken_for_what_is_over_but_it_is_resolved_all_the_same() -> None:
    fixture = DelivererFixture(pagerduty=failing(1, Retry(None, "no answer")))
    fixture.receivers["pagerduty"].gate.clear()
    fixture.deliverer.submit(numbered(0, who="prod-1"))
    fixture.deliverer.submit(numbered(1))
    fixture.deliverer.submit(numbered(2, action="resolve"))
    fixture.deliverer.submit(numbered(3, epoch=1))
    fixture.receivers["pagerduty"].gate.set()
    await fixture.time.pass_(30)
    assert [pair for pair in fixture.outcomes() if pair[0].startswith("prod-7")] == [
        ("prod-7:0:pagerduty:1", "dropped"),
        ("prod-7:0:pagerduty:2", "delivered"),
        ("prod-7:1:pagerduty:3", "delivered"),
    ]
    assert "prod-7:0:pagerduty:1" not in fixture.receivers["pagerduty"].ids


async def test_a_page_that_was_delivered_is_followed_by_its_resolution() -> None:
    fixture = DelivererFixture()
    fixture.deliverer.submit(numbered(1))
    await fixture.time.settle()
    fixture.deliverer.submit(numbered(2, action="resolve"))
    assert await drained(fixture.deliverer, 5)
    assert [outcome for _, outcome in fixture.outcomes()] == ["delivered", "delivered"]


@pytest.mark.parametrize(
    ("first", "later", "fate"),
    [
        (("slack", "update"), ("slack", "update"), "superseded"),
        (("slack", "update"), ("slack", "reply"), None),
        (("slack", "post"), ("slack", "update"), None),
        (("slack", "broadcast"), ("slack", "broadcast"), None),
        (("slack", "reply"), ("slack", "reply"), None),
        (("slack", "reply", "update"), ("slack", "reply", "update"), "superseded"),
        (("slack", "reply", "reminder"), ("slack", "reply", "update"), None),
        (("datadog", "incident_update"), ("datadog", "incident_update"), "superseded"),
        (("datadog", "incident_update"), ("datadog", "incident_resolve"), "superseded"),
        (("datadog", "incident_create"), ("datadog", "incident_update"), None),
        (("datadog", "event"), ("datadog", "event"), None),
        (("pagerduty", "trigger"), ("pagerduty", "resolve"), "dropped"),
        (("pagerduty", "trigger"), ("pagerduty", "trigger"), "superseded"),
        (("pagerduty", "acknowledge"), ("pagerduty", "trigger"), "superseded"),
        (("pagerduty", "resolve"), ("pagerduty", "trigger"), None),
        (("pagerduty", "trigger"), ("pagerduty", "acknowledge"), None),
        (("pagerduty", "acknowledge"), ("pagerduty", "resolve"), "superseded"),
    ],
)
def test_what_overtakes_what(first: tuple[str, ...], later: tuple[str, ...], fate: str | None) -> None:
    def made(n: int, what: tuple[str, ...], epoch: int = 0) -> Command:
        sink, action, kind = (*what, "severity")[:3]
        return numbered(n, sink, action, kind=kind, epoch=epoch)

    assert overtaken(made(1, first), [made(2, later)]) == fate
    assert overtaken(made(1, first), [made(2, later, epoch=1)]) is None
    assert overtaken(made(1, first), []) is None
