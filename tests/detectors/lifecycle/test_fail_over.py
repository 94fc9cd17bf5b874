"""The advice to send sign-ins from SSOe to SiS is given and withdrawn at the policy's ratios."""

from __future__ import annotations

import pytest

from detectors.instants import parse_instant
from detectors.lifecycle.fail_over import advise
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.lifecycle.scenario import World

POLICY = default_policy()
ALL = "Switch web sign-ins from SSOe to SiS: over 15m 20% succeed on SSOe and 99% on SiS;"
WELL = {"prod/ssoe": (99, 1), "prod/sis": (99, 1)}
DOWN = {"prod/ssoe": (20, 80), "prod/sis": (99, 1)}


@pytest.mark.parametrize(
    ("ssoe", "sis", "standing", "advised"),
    [
        ((39, 61), (51, 49), False, True),
        ((40, 60), (51, 49), False, False),  # exactly 40 % is not below it
        ((39, 61), (50, 50), False, False),  # exactly 50 % is not above it
        ((0, 100), (100, 0), False, True),
        ((49, 51), (51, 49), True, True),  # advised before, it holds until SSOe is back at 50 %
        ((50, 50), (51, 49), True, False),
        ((0, 100), (40, 60), True, False),
        ((0, 0), (100, 0), False, False),  # nothing completed: no ratio, no advice
        ((0, 100), (0, 0), False, False),
    ],
)
def test_it_is_advised_below_40_percent_on_ssoe_and_above_50_on_sis(
    ssoe: tuple[int, int], sis: tuple[int, int], standing: bool, advised: bool
) -> None:
    world = World(ratios={"prod/ssoe": ssoe, "prod/sis": sis})
    advice = advise(world, "prod/ssoe", POLICY, ALL if standing else None)
    assert (advice is not None) is advised


def test_the_advice_states_both_ratios_and_when_to_go_back() -> None:
    advice = advise(World(ratios=DOWN), "prod", POLICY, None)
    assert advice == f"{ALL} go back to the share before when 50% succeed on SSOe."


@pytest.mark.parametrize(
    ("scope", "advised"),
    [
        ("prod", True),
        ("prod/ssoe", True),
        ("prod/ssoe/idme", True),
        ("prod/*/idme", True),
        ("prod/ssoe/*/vaweb", True),
        ("prod/*/*/vaweb", True),
        ("prod/*/*/vamobile", False),  # an application is no web sign-in
        ("prod/sis", False),
        ("prod/sis/idme", False),
        ("prod/sis/*/vaweb", False),
        ("staging/ssoe", False),  # another environment, where half succeed
    ],
)
def test_only_an_incident_that_touches_web_sign_ins_by_ssoe_has_advice(scope: str, advised: bool) -> None:
    assert (advise(World(ratios=DOWN), scope, POLICY, None) is not None) is advised


@pytest.mark.parametrize(
    ("ssoe", "sis", "advised"),
    [
        (0.39, 0.51, True),
        (0.40, 0.51, False),
        (0.39, 0.50, False),
        (0.0, 1.0, True),
        (None, 0.9, False),
        (0.1, None, False),
    ],
)
def test_a_provider_to_which_people_go_by_ssoe_and_do_not_return_is_advised_for_itself(
    ssoe: float | None, sis: float | None, advised: bool
) -> None:
    shares = {"prod/ssoe/idme": ssoe, "prod/sis/idme": sis}
    world = World(ratios=WELL, returns={scope: share for scope, share in shares.items() if share is not None})
    for scope in ("prod/*/idme", "prod/ssoe/idme", "prod/ssoe/idme/vaweb"):
        advice = advise(world, scope, POLICY, None)
        assert (advice is not None) is advised
        assert advice is None or advice.startswith(
            f"Switch web sign-ins by ID.me from SSOe to SiS: over 15m {ssoe:.0%} return on SSOe and {sis:.0%} on SiS;"
        )
    assert advise(world, "prod/ssoe", POLICY, None) is None
    assert advise(world, "prod/*/logingov", POLICY, None) is None


@pytest.mark.parametrize(
    ("returns", "success", "advised"),
    [
        (0.39, (99, 1), True),  # they still do not return, whatever those do who do
        (0.45, (49, 51), True),
        (0.45, (50, 50), False),
        (0.45, (0, 0), False),
    ],
)
def test_advice_for_a_provider_holds_until_half_succeed(
    returns: float, success: tuple[int, int], advised: bool
) -> None:
    begun = World(ratios=WELL, returns={"prod/ssoe/idme": 0.2, "prod/sis/idme": 0.7})
    given = advise(begun, "prod/*/idme", POLICY, None)
    assert given is not None
    later = World(
        ratios={**WELL, "prod/ssoe/idme": success}, returns={"prod/ssoe/idme": returns, "prod/sis/idme": 0.7}
    )
    assert (advise(later, "prod/*/idme", POLICY, given) is not None) is advised


def test_nobody_is_advised_to_switch_while_it_recovers() -> None:
    # the failures have stopped, and the 15 minutes still hold them
    world = World(ratios=DOWN)
    assert advise(world, "prod/ssoe", POLICY, None, recovering=True) is None
    given = advise(world, "prod/ssoe", POLICY, None)
    later = advise(world, "prod/ssoe", POLICY, given, recovering=True)
    assert later == (
        "Do not switch web sign-ins from SSOe to SiS any more, as it recovers; where that is done,"
        " go back to the share before when 50% succeed on SSOe."
    )
    assert advise(world, "prod/ssoe", POLICY, later, recovering=True) == later
    # it stands until SSOe is back, and if it fails again it is advised again, also between both ratios
    between = World(ratios={"prod/ssoe": (45, 55), "prod/sis": (99, 1)})
    assert advise(between, "prod/ssoe", POLICY, later, recovering=True) == later
    assert (advise(between, "prod/ssoe", POLICY, later) or "").startswith("Switch web sign-ins from SSOe")
    assert advise(World(ratios=WELL), "prod/ssoe", POLICY, later, recovering=True) is None


def test_the_advice_about_one_provider_does_not_stand_for_all() -> None:
    between = {"prod/ssoe": (45, 55), "prod/sis": (99, 1)}
    given = "Switch web sign-ins by ID.me from SSOe to SiS: over 15m 20% return on SSOe and 70% on SiS;"
    assert advise(World(ratios=between), "prod/*/idme", POLICY, given) is None
    assert advise(World(ratios=between), "prod/*/idme", POLICY, ALL) is not None


def test_axes_in_another_order_name_the_same_scopes() -> None:
    policy = read_policy("axes: [csp, auth_method]\nrunbooks: {prod/idme: https://x}", "p.yaml")
    world = World(
        ratios={"prod/*/ssoe": (99, 1), "prod/*/sis": (99, 1)},
        returns={"prod/idme/ssoe": 0.1, "prod/idme/sis": 0.9},
    )
    assert advise(world, "prod/idme", policy, None) is not None
    assert advise(world, "prod/idme/sis", policy, None) is None
    assert advise(World(ratios=DOWN), "prod", read_policy("axes: [csp]", "p.yaml"), None) is None


def test_it_says_so_ten_business_days_after_a_review_that_was_due() -> None:
    # 24 November is a Tuesday, and the 26th is Thanksgiving
    before, after = (parse_instant(f"2026-12-{day:02}T09:00:00-05:00") for day in (8, 10))
    says = [
        "lapsed" in (advise(World(at=at, ratios=DOWN), "prod", POLICY, None) or "") for at in (before, after)
    ]
    assert says == [False, True]
