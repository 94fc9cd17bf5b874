"""The advice to send sign-ins from SSOe to SiS is given and withdrawn at the policy's ratios."""

from __future__ import annotations

import pytest

from detectors.incidents import Counts
from detectors.lifecycle.fail_over import advise, compared
from streams.settings.policy_file import default_policy

POLICY = default_policy()


def _counts(good: int, bad: int) -> Counts:
    return Counts(
        at=0,
        window=900_000,
        good=good,
        bad=bad,
        excluded=0,
        started=0,
        slow=0,
        timed=0,
        users_impacted=0,
    )


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
    advice = advise(_counts(*ssoe), _counts(*sis), POLICY, standing=standing)
    assert (advice is not None) is advised


@pytest.mark.parametrize(
    ("scope", "pair"),
    [
        ("prod", ("prod/ssoe", "prod/sis")),
        ("prod/ssoe", ("prod/ssoe", "prod/sis")),
        ("prod/ssoe/idme", ("prod/ssoe/idme", "prod/sis/idme")),
        ("staging/*/mhv", ("staging/ssoe/mhv", "staging/sis/mhv")),
        ("prod/sis", None),
        ("prod/sis/idme", None),
    ],
)
def test_a_provider_is_compared_with_itself_on_the_other_method(
    scope: str, pair: tuple[str, str] | None
) -> None:
    assert compared(scope) == pair
