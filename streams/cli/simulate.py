"""How does `watchofficer simulate` write a scenario to files?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from detectors.instants import MINUTE, SECOND, format_duration
from streams.cli.guidance.progress import Progress, followed
from streams.simulate.demand import TIME_ZONE
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation, simulate

__all__ = ["latest_start", "simulate_command"]

_LIST = "list"


def simulate_command(
    *,
    scenario: str,
    seed: int,
    start: int | None,
    duration: int | None,
    rate: float | None,
    out: str,
    truth: str | None,
    history_file: str | None,
    world: str | None = None,
) -> int:
    """Write the scenario's events, truth and history; returns the exit status.

    Without ``start`` (ms) the run begins at the scenario's own hour, on the latest day on which it would be
    over by now, with the traffic of the scenario's own weekday. Without ``world`` the world is the scenario's own.
    """
    if scenario == _LIST:
        for one in SCENARIOS.values():
            print(f"{one.name:<22}{format_duration(one.duration):>6}  {one.world.name:<6}{one.description}")
        return 0
    as_if: int | None = None
    if start is None and scenario in SCENARIOS:
        chosen = SCENARIOS[scenario]
        as_if = chosen.start
        start = latest_start(chosen, chosen.duration if duration is None else duration, _now())
    try:
        start = _now() if start is None else start
        simulation = simulate(scenario, seed, start, duration, rate, as_if=as_if, world=world)
        minutes = Progress("minutes of traffic", (simulation.end - simulation.start) // MINUTE)
        simulation.write(
            out, truth, history_file, watched=lambda lines: _followed(lines, simulation, minutes)
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename or out}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _followed(lines: Iterator[bytes], simulation: Simulation, minutes: Progress) -> Iterator[bytes]:
    return followed(lines, minutes, lambda: (simulation.reached - simulation.start) // MINUTE)


def latest_start(scenario: Scenario, duration: int, now: int) -> int:
    """The latest instant (ms) at the scenario's Eastern hour that is at least ``duration`` before ``now``."""
    end = datetime.fromtimestamp(now / SECOND, UTC) - timedelta(milliseconds=duration)
    local = end.astimezone(TIME_ZONE)
    hour, minute = divmod(round(scenario.start_hour * 60), 60)
    start = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if start > local:
        start -= timedelta(days=1)
    return int(start.timestamp()) * SECOND


def _now() -> int:
    return time.time_ns() // 1_000_000
