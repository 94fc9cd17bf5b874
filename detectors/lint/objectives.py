"""Which error codes, severities, response times and runbooks of a policy contradict each other or are missing?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from detectors.instants import format_duration
from detectors.lint.rule import Ground, Rule
from detectors.policy.runbooks import ANY_OTHER, CAUSES
from detectors.policy.sections import BUSINESS_DAY
from detectors.policy.source import Path, quote
from detectors.policy.types import Fault

__all__ = ["RULES"]

#: The code that every exception without a code of its own is reported with.
_FALLBACK = "400"
#: Words by which one may mean failures that carry no code; those cannot be listed, and are always bad.
_ABSENT = frozenset({"absent", "missing", "none", "null", "nil", "n/a", "-", "uncoded", "unknown"})
#: Hosts that stand for others (RFC 2606), and the machine that happens to ask.
_PLACEHOLDER = re.compile(
    r"https?://(?:[^/:?#]*\.)?(?:example(?:\.(?:com|net|org))?|invalid|test|localhost)(?:[/:?#]|$)", re.I
)
_URGENCY = {"critical": 2, "warning": 1, "active": 0}


def _hidden_faults(ground: Ground) -> Iterator[Fault]:
    for code in ground.policy.codes.excluded:
        if code == _FALLBACK:
            yield Fault(
                ("codes", code, "counts"),
                f"every exception without a code is reported as {_FALLBACK}: if {_FALLBACK} is excluded, faults of the"
                " server are not counted",
            )
        elif code.strip().lower() in _ABSENT:
            yield Fault(
                ("codes", code, "counts"),
                f"no failure carries the code {quote(code)}; a failure without a code always counts as bad",
            )
    for i, rule in enumerate(ground.policy.classes):
        if rule.counts == "excluded" and rule.code == (_FALLBACK,) and rule.test.fields == 1:
            yield Fault(
                ("classes", i, "counts"),
                f"every exception without a code is reported as {_FALLBACK}: if {_FALLBACK} is excluded, faults of the"
                " server are not counted",
            )


def _excluded_outages(ground: Ground) -> Iterator[Fault]:
    shipped = ground.shipped.codes
    for code in sorted(ground.policy.codes.excluded):
        if code in shipped.names and code not in shipped.excluded and code != _FALLBACK:
            yield Fault(
                ("codes", code, "counts"),
                f"users do not cause {code} ({shipped.names[code]}): if it is excluded, an outage that fails with"
                f" {code} is not found",
            )


def _code_spelling(ground: Ground) -> Iterator[Fault]:
    spelt: dict[str, list[str]] = {}
    for code in ground.policy.codes.root:
        spelt.setdefault(code.strip().lower().lstrip("0"), []).append(code)
    for alike in spelt.values():
        for code in alike:
            others = [other for other in alike if other != code]
            if others and ground.states(("codes", code)) and code not in ground.shipped.codes.root:
                yield Fault(
                    ("codes", code),
                    f"differs from {quote(others[0])} in spelling alone, and codes are compared as text: did you mean"
                    f" {quote(others[0])}?",
                )


def _runbooks(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    for axis in ("auth_method", "csp"):
        for service, said in policy.values.get(axis, {}).items():
            watched = said.banner is not None and not policy.is_retired(axis, service, ground.now)
            if watched and service not in policy.runbooks:
                yield _no_runbook(service)
    for cause in (*CAUSES, ANY_OTHER):
        if cause not in policy.runbooks:
            yield _no_runbook("all else" if cause == ANY_OTHER else cause)
    for key, url in ground.policy.runbooks.items():
        if _PLACEHOLDER.match(url):
            yield Fault(
                ("runbooks", key),
                f"{quote(url)} is a placeholder: the person who is woken finds nothing to read",
            )


def _no_runbook(subject: str) -> Fault:
    return Fault(
        ("runbooks",), f"has no runbook for {subject}: the person who is woken does not know what to do"
    )


def _nothing(ground: Ground) -> Iterator[Fault]:
    yield from _nulls(ground.source.values, ground.shipped.model_dump(mode="json"), ())


def _nulls(values: Any, shipped: Any, path: Path) -> Iterator[Fault]:
    if isinstance(values, dict) and isinstance(shipped, Mapping):
        for key, value in values.items():
            yield from _nulls(value, shipped.get(key), (*path, key))
    elif values is None and isinstance(shipped, str | int | float):
        yield Fault(path, f"has no value, so it keeps that of the shipped policy, {quote(shipped)}")


def _alike(ground: Ground) -> Iterator[Fault]:
    policy = ground.policy
    if policy.severity.severity_2_over == 0:
        yield Fault(
            ("severity", "severity_2_over"),
            "no incident in prod that impacts anybody has severity 3, because a single person is more than 0",
        )
    if len(set(policy.banner.status.values())) == 1:
        (word,) = set(policy.banner.status.values())
        yield Fault(("banner", "status"), f"the banner says {word} whatever the severity")
    for name in ("prod", "staging", "other"):
        row = getattr(policy.priority, name)
        if len(set(row)) == 1:
            yield Fault(("priority", name), f"the priority is {row[0]} however many people are impacted")


def _skipped(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.severity
    falls_at = rules.severity_1_over * rules.fall_factor
    if falls_at <= rules.severity_2_over:
        yield Fault(
            ("severity", "fall_factor"),
            f"an incident never falls from severity 1 to 2: severity 1 ends below {falls_at:g} people an hour, where"
            f" severity 3 begins (severity_2_over is {rules.severity_2_over:,})",
        )


def _flutters(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.severity
    if rules.dwell == 0:
        yield Fault(("severity", "dwell"), "severity falls at once, and rises again with one more person")
    if rules.fall_factor == 1:
        yield Fault(("severity", "fall_factor"), "severity falls and rises at the same number of people")


def _banner_order(ground: Ground) -> Iterator[Fault]:
    status = ground.policy.banner.status
    for worse, lesser in itertools.pairwise(sorted(status)):
        if _URGENCY[status[worse]] < _URGENCY[status[lesser]]:
            yield Fault(
                ("banner", "status", str(worse)),
                f"severity {worse} shows {status[worse]}, less than the {status[lesser]} of severity {lesser}",
            )


def _response_order(ground: Ground) -> Iterator[Fault]:
    """Where one is a business day, which has no length of its own; else it is an error of the policy."""
    policy = ground.policy
    shortest = policy.business_hours.closes - policy.business_hours.opens
    for worse, lesser in itertools.pairwise(sorted(policy.lifecycle.response)):
        sooner, later = policy.lifecycle.response[worse], policy.lifecycle.response[lesser]
        path = ("lifecycle", "response", str(worse))
        if isinstance(sooner, int) and later == BUSINESS_DAY and sooner > shortest:
            yield Fault(
                path,
                f"{format_duration(sooner)} is later than a severity {lesser} may be due: a business day that"
                f" begins at its opening is over after {format_duration(shortest)}",
            )
        if sooner == BUSINESS_DAY and isinstance(later, int):
            yield Fault(
                path,
                f"a business day may take a weekend, longer than the {format_duration(later)} of severity {lesser}",
            )


def _alert_target(ground: Ground) -> Iterator[Fault]:
    rules = ground.policy.lifecycle
    first = rules.response[1]
    if isinstance(first, int) and rules.alert_target > first:
        yield Fault(
            ("lifecycle", "alert_target"),
            f"is longer than the response time of severity 1 ({format_duration(first)}), which ends first",
        )


RULES = (
    Rule("hides-server-faults", "error", "400, or failures without a code, excluded", _hidden_faults),
    Rule("hides-outages", "warning", "a code excluded that is no act of the user", _excluded_outages),
    Rule("code-spelling", "warning", "a code that differs from another only in spelling", _code_spelling),
    Rule(
        "runbook-missing",
        "warning",
        "a method, provider or cause without a runbook that can be read",
        _runbooks,
    ),
    Rule("value-missing", "warning", "a key without a value, which takes nothing away", _nothing),
    Rule("severities-alike", "warning", "severities or priorities that never differ", _alike),
    Rule("severity-skipped", "warning", "a severity that is left out on the way down", _skipped),
    Rule("severity-flutters", "warning", "a severity that falls as easily as it rises", _flutters),
    Rule("banner-order", "error", "a banner that is calmer about the worse severity", _banner_order),
    Rule("response-order", "error", "a worse severity that may be answered later", _response_order),
    Rule("alert-target", "warning", "an alert target beyond the first response time", _alert_target),
)
