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


#: Digests of events and truth of each scenario of 2024, taken before there was another world; 25 min, seed 20.
#: Truths have changed since: slowness may wake somebody after a quarter of an hour, and the severity of an outage near
#: a threshold is that of a projection which stood for five minutes.
OF_2024 = {
    "healthy": "a4864cd1e1d2518d",
    "healthy_night": "30d4fe8f62332591",
    "healthy_weekend": "cf7e0c8cebbef06e",
    "healthy_holiday": "0a77b0aa6cb1e316",
    "spring_forward": "73aedfbca8926424",
    "fall_back": "ab14336f64e07081",
    "deploy_gap": "41754f8576f647e8",
    "bot": "638b41b49b986ccf",
    "late_delivery": "4df8980c117b2529",
    "ssoe_outage": "e6f09fd00b7796a7",
    "sis_outage": "af502d69f0a5bec5",
    "idme_outage": "96edc892ce2efdad",
    "logingov_outage": "30989655bdf796a0",
    "mhv_outage": "7519a0cf9171084f",
    "dslogon_outage": "a1e03b47bb06d21c",
    "ssoe_idme_outage": "c22af486a12d961c",
    "sis_logingov_outage": "a061dcce04429617",
    "mpi_down": "c8dd8fc72981d481",
    "sis_token_outage": "91f9eabc1bac4678",
    "sis_refresh_outage": "4a69c67feeead442",
    "staging_outage": "95d8927925113f08",
    "ssoe_outage_evening": "d546114d975bbacb",
    "ssoe_outage_night": "fbc4468bdd6c3e92",
    "ssoe_outage_weekend": "82e043e37e18bb55",
    "ssoe_outage_holiday": "c750f338be2ad6ea",
    "ssoe_50_percent": "b14a57c415a446c9",
    "ssoe_25_percent": "9a1c6a871286fb2c",
    "ssoe_10_percent": "08c682cc0abbf352",
    "ssoe_4_percent": "9cce5709c0f34459",
    "ssoe_1_percent": "d8a1e9b97a146bfa",
    "ssoe_ramp": "5d3d981ea1fa7b35",
    "ssoe_blip": "50a96fe34046a68c",
    "ssoe_flapping": "797e173b51a5f3ba",
    "ssoe_silence": "8a281a85da142ec2",
    "sis_silence": "2bb65a0405e68ac6",
    "silence": "d33f75f3c83b494a",
    "idme_never_returns": "fd90f8619beea4b8",
    "ssoe_never_returns": "862ad2bf5b0d32e6",
    "ssoe_slow": "abcc9d9f22d78295",
    "sis_slow": "6c51cf49d9ff895d",
    "too_late_surge": "247645f033e779ad",
    "user_error_surge": "a2980e6e52aa4ddb",
    "two_outages": "c39f0f9633e81c20",
    "outage_within_outage": "18cabb78c20d6fea",
    "fail_over": "fa2e095403dd3163",
    "ssoe_outage_late": "c7e44859595475e0",
}


def small(seed: int = 7, duration: int = 6 * MINUTE, world: str | None = None) -> Simulation:
    return simulate("ssoe_outage_late", seed, PEAK, duration, 0.5, world=world)


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


@pytest.mark.parametrize("scenario", OF_2024)
def test_the_world_of_2024_stays_byte_for_byte(scenario: str) -> None:
    simulation = simulate(scenario, 20, SCENARIOS[scenario].start, 25 * MINUTE, 0.3, world="2024")
    digest = hashlib.sha256()
    for line in simulation.lines():
        digest.update(line + b"\n")
    for record in simulation.truth():
        digest.update(msgspec.json.encode(record))
    assert digest.hexdigest()[:16] == OF_2024[scenario]


def test_the_world_of_a_scenario_is_the_default() -> None:
    assert {name for name, one in SCENARIOS.items() if one.world.name == "2024"} == set(OF_2024)
    assert list(small().lines()) == list(small(world="2024").lines())
    assert list(small().lines()) != list(small(world="today").lines())


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


@pytest.mark.long
def test_every_scenario_can_be_played_with_its_own_defaults() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.description.endswith(".")
        assert 0 <= scenario.start_hour < 24
        assert simulate(name, 1, scenario.start).end == scenario.start + scenario.duration
        simulation = simulate(name, 1, scenario.start, rate=0.3)
        assert all(e.at + e.lasts <= max(scenario.duration, e.lasts) for e in scenario.episodes)
        assert len(list(islice(simulation.lines(), 5))) == 5
