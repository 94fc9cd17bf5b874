"""The people of a demo's story do what the acts allow, and wait for what they wait for."""

from __future__ import annotations

import json
from typing import Any, cast

import httpx
import pytest

from detectors.instants import MINUTE, parse_instant
from detectors.process.actions import BY_KIND, OF_INCIDENTS
from streams.demo.people.story import STORIES, Step, Story, Storyteller, conducted
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


async def test_all_lines_of_a_checklist_are_ticked_where_a_step_says_so() -> None:
    class Views:
        def incidents(self) -> list[dict[str, Any]]:
            lines = [("monitors", "x"), ("sign_in_sis", None), ("sign_in_ssoe", None), ("statement", None)]
            checklist = [{"item": item, "done_at": done} for item, done in lines]
            return [{"env": "prod", "id": "prod-1", "state": "open", "process": {"checklist": checklist}}]

    ticked = list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            ticked.append(json.loads(request.content)["item"])
            return httpx.Response(202, json={"accepted": {"id": "1"}})
        return httpx.Response(200, json={"state": "applied"})

    steps = (Step("check", "open", 0, "check", "Ada", lambda _: {"item": "sign_in_*"}),)
    people = Storyteller(Story("", "x", steps), "http://worker", cast(Any, Views()), lambda: NOW)
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://worker", transport=transport) as http:
        await people.take(http, 0, "prod-1")
    assert ticked == ["sign_in_sis", "sign_in_ssoe"]
    assert [one.broken for one in people.assertions()] == [None]


def test_an_exercise_has_the_acts_of_the_full_story_but_for_its_maintenance() -> None:
    acts = [step.act for step in conducted("idme_outage").steps]
    assert "maintenance" not in acts
    assert acts[-1] == "complete"
