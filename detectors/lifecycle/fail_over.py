"""Should web sign-ins be switched from SSOe to the Sign-in Service? This is advice; nothing is switched here.

The public SSOe outage response: switch when, over 15 minutes, less than 40 % succeed on SSOe and more than 50
% on SiS, for all sign-ins or for one credential provider; go back at 50 % on SSOe.
"""

from __future__ import annotations

from detectors.incidents import Counts
from detectors.instants import format_duration
from detectors.policy.policy import Policy

__all__ = ["advise", "compared"]


def compared(scope: str) -> tuple[str, str] | None:
    """The two scopes (SSOe, SiS) whose success ratios are compared; None where the incident does not affect SSOe."""
    env, *below = scope.split("/")
    if below[:1] == ["sis"]:
        return None
    csp = f"/{below[1]}" if len(below) == 2 else ""
    return f"{env}/ssoe{csp}", f"{env}/sis{csp}"


def advise(ssoe: Counts, sis: Counts, policy: Policy, *, standing: bool) -> str | None:
    """The advice to switch, with its numbers, or None.

    Advice that stands is withdrawn when SSOe is back at ``revert_at`` or SiS is no longer above
    ``sis_above``. Without a completed sign-in on both there is no ratio, hence no advice.

    Args:
        ssoe, sis: counts over ``fail_over.window``.
        standing: whether the advice was given in the previous step.
    """
    rules = policy.fail_over
    if ssoe.success_ratio is None or sis.success_ratio is None or sis.success_ratio <= rules.sis_above:
        return None
    limit = rules.revert_at if standing else rules.ssoe_below
    if ssoe.success_ratio >= limit:
        return None
    return (
        f"Switch web sign-ins from SSOe to SiS: over {format_duration(rules.window)} {ssoe.success_ratio:.0%}"
        f" succeed on SSOe and {sis.success_ratio:.0%} on SiS; go back when SSOe is at {rules.revert_at:.0%}."
    )
