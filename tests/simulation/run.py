"""How does a simulated run go? The plan's events arrive, its faults happen, and then everything comes to rest."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from detectors.incidents import Command
from sinks.delivery.outcomes import Delivery
from streams.kafka.topics import env_partition
from streams.records.models import encode_input
from streams.records.verdicts import decode_command
from streams.runtime.lease import LeaseLost
from streams.segments.codec import Frontier, Resume, decode, decode_sealed
from tests.detectors.engine.episodes import POLICY
from tests.simulation.cluster.broker import Broker
from tests.simulation.cluster.storage import Digest, Log, Stored, values
from tests.simulation.loop import NETWORK, Process, VirtualLoop
from tests.simulation.plan import Fault, Plan
from tests.simulation.processes import INGEST_GROUP, INTERNAL, TOPICS, Worker, World
from tests.simulation.receivers import Receivers
from tests.support.arrivals import arrivals, asked
from tests.support.oracle import NOON

__all__ = ["Run"]

#: What is younger is not compacted, ms.
_COMPACTION_LAG = 60_000
_SETTLES = 5.0  # seconds from the last event until what went wrong is mended
_LATEST = 30  # seconds after the plan's end at which late events still come
_RESTS = 20  # seconds after that at least
_AT_MOST = 900  # seconds until everything must have come to rest
_FOLLOWS_AFTER = 2.0  # seconds until another process follows one that has failed
#: What one part of judging is found to cost, seconds, and how often: a range has some twenty parts and is to cost from
#: next to nothing to more than the half second at which ranges end.
_COSTS, _OFTEN = (0.0, 0.004, 0.05, 2.0), (88, 8, 3, 1)


class Run:
    """One run.

    Args:
        plan: what is to happen.

    Attributes:
        happened: how often each fault took place.
        wrong: what was found to be wrong while it ran, in words.
        digest: of all that was written to topics and got by receivers.
        outbox: how many records each partition of the outbox held when everything had come to rest.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.happened: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.digest = Digest()
        self.outbox: list[int] = []
        self.loop = VirtualLoop()
        self._began = self.loop.time()
        random = Random(f"{plan.seed}/events")
        create_time = random.random() < 0.2
        some = arrivals(random, plan.partitions, plan.seconds, create_time=create_time)
        # What is later than the faults is left out: it would double the time that a run takes.
        self._arrivals = [one for one in some if one.at < NOON + (plan.seconds + _LATEST) * 1_000]
        self._create_time = create_time
        self._asked = asked(random, plan.seconds) if plan.asks else []
        internal = dict.fromkeys(TOPICS.all(), INTERNAL)
        inputs = {TOPICS.login_events: plan.partitions, TOPICS.ingest_state: plan.partitions}
        self.broker = Broker(
            self.loop, self.wall, self.digest, internal | inputs, Random(f"{plan.seed}/broker")
        )
        self.receivers = Receivers(self.loop, self.wall, self.digest)
        cost = Random(f"{plan.seed}/cost/{plan.cost_seed}")
        self._world = World(
            self.loop,
            self.broker,
            self.receivers,
            POLICY,
            plan.seed,
            self.wall,
            lambda: cost.choices(_COSTS, _OFTEN)[0],
        )
        self._workers: dict[int, Worker] = {}
        self._started: Counter[int] = Counter()
        self._active: list[Fault] = []
        self._mended = False
        self._at_write = [f for f in plan.faults if f.kind.endswith("_at_write")]
        self._written: Counter[str] = Counter()
        self.broker.wrote = self._wrote

    def wall(self) -> int:
        """Ms since the epoch."""
        return NOON + round((self.loop.time() - self._began) * 1_000)

    def execute(self) -> Run:
        """Let everything happen."""
        collecting = gc.isenabled()
        gc.collect()  # the runs before have left cycles, which would add up to a gigabyte over a hundred runs
        gc.disable()  # what is collected when depends on more than the seed
        try:
            self.loop.set_exception_handler(self._note_exception)
            self.loop.run_until_complete(self._main())
            rest = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
            for task in rest:
                task.cancel()
            if rest:
                self.loop.run_until_complete(asyncio.wait(rest, timeout=100))
        finally:
            self.loop.close()
            if collecting:
                gc.enable()
        return self

    def _note_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is not None and not isinstance(error, KafkaError | httpx.HTTPError):
            self.wrong.append(f"{context['message']}: {error!r}")

    # -- from beginning to end --------------------------------------------------------------------------------

    async def _main(self) -> None:
        for n in range(len(self.plan.layout)):
            self._start(n)
        for fault in self.plan.faults:
            if not fault.kind.endswith("_at_write"):
                self._at(fault.at, self._begin, fault)
        for one in self._arrivals:
            self._at((one.at - NOON) / 1_000, self._arrive, one)
        for at, wish in self._asked:
            place = TopicPartition(TOPICS.inputs, env_partition(wish.env, INTERNAL))
            self._at((at - NOON) / 1_000, self.broker.append, place, wish.env.encode(), encode_input(wish))
        last = max([self.plan.seconds * 1_000, *(one.at - NOON for one in self._arrivals)])
        last = max([last, *(at - NOON for at, _ in self._asked)])
        await asyncio.sleep(last / 1_000 + _SETTLES)
        self._mend()
        for second in range(_AT_MOST):
            await asyncio.sleep(1.0)
            if second >= _RESTS and second % 5 == 0 and self._at_rest():
                break
        else:
            self.wrong.append("it never came to rest")
        self.outbox = [self.log(TOPICS.commands, n).end for n in range(INTERNAL)]
        self._at_write = []
        stopping = []
        for worker in list(self._workers.values()):
            stopped = asyncio.Event()
            worker.stop(stopped.set)
            stopping.append(stopped.wait())
        await asyncio.gather(*stopping)
        await asyncio.sleep(1.0)

    def _at(self, seconds: float, what: Callable[..., object], *arguments: Any) -> None:
        self.loop.call_at(self._began + seconds, what, *arguments, context=NETWORK)

    def _arrive(self, one: Any) -> None:
        place = TopicPartition(TOPICS.login_events, one.partition)
        self.broker.append(place, None, one.value, timestamp=one.timestamp if self._create_time else None)

    def _start(self, n: int) -> None:
        if n in self._workers:
            return
        self._started[n] += 1
        name, role, leased = f"{n}.{self._started[n]}", self.plan.layout[n], self.plan.leased[n]
        self._workers[n] = Worker(self._world, name, role, leased=leased, failed=self._failed)

    def _later_start(self, n: int, seconds: float) -> None:
        self.loop.call_later(seconds, self._start, n, context=NETWORK)

    def _failed(self, worker: Worker, error: BaseException) -> None:
        """A worker says that it cannot go on: it ends in order, and another follows."""
        self.happened[f"worker failed: {type(error).__name__}"] += 1
        if not isinstance(error, LeaseLost | KafkaError):
            self.wrong.append(f"worker {worker.name} failed: {error!r}")
        for n, one in list(self._workers.items()):
            if one is worker:
                del self._workers[n]
                worker.stop(lambda: None)
                self._later_start(n, _FOLLOWS_AFTER)

    def _mend(self) -> None:
        """Nothing goes wrong any more."""
        self._mended = True
        self._active.clear()
        self._apply()
        for n in range(len(self.plan.layout)):
            self._start(n)
            self._workers[n].process.thaw()

    def _at_rest(self) -> bool:
        """Whether all events were folded, and all commands dealt with."""
        reached: dict[int, int] = {}
        for record in self.log(TOPICS.segments, 0).archive:
            said = decode_sealed(record.value or b"")
            if isinstance(said, Frontier):
                reached[int(said.partition)] = said.next_offset
        ends = {n: self.log(TOPICS.login_events, n).end for n in range(self.plan.partitions)}
        done = {delivery.command_id for delivery in self.deliveries()}
        return reached == ends and all(command.id in done for command in self.commands())

    # -- faults -----------------------------------------------------------------------------------------------

    def _begin(self, fault: Fault) -> None:
        if self._mended:
            return
        self.happened[fault.kind] += 1
        worker = self._workers.get(fault.who)
        match fault.kind:
            case "crash":
                self._crash(fault.who, fault.seconds)
            case "stop" if worker is not None:
                del self._workers[fault.who]
                worker.process.thaw()
                worker.stop(lambda: self._later_start(fault.who, fault.seconds))
            case "freeze" if worker is not None:
                self._freeze(worker, fault.seconds)
            case "rebalance":
                self.broker.group(fault.what).rebalance()
            case "forget":
                self._forget(fault)
            case "compact":
                for log in self.logs(fault.what):
                    log.compact(self.wall() - _COMPACTION_LAG)
            case "retain":
                self._retain(fault.what)
            case "away" | "slow" | "lose" | "drop" | "unfetchable" | "deny" | "cut_off" | "receiver":
                self._active.append(fault)
                self._apply()
                self.loop.call_later(fault.seconds, self._end, fault, context=NETWORK)

    def _end(self, fault: Fault) -> None:
        if fault in self._active:
            self._active.remove(fault)
            self._apply()

    def _apply(self) -> None:
        """Let the network be as those faults say that last."""
        lasting: dict[str, list[Fault]] = {}
        for fault in self._active:
            lasting.setdefault(fault.kind, []).append(fault)
        broker = self.broker
        was_away, broker.away = broker.away, "away" in lasting
        if was_away and not broker.away:
            broker.come_back()
        amounts = {kind: max(f.amount for f in some) for kind, some in lasting.items()}
        broker.slow, broker.lose, broker.drop = (amounts.get(k, 0.0) for k in ("slow", "lose", "drop"))
        broker.unfetchable = {
            TopicPartition(TOPICS.login_events, f.who) for f in lasting.get("unfetchable", ())
        }
        broker.denied = {f.what for f in lasting.get("deny", ())}
        broker.cut_off = {(f.what or INGEST_GROUP, f.who) for f in lasting.get("cut_off", ())}
        moods: Any = dict(f.what.split(":") for f in lasting.get("receiver", ()))
        self.receivers.moods = moods

    def _crash(self, n: int, seconds: float) -> None:
        worker = self._workers.pop(n, None)
        if worker is not None:
            worker.process.kill()
            self._later_start(n, seconds)

    def _freeze(self, worker: Worker, seconds: float) -> None:
        worker.process.freeze()
        self.loop.call_later(seconds, worker.process.thaw, context=NETWORK)

    def _forget(self, fault: Fault) -> None:
        role = "agents" if fault.what == INGEST_GROUP else "ingest"
        for n, other in enumerate(self.plan.layout):
            if other != role:
                self._crash(n, fault.seconds)
        self.broker.group(fault.what).forget()

    def _retain(self, topic: str) -> None:
        """Remove what is older than a minute, if nobody needs it."""
        old = self.wall() - _COMPACTION_LAG
        needed: dict[int, list[int]] = {}
        if topic == TOPICS.login_events:
            for log in self.logs(TOPICS.ingest_state):
                for record in log.records:
                    said = decode(record.value or b"")
                    if isinstance(said, Resume):
                        first = said.read_from if said.rejected_from is None else said.rejected_from
                        needed.setdefault(int(said.partition), []).append(min(said.read_from, first))
        else:
            done = {delivery.command_id for delivery in self.deliveries()}
            for n, log in enumerate(self.logs(topic)):
                waiting = [r.offset for r in log.records if decode_command(r.value or b"").id not in done]
                needed[n] = waiting or [log.end]
        for n, log in enumerate(self.logs(topic)):
            young = log.at(old)
            log.retain(min([log.end if young is None else young, *needed.get(n, [0])]))

    def _wrote(self, record: Stored, process: Process | None) -> None:
        """After each record: some faults wait for one."""
        self._written[record.topic] += 1
        for fault in [f for f in self._at_write if f.what == record.topic]:
            if self._written[record.topic] < fault.count or self._mended:
                continue
            for n, worker in list(self._workers.items()):
                if worker.process is process:
                    self._at_write.remove(fault)
                    self.happened[fault.kind] += 1
                    if fault.kind == "crash_at_write":
                        self._crash(n, fault.seconds)
                    else:
                        self._freeze(worker, fault.seconds)

    # -- what came of it --------------------------------------------------------------------------------------

    def log(self, topic: str, partition: int) -> Log:
        """A partition."""
        return self.broker.logs[TopicPartition(topic, partition)]

    def logs(self, topic: str) -> list[Log]:
        """The partitions of a topic."""
        return [self.log(topic, n) for n in range(self.broker.partitions[topic])]

    def values(self, topic: str) -> list[bytes]:
        """All that was ever written to a topic, in the order of each partition."""
        return values(self.logs(topic))

    def commands(self) -> Iterator[Command]:
        """All of the outbox, repeats included."""
        return map(decode_command, self.values(TOPICS.commands))

    def deliveries(self) -> Iterator[Delivery]:
        """What became of commands."""
        return (msgspec.json.decode(value, type=Delivery) for value in self.values(TOPICS.deliveries))
