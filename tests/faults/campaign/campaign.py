"""How does a campaign of faults run? In rounds of real processes under load and faults, each followed by an audit."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from detectors.instants import MINUTE, SECOND, parse_instant
from detectors.policy.policy import Policy
from sinks.sandbox import Sandbox
from streams.kafka.admin import create_missing
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import load_policy
from tests.faults.campaign.ground import POLICY, broker_of, not_here
from tests.faults.campaign.load import Load, Traffic, outages
from tests.faults.campaign.schedule import BROKER_KINDS, TROUBLE_KINDS, Fault, Kind, schedule
from tests.faults.campaign.supervisor import Supervisor, Worker
from tests.faults.campaign.topics import read
from tests.faults.campaign.troubles import Troubles
from tests.faults.judgement.audit import audit
from tests.faults.judgement.figures import Broker, Figures
from tests.faults.judgement.findings import Audit
from tests.faults.judgement.witness import Witness
from tests.support.brokers import ApacheKafka
from tests.support.false_clock.clock import FalseClock
from tests.support.kafka.setup import Listener
from tests.support.oracle import written

__all__ = ["campaign"]

Say = Callable[[str], None]

#: Faults in a round. The oracle compares each event with all others, so rounds are short.
_A_ROUND = 25
_WORKERS, _MOST_WORKERS = 2, 4
_SIGN_INS_A_SECOND = 14.0
_CALM_SECONDS = 15.0  # from the last fault to the end of the load, at least
_READY_SECONDS = 120.0
_SETTLE_SECONDS = 150.0  # for incidents to end, and for all events to be judged and notified
_BEFORE = 20 * MINUTE
_ACKNOWLEDGES_AFTER = 4.0  # seconds
_WEBHOOK_SECRET = "a-secret-of-the-faults"


def campaign(
    seed: int, faults: int, broker: Broker, folder: Path, say: Say, *, without: Collection[Kind] = ()
) -> Figures:
    """Run rounds until ``faults`` faults have happened.

    Args:
        seed: the seed of the schedule and of the traffic.
        faults: the number of faults.
        broker: the kind of broker.
        folder: the folder for logs and figures, which is emptied first.
        say: called with a line about each event.
        without: the kinds of faults that are left out.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our own producers lose the broker too
    figures = Figures(seed, broker)
    began = time.monotonic()
    missing = frozenset({*without, *not_here(folder, broker)})
    if missing:
        say(f"without {', '.join(sorted(missing))}")
    with broker_of(broker, folder, small_disk="disk_full" not in missing) as (address, kafka):
        left = faults
        while left > 0:
            size = min(left, _A_ROUND if left >= 2 * _A_ROUND or left <= _A_ROUND else -(-left // 2))
            left -= size
            number = figures.rounds
            asyncio.run(
                _Round(
                    seed + 1_000 * number,
                    schedule(seed + 1_000 * number, size, broker=kafka is not None, without=missing),
                    address,
                    kafka,
                    folder / f"round-{number}",
                    say,
                    encrypted=number % 2 == 1,
                ).run(figures)
            )
            figures.rounds += 1
    figures.seconds = time.monotonic() - began
    (folder / "figures.json").write_text(json.dumps(figures.as_json(), indent=1) + "\n")
    return figures


class _Round:
    """One deployment, from its first start to its audit."""

    def __init__(
        self,
        seed: int,
        faults: list[Fault],
        address: str,
        kafka: ApacheKafka | None,
        folder: Path,
        say: Say,
        *,
        encrypted: bool,
    ) -> None:
        self._seed = seed
        self._schedule = faults
        self._encrypted = encrypted
        self._address = address
        self._kafka = kafka
        self._folder = folder
        self._say = say
        self._now = RealClock()
        self._topics = Topics(f"faults-{seed}.")
        self._broker_busy = asyncio.Lock()
        self._partitions = PARTITIONS  # of the input
        self._thaws: set[asyncio.Task[None]] = set()
        folder.mkdir(parents=True)
        self._clock = FalseClock(folder / "clock")
        self._troubles = (
            None
            if kafka is None
            else Troubles(kafka, self._topics, self._clock, self._broker_busy, self._now)
        )
        self._witness = Witness(address, self._topics, self._now)
        self._policy: Policy
        self._supervisor: Supervisor
        self._sandbox: Sandbox

    async def run(self, figures: Figures) -> None:
        """Run the round, and add its results to the figures."""
        policy_file = self._folder / "policy.yaml"
        policy_file.write_text(POLICY)
        self._policy = load_policy(policy_file)
        os.environ["WATCHOFFICER_BROKER"] = self._address
        os.environ["WATCHOFFICER_TOPIC_PREFIX"] = self._topics.prefix
        await create_missing(self._topics, {"bootstrap_servers": self._address})
        if self._kafka is not None:
            self._kafka.admin.allow_what_a_worker_needs(self._topics.prefix)
        self._sandbox = Sandbox.make(
            sleep=asyncio.sleep,
            clock=self._now,
            webhook_secrets=(_WEBHOOK_SECRET,),
            acknowledge_after=_ACKNOWLEDGES_AFTER,
        )
        async with self._sandbox:
            self._supervisor = Supervisor(self._settings(), policy_file, self._folder)
            self._supervisor.add_worker(self._clock.variables if self._kafka is not None else {})
            for _ in range(1, _WORKERS):
                self._supervisor.add_worker()
            webhooks = asyncio.create_task(self._point_webhooks())
            try:
                await self._under_load(figures)
                await self._ended(figures)
            finally:
                webhooks.cancel()
                await self._supervisor.close()
            found = await audit(
                self._address,
                self._topics,
                self._policy,
                policy_file,
                self._folder,
                sandbox=self._sandbox,
                now=self._now(),
            )
            self._hear_witness(found)
        await self._tell(figures, found)

    # -- under load -------------------------------------------------------------------------------------------

    async def _under_load(self, figures: Figures) -> None:
        ends = self._schedule[-1].at + _CALM_SECONDS
        failing = outages(self._seed, ends)
        traffic = Traffic(self._seed, PARTITIONS, failing, _SIGN_INS_A_SECOND)
        load = Load(self._address, self._topics.login_events, traffic, self._now)
        await self._long_ago()
        self._supervisor.start()
        await self._ready(figures)
        self._supervisor.start_guard()
        self._witness.start()
        self._say(f"round of seed {self._seed}: {len(self._schedule)} faults, {len(failing)} outages")
        await load.start()
        try:
            await self._play(load, figures)
            await self._ready(figures)
            await asyncio.sleep(max(0.0, ends - load.elapsed))
            load.calm = True
            await asyncio.sleep(2.0)
            calm_at = self._now()
            await self._until(lambda: self._judged_to(calm_at), "the outages are judged")
            await self._until(self._incidents_are_closed, "incidents are closed")
        finally:
            await self._witness.stop()
            await load.stop()
        stopped = self._now()
        await self._until(lambda: self._judged_to(stopped), "all is judged")
        await self._until(self._all_told, "everything is delivered")

    async def _long_ago(self) -> None:
        """Produce one event from long before the load, so that complete records of history exist to be compared."""
        event = {"schema_version": 1, "event_id": "the first one", "env": "prod", "auth_method": "sis"}
        event |= {"step": "new", "outcome": "started", "occurred_at": written(self._now() - _BEFORE)}
        async with AIOKafkaProducer(bootstrap_servers=self._address) as producer:
            await producer.send_and_wait(self._topics.login_events, json.dumps(event).encode(), partition=0)

    async def _ready(self, figures: Figures) -> None:
        if not await self._supervisor.all_ready(_READY_SECONDS):
            figures.complaints.append(f"not ready within {_READY_SECONDS:.0f} s: {self._folder}")

    async def _play(self, load: Load, figures: Figures) -> None:
        for fault in self._schedule:
            await asyncio.sleep(max(0.0, fault.at - load.elapsed))
            self._supervisor.check()
            self._say(f"  {load.elapsed:6.1f} s  {fault.kind} {fault.worker} {fault.seconds:.1f} s")
            figures.faults[fault.kind] += 1
            await self._befall(fault, load)
        while self._thaws:
            await asyncio.wait(set(self._thaws))

    async def _befall(self, fault: Fault, load: Load) -> None:
        supervisor = self._supervisor
        if fault.kind == "grow":
            self._later(self._grow(load))
            return
        if fault.kind in BROKER_KINDS or fault.kind in TROUBLE_KINDS or fault.kind == "clock":
            self._later(self._trouble(fault))
            return
        if fault.kind == "join" and len(supervisor.wanted) < _MOST_WORKERS:
            supervisor.add_worker()
            return
        running = supervisor.running or supervisor.wanted
        worker = running[fault.worker % len(running)]
        if fault.kind in ("kill", "join"):
            supervisor.kill(worker, fault.seconds)
        elif fault.kind == "leave" and len(supervisor.wanted) > 1:
            supervisor.stop(worker, for_good=True)
        elif fault.kind in ("stop", "leave"):
            supervisor.stop(worker, fault.seconds)
        else:
            supervisor.freeze(worker)
            self._later(self._thaw(worker, fault.seconds))

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._thaws.add(task)
        task.add_done_callback(self._thaws.discard)

    async def _thaw(self, worker: Worker, seconds: float) -> None:
        process = worker.process
        await asyncio.sleep(seconds)
        if worker.process is process:
            self._supervisor.thaw(worker)

    async def _trouble(self, fault: Fault) -> None:
        assert self._troubles is not None
        begin = self._now()
        await self._troubles.befall(fault)
        self._witness.troubled.append((begin, self._now()))

    async def _grow(self, load: Load) -> None:
        async with self._broker_busy:
            self._partitions += 1
            admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
            await admin.start()
            try:
                more = NewPartitions(total_count=self._partitions)
                await admin.create_partitions({self._topics.login_events: more})
            finally:
                await admin.close()
            await load.grow(self._partitions)

    async def _point_webhooks(self) -> None:
        """Send PagerDuty's webhooks to a worker that is ready, like a load balancer."""
        while True:
            ready = [worker for worker in self._supervisor.running if worker.ready]
            if ready:
                self._sandbox.pagerduty.webhook_url = f"http://127.0.0.1:{ready[0].port}/webhooks/pagerduty"
            await asyncio.sleep(0.5)

    # -- afterwards -------------------------------------------------------------------------------------------

    async def _until(self, condition: Any, what: str) -> None:
        """Wait for a condition; if it does not become true, the audit reports the consequences."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not await condition():
            if time.monotonic() > deadline:
                self._say(f"  not within {_SETTLE_SECONDS:.0f} s: {what}")
                return
            await asyncio.sleep(1.0)

    async def _asked(self, path: str) -> Any:
        for worker in self._supervisor.running:
            if worker.ready:
                try:
                    return (await self._supervisor.get(worker, path)).json()
                except (httpx.HTTPError, ValueError):
                    continue
        return None

    async def _incidents_are_closed(self) -> bool:
        body = await self._asked("/api/v1/incidents")
        return body is not None and all(one["state"] == "closed" for one in body["incidents"])

    async def _judged_to(self, at: int) -> bool:
        body = await self._asked("/api/v1/slis")
        if body is None:
            return False
        latest: dict[str, int] = {}
        for one in body["slis"]:
            env = one["scope"].partition("/")[0]
            latest[env] = max(latest.get(env, 0), parse_instant(one["at"]))
        return bool(latest) and min(latest.values()) >= at

    async def _all_told(self) -> bool:
        written = await read(self._address, self._topics.commands)
        told = await read(self._address, self._topics.deliveries)
        ids = {json.loads(record.value)["id"] for record in written}
        return ids <= {record.key.decode() for record in told}

    async def _ended(self, figures: Figures) -> None:
        supervisor = self._supervisor
        supervisor.end_guard()  # it would rightly say that all workers are gone
        for worker in supervisor.wanted:
            supervisor.stop(worker, for_good=True)
        await asyncio.gather(*supervisor._stops)
        record = supervisor.record
        figures.starts += record.starts
        figures.to_ready += record.to_ready
        figures.failed += record.failed
        figures.stopped_in += [seconds for seconds, _ in record.stopped_in]
        for seconds, status in record.stopped_in:
            # The signal alone ends a process whose Python has not started yet.
            if status not in (0, -signal.SIGTERM) or seconds > 11.0:
                figures.complaints.append(f"SIGTERM: status {status} after {seconds:.1f} s")
        if record.failed:
            figures.complaints.append(
                f"{record.failed} workers of round {figures.rounds} ended by themselves: {self._folder}"
            )

    def _hear_witness(self, found: Audit) -> None:
        """Hold what was said of the watch against how it got on, and keep what the witness saw."""
        samples = self._witness.samples()
        found.stalls = self._witness.found(self._sandbox, self._policy.blind_after / SECOND)
        found.compared["looks of the witness"] += len(samples)
        alerts = [
            (alert.dedup_key, alert.created_at, alert.resolved_at) for alert in self._sandbox.pagerduty.alerts
        ]
        seen = {"samples": samples, "alerts": alerts, "troubled": self._witness.troubled}
        (self._folder / "witness.json").write_text(json.dumps(seen) + "\n")

    async def _tell(self, figures: Figures, found: Audit) -> None:
        from tests.faults.campaign.topics import folded

        views = await folded(self._address, self._topics.segments)
        figures.marks += Counter(views[0].reasons)
        figures.rebalances += sum(
            worker.log.read_text(errors="replace").count('"partitions_assigned"')
            for worker in self._supervisor.workers
            if worker.log.exists()
        )
        figures.add(found)
        figures.complaints += [f"round {figures.rounds}: {line}" for line in found.words()]
        for line in found.words():
            self._say(f"  {line[:1500]}")
        compared = ", ".join(f"{n} {what}" for what, n in sorted(found.compared.items()))
        self._say(
            f"  {found.log['events']} events; compared {compared}; {'clean' if found.clean else 'NOT CLEAN'}"
        )

    def _settings(self) -> dict[str, str]:
        listener = Listener.SASL_SSL if self._encrypted else Listener.SASL_PLAINTEXT
        reach = {"BROKER": self._address} if self._kafka is None else self._kafka.worker_settings(listener)
        return {
            **reach,
            "TOPIC_PREFIX": self._topics.prefix,
            "LOG_FORMAT": "json",
            "PAGERDUTY__WEBHOOK_SECRET": _WEBHOOK_SECRET,
            **self._sandbox.settings(),
        }
