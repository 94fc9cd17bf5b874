"""What would a million events a second of one environment cost? ``python -m benchmarks.million``.

The events are those of a simulated weekday afternoon in which SSOe begins to fail, each copied until a second holds a
million, with ids of its own in each copy. Every second is ingested, partition by partition, as the workers would, and
what this writes to the environment's partition of `sli-segments` is evaluated, as the one worker would that owns it:
without Kafka and the network, so that the figures are CPU time. The first says how many cores ingest needs, the second
whether one core can evaluate the environment. docs/sizing.md concludes from them.
"""

from __future__ import annotations

import argparse
import gc
import time
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from benchmarks.growth import partition_task
from benchmarks.impacted import seconds_of
from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.decoding import decoding_of_mixed
from detectors.engine.engine import Engine
from detectors.engine.state import EngineState
from detectors.history.history import History
from detectors.instants import HOUR, SECOND, format_instant, parse_instant
from detectors.lifecycle.lifecycle import LifecycleMemory
from detectors.policy.policy import Policy
from streams.evaluate.evaluator import Evaluator, Verdict
from streams.evaluate.shard import Shard
from streams.ingest.partition_task import PartitionTask
from streams.ingest.writes import Flush
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import PARTITIONS, env_partition
from streams.records.reading import Stored
from streams.runtime.gc_tuning import tune_gc
from streams.settings.policy_file import default_policy
from streams.simulate.episodes import Episode
from streams.simulate.simulation import simulate
from tests.support.one_by_one import Record

__all__ = ["Cost", "main", "measure"]

_ENV = "prod"
_START = parse_instant("2026-11-23T19:00:00Z")  # 14:00 on a Monday in Washington
_FAILS_AFTER = 4 * SECOND
#: What each copy of an event has of its own.
_IDS = ("event_id", "flow_id", "request_id", "user_hash", "visitor_hash")
_FLUSHES = 2  # in each second of event time
_MOST_FETCHED = 8_192  # records, at once
_DECODED = 100_000  # events, to know what decoding a million costs
_encode = msgspec.json.Encoder().encode


class Cost(NamedTuple):
    """What one second of event time costs.

    Attributes:
        events: how many there were.
        ingested, evaluated: CPU seconds.
        records, size: records that evaluation read, and their bytes.
    """

    events: int
    ingested: float
    evaluated: float
    records: int
    size: int


def _seconds(rate: float, seconds: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the simulated events of the environment in each second, in the order of their times."""
    fails = Episode(effect="failure", scope=f"{_ENV}/ssoe", at=_FAILS_AFTER, steps=("callback",))
    simulation = simulate("ssoe_outage", 1, _START, (seconds + 30) * SECOND, rate, episodes=[fails])
    held: list[list[dict[str, Any]]] = [[] for _ in range(seconds)]
    for line in simulation.lines():
        event = msgspec.json.decode(line)
        second = (parse_instant(event["occurred_at"]) - _START) // SECOND
        if event["env"] == _ENV and 0 <= second < seconds:
            held[second].append(event)
    yield from (sorted(events, key=lambda one: str(one["occurred_at"])) for events in held)


def _copied(
    events: Sequence[dict[str, Any]], wanted: int, partitions: int, offsets: list[int]
) -> list[list[Record]]:
    """Return so many copies of the events of a second as records, by partition; ``offsets`` is moved on."""
    out: list[list[Record]] = [[] for _ in range(partitions)]
    copies, further = divmod(wanted, len(events))
    for n, event in enumerate(events):
        at = parse_instant(event["occurred_at"])
        one = dict(event)
        named = [(name, f"{event[name]}:") for name in _IDS if event.get(name)]
        for copy in range(copies + (n < further)):
            tag = f"{copy:x}"
            for name, value in named:
                one[name] = value + tag
            key = one.get("flow_id") or one["event_id"]
            partition = zlib.crc32(key.encode()) % partitions
            out[partition].append(Record(offsets[partition], at, _encode(one)))
            offsets[partition] += 1
    return out


def _ingest(
    tasks: Sequence[PartitionTask], records: Sequence[Sequence[Record]]
) -> tuple[list[ProducerRecord], float]:
    """Ingest the records of a second; return what is written, and the CPU time, s."""
    written: list[ProducerRecord] = []
    began = time.process_time()
    for part in range(_FLUSHES):
        flush = Flush()
        for task, own in zip(tasks, records, strict=True):
            some = own[len(own) * part // _FLUSHES : len(own) * (part + 1) // _FLUSHES]
            for first in range(0, len(some), _MOST_FETCHED):
                task.take(some[first : first + _MOST_FETCHED], some[-1].timestamp)
            task.flush(flush, some[-1].timestamp if some else _START)
        written += chain.from_iterable(flush.batches())
    return written, time.process_time() - began


def _evaluate(shard: Shard, records: Sequence[Stored], step: int) -> tuple[list[Verdict], float]:
    """Take the records and judge each T that has been reached; return the verdicts, and the CPU time, s."""
    verdicts: list[Verdict] = []
    began = time.process_time()
    for record in records:
        shard.take(record)
    shard.begin_round()
    watermark = shard.watermark() or 0
    goal = watermark - watermark % step
    for to in range(shard.begin_at(goal) + step, goal + step, step):
        shard.collect(to)
        found: list[Verdict] = []
        for _ in shard.advance_in_parts(to, found, catching_up=False):
            pass
        shard.complete(to)
        verdicts += found
    return verdicts, time.process_time() - began


def _shard(policy: Policy, people: int) -> Shard:
    """Return a shard of the environment alone, with an hour of failures by so many people behind it."""
    state = EngineState(_START, LifecycleMemory())
    sinks = frozenset({"pagerduty", "datadog", "slack"})
    engine = Engine(_ENV, policy, History(_ENV), state=state, sinks=sinks, sli_every=policy.sli_every)
    seconds = HOUR // SECOND
    rows = seconds_of(people, seconds, policy, start=_START - HOUR)
    engine.restore([row for some in rows for row in some], _START - HOUR)
    shard = Shard(env_partition(_ENV, PARTITIONS), (_ENV,), Evaluator(policy, lambda env: engine), 0)
    shard.finish_restore(_START)
    return shard


def measure(events: int, partitions: int, seconds: int, rate: float, people: int) -> list[Cost]:
    """Measure what each second costs in which ``events`` events come in over so many partitions.

    Args:
        events: events a second.
        partitions: partitions of the input.
        seconds: seconds of event time.
        rate: sign-ins a second at the weekday's peak in the simulation whose events are copied.
        people: people who have failed in the hour before.

    Raises:
        RuntimeError: an event was not counted, or the outage was not found.
    """
    policy = default_policy()
    tasks = [partition_task(number, partitions, policy, _START) for number in range(partitions)]
    shard = _shard(policy, people)
    tune_gc()
    offsets, read, costs = [0] * partitions, 0, []
    opened = False
    for simulated in _seconds(rate, seconds):
        records = _copied(simulated, events, partitions, offsets)
        written, ingested = _ingest(tasks, records)
        del records
        own = [one for one in written if one.topic == "sli-segments" and one.partition == shard.partition]
        stored = [Stored(read + n, one.key, one.value) for n, one in enumerate(own)]
        read += len(stored)
        verdicts, evaluated = _evaluate(shard, stored, policy.step)
        opened = opened or any(one.result.transitions for one in verdicts)
        costs.append(Cost(events, ingested, evaluated, len(own), sum(one.size for one in own)))
        print(f"  {format_instant(_START + len(costs) * SECOND)} {costs[-1]}", flush=True)
    if [task.fold.next_offset for task in tasks] != offsets:
        raise RuntimeError("not all events were folded")
    if not opened:
        raise RuntimeError("the outage was not found")
    return costs


def _figures(costs: Sequence[Cost], events: int, partitions: int) -> list[Figure]:
    after = costs[len(costs) // 2 :]  # once it fails, and the tables have grown
    read = sum(one.records for one in costs) // len(costs)
    size = sum(one.size for one in costs) / len(costs) / 1e6
    title = f"{events:,} events/s of one environment over {partitions} partitions"
    decoded = decoding_of_mixed(_DECODED) * events / _DECODED
    worst = max(one.evaluated for one in costs)
    return [
        figure(
            f"million_ingest_{partitions}",
            f"Ingest of {title}",
            "cores",
            [one.ingested for one in after],
            compared_with=f"decoding {events:,} events",
            ceilings=[decoded] * len(after),
            note=f"without Kafka; it writes {read:,} records and {size:.1f} MB a second for the environment",
        ),
        figure(
            f"million_evaluate_{partitions}",
            f"Evaluation of {title}",
            "cores",
            [one.evaluated for one in after],
            goal=Goal("at most", 1.0),
            note=f"during an outage; the second in which the incident opened took {worst:.2f} s",
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the costs and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.million", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="a second")
    parser.add_argument("--partitions", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--seconds", type=int, default=12, help="of event time; after four SSOe fails")
    parser.add_argument("--rate", type=float, default=2_000.0, help="sign-ins a second that are simulated")
    parser.add_argument("--people", type=int, default=1_000_000, help="who have failed in the hour before")
    add_options(parser, runs=1)
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    for partitions in options.partitions:
        costs = measure(options.events, partitions, options.seconds, options.rate, options.people)
        figures += _figures(costs, options.events, partitions)
        gc.collect()
    report(figures, options.results)


if __name__ == "__main__":
    main()
