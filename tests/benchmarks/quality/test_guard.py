"""Detection is as good as it was: the short scenarios of the laboratory, with one seed, on every change.

All of it, with many seeds, is `make quality`; the figures are in docs/quality.md.
"""

from __future__ import annotations

import pytest

from benchmarks.quality.cases import Case
from benchmarks.quality.findings import findings
from benchmarks.quality.runs import play
from benchmarks.quality.said import Heard
from detectors.instants import HOUR, SECOND
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
    "silence",
    "ssoe_silence",
    "two_outages",
    "failures_without_provider",
    "idme_never_returns",
    "ssoe_never_returns",
    "too_late_surge",
    "user_error_surge",
    "silence_after_a_dead_week",
    "silence_after_an_incident_last_week",
    "first_day",
    "clock_behind",
    "clock_ahead",
    "slow_provider",
    "retries_at_night",
    "scanner",
    "move_of_method",
    "move_of_client",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_is_found_and_nothing_else_is(scenario: str) -> None:
    run = play(Case("library", scenario, SEED), default_policy())
    faults = [f"{what}: {how}" for what, how in findings([run])]
    assert not faults, "\n".join(faults)
    assert run.events > 1000


def test_a_second_outage_within_a_first_is_told_as_soon_as_alone_and_with_people_of_its_own() -> None:
    case = Case("library", "tokens_within_outage", SEED)
    heard = Heard()
    run = play(case, default_policy(), seen=lambda verdict: heard.take(verdict.result))
    assert list(findings([run])) == []
    assert [answer.scope for answer in run.score.answers] == ["prod/*/idme", "prod/sis"]
    assert all((answer.to_page or HOUR) <= 30 * SECOND for answer in run.score.answers)
    assert [one for one in heard.compared(run) if not one.is_true] == []
