"""What do a policy's objectives and burn-rate rules look like as OpenSLO documents?

OpenSLO v1 (https://github.com/OpenSLO/OpenSLO) knows services, indicators, objectives over a window, and alerts on burn
rates. A rule of the policy looks at a long and a short window and asks for a number of people; OpenSLO's condition has
one window, the long one, so the rest stands in its description. The counts are those of the topic ``sli-history``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from detectors.axes import ANY, path_of
from detectors.instants import DAY, HOUR, MINUTE, format_duration
from detectors.notification.routes import named_receivers
from detectors.policy.policy import Policy
from detectors.policy.routes import STANDING
from sinks.wording import ScopeNames

__all__ = ["openslo"]

_VERSION = "openslo/v1"
_SOURCE = "watchofficer"
_HISTORY = "sli-history"
_LIMIT = 1050  # characters of a description
#: The month of the budget begins with the first of a month; any first of a month will do.
_EPOCH = "2020-01-01 00:00:00"


def openslo(policy: Policy, *, env: str = "prod", topic_prefix: str = "") -> list[dict[str, Any]]:
    """The documents for an environment: services, a data source, indicators, objectives, alerts and their targets.

    Args:
        policy: the policy.
        env: the environment whose counts are measured.
        topic_prefix: stands before the name of the topic with the counts.
    """
    alerts = [*_availability_alerts(policy), *_latency_alerts(policy)]
    targets = [*STANDING, *sorted(named_receivers(policy))]
    documents = chain(
        [_data_source(topic_prefix)],
        (_target(name) for name in targets),
        chain.from_iterable(_alert(alert, targets) for alert in alerts),
        chain.from_iterable(_method(method, env, policy) for method in policy.objectives),
    )
    return list(documents)


def _document(kind: str, name: str, title: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": _VERSION,
        "kind": kind,
        "metadata": {"name": name, "displayName": title},
        "spec": spec,
    }


def _data_source(prefix: str) -> dict[str, Any]:
    details = {
        "topic": f"{prefix}{_HISTORY}",
        "record": "one per environment and five minutes, with the counts of each leaf; the last record of a key counts",
    }
    return _document(
        "DataSource", _SOURCE, "watchofficer's history", {"type": "Kafka", "connectionDetails": details}
    )


def _target(receiver: str) -> dict[str, Any]:
    return _document(
        "AlertNotificationTarget",
        _name(receiver),
        receiver,
        {"target": receiver.partition(":")[0], "description": f"The receiver {receiver} of watchofficer."},
    )


def _method(method: str, env: str, policy: Policy) -> Iterator[dict[str, Any]]:
    promise, name = policy.objectives[method], ScopeNames(policy).of("auth_method", method)
    scope = path_of(env, (method if axis == "auth_method" else ANY for axis in policy.axes))
    yield _document("Service", _name(method), name, {"description": f"Sign-in by {name} in {env}."})
    threshold = f"{promise.latency_threshold_ms:g} ms"
    for kind, good, total, target, rules, words in (
        (
            "availability",
            {"sum": ["good"]},
            {"sum": ["good", "bad"]},
            promise.availability,
            _rule_names("burn-rate", policy.burn_rate.rules),
            "completed sign-in requests that succeed; user errors count as neither, and maintenance and what a"
            " provider has caused are left out of the account",
        ),
        (
            "latency",
            {"sum": ["timed"], "less": ["slow"]},
            {"sum": ["timed"]},
            promise.latency_target,
            _rule_names("latency", policy.latency.rules),
            f"completed sign-in requests that take less than {threshold}",
        ),
    ):
        indicator = _name(f"{method}-{kind}")
        title = f"{name}: {kind}"
        yield _document("SLI", indicator, title, _indicator(scope, good, total, words))
        yield _document("SLO", indicator, title, _objective(method, indicator, target, rules, policy, words))


def _indicator(
    scope: str, good: dict[str, list[str]], total: dict[str, list[str]], words: str
) -> dict[str, Any]:
    def metric(counts: dict[str, list[str]]) -> dict[str, Any]:
        spec = {"scope": scope, "counts": "sign_in", **counts}
        return {"metricSource": {"metricSourceRef": _SOURCE, "type": "Kafka", "spec": spec}}

    return {
        "description": f"The share of {words}."[:_LIMIT],
        "ratioMetric": {"counter": False, "good": metric(good), "total": metric(total)},
    }


def _objective(
    method: str, indicator: str, target: float, alerts: list[str], policy: Policy, words: str
) -> dict[str, Any]:
    return {
        "description": f"{target * 100:.6g}% a month of {words}."[:_LIMIT],
        "service": _name(method),
        "indicatorRef": indicator,
        "timeWindow": [
            {
                "duration": "1M",
                "calendar": {"startTime": _EPOCH, "timeZone": policy.time_zone},
                "isRolling": False,
            }
        ],
        "budgetingMethod": "Occurrences",
        "objectives": [{"displayName": f"{target * 100:.6g}% a month", "target": target}],
        "alertPolicies": alerts,
    }


class _Alert:
    """A rule of the policy as an alert: its name, its words, and its condition."""

    def __init__(self, name: str, factor: float, long: int, short: int, least: str) -> None:
        self.name = name
        self.factor = factor
        self.long = long
        self.words = (
            f"The budget burns more than {factor:g} times too fast over {format_duration(long)} and over"
            f" {format_duration(short)}, in which at least {least}; it is over when the short window is quiet."
        )


def _availability_alerts(policy: Policy) -> Iterator[_Alert]:
    names = _rule_names("burn-rate", policy.burn_rate.rules)
    for name, rule in zip(names, policy.burn_rate.rules, strict=True):
        yield _Alert(name, rule.factor, rule.long, rule.short, f"{rule.min_people} people fail")


def _latency_alerts(policy: Policy) -> Iterator[_Alert]:
    names = _rule_names("latency", policy.latency.rules)
    for name, rule in zip(names, policy.latency.rules, strict=True):
        yield _Alert(name, rule.factor, rule.long, rule.short, f"{rule.min_slow} requests are slow")


def _rule_names(kind: str, rules: Any) -> list[str]:
    return [f"{kind}-{format_duration(rule.long)}-{format_duration(rule.short)}" for rule in rules]


def _alert(alert: _Alert, targets: list[str]) -> Iterator[dict[str, Any]]:
    condition = {
        "kind": "burnrate",
        "op": "gt",
        "threshold": alert.factor,
        "lookbackWindow": _shorthand(alert.long),
        "alertAfter": "1m",  # the least that OpenSLO's schema takes; the policy waits for nothing
    }
    title = f"Burns {alert.factor:g} times too fast over {format_duration(alert.long)}"
    # The severity of an incident follows from the people impacted, not from the rule that found it.
    spec = {"description": alert.words, "severity": "by-people-impacted", "condition": condition}
    yield _document("AlertCondition", alert.name, title, spec)
    yield _document(
        "AlertPolicy",
        alert.name,
        title,
        {
            "description": alert.words,
            "alertWhenNoData": False,  # an absence is found as a silence, which is no burn rate
            "alertWhenResolved": True,
            "alertWhenBreaching": True,
            "conditions": [{"conditionRef": alert.name}],
            "notificationTargets": [{"targetRef": _name(target)} for target in targets],
        },
    )


def _shorthand(millis: int) -> str:
    """A duration as OpenSLO writes it: a whole number of days, hours or minutes, rounded up to a minute."""
    for unit, length in (("d", DAY), ("h", HOUR)):
        if not millis % length:
            return f"{millis // length}{unit}"
    return f"{-(-millis // MINUTE)}m"


def _name(text: str) -> str:
    """A name as OpenSLO takes it: lower-case letters, digits and hyphens, a letter or digit at both ends."""
    made = "".join(c if c.isascii() and (c.islower() or c.isdigit()) else "-" for c in text.lower())
    return made.strip("-")[:63].strip("-") or "x"
