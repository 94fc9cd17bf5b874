"""What the laboratory plays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality.cases import COMPARED, REPORTED_SEEDS, TUNING_SEEDS, Case, days, library
from benchmarks.quality.drawn import draw
from benchmarks.quality.drawn_situations import KINDS_DRAWN, draw_situation
from benchmarks.quality.runs import play
from benchmarks.quality.variation import Varied
from detectors.instants import DAY, MINUTE
from detectors.scopes import scope_index
from streams.settings.policy_file import default_policy
from streams.simulate import SCENARIOS
from streams.simulate.truth import KINDS

pytestmark = pytest.mark.long


def test_no_seed_is_both_tuned_on_and_reported() -> None:
    assert not set(TUNING_SEEDS) & set(REPORTED_SEEDS)


def test_the_library_is_played_whole_with_each_seed() -> None:
    cases = library([1, 2])
    assert {case.kind for case in cases} == {n for n, one in SCENARIOS.items() if one.world.name == "2024"}
    assert len(cases) == 2 * len(COMPARED) == len({case.name for case in cases})


def test_drawn_situations_are_of_every_kind_and_of_many_scopes() -> None:
    scenarios = [draw(seed) for seed in range(400)]
    episodes = [episode for scenario in scenarios for episode in scenario.episodes]
    assert {KINDS[episode.effect] for episode in episodes} == set(KINDS.values()) - {"notice"}
    assert len({scope_index(episode.scope) for episode in episodes}) > 12
    assert {len(scenario.episodes) for scenario in scenarios} == {0, 1, 2}
    assert draw(7) == draw(7)
    assert all(s.duration >= e.at + e.lasts for s in scenarios for e in s.episodes)


def test_drawn_situations_are_of_every_kind_and_keep_within_their_time() -> None:
    scenarios = [draw_situation(seed) for seed in range(300)]
    assert {one.description.partition(":")[0] for one in scenarios} == set(KINDS_DRAWN)
    assert draw_situation(7) == draw_situation(7) != draw_situation(8)
    for one in scenarios:
        assert one.episodes
        assert all(episode.at + episode.lasts <= one.duration for episode in one.episodes)
        assert {episode.effect == "clock" for episode in one.episodes} == {one.is_stamped}
    case = Case("drawn", "situation", 3)
    varied = case.varied().scenario
    assert (varied.world, varied.episodes) == (draw_situation(3).world, draw_situation(3).episodes)


def test_healthy_days_follow_on_each_other_without_trouble() -> None:
    parts = [case.varied().scenario for case in days(1, 30)]
    assert sum(part.duration for part in parts) == 30 * DAY
    for one, following in pairwise(parts):
        assert following.start == one.start + one.duration
    assert all(part.episodes and all(e.label == "none" for e in part.episodes) for part in parts)


def test_what_is_total_and_at_peak() -> None:
    def of(kind: str) -> tuple[bool, bool]:
        case = Case("library", kind, 1)
        return case.is_total, case.is_at_peak

    assert of("ssoe_outage") == (True, True)
    assert of("ssoe_outage_night") == (True, False)
    assert of("ssoe_outage_weekend") == (True, False)
    assert of("ssoe_10_percent") == (False, True)
    assert of("ssoe_ramp") == of("ssoe_flapping") == of("ssoe_blip") == (False, True)
    assert Case("library", "ssoe_outage_night", 1).is_at_night
    assert not Case("library", "ssoe_outage_weekend", 1).is_at_night
    assert of("silence") == of("healthy") == (False, True)


def test_hardly_anybody_need_not_be_noticed() -> None:
    case = Case("drawn", "drawn", 1)
    record = {"kind": "outage", "severity": 3, "users": 14, "page": False}
    assert "page" not in case.truth([record])[0]
    for change in ({"users": 15}, {"kind": "surge", "users": 0}, {"severity": 2}):
        assert case.truth([record | change])[0]["page"] is False


class Short(Case):
    """A quarter of an hour with little traffic and no history."""

    def varied(self) -> Varied:
        varied = super().varied()
        return replace(varied, scenario=replace(varied.scenario, duration=15 * MINUTE, rate=0.4))

    def history(self) -> Iterator[dict[str, Any]]:
        return iter(())


def test_a_run_is_the_same_whether_its_events_are_kept_or_fresh(tmp_path: Path) -> None:
    case = Short("library", "ssoe_outage", 4)
    fresh, kept = (play(case, default_policy(), folder) for folder in (None, tmp_path))
    (events,), (truth,) = (
        list(tmp_path.glob(f"*/{case.name}.{end}")) for end in ("jsonl.zst", "truth.jsonl")
    )
    written = events.stat().st_mtime_ns
    again = play(case, default_policy(), tmp_path)
    assert fresh.score == kept.score == again.score
    assert fresh.events == kept.events == again.events > 0
    assert len(fresh.score.answers) == len(truth.read_bytes().splitlines()) == 1
    assert events.stat().st_mtime_ns == written
