"""How long does it take from the first failing event to the page? ``python -m benchmarks.event_to_page``.

The processes are real: the embedded broker, ``watchofficer run``, and sandbox receivers over HTTP. Sign-ins arrive in
real time, at 20 events a second on one and on two partitions and at 2,000 on eight. One auth method fails completely,
repeatedly, the methods in turns. For each outage the benchmark measures

* the *evidence time*: from ``occurred_at`` of the first event that fails to the T at which the detector had enough
  evidence (the line ``opened`` of the incident log);
* the *pipeline time*: from that T to the moment when PagerDuty's server receives the trigger. It includes the watermark
  delay of 2 s, because events up to T must have had the time to arrive;
* the total time, and the time that Prometheus and Alertmanager take, which scrape the workers' metrics during the same
  outages and send a webhook.

The policy is the shipped one, except that an incident resolves within seconds, so that each outage opens a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.alertmanager import NoPrometheus, PrometheusBeside, versions
from benchmarks.setup.outages import Outage, Plan, Traffic
from benchmarks.setup.worker import Worker, cpu_seconds
from detectors.instants import SECOND, parse_instant
from sinks.sandbox import Sandbox
from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy
from tests.support.processes import Failed as WorkerFailed

__all__ = ["LOADS", "Load", "Missed", "Paged", "figures_of", "matched", "play", "quantile"]

_POLICY = """
lifecycle: {recovering_after: 1s, recover_for: 3s, reopen_within: 4s}
"""
#: Hardly any pipeline is quicker: a T is judged when the watermark, which waits for late events, has reached it.
_WAITED = "the watermark delay and one step of the policy"
_PATIENCE = 60.0  # seconds after the last outage, for pages and webhooks that have not arrived yet
_AFTER = 0.7  # seconds between the beginnings of two loads, so that their outages do not coincide


@dataclass(frozen=True)
class Load:
    """One deployment with a rate of events: a worker with topics and receivers of its own."""

    rate: int
    partitions: int


LOADS = (Load(20, 1), Load(20, 2), Load(2_000, 8), Load(2_000, 8))


@dataclass(frozen=True)
class Paged:
    """The times of one outage; instants in ms, durations in seconds.

    Attributes:
        began: ``occurred_at`` of the first event that failed.
        opened: the T at which an incident was opened.
        paged: when PagerDuty received the trigger.
        webhook: when Alertmanager's webhook arrived; None if Alertmanager did not run, or sent none.
    """

    began: int
    opened: int
    paged: int
    webhook: int | None

    @property
    def evidence(self) -> float:
        """Seconds from the first failing event until there was enough evidence."""
        return (self.opened - self.began) / SECOND

    @property
    def pipeline(self) -> float:
        """Seconds from the opening T to the trigger."""
        return (self.paged - self.opened) / SECOND

    @property
    def whole(self) -> float:
        """Seconds from the first failing event to the trigger."""
        return (self.paged - self.began) / SECOND

    @property
    def other(self) -> float | None:
        """Seconds from the first failing event to the webhook; None without a webhook."""
        return None if self.webhook is None else (self.webhook - self.began) / SECOND


class Missed(Exception):
    """An outage caused no page. The message names the outage."""


def matched(
    outages: Sequence[Outage],
    log: Sequence[dict[str, Any]],
    triggers: Sequence[tuple[int, str]],
    webhooks: Sequence[tuple[int, str, int]],
) -> list[Paged]:
    """Find the page of each outage.

    Args:
        outages: the outages in order.
        log: the lines of the incident log.
        triggers: (ms, incident) of PagerDuty triggers with high urgency, in order.
        webhooks: (ms, method, firing since in ms) of Alertmanager's webhooks.

    Raises:
        Missed: an outage has no page before the next one.
    """
    opened: dict[str, list[int]] = {}
    for line in log:
        if line["type"] in ("opened", "reopened"):
            opened.setdefault(line["incident"], []).append(parse_instant(line["at"]))
    paged = []
    for n, outage in enumerate(outages):
        until = outages[n + 1].began if n + 1 < len(outages) else math.inf
        page = next(
            (
                (at, since)
                for at, incident in triggers
                if outage.began <= at < until
                for since in opened.get(incident, ())
                if outage.began < since <= at
            ),
            None,
        )
        if page is None:
            raise Missed(
                f"no incident was paged for the outage of {outage.method} that began at {outage.began}"
            )
        at, evidence = page
        again = [one.began for one in outages[n + 1 :] if one.method == outage.method]
        told = [
            when
            for when, method, since in webhooks
            if method == outage.method and outage.began <= since < min(again, default=math.inf)
        ]
        paged.append(Paged(outage.began, evidence, at, min(told, default=None)))
    return paged


class _Deployment:
    """The running deployment of a load."""

    def __init__(self, load: Load, number: int, broker: str, folder: Path, clock: RealClock) -> None:
        self.load = load
        self.topics = Topics(f"page{number}.")
        self.receivers = Sandbox.make(sleep=asyncio.sleep, clock=clock)
        self.traffic: Traffic
        self.cpu: float | None = None
        self._number = number
        self._kafka = {"bootstrap_servers": broker}
        self._folder = folder
        self._clock = clock
        self.worker: Worker

    async def start(self, stack: AsyncExitStack) -> None:
        await create_missing(self.topics, self._kafka, input_partitions=self.load.partitions)
        receivers = await stack.enter_async_context(self.receivers)
        policy = self._folder / "policy.yaml"
        policy.write_text(_POLICY)
        settings = {
            "BROKER": self._kafka["bootstrap_servers"],
            "TOPIC_PREFIX": self.topics.prefix,
            "LOG_FORMAT": "json",
            **receivers.settings(),
        }
        log = self._folder / f"worker{self._number}.log"
        self.worker = Worker(settings, log, "--policy", str(policy))
        await stack.enter_async_context(self.worker)

    async def play(self, plan: Plan) -> None:
        self.traffic = Traffic(self.load.rate, plan, self._clock, seed=self._number)
        before = cpu_seconds(self.worker.pid)
        async with AIOKafkaProducer(**self._kafka, linger_ms=2) as producer:
            await self.traffic.play(producer, self.topics.login_events)
        self.worker.check()
        after = cpu_seconds(self.worker.pid)
        self.cpu = None if before is None or after is None else (after - before) / plan.length

    async def paged(self, beside: PrometheusBeside | None) -> list[Paged]:
        """Wait for the pages of the last outages; return the times of all outages."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            error = None
            try:
                paged = await self._look(beside)
                if beside is None or all(one.webhook is not None for one in paged):
                    return paged
            except Missed as missed:
                error = missed
            if asyncio.get_running_loop().time() > deadline:
                if error is not None:
                    raise error
                return paged
            self.worker.check()
            await asyncio.sleep(1)

    async def _look(self, beside: PrometheusBeside | None) -> list[Paged]:
        reader, log = TopicReader(KafkaClients(self._kafka)), []
        for partition in range(PARTITIONS):
            async for record in reader.read(TopicPartition(self.topics.incident_log, partition)):
                log.append(json.loads(record.value))
        alerts = self.receivers.pagerduty.alerts
        triggers = [
            (alert.created_at, alert.dedup_key.split(":")[1]) for alert in alerts if alert.urgency == "high"
        ]
        instance = f"127.0.0.1:{self.worker.port}"
        told = [one for one in (beside.notified if beside else ()) if one.instance == instance]
        webhooks = [(one.at, one.method, one.since) for one in told]
        outages = [self.traffic.outages[number] for number in sorted(self.traffic.outages)]
        return matched(outages, log, triggers, webhooks)


async def play(
    loads: Sequence[Load], plan: Plan, folder: Path, *, beside: bool, every: int = 15, group_wait: int = 30
) -> list[tuple[Load, list[Paged], float | None]]:
    """Play the outages on all loads at once; return for each its outages and the share of a core that its worker took.

    Args:
        folder: the folder for logs and temporary files.
        beside: whether Prometheus and Alertmanager run too.
        every: seconds between scrapes.
        group_wait: Alertmanager's ``group_wait``, seconds.

    Raises:
        Missed: an outage caused no page.
        NoPrometheus: Prometheus or Alertmanager cannot run.
        WorkerFailed: a worker has ended.
    """
    clock = RealClock()
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(log=folder / "broker.log"))
        deployments = [_Deployment(load, n, broker.address, folder, clock) for n, load in enumerate(loads)]
        for deployment in deployments:
            await deployment.start(stack)
        other = None
        if beside:
            targets = [f"127.0.0.1:{deployment.worker.port}" for deployment in deployments]
            other = PrometheusBeside(targets, folder / "beside", clock, every, group_wait)
            await stack.enter_async_context(other)
        print(
            f"{len(loads)} deployments are ready; {plan.outages} outages each take {plan.length:.0f} s",
            flush=True,
        )
        async with asyncio.TaskGroup() as group:
            for n, deployment in enumerate(deployments):
                group.create_task(_later(n * _AFTER, deployment, plan))
        return [(one.load, await one.paged(other), one.cpu) for one in deployments]


async def _later(seconds: float, deployment: _Deployment, plan: Plan) -> None:
    await asyncio.sleep(seconds)
    await deployment.play(plan)


def quantile(values: Sequence[float], q: float) -> float:
    """Return the least of the values that at least the share ``q`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def figures_of(results: Sequence[tuple[Load, list[Paged], float | None]]) -> list[Figure]:
    """Build the figures by rate; loads with equal rates are combined."""
    out: list[Figure] = []
    for rate in dict.fromkeys(load.rate for load, _, _ in results):
        mine = [(load, paged, cpu) for load, paged, cpu in results if load.rate == rate]
        out += _of_rate(rate, mine)
    return out


def _of_rate(rate: int, loads: Sequence[tuple[Load, list[Paged], float | None]]) -> list[Figure]:
    pages = [page for _, paged, _ in loads for page in paged]
    pipeline, evidence = [page.pipeline for page in pages], [page.evidence for page in pages]
    partitions = " and on ".join(dict.fromkeys(str(load.partitions) for load, _, _ in loads))
    took = [cpu for _, _, cpu in loads if cpu is not None]
    where = f"{len(pages)} outages at {rate:,} events/s on {partitions} partition(s)"
    busy = f"; the worker took {statistics.median(took):.0%} of a core" if took else ""
    name, at = f"event_to_page_{rate}", f"at {rate:,} events/s"
    policy = default_policy()
    waited = (policy.watermark_delay + policy.step) / SECOND
    found = [
        figure(
            name,
            f"Evidence enough → PagerDuty has the trigger, p50, {at}",
            "s",
            pipeline,
            goal=Goal("at most", 1.0, "ratio"),
            compared_with=_WAITED,
            ceilings=[waited] * len(pipeline),
            note=f"{where}; the watermark delay is included, as T waits for it{busy}",
        ),
        figure(
            f"{name}_p99",
            f"Evidence enough → PagerDuty has the trigger, p99, {at}",
            "s",
            [quantile(pipeline, 0.99)],
            goal=Goal("at most", 1.33, "ratio"),
            compared_with=_WAITED,
            ceilings=[waited],
            note=f"{where}; of fewer than 100 the p99 is the slowest",
        ),
        figure(
            f"{name}_evidence",
            f"First failing event → evidence enough, {at}",
            "s",
            evidence,
            note=f"{where}; p99 {quantile(evidence, 0.99):.2f} s. Every sign-in by one method fails",
        ),
    ]
    both = [(page.whole, page.other) for page in pages if page.other is not None]
    if both:
        missed = len(pages) - len(both)
        found.append(
            figure(
                f"{name}_prometheus",
                f"First failing event → page, {at}, beside Prometheus",
                "s",
                [ours for ours, _ in both],
                goal=Goal("at least", 10 if rate >= 2_000 else 5, "ratio"),
                compared_with=versions(),
                ceilings=[theirs for _, theirs in both if theirs is not None],
                inverse=True,
                note="the same outages; scrape_interval 15s, evaluation_interval 15s, no `for`, group_wait 30s, "
                "group_interval 15s, repeat_interval 1h, to the webhook; versions as the machine's packages have them"
                + (f"; {missed} of {len(pages)} outages without a webhook" if missed else ""),
            )
        )
    return found


def main() -> None:
    """Play the outages and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.event_to_page", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--first", type=float, default=62, help="seconds without an outage at first")
    parser.add_argument("--lasts", type=float, default=20, help="seconds of an outage")
    parser.add_argument("--pause", type=float, default=31.3, help="seconds between two")
    parser.add_argument("--no-prometheus", action="store_true", help="leave Prometheus and Alertmanager out")
    add_options(parser, runs=4)
    options = parser.parse_args()
    plan = Plan(options.first, options.lasts, options.pause, options.runs)
    beside = not options.no_prometheus
    try:
        if beside:
            PrometheusBeside.programs()
    except NoPrometheus as error:
        print(f"without Prometheus: {error}")
        beside = False
    try:
        with tempfile.TemporaryDirectory(prefix="watchofficer-page-", ignore_cleanup_errors=True) as folder:
            results = asyncio.run(play(LOADS, plan, Path(folder), beside=beside))
    except (Missed, NoPrometheus, WorkerFailed) as error:
        sys.exit(str(error))
    for load, paged, _ in results:
        for page in paged:
            other = "" if page.other is None else f", Prometheus {page.other:.1f} s"
            told = f"evidence {page.evidence:.2f} s, pipeline {page.pipeline:.2f} s{other}"
            print(f"{load.rate:>5,}/s on {load.partitions}: {told}")
    report(figures_of(results), options.results)


if __name__ == "__main__":
    main()
