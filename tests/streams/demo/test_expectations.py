"""What the truth of a scenario deserves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detectors.instants import format_instant
from streams.demo.expectations import expectations
from streams.simulate.episodes import Placed
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import simulate


def placed(scenario: str, start: int) -> Sequence[Placed]:
    return [
        Placed(i, e, start + e.at, start + e.at + e.lasts) for i, e in enumerate(SCENARIOS[scenario].episodes)
    ]


@pytest.mark.parametrize(
    ("scenario", "scope", "severities", "page", "banner", "share", "steady"),
    [
        ("ssoe_outage", "prod/ssoe", (1,), True, "critical", 1.0, True),
        ("idme_outage", "prod/*/idme", (1,), True, "critical", 1.0, True),
        ("ssoe_silence", "prod/ssoe", (1,), True, "critical", 1.0, True),
        ("ssoe_4_percent", "prod/ssoe", None, True, None, 0.04, True),
        ("ssoe_flapping", "prod/ssoe", None, True, "critical", 1.0, False),
        ("ssoe_ramp", "prod/ssoe", (1,), True, "critical", 1.0, False),
        ("ssoe_blip", "prod/ssoe", None, None, None, 1.0, True),
        ("staging_outage", "staging/ssoe", (3,), False, None, 1.0, True),
        ("ssoe_slow", "prod/ssoe", (3,), None, None, 1.0, True),
    ],
)
def test_what_a_scenario_deserves_follows_from_its_truth(
    *,
    scenario: str,
    scope: str,
    severities: tuple[int, ...] | None,
    page: bool | None,
    banner: str | None,
    share: float,
    steady: bool,
) -> None:
    chosen = SCENARIOS[scenario]
    truth = simulate(scenario, 1, chosen.start).truth()
    (cause,) = expectations(truth, placed(scenario, chosen.start))
    assert (cause.scope, cause.page, cause.banner) == (scope, page, banner)
    assert (cause.share, cause.steady) == (share, steady)
    assert severities is None or cause.severities == severities
    assert format_instant(cause.start) == truth[0]["start"]


def test_a_healthy_scenario_deserves_nothing() -> None:
    assert expectations(simulate("healthy", 1, SCENARIOS["healthy"].start).truth(), []) == ()
