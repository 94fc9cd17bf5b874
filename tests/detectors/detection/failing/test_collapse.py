"""A collapse of success is found whatever the codes say, and is past as soon as people get in again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from detectors.detection.failing.collapse import Collapse
from detectors.detection.outage import needed_evidence
from detectors.engine.frame_builder import FrameBuilder, classify_of
from detectors.history.history import History
from detectors.instants import MINUTE, SECOND
from detectors.scopes import leaf_index
from detectors.windows.facts import FactRow
from detectors.windows.frame import Frame
from detectors.windows.people.crowd import flow_id_of, nobody_id_of
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.journeys import Journeys
from tests.detectors.detection.simulated.traffic import START, scope
from tests.support.facts import columns_of

POLICY = default_policy()
WINDOWS = POLICY.evidence_windows
SSOE = scope("ssoe")


def collapse(first: int, last: int, seed: int) -> Collapse:
    """Judge the seconds [first, last), of which 97 % of ssoe fail as a user's act from second 1,800 to 2,400."""
    journeys = Journeys(last, seed, windows=WINDOWS)
    return judge(journeys.fail("ssoe", 1_800, 2_400, 0.97, "005").frame(first, last))


def judge(frame: Frame) -> Collapse:
    """Judge a frame, of which all is known since ``START``."""
    history = History("prod")
    history.follow(frame.scopes)
    return Collapse(replace(frame, covered_from=START), POLICY, history, needed_evidence(POLICY))


def test_success_that_collapses_is_found() -> None:
    assert collapse(1_900, 2_400, 1).fires[:, SSOE].all()


@pytest.mark.parametrize(("share", "fires"), [(0.65, True), (0.45, False)])
def test_it_is_enough_that_surely_fewer_than_half_get_in_where_failures_take_the_place_of_successes(
    share: float, fires: bool
) -> None:
    journeys = Journeys(2_400, 1, windows=WINDOWS).fail("", 1_800, 2_400, share, "009")
    found = judge(journeys.frame(1_800, 2_400)).fires[:, scope("")]
    assert found[300:].all() if fires else not found.any()


@pytest.mark.parametrize("seed", range(3))
def test_as_many_bots_as_people_are_no_collapse_though_fewer_people_come_by_chance(seed: int) -> None:
    last = 2_400
    people = Journeys(last, seed, windows=WINDOWS)
    people.returns &= (people.back < 1_800) | (people.rng.random(len(people.back)) < 0.75)
    bots = Journeys(last, 100 + seed, windows=WINDOWS).fail("", 0, last, 1.0, "001")
    bots.returns &= bots.back >= 1_800
    bots.starts[:] = False
    bots.person += 1_000_000
    assert not judge(built(people.rows() + bots.rows(), 1_790, last)).fires.any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [2_440, 2_520])
def test_it_is_past_once_people_get_in_again_though_long_windows_still_hold_it(first: int, seed: int) -> None:
    found = collapse(first, 2_800, seed)
    assert not found.fires[:, SSOE].any()
    assert not found.lingers[:, SSOE].any()


def built(rows: list[FactRow], first: int, last: int) -> Frame:
    """Return the frame of the steps after the seconds [first, last), as a worker builds it."""
    builder = FrameBuilder("prod", POLICY, classify_of(POLICY))
    facts = builder.admit(columns_of(sorted(rows, key=lambda row: row.pane), SECOND))
    before = facts.counts_from <= START + first * SECOND
    builder.fill(START + SECOND, first, facts[before])
    ends = START + SECOND * np.arange(first + 1, last + 1, dtype=np.int64)
    return builder.build(ends, facts[~before & (facts.counts_from <= ends[-1])], START)


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_that_fails_beside_people_who_get_in_as_before_is_no_collapse_however_long(seed: int) -> None:
    last = 2_700
    bots = Journeys(last, 100 + seed, level=10.0).fail("", 0, last, 1.0, "001")
    bots.returns &= (bots.leaf == leaf_index("sis", "logingov")) & (bots.back >= 1_800)
    bots.starts[:] = False
    bots.person += 1_000_000
    rows = Journeys(last, seed).rows() + bots.rows()
    assert not judge(built(rows, 1_790, last)).fires.any()


def nobodys(path: str, at: int, last: int, seed: int) -> list[FactRow]:
    """Return facts in which every failure of a scope from second ``at`` on tells of nobody, and no success of a way."""
    journeys = Journeys(last, seed).hide(path, 0, last)
    if at < last:
        journeys.fail(path, at, last, 1.0, "400")
    return [
        structs.replace(row, people=[nobody_id_of(n << 12) for n in row.people]) for row in journeys.rows()
    ]


@pytest.mark.parametrize("seed", range(3))
def test_failures_of_nobody_are_an_outage_where_success_collapses(seed: int) -> None:
    frame = built(nobodys("ssoe", 1_800, 2_000, seed), 1_790, 2_000)
    found = judge(frame)
    ssoe = frame.scopes.paths.index("ssoe")
    assert not frame.persons(MINUTE).any()
    assert np.flatnonzero(found.fires[:, ssoe])[0] < 70
    assert found.fires[60:, ssoe].all()
    assert (found.gain()[60:, ssoe] > found.gain()[60:, 0]).all()
    cause = found.explain(120, ssoe)
    assert 0.5 * 3_600 < float(cause.estimated_users or 0) < 1.6 * 3_600


def test_failures_of_nobody_beside_people_who_get_in_are_no_outage() -> None:
    last = 2_100
    scanner = nobodys("ssoe", 0, last, 1)
    scanner = [row for row in scanner if row.outcome == "failure" and row.pane >= START + 1_800 * SECOND]
    assert sum(row.count for row in scanner) > 300
    frame = built(nobodys("ssoe", last, last, 2) + scanner, 1_790, last)
    assert not judge(frame).fires.any()


def with_tries(seed: int, until: int) -> Frame:
    """Return the end of 25 minutes in which flows of a leaf fail one after the other.

    A sign-in a minute, on average, succeeds there: up to second ``until``.
    """
    last, leaf = 3_300, ("ssoe", "idme", None)
    rows = [
        row
        for row in Journeys(last, seed, level=0.05).rows()
        if row.leaf != leaf or row.pane < START + until * SECOND
    ]
    for n, second in enumerate(range(1_800, last, 40)):
        person = [flow_id_of((n + 1) << 40)]
        pane = START + second * SECOND
        rows.append(FactRow(pane, 0, leaf, "callback", "failure", "007", count=1, people=person))
    return built(rows, last - 10, last)


@pytest.mark.parametrize("seed", range(3))
def test_tries_one_after_the_other_are_people_where_nobody_succeeds_any_more(seed: int) -> None:
    frame = with_tries(seed, 1_800)
    found, scope = judge(frame), frame.scopes.paths.index("ssoe/idme")
    assert frame.persons(30 * MINUTE)[-1, scope] == 1
    assert found.fires[:, scope].all()
    assert (found.gain()[:, scope] >= found.gain()[:, 0]).all()
    assert float(found.explain(9, scope).estimated_users or 0) > 40


@pytest.mark.parametrize("seed", range(3))
def test_tries_one_after_the_other_are_one_person_where_others_succeed_as_before(seed: int) -> None:
    assert not judge(with_tries(seed, 3_300)).fires.any()
