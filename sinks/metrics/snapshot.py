"""Which values does an environment export to Prometheus?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NO_CSP", "RESULTS", "EnvSnapshot", "ScopeValues"]

#: A scope of an environment: a value for each axis of the policy, "" for an axis of which it holds every value.
ScopeValues = tuple[str, ...]

#: Value of the label ``csp`` for events that name no credential provider.
NO_CSP = "none"
#: Values of the label ``result``.
RESULTS = ("good", "bad", "excluded", "started")


@dataclass(frozen=True, kw_only=True)
class EnvSnapshot:
    """The exported values of one environment, all absolute. A value that is left out keeps its initial value.

    Gauges of scopes that are left out are not on the page, but for the environment and the methods of the policy.

    Attributes:
        events: (auth method, csp or ``NO_CSP``, result) -> events since counting began.
        success_ratio: (scope, window such as ``5m``) -> 0-1, None when nothing completed.
        latency_ratio: (scope, window) -> share of completed requests under the threshold, 0-1, or None.
        durations: (path of a scope, window, quantile such as ``0.95``) -> seconds; unknown durations are left out.
        burn_rate: (scope, window) -> multiples of the rate that spends the budget exactly, or None.
        users_impacted: scope -> distinct people with a failing event in the trailing hour.
        users_impacted_error: scope -> relative error of ``users_impacted``; 0 where people were counted.
        error_budget_remaining: scope -> remaining share of the month's budget; negative if overspent.
        error_budget_gone: scope -> when the budget will be spent (ms), if that is within the month.
        severity: scope -> severity (1-3) of the worst open incident that touches it; 0 for none.
        incidents_open: severity -> number of unresolved incidents.
        clocks: (clock, severity) -> the earliest end (ms) of those that run;
            clocks are ``response``, ``alert``, ``update`` and ``eta``.
        in_force: kind -> mutes, and maintenance, that hold a scope now.
        notices: kind -> notices since the start of this process.
        unlisted: field -> events, since counting began, with a value of that field that the policy does not list.
        watermark: event time (ms) up to which the environment has been evaluated; None before the first evaluation.
    """

    events: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    success_ratio: Mapping[tuple[ScopeValues, str], float | None] = field(default_factory=dict)
    latency_ratio: Mapping[tuple[ScopeValues, str], float | None] = field(default_factory=dict)
    durations: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    burn_rate: Mapping[tuple[ScopeValues, str], float | None] = field(default_factory=dict)
    users_impacted: Mapping[ScopeValues, int] = field(default_factory=dict)
    users_impacted_error: Mapping[ScopeValues, float] = field(default_factory=dict)
    error_budget_remaining: Mapping[ScopeValues, float | None] = field(default_factory=dict)
    error_budget_gone: Mapping[ScopeValues, int] = field(default_factory=dict)
    severity: Mapping[ScopeValues, int] = field(default_factory=dict)
    incidents_open: Mapping[int, int] = field(default_factory=dict)
    clocks: Mapping[tuple[str, int], int] = field(default_factory=dict)
    in_force: Mapping[str, int] = field(default_factory=dict)
    notices: Mapping[str, int] = field(default_factory=dict)
    unlisted: Mapping[str, int] = field(default_factory=dict)
    watermark: int | None = None
