"""Detection is as good as it was: the short scenarios of the laboratory, with one seed, on every change.

The situations that are hard to judge are in ``test_right_answers.py``. All of it, with many seeds, is `make quality`;
the figures are in docs/quality.md.
"""

from __future__ import annotations

import pytest

from benchmarks.quality.cases import Case
from benchmarks.quality.findings import findings
from benchmarks.quality.runs import play
from streams.settings.policy_file import default_policy

pytestmark = pytest.mark.quality

#: One of the tuning seeds.
SEED = 1
SCENARIOS = (
    "healthy",
    "deploy_gap",
    "bot",
    "late_delivery",
    "ssoe_outage",
    "sis_outage",
    "idme_outage",
    "mpi_down",
    "sis_token_outage",
    "ssoe_slow",
    "ssoe_outage_late",
    "ssoe_10_percent",
    "two_outages",
    "too_late_surge",
    "user_error_surge",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_is_found_and_nothing_else_is(scenario: str) -> None:
    run = play(Case("library", scenario, SEED), default_policy())
    faults = [f"{what}: {how}" for what, how in findings([run])]
    assert not faults, "\n".join(faults)
    assert run.events > 1000
