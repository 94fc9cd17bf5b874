"""A day of deliveries in virtual time: the shipped dispatch, clients and sandboxes, broken and killed as drawn."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import msgspec
from structlog.testing import capture_logs

from detectors.incidents import Command
from detectors.instants import HOUR, MINUTE, SECOND
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import gates_for
from sinks.delivery.outcomes import Delivery
from tests.simulation.cluster.storage import Digest
from tests.simulation.loop import NETWORK, Process, VirtualLoop, current_process
from tests.simulation.receivers import MOODS, Receivers
from tests.sinks.campaign.lives import Life, drawn_lives
from tests.sinks.samples import OPENED

__all__ = ["Day", "Plan"]

_WORKERS = 2
_MOODS = (*MOODS, "html", "huge", "epoch", "cut")
_HTML = b"<html><body>502 Bad Gateway</body></html>"


@dataclass(frozen=True)
class Plan:
    """How long a day is, and how much happens in it."""

    seed: int
    hours: float = 24
    incidents: int = 120
    restarts: int = 50
    faults: int = 400
    spans: int = 18
    poisoned: int = 6
    rest: bool = False


@dataclass(frozen=True)
class Span:
    """A receiver answers in one way for a while, ms; to one incident's requests alone, if one is named."""

    sink: str
    mood: str
    begin: int
    end: int
    incident: str = ""


class HostileReceivers(Receivers):
    """Receivers whose answers are drawn."""

    def __init__(self, loop: VirtualLoop, wall: Any, random: Random) -> None:
        super().__init__(loop, wall, Digest())
        self.random = random
        self.spans: list[Span] = []
        self.once = 0.0  # the chance that a single request is mistreated
        self.faults = 0
        self.came: list[tuple[int, str, bytes]] = []

    def broken(self, sink: str, at: int) -> bool:
        """Whether a receiver is broken for all at an instant, ms."""
        return any(one.sink == sink and not one.incident and one.begin <= at < one.end for one in self.spans)

    def _mood(self, name: str, body: bytes) -> str:
        now = self._wall()
        for one in self.spans:
            if (
                one.sink == name
                and one.begin <= now < one.end
                and f":{one.incident}:".encode() in body + (b"" if one.incident else b"::")
            ):
                return one.mood
        if self.faults > 0 and self.random.random() < self.once:
            self.faults -= 1
            return self.random.choice(_MOODS)
        return "well"

    def _arrive(self, request: Any, body: bytes, answer: Any, random: Random) -> None:
        name = request.url.host.partition(".")[0]
        self.came.append((self._wall(), name, body))
        mood = self._mood(name, body)
        # A proxy's page that repeats what it was sent, keys and all.
        echo = _HTML + " ".join(request.headers.values()).encode() + body
        said = {
            "html": httpx.Response(200, content=echo),
            "huge": httpx.Response(502, content=echo + _HTML * 20_000),
            "epoch": httpx.Response(429, headers={"X-RateLimit-Reset": "1795446330"}, content=b"{}"),
            "cut": None,
        }.get(mood, ...)
        if said is ...:
            self.moods[name] = mood  # type: ignore[assignment]
            super()._arrive(request, body, answer, random)
            return
        self.answers[mood] = self.answers.get(mood, 0) + 1
        if said is not None:
            self._later(0.05, answer, said)
        else:
            self._cutting = self._loop.create_task(self._cut(name, request, body, answer), context=NETWORK)

    async def _cut(self, name: str, request: Any, body: bytes, answer: Any) -> None:
        """Carry a request out, and reset the connection after it."""
        await self._carry_out(name, request, body, answer, 0.0, mute=True)
        if not answer.done():
            answer.set_exception(httpx.ReadError("reset", request=request))


def _end_if_dead() -> None:
    """What a process writes after it was killed is not written.

    Raises:
        CancelledError: it was killed.
    """
    process = current_process()
    if process is not None and process.dead:
        raise asyncio.CancelledError


class Day:
    """One drawn day.

    Attributes:
        outbox: all commands that were written, with the instants, ms.
        recorded: the outcomes on the topic of deliveries, in order.
        sent: worker -> the commands that it began to send, with the instants, ms.
        logged: what the log says, as JSON a line.
        down: spans in which no worker delivered a partition: partition -> (from, to), ms.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.loop = VirtualLoop()
        self.begin = OPENED
        self.receivers = HostileReceivers(self.loop, self.wall, self.random)
        self.lives: list[Life] = drawn_lives(self.random, plan.hours, plan.incidents, rest=plan.rest)
        self.outbox: list[tuple[int, Command]] = []
        self.recorded: list[Delivery] = []
        self.dead: list[str] = []
        self.logged: list[str] = []
        self.up: dict[int, Deliverer] = {}
        self.up_since: dict[int, int] = {}
        self.downs: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self.resolved_by_people: set[str] = set()
        self.restarts = 0
        self.merges = 0
        self.most_pending = 0
        self._processes: dict[int, Process] = {}
        self._clients: list[httpx.AsyncClient] = []
        self._draw_spans()

    def wall(self) -> int:
        """ms since the epoch."""
        return self.begin + round((self.loop.time() - 1_000.0) * 1000)

    def _draw_spans(self) -> None:
        plan, random, long = self.plan, self.random, round(self.plan.hours * HOUR)
        for _ in range(plan.spans):
            begin = OPENED + random.randrange(long)
            lasts = random.choice([20 * SECOND, 140 * SECOND, 20 * MINUTE, 90 * MINUTE])
            sink = random.choice(["pagerduty", "datadog", "slack"])
            self.receivers.spans.append(Span(sink, random.choice(_MOODS), begin, begin + lasts))
        for _ in range(plan.poisoned):
            who = f"prod-{random.randrange(plan.incidents)}"
            self.receivers.spans.append(
                Span("pagerduty", random.choice(["500", "html", "deaf"]), OPENED, OPENED + long - HOUR, who)
            )
        self.receivers.faults = plan.faults
        self.receivers.once = plan.faults / (plan.incidents * 30)

    # -- the workers ------------------------------------------------------------------------------------------

    def mine(self, command: Command) -> int:
        """The worker to whose part of the outbox a command belongs."""
        return int(command.incident_id.rpartition("-")[2]) % _WORKERS

    async def _record(self, delivery: Delivery) -> None:
        await asyncio.sleep(self.random.uniform(0.001, 0.1))
        _end_if_dead()
        self.recorded.append(msgspec.json.decode(msgspec.json.encode(delivery), type=Delivery))

    async def _dead_letter(self, command: Command, reason: str, attempts: int) -> None:
        _end_if_dead()
        self.dead.append(f"{command.id}: {reason}")

    async def _worker(self, number: int) -> None:
        http, clients = self.receivers.clients(self.random, rest=self.plan.rest)
        gates = gates_for(clients, self.wall, asyncio.sleep)
        for gate in gates.values():
            gate.set_share(1 / _WORKERS)
        deliverer = Deliverer(
            clients,
            self._record,
            self._dead_letter,
            self.wall,
            asyncio.sleep,
            self.random.random,
            gates=gates,
        )
        deliverer.restore(self.recorded)
        for written, command in self.outbox:
            if self.mine(command) == number:
                deliverer.submit(command, written)
        self.up[number] = deliverer
        self.up_since[number] = self.wall()
        self._clients.append(http)
        await asyncio.Event().wait()

    def _start(self, number: int) -> None:
        process = self._processes[number] = Process(self.loop, f"worker {number}")
        process.run(lambda: self._worker(number))

    async def _kill(self, number: int) -> None:
        self.up.pop(number, None)
        self._processes[number].kill()
        down = self.wall()
        await asyncio.sleep(self.random.uniform(0.5, 20))
        self._start(number)
        await asyncio.sleep(0)
        self.downs[number].append((down, self.wall()))
        self.restarts += 1

    # -- the day ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Play the day, and hours of quiet after it in which everything is delivered."""
        asyncio.set_event_loop(self.loop)
        try:
            with capture_logs() as logged:
                self.loop.run_until_complete(self._play())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()
        self.logged = [msgspec.json.encode(line, enc_hook=repr).decode() for line in logged]

    def _events(self) -> Iterator[tuple[int, Any]]:
        for life in self.lives:
            yield from ((at, command) for at, command in life.commands)
            yield from ((act.at, act) for act in life.acts)
        long = round(self.plan.hours * HOUR)
        yield from ((OPENED + self.random.randrange(long), "kill") for _ in range(self.plan.restarts))

    async def _play(self) -> None:
        for number in range(_WORKERS):
            self._start(number)
        killing: set[asyncio.Task[None]] = set()
        for at, event in sorted(self._events(), key=lambda pair: pair[0]):
            await asyncio.sleep(max((at - self.wall()) / 1000, 0))
            if event == "kill":
                alive = sorted(self.up)
                if alive:
                    killing.add(asyncio.create_task(self._kill(self.random.choice(alive))))
            elif isinstance(event, Command):
                self.outbox.append((self.wall(), event))
                self._submit(event)
            else:
                self._act(event.incident, event.what)
            self.most_pending = max(self.most_pending, sum(one.pending for one in self.up.values()))
        await asyncio.gather(*killing)
        for _ in range(400):
            await asyncio.sleep(60)
            if not any(one.pending for one in self.up.values()):
                break
        for process in self._processes.values():
            process.kill()
        await asyncio.sleep(1)
        for http in self._clients:
            await http.aclose()

    def _submit(self, command: Command) -> None:
        """Hand a command to its worker, if that is up, as a task of that process."""
        number, written = self.mine(command), self.wall()
        worker = self.up.get(number)

        async def submit(worker: Deliverer) -> None:
            worker.submit(command, written)

        if worker is not None:
            self._processes[number].run(lambda: submit(worker))

    def _act(self, incident: str, what: str) -> None:
        pagerduty = self.receivers.sandbox.pagerduty
        for alert in list(pagerduty.alerts):
            if f":{incident}:" in alert.dedup_key and alert.status != "resolved":
                if what == "acknowledge":
                    pagerduty.acknowledge(alert.dedup_key)
                elif what == "merge":
                    others = [
                        one for one in pagerduty.alerts if one is not alert and one.status != "resolved"
                    ]
                    if others:
                        self.merges += pagerduty.merge(alert.dedup_key, self.random.choice(others).dedup_key)
                else:
                    opened = {one.dedup_key for one in pagerduty.alerts if one.is_open}
                    pagerduty.resolve(alert.dedup_key)
                    # With it end those that were merged into it.
                    self.resolved_by_people |= opened - {
                        one.dedup_key for one in pagerduty.alerts if one.is_open
                    }

    def woken(self) -> Counter[str]:
        """Dedup key -> how often somebody was woken for it."""
        return Counter(one.dedup_key for one in self.receivers.sandbox.pagerduty.woken)
