"""Expectations: met by what they describe, and failed with what came nearest."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from detectors.incidents import Command, Incident, Transition, TransitionKind
from detectors.instants import SECOND, parse_instant
from detectors.policy.source import read_source
from streams.policy_tests.document import DEFAULT_START, PolicyTest
from streams.policy_tests.expectations import Failure, failures, offset
from streams.policy_tests.report import timeline
from streams.policy_tests.runner import BannerChange, Run
from streams.replay.scoring.finding_changes import Change

START = parse_instant(DEFAULT_START)


def t(seconds: int) -> int:
    return START + seconds * SECOND


OPEN = Incident(
    id="prod-1",
    env="prod",
    epoch=0,
    scope="prod/ssoe/idme",
    state="open",
    causes=("outage",),
    sentence="10 of 30 idme on ssoe sign-ins failed in 15s",
    severity=2,
    peak_severity=2,
    priority="P3",
    datadog_severity="SEV-2",
    basis="projected",
    users_impacted=65,
    peak_users_impacted=65,
    first_bad_at=t(120),
    opened_at=t(125),
    updated_at=t(125),
    csp_caused=True,
)
RISEN = replace(
    OPEN, severity=1, peak_severity=1, priority="P1", users_impacted=1009, causes=("burn_rate", "outage")
)
TAKEN = replace(RISEN, state="acknowledged", users_impacted=1200)
RESOLVED = replace(TAKEN, state="resolved")
CLOSED = replace(RESOLVED, state="closed")


def command(at: int, sink: Any, action: str, level: str, kind: TransitionKind) -> Command:
    return Command(
        id=f"{at}{sink}",
        sink=sink,
        action=action,
        level=level,
        dedup_key="k",
        incident_id="prod-1",
        epoch=0,
        at=t(at),
        kind=kind,
        reason=f"because it {kind}",
        incident=OPEN,
    )


def change(at: int, kind: TransitionKind, before: Incident | None, after: Incident) -> Transition:
    return Transition(
        kind=kind,
        at=t(at),
        incident=after,
        from_state=before.state if before else None,
        from_severity=before.severity if before else None,
        from_scope=before.scope if before else None,
        reason=f"it {kind}",
    )


#: A provider fails from 2m to 5m. An incident opens at 2m5s with severity 2, which is 1 from 2m50s, is acknowledged
#: at 3m, resolved at 20m and closed at 50m.
PLAYED = Run(
    START,
    t(3600),
    SECOND,
    findings={
        ("outage", "prod/ssoe/idme"): [
            Change(t(1), "not_enough_evidence", ""),
            Change(t(13), "quiet", ""),
            Change(t(125), "firing", "10 of 30 idme on ssoe sign-ins failed in 15s"),
            Change(t(311), "quiet", ""),
        ],
        ("silence", "prod"): [Change(t(1), "not_enough_evidence", "")],
    },
    incidents=[
        (t(125), (OPEN,)),
        (t(170), (RISEN,)),
        (t(180), (TAKEN,)),
        (t(200), (replace(TAKEN, users_impacted=1300),)),
        (t(1200), (RESOLVED,)),
        (t(3000), ()),
    ],
    banners={
        "prod/ssoe/idme": [
            BannerChange(t(125), "warning", "prod-1"),
            BannerChange(t(170), "critical", "prod-1"),
            BannerChange(t(1200), "ok", None),
        ]
    },
    transitions=[
        change(125, "opened", None, OPEN),
        change(170, "severity", OPEN, RISEN),
        change(180, "acknowledged", RISEN, TAKEN),
        change(190, "update", TAKEN, TAKEN),
        change(1200, "resolved", TAKEN, RESOLVED),
        change(3000, "closed", RESOLVED, CLOSED),
    ],
    commands=[
        command(125, "pagerduty", "trigger", "error", "opened"),
        command(125, "slack", "post", "info", "opened"),
        command(170, "pagerduty", "trigger", "critical", "severity"),
        command(170, "slack", "broadcast", "info", "severity"),
        command(1200, "pagerduty", "resolve", "critical", "resolved"),
    ],
)


def described(**expectations: Any) -> PolicyTest:
    return PolicyTest.model_validate(
        {"name": "x", "series": ["prod/ssoe callback success once"], **expectations}
    )


def judged(**expectations: Any) -> list[Failure]:
    return failures(described(**expectations), read_source("tests: [{}]", "t.yaml"), ("tests", 0), PLAYED)


def expected(kind: str, pattern: dict[str, Any], **when: str) -> list[Failure]:
    return judged(expect=[{kind: [pattern], **when}])


def absent(kind: str, pattern: dict[str, Any], **when: str) -> list[Failure]:
    return judged(absent=[{kind: [pattern], **when}])


@pytest.mark.parametrize(
    ("kind", "pattern", "when"),
    [
        ("findings", {"detector": "outage", "scope": "prod/ssoe/idme"}, {"at": "2m5s"}),
        ("findings", {"detector": "outage", "says": "idme on ssoe"}, {"throughout": "2m5s..310s"}),
        ("findings", {"detector": ["silence"], "state": "not_enough_evidence"}, {"throughout": "1s.."}),
        ("incidents", {"id": "prod-1", "scope": "prod/ssoe/idme", "severity": 2}, {"at": "2m5s"}),
        ("incidents", {"severity": 2}, {"at": "2m49s"}),
        ("incidents", {"severity": 1}, {"at": "2m50s"}),
        ("incidents", {"severity": "1..2"}, {"throughout": "2m5s..49m59s"}),
        ("incidents", {"severity": 1, "priority": ["P1", "P2"], "basis": "projected"}, {"at": "3m"}),
        ("incidents", {"causes": "burn_rate"}, {"throughout": "2m50s..19m"}),
        ("incidents", {"csp_caused": True, "in_maintenance": False, "fail_over": False}, {"at": "3m"}),
        ("incidents", {"users_impacted": "1250.."}, {"within": "3m..4m"}),
        ("incidents", {"state": "closed"}, {"throughout": "50m.."}),
        ("incidents", {"says": "idme on ssoe"}, {"within": "..3m"}),
        ("notifications", {"sink": "pagerduty", "action": "trigger", "level": "error"}, {"at": "2m5s"}),
        ("notifications", {"sink": "slack", "kind": "severity", "epoch": 0}, {"within": "2m..3m"}),
        ("notifications", {"sink": "pagerduty", "action": "trigger", "count": 2}, {"within": ".."}),
        ("notifications", {"sink": "pagerduty", "action": "trigger", "count": 0}, {"within": "4m.."}),
        ("banners", {"key": "prod/ssoe/idme", "status": "warning"}, {"at": "2m5s"}),
        (
            "banners",
            {"key": "prod/ssoe/idme", "status": ["warning", "critical"]},
            {"throughout": "2m5s..19m"},
        ),
        ("banners", {"key": "prod/sis", "status": "ok"}, {"throughout": ".."}),
        ("banners", {"key": "prod/ssoe/idme", "status": "ok"}, {"at": "2026-11-23T15:02:04.999Z"}),
    ],
)
def test_what_is_so_is_met(kind: str, pattern: dict[str, Any], when: dict[str, str]) -> None:
    assert expected(kind, pattern, **when) == []


@pytest.mark.parametrize(
    ("kind", "pattern", "when", "got", "nearest"),
    [
        (
            "findings",
            {"detector": "outage"},
            {"at": "2m4s"},
            "13s..2m4s outage prod/ssoe/idme quiet (differs in state)",
            "1s after: 2m5s..5m10s outage prod/ssoe/idme firing: 10 of 30 idme on ssoe sign-ins failed in 15s",
        ),
        ("incidents", {"severity": 2}, {"within": "..2m4s"}, "no incident", "1s after: 2m5s..2m49s prod-1"),
        ("incidents", {"severity": 1}, {"at": "2m10s"}, "prod/ssoe/idme open 2: ", "40s after: 2m50s.."),
        ("incidents", {"severity": 2}, {"at": "3m"}, "(differs in severity)", "11s before: 2m5s..2m49s"),
        (
            "incidents",
            {"scope": "prod/sis"},
            {"within": "..1m"},
            "no incident",
            "2m5s..2m49s prod-1 prod/ssoe/idme open 2: 10 of 30 idme on ssoe sign-ins failed in 15s (differs in"
            " scope)",
        ),
        ("incidents", {"says": "purple"}, {"at": "3m"}, "3m..19m59s prod-1", None),
        ("incidents", {"severity": 1}, {"throughout": "2m5s..3m"}, "not so at 2m5s: 2m5s..2m49s", None),
        ("incidents", {}, {"throughout": "2m..3m"}, "not so at 2m: no incident", None),
        ("incidents", {"state": "open"}, {"throughout": "2m5s.."}, "not so at 3m: 3m..19m59s", None),
        ("incidents", {}, {"at": "61m"}, "the test ends at 1h (see until)", None),
        (
            "notifications",
            {"sink": "pagerduty", "level": "critical"},
            {"within": "2m..2m40s"},
            "2m5s pagerduty trigger error opened prod-1: because it opened (differs in level)",
            "10s after: 2m50s pagerduty trigger critical severity prod-1: because it severity",
        ),
        ("notifications", {"sink": "pagerduty"}, {"at": "2m6s"}, "no message", "1s before: 2m5s pagerduty"),
        ("notifications", {"sink": "datadog"}, {"at": "2m6s"}, "no message", "(differs in sink)"),
        (
            "notifications",
            {"sink": "pagerduty", "count": 1},
            {"within": "..3m"},
            "2 of them, at 2m5s, 2m50s",
            None,
        ),
        (
            "banners",
            {"key": "prod/ssoe/idme", "status": "critical"},
            {"at": "2m"},
            "0s..2m4s prod/ssoe/idme ok (differs in status)",
            "50s after",
        ),
    ],
)
def test_what_is_not_so_is_told_with_what_was_and_what_came_nearest(
    kind: str, pattern: dict[str, Any], when: dict[str, str], got: str, nearest: str | None
) -> None:
    (failure,) = expected(kind, pattern, **when)
    assert got in failure.got
    assert (failure.nearest is None) == (nearest is None)
    assert (nearest or "") in (failure.nearest or "")


@pytest.mark.parametrize(
    ("kind", "pattern", "when", "got"),
    [
        ("incidents", {}, {}, "2m5s..2m49s prod-1 prod/ssoe/idme open 2"),
        ("incidents", {"severity": 1}, {"within": "3m..4m"}, "3m..19m59s prod-1"),
        ("incidents", {}, {"at": "3m"}, "prod-1"),
        ("incidents", {"state": "closed"}, {}, "50m..1h prod-1"),
        ("notifications", {"sink": "pagerduty"}, {"within": "2m5s.."}, "2m5s pagerduty"),
        ("findings", {"state": ["firing"]}, {}, "2m5s..5m10s outage"),
        ("banners", {"key": "prod/ssoe/idme", "status": "critical"}, {}, "2m50s..19m59s"),
    ],
)
def test_what_should_be_absent_and_is_there_is_told(
    kind: str, pattern: dict[str, Any], when: dict[str, str], got: str
) -> None:
    (failure,) = absent(kind, pattern, **when)
    assert got in failure.got
    assert failure.expected.startswith("no ")


@pytest.mark.parametrize(
    ("kind", "pattern", "when"),
    [
        ("incidents", {}, {"within": "..2m4s"}),
        ("incidents", {"scope": "prod"}, {}),
        ("notifications", {"sink": "pagerduty"}, {"within": "2m6s..2m49s"}),
        ("notifications", {"kind": "reminder"}, {}),
        ("findings", {"detector": "silence"}, {}),
        ("banners", {"key": "prod/sis", "status": "critical"}, {}),
    ],
)
def test_what_is_absent_is_met(kind: str, pattern: dict[str, Any], when: dict[str, str]) -> None:
    assert absent(kind, pattern, **when) == []


def test_a_failure_names_its_line_and_place() -> None:
    text = (
        "tests:\n- name: x\n  expect:\n  - at: 1m\n    incidents:\n    - {id: prod-1}\n    - {id: prod-2}\n"
    )
    source = read_source(text, "t.yaml")
    test = described(expect=source.values["tests"][0]["expect"])
    first, second = failures(test, source, ("tests", 0), PLAYED)
    assert (first.line, first.where) == (6, "expect[0].incidents[0] at 1m")
    assert (second.line, second.where) == (7, "expect[0].incidents[1] at 1m")
    assert second.lines()[:3] == [
        "line 7, expect[0].incidents[1] at 1m",
        "  expected  id prod-2",
        "  got       no incident",
    ]


def test_the_timeline_tells_changes_pages_and_banners_in_order() -> None:
    assert timeline(PLAYED) == [
        "     2m5s  prod-1 opened prod/ssoe/idme severity 2: it opened",
        "     2m5s  banner prod/ssoe/idme warning",
        "     2m5s  prod-1 pagerduty trigger error",
        "    2m50s  prod-1 severity prod/ssoe/idme severity 1: it severity",
        "    2m50s  banner prod/ssoe/idme critical",
        "    2m50s  prod-1 pagerduty trigger critical",
        "       3m  prod-1 acknowledged prod/ssoe/idme severity 1: it acknowledged",
        "      20m  prod-1 resolved prod/ssoe/idme severity 1: it resolved",
        "      20m  banner prod/ssoe/idme ok",
        "      20m  prod-1 pagerduty resolve critical",
        "      50m  prod-1 closed prod/ssoe/idme severity 1: it closed",
    ]


@pytest.mark.parametrize(
    ("at", "words"),
    [(0, "0s"), (90_000, "1m30s"), (3_600_000, "1h"), (3_661_500, "1h1m1.500s"), (-5_000, "-5s")],
)
def test_times_are_told_from_the_start(at: int, words: str) -> None:
    assert offset(START + at, START) == words
