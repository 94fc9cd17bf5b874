"""Verdicts that are computed only on request equal verdicts that are always computed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.detection.detector import Detector
from detectors.detection.detector_set import Findings, detectors_of
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.instants import SECOND
from detectors.scopes import MEMBERS, SCOPES
from detectors.windows.facts import FactRow
from detectors.windows.frame import Frame
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.journeys import Journeys, weeks
from tests.detectors.detection.simulated.traffic import START
from tests.support.depth import examples
from tests.support.facts import leaf_position

POLICY = default_policy()
HISTORIES = {"two weeks": 16, "some days": 5, "nothing": 0}  # days


@cache
def known(days: int) -> History:
    return weeks(days=days) if days else History("prod")


SECONDS = 2_400


class Trouble(NamedTuple):
    """A failure, silence or slowness of a scope in some seconds."""

    kind: str
    path: str
    begin: int
    end: int
    share: float


TROUBLES = st.builds(
    lambda kind, path, begin, length, share: Trouble(kind, path, begin, begin + length, share),
    st.sampled_from(["007", "005", "lost", "silent", "slow"]),
    st.sampled_from(SCOPES),
    st.integers(0, SECONDS - 1),
    st.sampled_from([20, 60, 300, 1_200]),
    st.sampled_from([0.02, 0.1, 0.3, 0.6, 1.0]),
)


def rows_of(level: float, seed: int, troubles: Sequence[Trouble]) -> list[FactRow]:
    """Return the facts of ``SECONDS`` seconds with troubles."""
    journeys = Journeys(SECONDS, seed, level)
    for trouble in troubles:
        if trouble.kind == "lost":
            journeys.lose(trouble.path, trouble.begin, trouble.end, trouble.share)
        elif trouble.kind == "silent":
            journeys.silence(trouble.path, trouble.begin, trouble.end)
        elif trouble.kind != "slow":
            journeys.fail(trouble.path, trouble.begin, trouble.end, trouble.share, trouble.kind)
    rows = journeys.rows()
    for trouble in troubles:
        if trouble.kind == "slow":
            rows = [slower(row, trouble) for row in rows]
    return rows


def slower(row: FactRow, trouble: Trouble) -> FactRow:
    """Return the row with slow durations, if the trouble affects it."""
    second = (row.pane - START) // SECOND
    inside = (
        trouble.begin <= second < trouble.end and MEMBERS[SCOPES.index(trouble.path), leaf_position(row.leaf)]
    )
    if not inside or row.outcome == "started":
        return row
    slow = row.count if second % 10 < 10 * trouble.share else 0
    return replace(row, timed=row.count, over=[slow, slow])


def look_at(level: float, seed: int, troubles: Sequence[Trouble], history: str) -> set[str]:
    """Check in all frames that only detectors which may fire do fire; return the detectors that fire."""
    fired: set[str] = set()

    def look(frame: Frame, verdicts: Sequence[Verdicts]) -> None:
        detectors = detectors_of(POLICY, engine.history)
        by_name = {str(detector.name): detector for detector in detectors}
        assert frame.covered_from == engine.state().covered_from
        fires = np.zeros(len(frame.ends), dtype=bool)
        for verdict in verdicts:
            found = (verdict.state == FIRING).any(axis=1)
            fires |= found
            if found.any():
                fired.add(verdict.detector)
                assert by_name[verdict.detector].may_fire(frame), verdict.detector
        findings = Findings(frame, detectors)
        for _ in findings.judge_in_turn(whole=False):
            pass
        assert findings.fires() == fires.tolist()
        for late, early in zip(findings.verdicts(), verdicts, strict=True):
            assert late.detector == early.detector
            assert late.state.tolist() == early.state.tolist()

    engine = Engine("prod", POLICY, copy.deepcopy(known(HISTORIES[history])), observer=look)
    engine.advance(START + SECONDS * SECOND, rows_of(level, seed, troubles))
    return fired


@settings(max_examples=examples(10))
@given(
    level=st.sampled_from([0.02, 0.3, 1.0]),
    seed=st.integers(0, 100),
    troubles=st.lists(TROUBLES, max_size=4),
    history=st.sampled_from(sorted(HISTORIES)),
)
def test_the_same_steps_fire_as_when_every_detector_is_judged(
    level: float, seed: int, troubles: list[Trouble], history: str
) -> None:
    look_at(level, seed, troubles, history)


@pytest.mark.long
@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize(
    ("trouble", "fires"),
    [
        (Trouble("007", "ssoe", 1_200, 2_400, 1.0), {"outage", "burn_rate", "surge"}),
        (Trouble("005", "*/logingov", 1_200, 2_400, 0.3), {"surge"}),
        (Trouble("slow", "sis", 600, 2_400, 0.5), {"latency"}),
    ],
    ids=["an outage", "errors of users", "slowness"],
)
def test_trouble_that_needs_no_history_is_found_with_any(
    trouble: Trouble, fires: set[str], history: str
) -> None:
    assert look_at(1.0, 1, [trouble], history) == fires


@pytest.mark.parametrize(("kind", "fires"), [("silent", "silence"), ("lost", "funnel")])
def test_what_stays_away_is_found_with_a_history(kind: str, fires: str) -> None:
    assert fires in look_at(1.0, 1, [Trouble(kind, "ssoe", 1_200, 2_400, 1.0)], "two weeks")


def test_where_nothing_is_wrong_next_to_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    for kind in {type(detector) for detector in detectors_of(POLICY, History("prod"))}:
        real = kind.judge

        def judge(self: Detector, frame: Frame, real: Callable[..., Verdicts] = real) -> Verdicts:
            judged.append(self.name)
            return real(self, frame)

        monkeypatch.setattr(kind, "judge", judge)
    engine = Engine("prod", POLICY, copy.deepcopy(known(HISTORIES["two weeks"])))
    engine.advance(START + SECONDS * SECOND, rows_of(1.0, 1, []))
    frames = SECONDS // 300
    # silence and the funnel do not know yet, in the first minutes, that nothing came because nobody looked
    assert {"outage", "burn_rate", "latency", "surge"}.isdisjoint(judged)
    assert judged.count("silence") + judged.count("funnel") <= 2 * frames - 4
