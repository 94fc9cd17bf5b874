"""Runbooks over HTTP: with the figures of an incident, and errors as everywhere."""

from __future__ import annotations

import msgspec
import pytest

from streams.http.runbooks import runbook_of
from streams.settings.policy_file import default_policy, read_policy
from tests.streams.http.serving import Serving, an_incident
from tests.streams.http.test_reading import get, is_error, sli


async def page(served: Serving, path: str) -> tuple[int, str, str]:
    async with served.client.get(path) as response:
        return (
            response.status,
            await response.text(),
            response.headers.get("Content-Security-Policy", ""),
        )


async def test_a_runbook_is_filled_in_with_the_incident_that_is_asked_for(served: Serving) -> None:
    served.feed(an_incident(17, sentence="<b>9 of 10</b> failed", links={"pagerduty": "https://p.example/1"}))
    served.views.apply("sli", b"k", sli("prod/ssoe", "15m", good=2))
    served.views.apply("sli", b"k", sli("prod/sis", "15m", good=9))
    status, text, policy = await page(served, "/runbooks/ssoe?incident=prod-17")
    assert status == 200
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "1,204 people in the last hour" in text
    assert "20% succeed on SSOe" in text
    assert "&lt;b&gt;9 of 10&lt;/b&gt; failed" in text
    assert 'href="https://p.example/1"' in text
    assert 'href="/runbooks/sign_in?incident=prod-17"' in text


async def test_without_an_incident_the_only_open_one_is_taken_and_of_several_each_is_offered(
    served: Serving,
) -> None:
    assert "<dl>" not in (await page(served, "/runbooks/ssoe"))[1]
    served.feed(an_incident(17), an_incident(18, scope="prod/sis"), an_incident(19, state="closed"))
    assert "<dd>prod-17</dd>" in (await page(served, "/runbooks/ssoe"))[1]
    served.feed(an_incident(20))
    text = (await page(served, "/runbooks/ssoe"))[1]
    assert "<dl>" not in text
    assert text.count("/runbooks/ssoe?incident=prod-17") == text.count("/runbooks/ssoe?incident=prod-20") == 1


async def test_a_runbook_of_a_cause_is_offered_for_incidents_of_that_cause(served: Serving) -> None:
    served.feed(an_incident(17, causes=("silence",)))
    assert "<dd>prod-17</dd>" in (await page(served, "/runbooks/silence"))[1]
    assert "<dd>prod-17</dd>" not in (await page(served, "/runbooks/ssoe"))[1]


async def test_all_runbooks_are_listed(served: Serving) -> None:
    status, text, _ = await page(served, "/runbooks")
    assert (status, text.count("<li>")) == (200, 18)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/runbooks/nothing", 404),
        ("/runbooks/..%2Fblind", 404),
        ("/runbooks/ssoe?incident=prod-99", 404),
        ("/runbooks/ssoe?incident=", 404),
        ("/runbooks/ssoe?incidents=prod-17", 400),
    ],
)
async def test_what_is_not_there_is_an_error(served: Serving, path: str, status: int) -> None:
    answered, body = await get(served, path)
    assert answered == status
    assert is_error(body)


async def test_an_incident_that_may_still_be_read_is_no_404(served: Serving) -> None:
    served.views.ready = False
    assert (await get(served, "/runbooks/ssoe?incident=prod-17"))[0] == 503


async def test_the_api_says_where_the_runbook_of_an_incident_is(served: Serving) -> None:
    served.feed(an_incident(17))
    _, body = await get(served, "/api/v1/incidents")
    assert body["incidents"][0]["runbook"] == "/runbooks/ssoe?incident=prod-17"
    _, body = await get(served, "/api/v1/incidents/prod-17")
    assert body["runbook"] == "/runbooks/ssoe?incident=prod-17"


def test_a_runbook_of_ones_own_is_its_address_and_a_record_without_a_scope_has_none() -> None:
    policy = read_policy("runbooks: {ssoe: https://wiki.va.gov/ssoe}", "p.yaml")
    record = msgspec.to_builtins(an_incident(17))
    assert runbook_of(record, policy) == "https://wiki.va.gov/ssoe"
    assert runbook_of({"id": "prod-1"}, default_policy()) is None
    assert runbook_of({"id": "prod-1", "scope": "prod", "common": [{"field": 1}]}, policy) is None
