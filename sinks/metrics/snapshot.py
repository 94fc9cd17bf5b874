"""What is exported of one environment, to be handed to the Prometheus page as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NO_CSP", "RESULTS", "EnvSnapshot"]

#: Value of the label ``csp`` for events that name no credential provider.
NO_CSP = "none"
#: Values of the label ``result``.
RESULTS = ("good", "bad", "excluded", "started")


@dataclass(frozen=True, kw_only=True)
class EnvSnapshot:
    """All that is exported of one environment, as absolute values. What is left out stays at its first value.

    Attributes:
        events: (auth method, csp or ``NO_CSP``, result) -> events since counting began.
        success_ratio: (auth method, window such as ``5m``) -> 0-1, None when nothing completed.
        latency_ratio: the same, share of completed requests under the threshold.
        durations: (scope, window, quantile such as ``0.95``) -> seconds; what is unknown is left out.
        burn_rate: (auth method, window) -> multiples of the rate that spends the budget exactly, or None.
        users_impacted: auth method -> distinct people with a failing event in the trailing hour.
        users_impacted_error: auth method -> how far the truth may lie from that, as a share; 0 where it was counted.
        error_budget_remaining: auth method -> share of the month's budget that is left; negative when overspent.
        error_budget_gone: auth method -> when it will be gone (ms), if that is within the month.
        severity: auth method -> severity (1-3) of the worst open incident that touches it; 0 for none.
        incidents_open: severity -> incidents that are not resolved.
        deadlines: severity -> the soonest end (ms) of a response time that nobody has met yet.
        watermark: event time (ms) up to which the environment has been evaluated; None before the first.
    """

    events: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    success_ratio: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    latency_ratio: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    durations: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    burn_rate: Mapping[tuple[str, str], float | None] = field(default_factory=dict)
    users_impacted: Mapping[str, int] = field(default_factory=dict)
    users_impacted_error: Mapping[str, float] = field(default_factory=dict)
    error_budget_remaining: Mapping[str, float | None] = field(default_factory=dict)
    error_budget_gone: Mapping[str, int] = field(default_factory=dict)
    severity: Mapping[str, int] = field(default_factory=dict)
    incidents_open: Mapping[int, int] = field(default_factory=dict)
    deadlines: Mapping[int, int] = field(default_factory=dict)
    watermark: int | None = None
