"""Equal arguments give equal bytes, on every machine, in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from streams.replay.files import open_lines
from streams.simulate import SCENARIOS, Simulation, simulate

PEAK = parse_instant("2026-10-06T14:00:00-04:00")


def small(seed: int = 7, duration: int = 6 * MINUTE) -> Simulation:
    return simulate("ssoe_outage_late", seed, PEAK, duration, 0.5)


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(small().lines()) == list(small().lines())
    assert list(small().history()) == list(small().history())


def test_another_seed_gives_other_people_and_other_history() -> None:
    assert not set(small(7).lines()) & set(small(8).lines())
    assert list(small(7).history()) != list(small(8).history())


def test_the_bytes_are_the_same_on_every_machine() -> None:
    """A digest that was taken once; change it only with the simulator itself."""
    events, history = hashlib.sha256(), hashlib.sha256()
    for line in small().lines():
        events.update(line)
    for record in small().history():
        history.update(msgspec.json.encode(record))
    assert (events.hexdigest()[:16], history.hexdigest()[:16]) == ("2a25156281d0a6b1", "1b27f64ec47f129b")


def test_the_bytes_do_not_depend_on_the_process() -> None:
    code = (
        "import sys; from streams.simulate import simulate;"
        f"simulate('ssoe_outage_late', 7, {PEAK}, {6 * MINUTE}, 0.5).write('-')"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert printed == {b"".join(line + b"\n" for line in small().lines())}


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    short = list(simulate("healthy", 3, PEAK, 10 * MINUTE, 0.5).lines())
    longer = list(islice(simulate("healthy", 3, PEAK, 20 * MINUTE, 0.5).lines(), len(short)))
    assert short == longer


def test_trouble_does_not_change_who_sets_out() -> None:
    def first_times(scenario: str) -> set[int]:
        batches = simulate(scenario, 5, PEAK, 20 * MINUTE, 1.0).batches()
        return {int(t) for rows in batches for t in rows["t"][rows["step"] == 0]}

    healthy, outage = first_times("healthy"), first_times("ssoe_outage")
    # The few that differ tried again after an error, of which each run has its own.
    assert len(healthy - outage) < 0.05 * len(healthy)
    assert outage - healthy


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_files_are_the_same_to_the_byte_and_read_back(tmp_path: Path, suffix: str) -> None:
    def written(name: str) -> list[Path]:
        paths = [tmp_path / f"{name}-{kind}.jsonl{suffix}" for kind in ("events", "truth", "history")]
        count = small().write(*map(str, paths))
        assert count == len(list(small().lines()))
        return paths

    first, second = written("a"), written("b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    with open_lines(str(first[0])) as lines:
        assert list(lines) == list(small().lines())
    with open_lines(str(first[2])) as lines:
        assert [msgspec.json.decode(line) for line in lines] == list(small().history())


def test_as_if_brings_the_traffic_of_another_hour() -> None:
    night = parse_instant("2026-10-11T03:00:00-04:00")
    lent = simulate("healthy", 1, night, 10 * MINUTE, as_if=PEAK)
    own = simulate("healthy", 1, night, 10 * MINUTE)
    busy = simulate("healthy", 1, PEAK, 10 * MINUTE)
    lent_count, own_count, busy_count = (len(list(s.lines())) for s in (lent, own, busy))
    assert 0.9 < lent_count / busy_count < 1.1
    assert own_count < busy_count / 10
    week = [r for r in lent.history() if r["env"] == "prod"][7 * DAY // (5 * MINUTE)]
    assert week["scopes"]["prod"]["started"] > 600


@pytest.mark.parametrize(
    ("scenario", "arguments"),
    [
        ("ssoe_outrage", (1, PEAK, HOUR, 1.0)),
        ("healthy", (-1, PEAK, HOUR, 1.0)),
        ("healthy", (1, PEAK, 0, 1.0)),
        ("healthy", (1, PEAK, HOUR, 0.0)),
        ("healthy", (1, PEAK, HOUR, float("nan"))),
        ("healthy", (1, 0, HOUR, 1.0)),
    ],
)
def test_arguments_out_of_range_are_refused(scenario: str, arguments: tuple[int, int, int, float]) -> None:
    with pytest.raises(ValueError, match=r"did you mean ssoe_outage|needs a seed"):
        simulate(scenario, *arguments)


def test_every_scenario_can_be_played_with_its_own_defaults() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.description.endswith(".")
        assert 0 <= scenario.start_hour < 24
        assert simulate(name, 1, scenario.start).end == scenario.start + scenario.duration
        simulation = simulate(name, 1, scenario.start, rate=0.3)
        assert all(e.at + e.lasts <= max(scenario.duration, e.lasts) for e in scenario.episodes)
        assert len(list(islice(simulation.lines(), 5))) == 5
