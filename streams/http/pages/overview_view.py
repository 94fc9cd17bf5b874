"""What does the first page of the console know: indicators, incidents, banners, budgets, notices and health?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detectors.axes import ANY, path_of
from detectors.history.error_budget import month_start
from detectors.incidents import Incident
from detectors.instants import parse_instant
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from sinks.banner.public.content import ENV
from sinks.console.charts import Sample, Span
from sinks.console.heat import Cell, HeatRow, HeatView
from sinks.console.overview import RANGES, MethodView, Notice, OpenIncident, OverviewView
from sinks.console.shell import Standing
from sinks.console.timeline import told_words
from sinks.metrics.prometheus import Metrics
from sinks.wording import ScopeNames, duration_words
from streams.http.pages.incident_view import (
    OVER,
    deadlines_of,
    objective_of,
    runbooks_of,
    thresholds_of,
)
from streams.http.views import PEOPLE_WINDOW, SUCCESS_WINDOW, Views
from streams.watchdog.report import Report

__all__ = ["Overviews"]

_NOTICES, _DEPLOYS = 8, 3
#: The most scopes that are shown over time.
_ROWS = 24
#: Points of the line of a budget, about.
_POINTS = 120
_HEAT_AXES = ("auth_method", "csp", "client_id")


class Overviews:
    """Makes what the first page shows.

    Args:
        views: what is known of the topics.
        policy: the policy.
        metrics: has the error budgets of the environments that this worker evaluates.
        clock: ms since the epoch.
    """

    def __init__(self, views: Views, policy: Policy, metrics: Metrics, clock: Callable[[], int]) -> None:
        self._views = views
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._names = ScopeNames(policy)
        #: (environment, method) -> the share of its budget that was left when that was known last.
        self._left: dict[tuple[str, str], float] = {}

    def environments(self) -> list[str]:
        """Return all environments, those of the policy first."""
        return [*ENVS, *sorted(set(self._views.evaluated_to()) - set(ENVS))]

    def view(
        self, env: str, shown: str, incidents: Sequence[Incident], standing: Standing, report: Report
    ) -> OverviewView:
        """Return what is shown of an environment.

        Args:
            env: the environment.
            shown: a name of ``RANGES``.
            incidents: all, the most urgent first.
            standing: how the watch gets on for it.
            report: of this process.
        """
        now = self._clock()
        slis = {(sli["scope"], sli["window"]): sli for sli in self._views.slis()}
        mine = [one for one in incidents if one.env == env]
        since = now - RANGES[shown]
        return OverviewView(
            env=env,
            envs=self.environments(),
            now=now,
            range=shown,
            names=self._names,
            standing=standing,
            reached=self._views.evaluated_to().get(env),
            incidents=[self._open(one) for one in mine if one.state not in OVER],
            past=[one for one in mine if one.state in OVER and (one.resolved_at or 0) >= since][:50],
            methods=[self._method(env, method, slis, since) for method in self._methods(now)],
            thresholds=thresholds_of(self._policy),
            heat=self._heat(env, slis, since),
            notices=self._notices(env),
            health=_health(report, env),
            deploys=self._views.deploys(env, since),
            obstacles=[
                (
                    f"{one.why}, for {duration_words(round(one.age_seconds * 1000))}: {one.sentence}",
                    one.remedy,
                )
                for one in report.obstacles
            ],
        )

    def _open(self, incident: Incident) -> OpenIncident:
        told = told_words(self._views.told.messages(incident.id))
        runbooks = runbooks_of(incident, self._policy)
        return OpenIncident(incident, deadlines_of(incident, self._policy), told, runbooks)

    def _methods(self, now: int) -> list[str]:
        listed = self._policy.values_of("auth_method")
        return [one for one in listed if not self._policy.is_retired("auth_method", one, now)]

    def _scope(self, env: str, method: str) -> str:
        return path_of(env, (method if axis == "auth_method" else ANY for axis in self._policy.axes))

    def _method(
        self, env: str, method: str, slis: Mapping[tuple[str, str], dict[str, Any]], since: int
    ) -> MethodView:
        scope = self._scope(env, method)
        now, hour = slis.get((scope, SUCCESS_WINDOW)), slis.get((scope, PEOPLE_WINDOW))
        budgets = self._metrics.snapshot(env)
        values = tuple(method if axis == "auth_method" else "" for axis in self._policy.axes)
        left = None if budgets is None else budgets.error_budget_remaining.get(values)
        if left is not None:  # it is counted anew, and unknown meanwhile, when scopes come or go
            self._left[env, method] = left
        remaining = None if budgets is None else self._left.get((env, method))
        zone = self._policy.time_zone
        month = Span(month_start(self._clock(), zone), month_start(self._clock(), zone, 1))
        banner = next((one.state for one in self._views.banners() if one.key == scope), "")
        return MethodView(
            name=self._names.of("auth_method", method),
            success=None if now is None else now["success_ratio"],
            good=0 if now is None else now["good"],
            bad=0 if now is None else now["bad"],
            to=None if now is None else parse_instant(now["at"]),
            people=None if hour is None else hour["users_impacted"],
            objective=objective_of(scope, self._policy),
            budget=remaining,
            budget_gone=None if budgets is None else budgets.error_budget_gone.get(values),
            burned=() if remaining is None or env != ENV else self._burned(method, remaining, month),
            month=month,
            samples=self._samples(env, method, since),
            banner=banner,
        )

    def _burned(self, method: str, left: float, month: Span) -> list[tuple[int, float]]:
        """How a month's budget has come to what is left of it, in the measure in which sign-ins failed meanwhile."""
        failed = self._views.days.failures(method, month.start, _POINTS)
        most = failed[-1][1] if failed else 0
        spent = [(at, 1 - (1 - left) * so_far / most) for at, so_far in failed] if most else []
        return [(month.start, 1.0), *spent, (self._clock(), left)]

    def _samples(self, env: str, method: str, since: int) -> list[Sample]:
        """What this worker has seen, and before that the success that the history tells, without people."""
        seen = self._views.traces.of(self._scope(env, method), since)
        if env != ENV:
            return seen
        first = seen[0].at if seen else self._clock()
        told = self._views.days.successes(method, since)
        return [*(Sample(at, success, None) for at, success in told if at < first), *seen]

    def _heat(self, env: str, slis: Mapping[tuple[str, str], dict[str, Any]], since: int) -> HeatView:
        latest = max(
            (parse_instant(sli["at"]) for (scope, _), sli in slis.items() if _env(scope) == env), default=0
        )
        cells: dict[tuple[str, str, str], Cell] = {}
        for (scope, window), sli in slis.items():
            named = self._names.named(scope)
            if window != SUCCESS_WINDOW or _env(scope) != env or not set(named) <= set(_HEAT_AXES):
                continue
            if parse_instant(sli["at"]) < latest - 2 * 60_000:  # a scope without traffic is published no more
                continue
            method, provider, client = (named.get(axis, ANY) for axis in _HEAT_AXES)
            cells[method, provider, client] = Cell(sli["good"], sli["bad"])
        found: dict[str, list[str]] = {}
        for n, axis in enumerate(_HEAT_AXES):
            present = {key[n] for key in cells} - {ANY}
            listed = [one for one in self._policy.values_of(axis) if one in present]
            found[axis] = [ANY, *listed, *sorted(present - set(listed))]
        past = self._past(env, since)
        return HeatView(env, found["auth_method"], found["csp"], found["client_id"], cells, past)

    def _past(self, env: str, since: int) -> list[HeatRow]:
        """The scopes of at most two axes, by method, provider and client, those of fewer axes first."""
        rows = []
        for scope in self._views.traces.scopes():
            named = self._names.named(scope)
            if _env(scope) == env and set(named) <= set(_HEAT_AXES) and len(named) <= 2:
                method, provider, client = (named.get(axis, ANY) for axis in _HEAT_AXES)
                rows.append(HeatRow(method, provider, client, self._views.traces.of(scope, since)))
        rows.sort(key=lambda one: one[:3])
        return [one for one in rows if any(each.completed for each in one.samples)][:_ROWS]

    def _notices(self, env: str) -> list[Notice]:
        """The latest notices, of which few are deploys, as there may be many of those."""
        told: list[Notice] = []
        deploys = 0
        for line in reversed(self._views.incident_log()):
            if line.get("type") != "notice" or line.get("env") != env or len(told) >= _NOTICES:
                continue
            is_deploy = line.get("deploy") is not None
            deploys += is_deploy
            if not is_deploy or deploys <= _DEPLOYS:
                told.append(Notice(parse_instant(line["at"]), str(line.get("text", ""))))
        return told


def _env(scope: str) -> str:
    return scope.partition("/")[0]


def _health(report: Report, env: str) -> dict[str, str]:
    """Part -> how it gets on."""
    told = {part.capitalize(): report.stalled.get(part, why) for part, why in report.parts.items()}
    evaluated = report.evaluated.get(env)
    if evaluated is not None:
        where = "" if evaluated.here else " (by another worker)"
        told[f"Evaluated, {env}"] = f"{duration_words(round(evaluated.lag_seconds * 1000))} ago{where}"
    behind = sum(max(0, one.end - one.offset) for one in report.positions.values())
    if report.positions:
        told["Input"] = f"{len(report.positions)} partitions, {behind:,} records not read yet"
    for sink, age in report.oldest_unsent_seconds.items():
        told[f"Receiver {sink}"] = f"the oldest message waits for {duration_words(round(age * 1000))}"
    if not report.oldest_unsent_seconds:
        told["Receivers"] = "nothing waits to be sent"
    if report.loop.last_beat_seconds is not None:
        told["Event loop"] = f"held up by {report.loop.longest_seconds:.1f} s at most"
    told["The broker's clock"] = f"{report.broker_clock_ahead_seconds:+.1f} s from this machine's"
    return told
