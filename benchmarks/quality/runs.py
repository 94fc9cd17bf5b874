"""How are cases run through the engine and scored, several in parallel?"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.quality.cases import Case
from detectors.backtest.labels import Label
from detectors.backtest.outcomes import Outcomes
from detectors.backtest.score import Score, score
from detectors.instants import DAY, format_instant
from detectors.policy.policy import Policy
from streams.evaluate.evaluator import Verdict
from streams.replay.entries import Entry
from streams.replay.files import open_lines
from streams.replay.replay import Replay
from streams.replay.scoring.truth_file import LabelRecord
from streams.settings.policy_file import default_policy, load_policy
from streams.simulate.scenario import Scenario
from streams.simulate.simulation import Simulation

__all__ = ["Run", "play", "play_all"]

_SIMULATOR = Path(__file__).parents[2] / "streams" / "simulate"


@dataclass(frozen=True)
class Run:
    """A case with its results.

    Attributes:
        starts: the start, RFC 3339, Eastern time.
        total: whether the case is a sudden and total failure.
        at_peak, at_night: whether the case begins in the busiest hours, or when hardly anybody signs in.
        seconds: CPU seconds of the replay.
    """

    case: Case
    description: str
    starts: str
    duration: int
    rate: float
    total: bool
    at_peak: bool
    at_night: bool
    events: int
    seconds: float
    score: Score


def play(
    case: Case,
    policy: Policy,
    cache_in: Path | None = None,
    *,
    seen: Callable[[Verdict], None] = lambda verdict: None,
    sli_every: int | None = None,
) -> Run:
    """Run and score one case.

    Args:
        case: the case.
        policy: the policy in force.
        cache_in: folder for simulated files, which are equal in every run; None for no files. The large files of
            healthy days are never kept.
        seen: called with the verdict of each T.
        sli_every: the interval at which verdicts have SLIs, ms; None for never.
    """
    scenario, simulation = case.play()
    policy = _announced(policy, scenario)
    # The broker's times are not kept in files.
    is_kept = cache_in and case.suite != "days" and not scenario.is_stamped
    source = _Kept(case, simulation, cache_in) if cache_in and is_kept else _Fresh(simulation)
    began = time.process_time()
    replay = Replay(
        [source.entries()], policy, now=simulation.end + DAY, sli_every=sli_every, history=case.history()
    )
    outcomes = Outcomes()
    for verdict in replay.run():
        outcomes.add(verdict.result.transitions, verdict.result.commands)
        seen(verdict)
    seconds = time.process_time() - began
    labels = [_label(record) for record in case.truth(source.truth())]
    first, last = replay.span or (simulation.start, simulation.end)
    return Run(
        case=case,
        description=scenario.description,
        starts=scenario.starts,
        duration=scenario.duration,
        rate=scenario.rate,
        total=case.is_total,
        at_peak=case.is_at_peak,
        at_night=case.is_at_night,
        events=replay.summary.events,
        seconds=seconds,
        score=score(labels, outcomes.result(), first, last),
    )


def play_all(
    cases: Sequence[Case],
    policy_file: Path | None = None,
    cache_in: Path | None = None,
    workers: int | None = None,
    said: Callable[[Run], None] = lambda run: None,
) -> list[Run]:
    """Run cases in separate processes, the longest first; return the runs in the order of the cases.

    Args:
        policy_file: the file of the policy; the shipped one if None.
        workers: number of processes; that of the processors if None.
        said: called with each run as it ends.
    """
    order = sorted(cases, key=lambda case: -case.varied().scenario.duration)
    runs: dict[Case, Run] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_play, case, policy_file, cache_in) for case in order]
        for done in as_completed(waiting):
            run = done.result()
            runs[run.case] = run
            said(run)
    return [runs[case] for case in cases]


def _play(case: Case, policy_file: Path | None, cache_in: Path | None) -> Run:
    return play(case, load_policy(policy_file) if policy_file else default_policy(), cache_in)


def _announced(policy: Policy, scenario: Scenario) -> Policy:
    """Return a policy with the maintenance that a scenario announces."""
    if not scenario.planned:
        return policy
    values = json.loads(policy.canonical())
    values["maintenance"] += [
        {
            "scope": one.scope,
            "start": format_instant(scenario.start + one.at),
            "end": format_instant(scenario.start + one.at + one.lasts),
            "description": scenario.name,
        }
        for one in scenario.planned
    ]
    return Policy.model_validate(values)


def _label(record: dict[str, Any]) -> Label:
    return Label(**LabelRecord.model_validate(record).model_dump())


class _Fresh:
    """Events that are simulated when they are read."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def entries(self) -> Iterator[Entry]:
        return self._simulation.entries()

    def truth(self) -> list[dict[str, Any]]:
        return self._simulation.truth()


class _Kept:
    """Events from a file, which is written if it is missing; each version of the simulator has its own files."""

    def __init__(self, case: Case, simulation: Simulation, folder: Path) -> None:
        place = folder / _simulator()
        place.mkdir(parents=True, exist_ok=True)
        self._events = place / f"{case.name}.jsonl.zst"
        self._truth = place / f"{case.name}.truth.jsonl"
        if not self._truth.exists():
            # Written under another name first: a stopped run leaves no partial file, and two runs never share one.
            events, truth = (place / f"{os.getpid()}.{path.name}" for path in (self._events, self._truth))
            simulation.write(str(events), str(truth))
            events.replace(self._events)
            truth.replace(self._truth)

    def entries(self) -> Iterator[Entry]:
        with open_lines(str(self._events)) as lines:
            for line in lines:
                yield None, line

    def truth(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self._truth.read_bytes().splitlines()]


@cache
def _simulator() -> str:
    """Return a digest of the simulator's sources, on which the events of a case depend."""
    digest = hashlib.sha256()
    for path in sorted([*_SIMULATOR.rglob("*.py"), *Path(__file__).parent.glob("[cd]*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
