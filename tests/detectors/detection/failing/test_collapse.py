"""A collapse of success is found whatever the codes say, and is past as soon as people get in again."""

from __future__ import annotations

import pytest

from detectors.detection.failing.collapse import Collapse
from detectors.detection.outage import needed_evidence
from detectors.history.history import History
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.journeys import Journeys
from tests.detectors.detection.simulated.traffic import scope

POLICY = default_policy()
SSOE = scope("ssoe")


def collapse(first: int, last: int, seed: int) -> Collapse:
    """Judge the seconds [first, last), of which 97 % of ssoe fail as a user's act from second 1,800 to 2,400."""
    journeys = Journeys(last, seed, windows=POLICY.evidence_windows)
    frame = journeys.fail("ssoe", 1_800, 2_400, 0.97, "005").frame(first, last)
    return Collapse(frame, POLICY, History("prod"), needed_evidence(POLICY))


def test_success_that_collapses_is_found() -> None:
    assert collapse(1_900, 2_400, 1).fires[:, SSOE].all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [2_440, 2_520])
def test_it_is_past_once_people_get_in_again_though_long_windows_still_hold_it(first: int, seed: int) -> None:
    found = collapse(first, 2_800, seed)
    assert not found.fires[:, SSOE].any()
    assert not found.lingers[:, SSOE].any()
