"""How long does a live step take in four environments with all scopes active? ``python -m benchmarks.evaluate_step``.

The windows hold an hour of failures by 200,000 people, two weeks of history are known, incidents are open and people
keep failing; then every second is judged separately, in one environment after another. Steps with fewer people are
measured too, and steps with more scopes, as more clients make them. The yardstick of a step is decoding 10,000 events
in the same process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.impacted import START, seconds_of
from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.decoding import decoding_of_mixed
from detectors.engine.engine import Engine
from detectors.engine.view import sli_of
from detectors.history.history import BUCKET, FIELDS, History
from detectors.instants import DAY, HOUR, SECOND
from detectors.policy.policy import Policy
from detectors.scopes import ENVS, SCOPES, scope_path
from detectors.windows.facts import FactRow
from streams.evaluate.evaluator import Evaluator
from streams.runtime.gc_tuning import tune_gc
from streams.settings.policy_file import default_policy

__all__ = ["main"]

_HISTORY = 14 * DAY
#: With so many clients each environment has 15, 75 and 465 scopes.
_CLIENTS = (0, 4, 30)
_PEOPLE_BY_SCOPES = 2_000
_DECODED = 10_000  # events, which take as long as a step may, divided by the bound of its goal
_SINKS = frozenset({"pagerduty", "datadog", "slack"})


def _history(env: str, end: int) -> History:
    """Build a history of two weeks in which every scope had traffic."""
    history = History(env)
    counts = dict(zip(FIELDS, (900, 9, 3, 1000, 5, 900), strict=True))
    scopes = {scope_path(env, n): counts for n in range(len(SCOPES))}
    history.extend({"env": env, "at": at, "scopes": scopes} for at in range(end - _HISTORY, end, BUCKET))
    return history


def _evaluator(policy: Policy, people: int, seconds: int, clients: int) -> tuple[Evaluator, int]:
    """Build the engines with an hour of facts in their windows; return them and the last T (ms)."""
    histories = {env: _history(env, START - START % BUCKET) for env in ENVS}

    def make(env: str) -> Engine:
        return Engine(env, policy, histories[env], sinks=_SINKS, sli_every=policy.sli_every)

    evaluator = Evaluator(policy, make)
    behind: list[FactRow] = [
        row for rows in seconds_of(people, seconds, policy, clients=clients) for row in rows
    ]
    evaluator.add(dict.fromkeys(ENVS, behind))
    to = START + seconds * policy.step
    evaluator.advance(to)
    return evaluator, to


def _steps(people: int, seconds: int, steps: int, clients: int = 0) -> tuple[list[float], list[float], int]:
    """Measure each step, ms: wall-clock time and CPU time; return how many scopes an environment has, too."""
    policy = default_policy()
    evaluator, to = _evaluator(policy, people, seconds, clients)
    tune_gc()
    took: list[float] = []
    on_cpu: list[float] = []
    per_step = max(people * steps // seconds, 1)
    for rows in seconds_of(per_step, steps, policy, clients=clients, start=to):
        evaluator.add(dict.fromkeys(ENVS, rows))
        to += policy.step
        began, cpu = time.perf_counter(), time.process_time()
        evaluator.advance(to)
        took.append((time.perf_counter() - began) * SECOND)
        on_cpu.append((time.process_time() - cpu) * SECOND)
    last = evaluator.engine(ENVS[0]).last
    assert last is not None
    hour = sli_of(last, -1, SCOPES.index(""), HOUR)
    if hour.users_impacted < 0.9 * people * min(1.0, HOUR / (seconds * policy.step)):
        raise SystemExit(f"{hour.users_impacted} people are in the hour, where {people} were to be")
    scopes = sum(path is not None for path in evaluator.engine(ENVS[0]).scopes.paths)
    return took, on_cpu, scopes


def _by_scopes(seconds: int, steps: int) -> Figure:
    """Measure how a step grows with the scopes."""
    points = []
    for clients in _CLIENTS:
        _, on_cpu, scopes = _steps(_PEOPLE_BY_SCOPES, seconds, steps, clients)
        points.append((float(scopes), float(np.percentile(on_cpu, 50))))
    few, many, most = (cost for _, cost in points)
    return figure(
        "evaluate_step_scopes",
        f"one step with {points[-1][0]:.0f} scopes in each of {len(ENVS)} environments ÷ one with {points[0][0]:.0f}",
        "×",
        [most / few],
        goal=Goal("at most", 4.0),
        note=f"CPU time, {_PEOPLE_BY_SCOPES:,} people in the hour; with {points[1][0]:.0f} scopes {many / few:.2f} ×",
        points={"p50 by scopes": points},
    )


def _figure(people: int, seconds: int, steps: int, runs: int) -> Figure:
    decoded = [decoding_of_mixed(_DECODED) * SECOND for _ in range(runs)]
    found = [_steps(people, seconds, steps) for _ in range(runs)]
    middle = float(np.median([np.percentile(took, 50) for took, _, _ in found]))
    on_cpu = float(np.median([np.percentile(cpu, 99) for _, cpu, _ in found]))
    growth = [
        (float(count), float(np.percentile(_steps(count, seconds, steps)[0], 50)))
        for count in (people // 100, people // 10)
        if count
    ]
    return figure(
        "evaluate_step",
        f"one step of {len(ENVS)} environments, every scope active, {people:,} people each in the hour, p99",
        "ms",
        [float(np.percentile(took, 99)) for took, _, _ in found],
        goal=Goal("at most", 4.0, "ratio"),
        compared_with=f"decoding {_DECODED:,} events",
        ceilings=decoded,
        note=f"of {steps} steps; p50 {middle:.1f} ms; p99 of CPU time {on_cpu:.1f} ms",
        points={"p50 by people in the hour": [*growth, (float(people), middle)]},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the steps and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluate_step", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=3600, help="how long people have been failing")
    parser.add_argument("--steps", type=int, default=600)
    add_options(parser, runs=3)
    options = parser.parse_args(arguments)
    figures = [
        _figure(options.people, options.seconds, options.steps, options.runs),
        _by_scopes(options.seconds, options.steps),
    ]
    report(figures, options.results)


if __name__ == "__main__":
    main()
