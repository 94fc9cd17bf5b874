"""A month of simulated incidents with their people: what is recorded and reported is what happened."""

from __future__ import annotations

import pytest

from streams.reports.rendering.html import html
from streams.reports.spans import month_of
from streams.settings.policy_file import default_policy
from tests.incidents.compare import Compared, compare, unsourced
from tests.incidents.played import played
from tests.incidents.stories import stories
from tests.incidents.truth import Near

POLICY = default_policy()
SPAN = month_of("2026-11", POLICY.time_zone)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_the_record_and_the_reports_of_a_month_say_what_was_true(seed: int) -> None:
    told = stories(seed, 30)
    month = played(told, POLICY, SPAN)
    found = compare(told, month)
    assert found.fields > 30 * 30
    assert found.equal_share >= 0.98, found.differ
    episodes = month.episodes()
    reports = month.reports(episodes)
    assert all(len(html(one)) > 1_000 for one in reports)
    for report in (*reports, *(month.postmortem(episodes, name) for name in month.incidents)):
        assert unsourced(report) == []


def test_a_field_that_differs_is_counted_and_named() -> None:
    found = Compared()
    found.all("prod-1", {"a": 1, "b": [Near(1, 3)], "c": 0.5}, {"a": 2, "b": [2], "c": 0.5})
    found.check("prod-1", "d", [Near(1, 3)], [4])
    found.check("prod-1", "e", [Near(1, 3)], [])
    assert [name for _, name, _, _ in found.differ] == ["a", "d", "e"]
    assert found.equal_share == pytest.approx(0.4)
