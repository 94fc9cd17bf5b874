"""What does the console know of an incident: record, changes, messages, clocks, and what was measured?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from detectors.axes import ANY, contains, path_of
from detectors.incidents import Common, Incident
from detectors.instants import HOUR, MINUTE, parse_instant
from detectors.lifecycle.response_times import clocks
from detectors.policy.policy import Policy
from detectors.policy.runbooks import is_url, path_of_runbook
from detectors.process.deploys import SHOWN_BEFORE
from sinks.console.charts import Span
from sinks.console.conduct import PageState
from sinks.console.incident import Deadline, IncidentView
from sinks.console.runbook import title_of
from sinks.console.shell import Standing
from sinks.console.timeline import Finding, Happening
from sinks.wording import ScopeNames, links_of, update_words
from streams.http.views import Views
from streams.records.models import decode_incident
from streams.watchdog.report import Report

__all__ = [
    "OVER",
    "Incidents",
    "deadlines_of",
    "measured_scope",
    "objective_of",
    "runbooks_of",
    "standing_of",
    "thresholds_of",
]

OVER = ("resolved", "closed")
_SIMILAR = 5
#: What is shown of the time before an incident and after it, ms.
_BEFORE, _AFTER = 30 * MINUTE, 30 * MINUTE
_LONGEST = 23 * HOUR


class Incidents:
    """The incidents of the views, each decoded once for as long as its record stands.

    Args:
        views: what is known of the topics.
        policy: the policy.
        pages_on: whether PagerDuty is set up.
        clock: ms since the epoch.
    """

    def __init__(self, views: Views, policy: Policy, *, pages_on: bool, clock: Callable[[], int]) -> None:
        self._views = views
        self._policy = policy
        self._pages_on = pages_on
        self._clock = clock
        self._names = ScopeNames(policy)
        self._decoded: dict[str, tuple[Mapping[str, Any], Incident | None]] = {}

    def get(self, incident: str) -> Incident | None:
        """Return an incident by its id; None for one that is not known, or whose form is not."""
        record = self._views.incident(incident)
        return None if record is None else self._decode(record)

    def all(self) -> list[Incident]:
        """Return all incidents, the most urgent first."""
        records = self._views.incidents()
        if len(self._decoded) > 2 * len(records) + 100:
            self._decoded.clear()
        return [one for record in records if (one := self._decode(record)) is not None]

    def view(self, incident: Incident, standing: Standing) -> IncidentView:
        """Return what the page of an incident shows."""
        now, policy, views = self._clock(), self._policy, self._views
        measured = measured_scope(views, incident)
        span = _span(incident, now)
        found = links_of(incident, views.told.links(incident.id))
        return IncidentView(
            incident=incident,
            now=now,
            names=self._names,
            standing=standing,
            span=span,
            happenings=[
                one for line in views.incident_log(incident.id) if (one := _happening(line)) is not None
            ],
            messages=views.told.messages(incident.id),
            pages=self._pages(incident),
            deadlines=deadlines_of(incident, policy),
            samples=views.traces.of(measured, span.start),
            measured=measured,
            objective=objective_of(measured, policy),
            thresholds=thresholds_of(policy),
            runbooks=runbooks_of(incident, policy),
            links=[link for link in found if link.name not in ("console", "runbook")],
            similar=self._similar(incident),
            deploys=views.deploys(incident.scope, min(span.start, incident.first_bad_at - SHOWN_BEFORE)),
            draft="" if incident.state in OVER else update_words(incident, self._names),
        )

    def _decode(self, record: dict[str, Any]) -> Incident | None:
        key = str(record["id"])
        known = self._decoded.get(key)
        if known is not None and known[0] is record:
            return known[1]
        try:
            incident = decode_incident(msgspec.json.encode(record))
        except ValueError:
            incident = None
        self._decoded[key] = record, incident
        return incident

    def _pages(self, incident: Incident) -> list[PageState]:
        record = self._views.incident(incident.id)
        told = {} if record is None else self._views.pages.told(record, on=self._pages_on)
        return [
            PageState(
                str(page["level"]),
                str(page["delivery"]["state"]),
                parse_instant(page["delivery"]["at"]) if "at" in page["delivery"] else None,
                str(page["delivery"].get("reason", "")),
            )
            for page in told.get("pages", ())
        ]

    def _similar(self, incident: Incident) -> list[Incident]:
        alike = [
            one
            for one in self.all()
            if one.id != incident.id
            and one.scope == incident.scope
            and set(one.causes) & set(incident.causes)
            and one.opened_at < incident.opened_at
        ]
        return sorted(alike, key=lambda one: -one.opened_at)[:_SIMILAR]


def measured_scope(views: Views, incident: Incident) -> str:
    """Return the scope whose trace stands for an incident's: its own, else the narrowest that holds it and is kept."""
    values = incident.scope.split("/")[1:]
    method = (
        path_of(incident.env, (values[0] if n == 0 else ANY for n in range(len(values)))) if values else ""
    )
    for scope in (incident.scope, method, incident.env):
        if scope and contains(scope, incident.scope) and views.traces.of(scope, 0):
            return scope
    return incident.scope


def runbooks_of(incident: Incident, policy: Policy) -> list[tuple[str, str]]:
    """Return title and path of each runbook that applies to an incident."""
    return [
        ("The public procedure", name)
        if is_url(name)
        else (title_of(name), path_of_runbook(name, incident.id))
        for name in policy.runbooks_of(incident.scope, incident.causes, incident.common)
    ]


def deadlines_of(incident: Incident, policy: Policy) -> list[Deadline]:
    """Return what is due in an incident: its response times and the next update; nothing of one that ended untaken."""
    over, update = incident.state in OVER, incident.process.next_update_at
    if over and incident.acknowledged_at is None:
        return []
    found = [Deadline(one.name, one.due_at, incident.acknowledged_at) for one in clocks(incident, policy)]
    return found if over or update is None else [*found, Deadline("update", update, None)]


def thresholds_of(policy: Policy) -> list[tuple[int, int]]:
    """Return the severities with the people an hour above which they begin."""
    return [(1, policy.severity.severity_1_over), (2, policy.severity.severity_2_over)]


def objective_of(scope: str, policy: Policy) -> float | None:
    """Return the share that should succeed in a scope (0-1): of its method, else the least of all methods."""
    method = scope.split("/")[1] if "/" in scope else ANY
    known = policy.objectives.get(method)
    if known is not None:
        return known.availability
    return min((one.availability for one in policy.objectives.values()), default=None)


def standing_of(report: Report, env: str, *, ready: bool) -> Standing:
    """Return how the watch gets on for an environment, in words."""
    if report.blind:
        brief = f"The watch is blind ({', '.join(sorted(report.blind))})"
        return Standing("blind", f"{brief}: {_worst(report, env)}", brief)
    evaluated = report.evaluated.get(env)
    if not ready or evaluated is None:
        return Standing(
            "unknown", "Nothing has been evaluated yet" if ready else "The topics are still being read"
        )
    lag = f"Evaluated up to {evaluated.lag_seconds:.0f} s ago"
    if report.obstacles:
        return Standing("late", f"{lag}; not all gets on")
    return Standing("ok", lag)


def _worst(report: Report, env: str) -> str:
    """The first reason why the watch is blind, that of the environment if there is one, and how many more."""
    reasons = [one.sentence.strip().rstrip(".") for one in report.obstacles if one.blind]
    if not reasons:  # they end before the watch says that it sees again
        return next(iter(report.blind.values()))
    first = next((one for one in reasons if one.startswith(f"{env} ")), reasons[0])
    more = len(set(reasons)) - 1
    return f"{first}." if not more else f"{first}. And {more} more reason{'s' if more > 1 else ''}."


def _span(incident: Incident, now: int) -> Span:
    end = now if incident.resolved_at is None else min(now, incident.resolved_at + _AFTER)
    return Span(max(incident.first_bad_at - _BEFORE, end - _LONGEST), end)


def _happening(line: Mapping[str, Any]) -> Happening | None:
    """A line of the incident log; None for one that is none, or tells nothing."""
    try:
        common = msgspec.convert(line.get("common") or (), tuple[Common, ...])
        findings = msgspec.convert(line.get("evidence") or (), tuple[Finding, ...])
        happened = line.get("happened_at")
        people = line.get("users_impacted")
        return Happening(
            kind=str(line["type"]),
            at=parse_instant(line["at"]),
            happened_at=None if happened is None else parse_instant(happened),
            reason=str(line.get("reason") or ""),
            by=line.get("by"),
            severity=int(line.get("severity") or 3),
            scope=str(line.get("scope") or ""),
            people="" if people is None else f"{int(people):,} people an hour ({line.get('basis')})",
            asked=line.get("kind"),
            counts=line.get("counts"),
            common=common,
            findings=findings,
        )
    except (KeyError, ValueError, TypeError):
        return None
