"""What does a policy promise people of the process of an incident? Its numbers as tables in Markdown.

`docs/process.md` holds these tables as `watchofficer policy explain` prints them, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detectors.instants import HOUR, format_duration, format_instant
from detectors.notification.paging import LEVELS
from detectors.notification.routes import IMPLIED, named_receivers
from detectors.policy.policy import Policy
from detectors.policy.routes import Route
from detectors.policy.runbooks import CAUSES
from detectors.policy.sections import BUSINESS_DAY
from sinks.wording import ScopeNames

__all__ = ["TABLES", "PromiseTable", "explain_policy"]

_CAUSE_WORDS = {
    "silence": "sign-ins have fallen silent",
    "funnel": "people start and do not come back",
    "latency": "sign-in is slow",
    "surge": "a surge of errors that users make",
    "session": "sessions fail",
    "blind": "the watch is blind",
    "rejected": "events are rejected",
}
_SERVICE_WORDS = {
    "mvi": "the Master Person Index",
    "usip": "the unified sign-in page",
    "tou": "the terms of use",
    "secure_sign_in": "the secure sign-in transition",
}
_WAKES = {"critical": "wakes at once", "error": "wakes at once", "warning": "low urgency, wakes nobody"}


@dataclass(frozen=True)
class PromiseTable:
    """Names of columns, and rows of as many cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table in Markdown, a line for each row."""
        lines = (self.columns, ("---",) * len(self.columns), *self.rows)
        return "".join(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
        )

    def objects(self) -> list[dict[str, str]]:
        """The rows, each as an object: name of a column -> cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def explain_policy(policy: Policy) -> dict[str, PromiseTable]:
    """The tables by name, in the order of ``TABLES``."""
    return {name: make(policy) for name, make in TABLES.items()}


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> PromiseTable:
    return PromiseTable(tuple(columns), tuple(map(tuple, rows)))


def _severities(policy: Policy) -> PromiseTable:
    one, two = policy.severity.severity_1_over, policy.severity.severity_2_over
    people = {
        1: f"more than {one:,}",
        2: f"more than {two:,}, up to {one:,}",
        3: f"up to {two:,}, and every issue outside production",
    }
    rows = [
        (
            str(severity),
            people[severity],
            _response(policy.lifecycle.response[severity]),
            f"{LEVELS[severity]}: {_WAKES[LEVELS[severity]]}",
            policy.banner.status[severity],
        )
        for severity in (1, 2, 3)
    ]
    return _table(
        ("severity", "people impacted an hour", "response time", "PagerDuty, in production", "banner"), rows
    )


def _priorities(policy: Policy) -> PromiseTable:
    more, some = policy.priority.over
    columns = ("environment", f"more than {more:,} an hour", f"more than {some:,}", "fewer")
    rows = [(name, *getattr(policy.priority, name)) for name in ("prod", "staging", "other")]
    return _table(columns, rows)


def _clocks(policy: Policy) -> PromiseTable:
    rules = policy.lifecycle
    severity_3 = format_duration(rules.warning_waits)
    rows = [
        ("an alert is answered", f"within {format_duration(rules.alert_target)}, at any hour and severity"),
        ("a reminder goes out", "at half of the response time, and of the time for an answer"),
        ("a breach is told", "at the end of either"),
        ("a severity 3 is told to PagerDuty", f"after {severity_3}, if it has not risen"),
        ("an outage or slowness of a method is declared", f"after {format_duration(rules.declare_after)}"),
        (
            "an update is due",
            f"each {format_duration(rules.update_every)} while the incident is open, and at the end",
        ),
        ("an incident is recovering", f"after {format_duration(rules.recovering_after)} without a finding"),
        ("an incident resolves", f"after {format_duration(rules.recover_for)} without a finding"),
        (
            "it reopens",
            f"if it fails again within {format_duration(rules.reopen_within)}, and is closed then",
        ),
        (
            "it pages again after a person has resolved it",
            f"if it still fails {format_duration(rules.resolve_grace)} later",
        ),
        ("a silence ends as gone", f"after {format_duration(rules.gone_after)}, if all else is well"),
        ("the severity falls", f"after {format_duration(policy.severity.dwell)} below its threshold"),
        ("business hours", _business(policy)),
    ]
    return _table(("what", "when"), rows)


def _promises(policy: Policy) -> PromiseTable:
    names = ScopeNames(policy)
    rows = [
        (
            names.of("auth_method", method),
            f"{promise.availability * 100:.6g}% of completed sign-ins a month",
            f"{promise.latency_target:.0%} in less than {promise.latency_threshold_ms:,.0f} ms",
        )
        for method, promise in policy.objectives.items()
    ]
    return _table(("method", "availability", "latency"), rows)


def _audiences(policy: Policy) -> PromiseTable:
    waits = format_duration(policy.lifecycle.warning_waits)
    rows = [
        ("on call (PagerDuty)", f"production: severity 1 and 2 at once, 3 after {waits}; rises, and the end"),
        (
            "the team (Slack)",
            "every incident: a message that is kept up to date, and a thread with each change",
        ),
        ("the team (Datadog)", "every serious incident: an event; an incident once it is declared"),
        (
            "people who sign in (banner)",
            f"from {policy.banner.min_failing_ratio:.0%} failing on, with what works instead",
        ),
        *((_matched(route), f"as the route says: {', '.join(route.receivers)}") for route in policy.routes),
    ]
    unnamed = [kind for kind in IMPLIED if kind not in named_receivers(policy)]
    if unnamed:
        rows.append(("production", f"{', '.join(unnamed)}, where they are on, as no route names them"))
    return _table(("who", "hears of"), rows)


def _matched(route: Route) -> str:
    said = {name: value for name, value in route.match.model_dump().items() if value is not None}
    words = [
        f"{name} {value if isinstance(value, str) else ' or '.join(map(str, value))}"
        for name, value in said.items()
    ]
    return ", ".join(words) or "every incident"


def _fail_over(policy: Policy) -> PromiseTable:
    rules = policy.fail_over
    window = format_duration(rules.window)
    rows = [
        (
            "all web sign-ins go to SiS",
            f"success on SSOe below {rules.ssoe_below:.0%} and on SiS above {rules.sis_above:.0%}, over {window}",
        ),
        (
            "those by one provider go",
            f"its return rate on SSOe below {rules.ssoe_below:.0%} and on SiS above {rules.sis_above:.0%}, over"
            f" {window}",
        ),
        ("back to the share before", f"success on SSOe at {rules.revert_at:.0%} again"),
        (
            "the procedure is reviewed",
            f"by {format_instant(rules.review_by)[:10]}, and lapses ten business days later",
        ),
    ]
    return _table(("what", "when"), rows)


def _runbooks(policy: Policy) -> PromiseTable:
    def subject(key: str) -> str:
        if key == "*":
            return "all else"
        if key in CAUSES:
            return _CAUSE_WORDS[key]
        if key in policy.codes.names:
            return f"code {key}: {policy.codes.names[key]}"
        return key if "/" in key else _SERVICE_WORDS.get(key) or _name_of(key, policy)

    rows = [(subject(key), runbook) for key, runbook in policy.runbooks.items()]
    return _table(("for", "runbook"), rows)


def _name_of(value: str, policy: Policy) -> str:
    names = ScopeNames(policy)
    axis = next((axis for axis in policy.axes if value in policy.values.get(axis, {})), None)
    return value if axis is None else names.of(axis, value)


def _response(value: int | str) -> str:
    return value if value == BUSINESS_DAY else format_duration(int(value))


def _business(policy: Policy) -> str:
    opens, closes = (
        f"{at / HOUR:02.0f}:{at % HOUR // 60_000:02d}"
        for at in (policy.business_hours.opens, policy.business_hours.closes)
    )
    return (
        f"Monday to Friday {opens} to {closes} ({policy.time_zone}), holidays of {policy.holidays} excepted"
        f"{_closed(policy)}"
    )


def _closed(policy: Policy) -> str:
    days = sorted(policy.business_hours.closed)
    return f", and {', '.join(days)}" if days else ""


#: Name of a table -> what makes it of a policy.
TABLES = {
    "severities": _severities,
    "priorities": _priorities,
    "clocks": _clocks,
    "promises": _promises,
    "audiences": _audiences,
    "fail-over": _fail_over,
    "runbooks": _runbooks,
}
