"""A deploy is told, and nothing is judged by it."""

from __future__ import annotations

import pytest

from detectors.incidents import IncidentInput
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.lifecycle.conduct.deploying import deployed
from detectors.notices.notices import Notice
from detectors.process.deploys import Deploy, deploy_words, shown_with
from tests.detectors.engine.episodes import STEP, rows_of
from tests.detectors.engine.test_engine import AND_OVER, engine_of, flat, go, the_end, without_a_restart
from tests.support.oracle import NOON

AT = NOON + 10 * MINUTE


def told(number: int = 1, **more: object) -> IncidentInput:
    fields = {"scope": "prod", "item": "vets-api", "value": "v123", "by": "CI"} | more
    return IncidentInput(id=f"d-{number}", env="prod", kind="deploy", **fields)  # type: ignore[arg-type]


def test_deploys_amid_an_outage_change_no_verdict_and_each_is_told_once() -> None:
    rows = rows_of(AND_OVER)
    places = [NOON + minutes * MINUTE + STEP for minutes in (0, 1, 3, 8, 40)]
    asked = [(at, told(number)) for number, at in enumerate(places)]
    asked += [(NOON + 9 * MINUTE, told(0)), (NOON + 9 * MINUTE, told(9, since=NOON - 8 * DAY))]
    steps = go(engine_of(), the_end(rows), rows, sorted(asked, key=lambda pair: pair[0]))
    refused = [why for step in steps for _, why in step.refused]
    for step in steps:
        step.refused.clear()
    assert flat(steps) == flat(without_a_restart())
    assert [one.at for step in steps for one in step.notices if one.deploy is not None] == places
    assert refused == ["it was dealt with before", "a deploy is told within 7d after it, and not before it"]


@pytest.mark.parametrize(
    ("since", "is_told"),
    [(None, True), (-7 * DAY, True), (-7 * DAY - 1, False), (5 * MINUTE, True), (5 * MINUTE + 1, False)],
)
def test_a_deploy_is_told_when_it_may_have_happened(since: int | None, is_told: bool) -> None:
    found = deployed(told(since=None if since is None else AT + since), AT)
    assert isinstance(found, Notice) == is_told
    if isinstance(found, Notice):
        assert found.deploy == Deploy(
            service="vets-api", version="v123", scope="prod", at=AT + (since or 0), by="CI"
        )


def test_what_a_deploy_says_is_bounded_and_one_line() -> None:
    found = deployed(told(item="a\nb" * 99, by="c" * 999, text="x\ny" * 999), AT)
    assert isinstance(found, Notice)
    assert len(found.text) < 700
    assert "\n" not in found.text
    assert deployed(told(item="\u202e\n"), AT) == "it names no service"


@pytest.mark.parametrize(
    ("scope", "at", "is_shown"),
    [
        ("prod", AT - HOUR, True),
        ("prod", AT - HOUR - 1, False),
        ("prod/*/idme", AT + MINUTE, True),
        ("prod/sis", AT, False),
        ("staging", AT, False),
        ("prod", AT + 2 * HOUR, False),
    ],
)
def test_a_deploy_stands_beside_the_incidents_that_it_may_have_caused(
    scope: str, at: int, is_shown: bool
) -> None:
    deploy = Deploy(service="vets-api", version="v1", scope=scope, at=at, by="CI")
    assert shown_with(deploy, "prod/ssoe", AT, AT + HOUR) == is_shown


def test_the_words_say_how_long_before_the_first_failure_it_was() -> None:
    deploy = Deploy(service="vets-api", version="v123", scope="prod", at=AT, by="CI", text="Sessions.")
    said = "vets-api v123 deployed to prod: Sessions."
    assert deploy_words(deploy) == said
    assert deploy_words(deploy, AT + 3 * MINUTE) == f"3 minutes before the first failure: {said}"
    assert deploy_words(deploy, AT + 20 * SECOND) == f"Less than a minute before the first failure: {said}"
    assert deploy_words(deploy, AT - MINUTE) == f"1 minute after the first failure: {said}"
