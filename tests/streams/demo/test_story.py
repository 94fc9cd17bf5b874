"""The people of a demo's story do what the acts allow, and wait for what they wait for."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from detectors.instants import MINUTE, parse_instant
from detectors.process.actions import BY_KIND, OF_INCIDENTS
from streams.demo.story import STORIES, Step, Story, Storyteller
from streams.http.bodies import ActBody, given_of
from streams.simulate.scenarios import SCENARIOS

NOW = parse_instant("2026-10-06T18:00:00Z")


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_each_act_of_a_story_is_one_that_the_interface_takes(story: Story) -> None:
    assert story.scenario in SCENARIOS
    for step in story.steps:
        action = BY_KIND["maintain"] if step.act == "maintenance" else OF_INCIDENTS[step.act]
        body = ActBody.model_validate({"by": step.by, **step.fields(NOW)})
        assert given_of(action, body) or step.act == "complete"


async def test_an_act_that_is_refused_or_not_sent_is_no_promise_kept() -> None:
    class Views:
        def incidents(self) -> list[dict[str, Any]]:
            return [
                {"env": "staging", "id": "staging-1", "state": "open"},
                {"env": "prod", "id": "prod-1", "state": "open"},
            ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            assert request.url.path in ("/api/v1/incidents/prod-1/note", "/api/v1/incidents/prod-1/eta")
            return httpx.Response(202, json={"accepted": {"id": request.url.path.rpartition("/")[2]}})
        refused = request.url.path.endswith("eta")
        return httpx.Response(
            200, json={"state": "refused" if refused else "applied", "reason": "it is past"}
        )

    steps = tuple(
        Step(act, state, 0, act, "Ada", lambda _: {})
        for act, state in (("note", "open"), ("eta", "open"), ("check", "resolved"))
    )
    people = Storyteller(
        Story("", "ssoe_outage", steps), "http://worker", cast(Any, Views()), lambda: NOW + MINUTE
    )
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://worker", transport=transport) as http:
        for number in range(2):
            await people.take(http, number, "prod-1")
    assert [one.broken for one in people.assertions()] == [None, "it is past", "it was not taken"]
