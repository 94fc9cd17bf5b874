"""Through broken receivers, lost answers, kills and people, every command arrives once, in order, and in time."""

from __future__ import annotations

import pytest

from sinks.sandbox import SLACK_TOKEN
from tests.sinks.campaign.judge import judged
from tests.sinks.campaign.world import Day, Plan

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize(("seed", "rest"), [(1, False), (2, True)])
def test_some_hours_of_faults_lose_nothing_repeat_nothing_and_hold_no_page_up(seed: int, rest: bool) -> None:
    day = Day(Plan(seed, hours=4, incidents=25, restarts=9, faults=70, spans=4, poisoned=2, rest=rest))
    day.run()
    verdict = judged(day)
    assert verdict.wrong == []
    assert verdict.worst <= 5
    assert verdict.pages > 0
    assert day.restarts > 5
    assert any(line for line in day.logged if "delivery_failed" in line)
    assert (verdict.notes > 0) == rest


def test_a_key_that_is_written_somewhere_is_found() -> None:
    day = Day(Plan(1, hours=0.1, incidents=1, restarts=0, faults=0, spans=0, poisoned=0))
    day.run()
    assert judged(day).wrong == []
    day.logged.append(f'{{"why": "HTTP 500: {SLACK_TOKEN}"}}')
    (found,) = judged(day).wrong
    assert found == 'a key stands in the log: {"why": "HTTP 500: ***"}'
