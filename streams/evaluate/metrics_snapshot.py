"""Which values does Prometheus get of one environment?"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from detectors.engine.engine import QUANTILES, Engine
from detectors.incidents import Incident
from detectors.instants import SECOND, format_duration
from detectors.lifecycle.conduct.covering import planned
from detectors.lifecycle.response_times import clocks
from detectors.policy.policy import Policy
from detectors.process.covers import occurrence
from sinks.metrics.snapshot import EnvSnapshot
from streams.evaluate.scope_gauges import ErrorBudgets, Exported, impact, ratios, severities
from streams.evaluate.shard import Shard

__all__ = ["Snapshots", "burn_windows"]


def burn_windows(policy: Policy) -> list[str]:
    """Names of the windows that have a burn rate in the metrics: the windows of the policy's rules."""
    lengths = {length for rule in policy.burn_rate.rules for length in (rule.short, rule.long)}
    return [format_duration(length) for length in sorted(lengths)]


class Snapshots:
    """Takes the values of environments, each by the policy that judges it."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Engine, tuple[Exported, ErrorBudgets]] = WeakKeyDictionary()

    def take(self, shard: Shard, env: str) -> EnvSnapshot:
        """Return the absolute values of an environment as of its last T."""
        engine, policy = shard.engine(env), shard.engine(env).policy
        scopes, spent = self._scopes(engine)
        standing = [i for i in engine.lifecycle.incidents() if i.state not in ("resolved", "closed")]
        open_by, due = _open(standing, policy)
        success, latency = ratios(engine, scopes, policy)
        people, error = impact(engine, scopes)
        spent.update(engine, scopes)
        return EnvSnapshot(
            events=dict(shard.totals.events[env]),
            success_ratio=success,
            latency_ratio=latency,
            durations=_durations(engine, policy),
            users_impacted=people,
            users_impacted_error=error,
            burn_rate=spent.burn,
            error_budget_remaining=spent.left,
            error_budget_gone=spent.gone,
            severity=severities(engine, scopes, standing, policy),
            incidents_open=open_by,
            clocks=due,
            in_force=_in_force(engine, policy),
            notices=dict(shard.notices.get(env, {})),
            unlisted=dict(shard.totals.unlisted[env]),
            watermark=engine.evaluated_to,
        )

    def _scopes(self, engine: Engine) -> tuple[Exported, ErrorBudgets]:
        """Return the scopes of an engine that have gauges, chosen again when its scopes have changed, and budgets."""
        known = self._known.get(engine)
        if known is None or known[0].version != engine.scopes.version:
            budgets = ErrorBudgets(engine.policy) if known is None else known[1]
            known = self._known[engine] = Exported.of(engine.scopes, engine.policy), budgets
        return known


def _open(standing: Sequence[Incident], policy: Policy) -> tuple[dict[int, int], dict[tuple[str, int], int]]:
    """Return by severity the unresolved incidents, and by clock and severity the earliest end (ms) of one that runs."""
    open_by: dict[int, int] = {}
    due: dict[tuple[str, int], int] = {}
    for incident in standing:
        severity, process = incident.severity, incident.process
        open_by[severity] = open_by.get(severity, 0) + 1
        ends = {"update": process.next_update_at, "eta": process.eta}
        if incident.acknowledged_at is None:
            ends |= {clock.name: clock.due_at for clock in clocks(incident, policy)}
        for name, end in ends.items():
            if end is not None:
                due[name, severity] = min(due.get((name, severity), end), end)
    return open_by, due


def _in_force(engine: Engine, policy: Policy) -> dict[str, int]:
    """Return how many maintenances, of the policy and at run time, and mutes hold a scope at the last T."""
    at, covers = engine.evaluated_to or 0, engine.lifecycle.memory.covers.standing
    mutes = (one for one in covers if one.kind == "mute")
    return {
        "maintenance": sum(
            one.start <= at
            for one in planned(policy, covers, at)
            if one.scope.partition("/")[0] == engine.env
        ),
        "mute": sum(occurrence(one, at, policy.time_zone) is not None for one in mutes),
    }


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
