"""How do the costs of ingest and of evaluation grow? ``python -m benchmarks.growth``.

Three quantities grow, one at a time: the people who fail, the scopes with traffic, and the input partitions.
The shape is the exponent of a power law fitted to the points: 0 is constant, 1 linear. The cost is CPU time, without
Kafka and the network: reading and acknowledging cost the same for every event.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import TopicPartition

from benchmarks.reporting.figures import Figure, add_options, figure, report
from benchmarks.reporting.plots import Line, curves
from detectors.engine.engine import Engine
from detectors.engine.state import EngineState
from detectors.history.history import History
from detectors.instants import HOUR, SECOND, format_instant, parse_instant
from detectors.lifecycle.lifecycle import LifecycleMemory
from detectors.policy.policy import Policy
from detectors.scopes import ENVS, LEAVES
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket
from streams.aggregate.acceptance import Rules
from streams.evaluate.evaluator import Evaluator
from streams.ingest.blocks import BlockFold
from streams.ingest.partition_claim import ClaimedPartition
from streams.ingest.partition_task import PartitionTask
from streams.ingest.writes import Destination, Flush
from streams.kafka.topics import PARTITIONS, Topics
from streams.segments.codec import BLOCK_OFFSETS, Resume
from streams.settings.policy_file import default_policy
from tests.support.one_by_one import Record

__all__ = [
    "EVALUATE",
    "INGEST",
    "Load",
    "evaluate_cost",
    "exponent",
    "figures_of",
    "ingest_cost",
    "partition_task",
    "plot",
    "shape",
]

_START = parse_instant("2026-11-23T15:00:00Z")
_PER_SECOND = 2_000  # events of event time
_FLUSH = 40_000  # events between two flushes: 0.2 s at 200,000 a second
_DURATION = 120.0
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Load:
    """The work of one measurement.

    Attributes:
        people: the number of people who fail: those of whom events are drawn, or those of the hour in the windows.
        scopes: the number of (method, csp) with traffic, in each environment.
        environments: the number of environments with traffic.
        partitions: the number of input partitions.
    """

    people: int = 10_000
    scopes: int = len(LEAVES)
    environments: int = 1
    partitions: int = 1

    @property
    def places(self) -> list[tuple[str, str, str | None]]:
        """Return every (environment, method, csp) with traffic."""
        return [(env, *leaf) for env in ENVS[: self.environments] for leaf in LEAVES[: self.scopes]]


@dataclass(frozen=True)
class Growth:
    """A quantity that grows: a field of ``Load``, its values, and the reason for the cost."""

    values: tuple[int, ...]
    why: str


INGEST = {
    "people": Growth(
        (1_000, 10_000, 100_000, 1_000_000),
        "a person is one 64-bit number in the block that the event lies in, and blocks are short",
    ),
    "scopes": Growth((1, 2, 5, 10), "an event touches one row; a flush writes each row of its panes once"),
    "environments": Growth((1, 2, 4), "they are scopes like any other, but for a record each in a flush"),
    "partitions": Growth(
        (1, 2, 4, 8, 16), "an event belongs to one; each partition adds a block of its own to a flush"
    ),
}
EVALUATE = {
    "people": Growth(
        (1_000, 10_000, 100_000, 1_000_000),
        "a step takes in those who come and lets go of those who leave, and looks at nobody else",
    ),
    "scopes": Growth((1, 2, 5, 10), "all of an environment are one array, whether they have traffic or not"),
    "environments": Growth((1, 2, 4), "they are judged in turn; of several workers each judges its own"),
    "partitions": Growth(
        (1, 2, 4, 8, 16),
        "each partition brings rows of its own, which are added up before anything is judged",
    ),
}


# -- ingest ---------------------------------------------------------------------------------------------------


def _records(load: Load, count: int) -> list[list[Record]]:
    """Return ``count`` events in total, by partition; half of them are failures."""
    rnd, places = random.Random(1), load.places
    out: list[list[Record]] = [[] for _ in range(load.partitions)]
    for n in range(count):
        env, method, csp = rnd.choice(places)
        failed = rnd.random() < 0.5
        at = _START + n * SECOND // _PER_SECOND
        event = {
            "schema_version": 1,
            "event_id": f"{n:024x}",
            "occurred_at": format_instant(at),
            "env": env,
            "auth_method": method,
            "step": "callback",
            "outcome": "failure" if failed else "success",
            "csp": csp,
            "client_id": "vaweb",
            "flow_id": f"h:{rnd.getrandbits(64):016x}",
            "request_id": f"{rnd.getrandbits(64):016x}",
            "user_hash": f"h:{rnd.randrange(load.people):016x}",
            "duration_ms": rnd.randint(20, 900),
        }
        if failed:
            event["error_code"] = "007"
        records = out[n % load.partitions]
        records.append(Record(len(records), at, _encode(event)))
    return out


def ingest_cost(load: Load, count: int, runs: int) -> list[float]:
    """Measure the microseconds per event in each run: decoding, accepting, folding, and encoding records to write."""
    partitions = _records(load, count)
    return [_ingest(load, partitions) * 1e6 / count for _ in range(runs)]


def partition_task(number: int, partitions: int, policy: Policy, now: int) -> PartitionTask:
    """Return the task that ingests one of so many input partitions, none of which has been read before ``now``, ms."""
    nothing = Resume(number, 0, policy.step, BLOCK_OFFSETS, 0, None, None, None, 0, None)
    fold = BlockFold(number, Rules.of(policy), nothing)
    fold.ready(whole=True)
    destination = Destination(Topics(), PARTITIONS, number, partitions)
    return PartitionTask(
        ClaimedPartition(TopicPartition("login-events", number), destination, fold, 0, 0), policy, now
    )


def _ingest(load: Load, partitions: Sequence[Sequence[Record]]) -> float:
    policy = default_policy()
    tasks = [partition_task(number, load.partitions, policy, _START) for number in range(load.partitions)]
    each = max(1, _FLUSH // load.partitions)
    gc.collect()
    began = time.process_time()
    for at in range(0, len(partitions[0]), each):
        flush = Flush()
        for one, records in zip(tasks, partitions, strict=True):
            if records[at : at + each]:
                one.take(records[at : at + each], _START)
            one.flush(flush, _START)
    seconds = time.process_time() - began
    if any(one.fold.next_offset != len(records) for one, records in zip(tasks, partitions, strict=True)):
        raise RuntimeError("not all events were folded")
    return seconds


# -- evaluation -----------------------------------------------------------------------------------------------


def _rows(load: Load, at: int, number: int, thresholds: int) -> dict[str, list[FactRow]]:
    """Return the facts of the ``number``-th second, which begins at ``at`` (ms), by environment."""
    per_hour = HOUR // SECOND
    first, until = load.people * number // per_hour, load.people * (number + 1) // per_hour
    shares = itertools.cycle(
        [(place, part) for part in range(load.partitions) for place in range(load.scopes)]
    )
    people: dict[tuple[int, int], list[int]] = {}
    for person in range(first, until):
        # Spread over the 64 bits like hashes.
        people.setdefault(next(shares), []).append(person * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
    rows: dict[str, list[FactRow]] = {}
    for place, (env, method, csp) in enumerate(load.places):
        for part in range(load.partitions):
            leaf, failing = (method, csp, None), people.get((place, part), [])
            for outcome, count in (("success", 1 + len(failing)), ("failure", len(failing))):
                if count:
                    rows.setdefault(env, []).append(
                        FactRow(
                            at,
                            ON_TIME,
                            leaf,
                            "callback",
                            outcome,
                            "007" if outcome == "failure" else "",
                            "",
                            count,
                            count,
                            [0] * thresholds,
                            failing if outcome == "failure" else [],
                            {bucket(_DURATION): count},
                        )
                    )
    return rows


def evaluate_cost(load: Load, steps: int, runs: int) -> list[float]:
    """Measure milliseconds per step after an hour in which people failed: ``runs`` medians of ``steps`` steps."""
    policy = default_policy()
    thresholds = len(Rules.of(policy).thresholds)

    seconds = HOUR // SECOND
    hour: dict[str, list[FactRow]] = {}
    for number in range(seconds):
        for env, rows in _rows(load, _START + number * SECOND, number, thresholds).items():
            hour.setdefault(env, []).extend(rows)

    def make(env: str) -> Engine:
        sinks = frozenset({"pagerduty", "datadog", "slack"})
        state = EngineState(_START + HOUR, LifecycleMemory())
        engine = Engine(env, policy, History(env), state=state, sinks=sinks, sli_every=policy.sli_every)
        engine.restore(hour.get(env, ()), _START)
        return engine

    evaluator = Evaluator(policy, make)
    took = []
    gc.collect()
    for number in range(seconds, seconds + steps * runs):
        evaluator.add(_rows(load, _START + number * SECOND, number, thresholds))
        began = time.process_time()
        evaluator.advance(_START + (number + 1) * SECOND)
        took.append((time.process_time() - began) * 1e3)
    return [statistics.median(took[n * steps : (n + 1) * steps]) for n in range(runs)]


# -- shapes ---------------------------------------------------------------------------------------------------


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the exponent of the power law through the points: the least-squares slope on logarithmic axes."""
    x, y = np.log([one for one, _ in points]), np.log([one for _, one in points])
    return float(np.polyfit(x, y, 1)[0])


def shape(slope: float) -> str:
    """Return the name of a shape with this exponent."""
    if slope < 0.2:
        return "constant"
    if slope < 0.8:
        return "less than linear"
    return "linear" if slope <= 1.2 else "more than linear"


def figures_of(events: int, steps: int, runs: int, largest: int = 1_000_000) -> list[Figure]:
    """Measure the figures of ingest and of evaluation.

    Args:
        events: events for each point of ingest.
        steps: steps for each point of evaluation.
        runs: runs of each point.
        largest: the greatest value of a quantity that grows.
    """
    base = Load()
    size = f"{base.people:,} people, {base.scopes} scopes, {base.partitions} partition"
    return [
        _grown(
            "growth_ingest",
            f"Ingest without Kafka, {size}",
            "µs/event",
            INGEST,
            lambda load: ingest_cost(load, events, runs),
            largest,
        ),
        _grown(
            "growth_evaluate",
            f"A step of evaluation during an outage, {size}",
            "ms/step",
            EVALUATE,
            lambda load: evaluate_cost(load, steps, runs),
            largest,
        ),
    ]


def _grown(
    name: str,
    title: str,
    unit: str,
    growth: dict[str, Growth],
    cost: Callable[[Load], list[float]],
    largest: int,
) -> Figure:
    measured = {Load(): cost(Load())}
    points: dict[str, list[tuple[float, float]]] = {}
    told = []
    for what, one in growth.items():
        values = [value for value in one.values if value <= largest]
        if not values:
            continue
        points[what] = []
        for value in values:
            load = replace(Load(), **{what: value})
            if load not in measured:
                measured[load] = cost(load)
            points[what].append((value, statistics.median(measured[load])))
        slope = exponent(points[what])
        (fewest, least), (most, greatest) = points[what][0], points[what][-1]
        told.append(
            f"{what}: {shape(slope)} (exponent {slope:.2f}; {most / fewest:,.0f} times as many cost "
            f"{greatest / least:.1f} times as much), as {one.why}"
        )
        print(f"{name}: {told[-1]}", flush=True)
    return figure(name, title, unit, measured[Load()], points=points, note="; ".join(told))


def plot(found: Sequence[Figure]) -> str:
    """Return the curves of the figures as one SVG."""
    panels = [
        (
            f"{one.name.removeprefix('growth_')} ({one.unit})",
            [Line(name, p) for name, p in one.points.items()],
        )
        for one in found
    ]
    return curves("Cost against what grows", "how many there are", panels)


def main() -> None:
    """Measure the costs and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--events", type=int, default=60_000, help="for each point of ingest")
    parser.add_argument("--steps", type=int, default=40, help="for each point of evaluation")
    parser.add_argument("--plot", type=Path, help="file to write the curves to, as SVG")
    add_options(parser, runs=3)
    options = parser.parse_args()
    found = figures_of(options.events, options.steps, options.runs)
    if options.plot is not None:
        options.plot.write_text(plot(found))
    report(found, options.results)


if __name__ == "__main__":
    main()
