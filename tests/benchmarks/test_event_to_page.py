"""The benchmark of the way to a page: what it plays, what it takes for an answer, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.event_to_page import Load, Missed, Paged, figures_of, matched, play, quantile
from benchmarks.reporting.figures import Goal
from benchmarks.setup.alertmanager import NoPrometheus, PrometheusBeside
from benchmarks.setup.outages import Outage, Plan, Traffic
from detectors.instants import SECOND, format_instant, parse_instant
from streams.events.decode import decode
from streams.events.validation import Rejection

START = parse_instant("2026-11-23T15:00:00Z")
PLAN = Plan(first=20, lasts=5, pause=10, outages=2)


def events(rate: int) -> tuple[list[dict[str, object]], Traffic]:
    traffic = Traffic(rate, PLAN, lambda: START, seed=1)
    values = [value for _, _, value in traffic.events(START)]
    assert not [one for one in map(decode, values) if isinstance(one, Rejection)]
    return [json.loads(value) for value in values], traffic


def test_the_methods_take_turns_in_being_out() -> None:
    assert [PLAN.out(at) for at in (0, 19.9, 20, 24.9, 25, 35, 39.9, 40, 50, 60)] == [
        *(None, None, (0, "ssoe"), (0, "ssoe"), None, (1, "sis"), (1, "sis"), None, None, None)
    ]
    assert PLAN.length == 50


@pytest.mark.parametrize("rate", [20, 2_000])
def test_as_many_events_come_as_were_asked_for_and_an_outage_is_total(rate: int) -> None:
    found, traffic = events(rate)
    assert len(found) == 50 * rate
    ends = [one for one in found if one["step"] == "callback"]
    assert len(ends) > 0.4 * len(found)
    for number, method in enumerate(("ssoe", "sis")):
        outage = traffic.outages[number]
        assert outage.method == method
        assert 0 <= outage.began - (START + (20 + 15 * number) * SECOND) <= 600
        within = [
            one["outcome"]
            for one in ends
            if one["auth_method"] == method
            and outage.began <= parse_instant(str(one["occurred_at"])) < START + (25 + 15 * number) * SECOND
        ]
        assert len(within) > rate
        assert set(within) == {"failure"}
    failed = [one for one in ends if one["outcome"] == "failure"]
    assert len(failed) < 0.25 * len(ends)


def line(incident: str, at: int, scope: str = "prod/ssoe", kind: str = "opened") -> dict[str, object]:
    return {"incident": incident, "at": format_instant(START + at), "scope": scope, "type": kind}


def test_an_outage_is_matched_with_the_first_page_after_it_and_the_alert_that_fired_for_it() -> None:
    outages = [
        Outage("ssoe", START + 1_000),
        Outage("sis", START + 50_000),
        Outage("ssoe", START + 99_000),
    ]
    log = [line(f"prod-{n}", at) for n, at in ((1, 4_000), (2, 53_000), (3, 101_000))]
    log.insert(1, line("prod-1", 5_000, kind="severity"))
    log.append(line("prod-1", 160_000, kind="reopened"))
    pages = ((1, 6_500), (1, 7_000), (1, 51_000), (2, 55_000), (3, 103_000))  # woken again for the first one
    triggers = [(START + at, f"prod-{n}") for n, at in pages]
    webhooks = [
        (START + 48_000, "ssoe", START + 16_000),
        (START + 90_000, "sis", START + 61_000),
        (START + 110_000, "ssoe", START + 16_000),  # told again of the first one
        (START + 140_000, "ssoe", START + 110_000),
    ]
    paged = matched(outages, log, triggers, webhooks)
    assert [(one.evidence, one.pipeline, one.whole, one.other) for one in paged] == [
        (3.0, 2.5, 5.5, 47.0),
        (3.0, 2.0, 5.0, 40.0),
        (2.0, 2.0, 4.0, 41.0),
    ]
    assert [one.other for one in matched(outages, log, triggers, [])] == [None, None, None]


def test_an_outage_without_a_page_before_the_next_one_is_missed() -> None:
    outages = [Outage("ssoe", START), Outage("sis", START + 50_000)]
    log = [line("prod-1", 2_000), line("prod-2", 52_000)]
    with pytest.raises(Missed, match="outage of ssoe"):
        matched(outages, log, [(START + 54_000, "prod-2")], [])
    with pytest.raises(Missed, match="outage of sis"):
        matched(outages, log, [(START + 4_000, "prod-1")], [])


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [quantile(values, q) for q in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert quantile([3.0, 1.0], 0.99) == 3


def test_lanes_of_one_rate_make_figures_together_and_each_rate_has_its_goals() -> None:
    slow = [Paged(0, 3_000, 5_500, 50_500), Paged(0, 3_000, 5_700, None)]
    quick = [Paged(0, 1_000, 3_400, 51_000)]
    found = {
        one.name: one
        for one in figures_of(
            [(Load(20, 1), slow, 0.1), (Load(20, 2), slow, 0.1), (Load(2_000, 8), quick, None)]
        )
    }
    assert len(found) == 8
    assert found["event_to_page_20"].runs == (2.5, 2.7, 2.5, 2.7)
    assert found["event_to_page_20"].goal == Goal("at most", 1.0, "ratio")
    assert found["event_to_page_20_p99"].value == 2.7
    assert found["event_to_page_20_evidence"].goal is None
    beside = found["event_to_page_20_prometheus"]
    assert beside.ratio == pytest.approx(50.5 / 5.5)
    assert beside.goal == Goal("at least", 5, "ratio")
    assert "2 of 4 outages without a webhook" in beside.note
    assert found["event_to_page_2000_prometheus"].goal == Goal("at least", 10, "ratio")


@pytest.mark.long
@pytest.mark.e2e
async def test_an_outage_is_paged_for_and_alerted_on(tmp_path: Path) -> None:
    try:
        beside = bool(PrometheusBeside.programs())
    except NoPrometheus:
        beside = False
    plan = Plan(first=7, lasts=8, pause=2, outages=1)
    ((load, paged, _),) = await play([Load(100, 2)], plan, tmp_path, beside=beside, every=1, group_wait=1)
    assert load == Load(100, 2)
    (page,) = paged
    assert page.began <= page.opened <= page.paged
    assert page.pipeline >= 2  # the watermark delay
    assert (page.webhook is not None) == beside
