"""A detector with a fault takes nothing from what the others find, and lets nothing resolve that it might see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from detectors.commonality import completed
from detectors.detection.detector_set import detectors_of
from detectors.detection.faults import IN_COMMON, Faults
from detectors.detection.latency import LatencyDetector
from detectors.detection.outage import OutageDetector
from detectors.detection.surge import SurgeDetector
from detectors.detection.verdicts import Verdicts
from detectors.engine import view
from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.incidents import Transition
from detectors.instants import HOUR, MINUTE, SECOND
from tests.detectors.engine.episodes import ENV, POLICY, Episode, rows_of
from tests.support.oracle import NOON

#: Two minutes of calm, four of an outage, and calm again for an hour.
ROWS = rows_of(
    [
        Episode(120, 0.9, 0.0, "ssoe", "idme", 0.0, 1),
        Episode(240, 0.0, 0.9, "ssoe", "idme", 0.0, 1),
        Episode(3_600, 0.9, 0.0, "ssoe", "idme", 0.0, 1),
    ]
)
END = NOON + 2 * HOUR
KINDS = [type(one) for one in detectors_of(POLICY, History(ENV))]


class _Broken(Exception):
    """A fault that a test puts into a detector."""


def broken(*_: Any, **__: Any) -> Any:
    raise _Broken


def judged(faults: Faults | None = None, to: int = END) -> tuple[Engine, list[Transition]]:
    engine = Engine(ENV, POLICY, History(ENV), sinks=frozenset({"slack"}), faults=faults)
    rows = [row for row in ROWS if row.counts_from(POLICY.step) <= to]
    return engine, [one for step in engine.advance(to, rows) for one in step.transitions]


def told(some: list[Transition]) -> Iterator[tuple[int, str, str]]:
    return ((one.at, one.kind, one.incident.scope) for one in some)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("method", ["may_fire", "judge"])
def test_the_others_find_what_they_find(kind: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (opened, *_) = judged()[1]
    monkeypatch.setattr(kind, method, broken)
    faults = Faults(strict=False)
    _, found = judged(faults)
    met = faults.take()
    if kind is OutageDetector and method == "judge":
        assert all(one.kind != "opened" or one.at > opened.at for one in found)
    else:
        assert next(told(found)) == next(told([opened]))
    assert [(one.part, type(one.error)) for one in met] == [(kind.name, _Broken)]
    assert faults.take() == []


@pytest.mark.parametrize("kind", [one for one in KINDS if one not in (SurgeDetector, LatencyDetector)])
def test_nothing_resolves_early_until_all_judge_again_that_say_when_it_is_over(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, found = judged(Faults(strict=False), NOON + 5 * MINUTE)
    assert found[-1].kind != "resolved"
    whole, rest = kind.judge, [row for row in ROWS if row.counts_from(POLICY.step) > NOON + 5 * MINUTE]
    middle = NOON + 12 * MINUTE
    monkeypatch.setattr(kind, "judge", broken)
    steps = engine.advance(middle, [row for row in rest if row.counts_from(POLICY.step) <= middle])
    assert "resolved" not in [one.kind for step in steps for one in step.transitions]
    monkeypatch.setattr(kind, "judge", whole)
    steps = engine.advance(END, [row for row in rest if row.counts_from(POLICY.step) > middle])
    (resolved, *_) = [one for step in steps for one in step.transitions if one.kind == "resolved"]
    assert resolved.at <= middle + 2 * MINUTE


@pytest.mark.parametrize("lazy", ["explain", "gain"])
def test_what_is_computed_when_it_is_read_may_have_a_fault_as_well(
    lazy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Verdicts] = OutageDetector.judge
    fault: Any = {lazy: broken}
    monkeypatch.setattr(OutageDetector, "judge", lambda self, frame: replace(real(self, frame), **fault))
    faults = Faults(strict=False)
    _, found = judged(faults)
    opened = found[0]
    assert opened.kind == "opened"
    assert "outage" in opened.incident.causes
    if lazy == "explain":
        assert "its numbers cannot be told, by a fault that the worker's log has" in opened.incident.sentence
    assert "outage" in {one.part for one in faults.take()}


@pytest.mark.parametrize("place", [(view, "in_common"), (view, "usual_failures"), (completed, "Population")])
def test_what_people_have_in_common_decides_no_verdict(
    place: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = list(told(judged()[1]))
    monkeypatch.setattr(*place, broken)
    faults = Faults(strict=False)
    assert list(told(judged(faults)[1])) == usual
    assert {one.part for one in faults.take()} == {IN_COMMON}


def test_a_strict_judging_ends_with_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutageDetector, "judge", broken)
    with pytest.raises(_Broken):
        judged()


def test_without_a_fault_nothing_is_other() -> None:
    faults = Faults(strict=False)
    engine, found = judged(faults)
    strict, usual = judged()
    assert found == usual
    assert engine.state() == strict.state()
    assert faults.take() == []
    assert ROWS[0].pane + 10 * SECOND < found[0].at
