"""A detector with a fault is an obstacle until it judges again, and its traceback is logged once a minute."""

from __future__ import annotations

from structlog.testing import capture_logs

from detectors.detection.faults import IN_COMMON, Fault
from streams.runtime.judging_faults import JudgingFaults
from streams.runtime.progress import Progress, Why
from tests.support.oracle import NOON


def raised(text: str) -> Exception:
    try:
        raise KeyError(text)
    except KeyError as error:
        return error


def test_a_detector_that_fails_is_an_obstacle_until_it_has_judged_for_a_while() -> None:
    now = [100.0]
    progress = Progress(lambda: now[0])
    faults = JudgingFaults(progress, lambda: now[0])
    for _ in range(10):
        now[0] += 6
        faults.note("prod", [Fault("surge", NOON, raised("ann@example.com"))])
    (one,) = progress.obstacles()
    assert (one.why, one.since) == (Why.FAULT, 106.0)
    assert one.sentence.startswith(
        "The detector surge cannot judge prod: KeyError in test_judging_faults.py, line "
    )
    assert "example" not in one.sentence
    now[0] += 29
    faults.note("prod", [])
    faults.note("staging", [])
    assert len(progress.obstacles()) == 1
    now[0] += 1
    faults.note("prod", [])
    assert progress.obstacles() == ()


def test_an_environment_that_another_worker_has_is_no_obstacle_here() -> None:
    progress = Progress(lambda: 0.0)
    faults = JudgingFaults(progress, lambda: 0.0)
    faults.note("prod", [Fault("surge", NOON, raised("a")), Fault("outage", NOON, raised("a"))])
    faults.note("staging", [Fault("surge", NOON, raised("a"))])
    faults.forget("prod")
    assert [one.key for one in progress.obstacles()] == ["staging/surge"]


def test_what_decides_no_verdict_is_logged_and_no_obstacle() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    faults = JudgingFaults(progress, lambda: now[0])
    with capture_logs() as logs:
        for _ in range(13):
            faults.note("prod", [Fault(IN_COMMON, NOON, raised("a"))])
            now[0] += 5
    assert progress.obstacles() == ()
    assert [(one["event"], one["part"], one["at"]) for one in logs] == [
        ("judging_failed", IN_COMMON, "2026-11-23T12:00:00Z")
    ] * 2
