"""Which gauges describe the scopes of an environment, and under which labels?

A scope has one label for each axis of the policy, "" where the scope holds every value. Prometheus takes an empty label
for one that is absent: ``{env="prod",auth_method="ssoe",csp="",client_id=""}`` selects one scope, while
``{env="prod",auth_method="ssoe"}`` selects the narrower scopes of ssoe as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from prometheus_client.metrics_core import Metric

from detectors.instants import SECOND
from sinks.metrics.families import gauge
from sinks.metrics.snapshot import EnvSnapshot, ScopeValues

__all__ = ["ScopedMetrics", "scope_labels"]

#: Labels that these gauges, or Prometheus itself when it scrapes, use for something else.
_TAKEN = ("env", "window", "quantile", "le", "job", "instance")
_NAN = float("nan")


def scope_labels(axes: Sequence[str]) -> tuple[str, ...]:
    """Return the name of the label of each axis, legal in Prometheus and different from all others.

    It is the name of the axis. An axis whose name begins with ``__``, which Prometheus reserves, or is the name of
    another label gets the prefix ``axis_``.

    Args:
        axes: names of fields, of ASCII letters, digits and ``_``, that do not begin with a digit; no two are alike.
    """
    out: list[str] = []
    for axis in axes:
        name = axis
        while name.startswith("__") or name in _TAKEN or name in out or (name != axis and name in axes):
            name = f"axis_{name}"
        out.append(name)
    return tuple(out)


class ScopedMetrics:
    """Makes the metric families of scopes from the snapshots of environments.

    Args:
        axes: the axes of the policy.
        methods: values of the axis ``auth_method`` that have series before their first event.
        windows: names of the windows of the ratios.
        burn_windows: names of the windows of the burn rates.
    """

    def __init__(
        self,
        axes: Sequence[str],
        methods: Sequence[str],
        windows: Sequence[str],
        burn_windows: Sequence[str],
    ) -> None:
        self._labels = ("env", *scope_labels(axes))
        self._windows = tuple(windows)
        self._burn_windows = tuple(burn_windows)
        # The environment itself and its methods are there from the start, and stay when they have no events.
        known = methods if "auth_method" in axes else ()
        self._lasting = [
            tuple(value if axis == "auth_method" else "" for axis in axes) for value in ("", *known)
        ]

    def collect(self, envs: Mapping[str, EnvSnapshot]) -> Iterator[Metric]:
        """Yield the metric families of the environments' snapshots, in a fixed order."""
        yield self._ratios(
            "watchofficer_success_ratio",
            "Share of completed sign-in requests that succeeded, 0 to 1.",
            self._windows,
            {env: one.success_ratio for env, one in envs.items()},
        )
        yield self._ratios(
            "watchofficer_latency_ratio",
            "Share of completed sign-in requests under the latency threshold, 0 to 1.",
            self._windows,
            {env: one.latency_ratio for env, one in envs.items()},
        )
        yield self._ratios(
            "watchofficer_burn_rate",
            "Speed at which the error budget is spent; 1 spends it exactly within its period.",
            self._burn_windows,
            {env: one.burn_rate for env, one in envs.items()},
        )
        yield self._values(
            "watchofficer_error_budget_remaining_ratio",
            "Share of the month's error budget that is left; below 0 when it is overspent.",
            _NAN,
            {env: one.error_budget_remaining for env, one in envs.items()},
        )
        yield gauge(
            "watchofficer_error_budget_gone_timestamp_seconds",
            "When the month's error budget will be gone at the rate of the last hour; absent if it lasts.",
            self._labels,
            (
                ((env, *scope), at / SECOND)
                for env, one in envs.items()
                for scope, at in one.error_budget_gone.items()
            ),
        )
        yield from self._impact(envs)

    def _impact(self, envs: Mapping[str, EnvSnapshot]) -> Iterator[Metric]:
        yield self._values(
            "watchofficer_users_impacted",
            "Distinct people with a failing event in the trailing hour.",
            0,
            {env: one.users_impacted for env, one in envs.items()},
        )
        yield self._values(
            "watchofficer_users_impacted_relative_error",
            "How far the truth may lie from watchofficer_users_impacted, as a share of it, 19 times of 20; 0 while"
            " people are counted exactly, which is up to the policy's exact_people.",
            0,
            {env: one.users_impacted_error for env, one in envs.items()},
        )
        yield self._values(
            "watchofficer_incident_severity",
            "Severity, 1 to 3, of the worst open incident that touches the scope; 0 for none.",
            0,
            {env: one.severity for env, one in envs.items()},
        )

    def _ratios(
        self,
        name: str,
        text: str,
        windows: Sequence[str],
        of: Mapping[str, Mapping[tuple[ScopeValues, str], float | None]],
    ) -> Metric:
        rows = []
        for env, known in of.items():
            values: dict[tuple[ScopeValues, str], float | None] = dict.fromkeys(
                product(self._lasting, windows)
            )
            values.update(known)
            rows += [
                ((env, *scope, window), _NAN if value is None else value)
                for (scope, window), value in values.items()
            ]
        return gauge(name, text, (*self._labels, "window"), rows)

    def _values(
        self,
        name: str,
        text: str,
        first: float,
        of: Mapping[str, Mapping[ScopeValues, float | None] | Mapping[ScopeValues, int]],
    ) -> Metric:
        rows = []
        for env, known in of.items():
            values: dict[ScopeValues, float | None] = dict.fromkeys(self._lasting, first)
            values.update(known)
            rows += [((env, *scope), _NAN if value is None else value) for scope, value in values.items()]
        return gauge(name, text, self._labels, rows)
