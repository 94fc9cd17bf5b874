"""Through broken receivers, lost answers, kills and people, every command arrives once, in order, and in time."""

from __future__ import annotations

import pytest

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
    assert (verdict.notes > 0) == rest
