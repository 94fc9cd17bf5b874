"""Which values does Prometheus get of one environment?"""

from __future__ import annotations

import numpy as np

from detectors.axes import ANY, overlaps, path_of
from detectors.engine.engine import QUANTILES, Engine
from detectors.history.error_budget import account, burn_rate, window_burn
from detectors.instants import HOUR, SECOND, format_duration
from detectors.lifecycle.response_times import deadline
from detectors.policy.policy import Policy
from sinks.metrics.snapshot import EnvSnapshot
from streams.evaluate.shard import Shard

__all__ = ["burn_windows", "env_snapshot"]


def burn_windows(policy: Policy) -> list[str]:
    """Names of the windows that have a burn rate in the metrics: the windows of the policy's rules."""
    lengths = {length for rule in policy.burn_rate.rules for length in (rule.short, rule.long)}
    return [format_duration(length) for length in sorted(lengths)]


def env_snapshot(shard: Shard, env: str, policy: Policy) -> EnvSnapshot:
    """The absolute values of an environment as of its last T."""
    engine = shard.engine(env)
    standing = [i for i in engine.lifecycle.incidents() if i.state not in ("resolved", "closed")]
    success: dict[tuple[str, str], float | None] = {}
    latency: dict[tuple[str, str], float | None] = {}
    people: dict[str, int] = {}
    error: dict[str, float] = {}
    burn: dict[tuple[str, str], float | None] = {}
    left: dict[str, float | None] = {}
    gone: dict[str, int] = {}
    severity: dict[str, int] = {}
    for method in policy.values_of("auth_method"):
        scope = path_of(env, (method if axis == "auth_method" else ANY for axis in policy.axes))
        index = engine.scopes.index(scope)
        for window in policy.sli_windows:
            value = None if index is None else engine.latest(index, window)
            if value is not None:
                success[method, format_duration(window)] = value.success_ratio
                latency[method, format_duration(window)] = value.latency_ratio
        hour = None if index is None else engine.latest(index, HOUR)
        if hour is not None:
            people[method], error[method] = hour.users_impacted, hour.users_impacted_error
        at = engine.evaluated_to
        if at is not None and method in policy.objectives:
            month = account(engine.history, method, at, policy, engine.csp_caused())
            left[method] = month.left if month else None
            if month is not None and month.gone_at is not None:
                gone[method] = month.gone_at
            for rule in policy.burn_rate.rules:
                for length in (rule.short, rule.long):
                    name = format_duration(length)
                    if (method, name) not in burn:
                        burn[method, name] = _burn(engine, index, method, length, at, policy)
        touching = [i.severity for i in standing if overlaps(i.scope, scope)]
        severity[method] = min(touching, default=0)
    open_by: dict[int, int] = {}
    due: dict[int, int] = {}
    for incident in standing:
        open_by[incident.severity] = open_by.get(incident.severity, 0) + 1
        if incident.acknowledged_at is None:
            ends = deadline(incident.opened_at, incident.severity, policy)
            due[incident.severity] = min(due.get(incident.severity, ends), ends)
    return EnvSnapshot(
        events=dict(shard.totals.events[env]),
        success_ratio=success,
        latency_ratio=latency,
        durations=_durations(engine, policy),
        users_impacted=people,
        users_impacted_error=error,
        burn_rate=burn,
        error_budget_remaining=left,
        error_budget_gone=gone,
        severity=severity,
        incidents_open=open_by,
        deadlines=due,
        notices=dict(shard.notices.get(env, {})),
        unlisted=dict(shard.totals.unlisted[env]),
        watermark=engine.evaluated_to,
    )


def _durations(engine: Engine, policy: Policy) -> dict[tuple[str, str, str], float]:
    """(scope, window, quantile) -> seconds, where any request carried a duration."""
    out = {}
    for window in policy.sli_windows:
        found = engine.quantiles(window)
        if found is not None:
            for scope, share in np.argwhere(~np.isnan(found)).tolist():
                if engine.scopes.paths[scope] is None:
                    continue
                key = engine.scopes.path(scope), format_duration(window), f"{QUANTILES[share]:g}"
                out[key] = float(found[scope, share]) / SECOND
    return out


def _burn(
    engine: Engine, index: int | None, method: str, length: int, at: int, policy: Policy
) -> float | None:
    """The burn rate of a window: live up to an hour, beyond that by the history."""
    if length > HOUR:
        return window_burn(engine.history, method, at - length, at, policy)
    value = None if index is None else engine.latest(index, length)
    if value is None:
        return None
    return burn_rate(value.good, value.bad, policy.objectives[method].availability)
