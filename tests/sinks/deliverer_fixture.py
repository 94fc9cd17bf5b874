"""A deliverer on a fixture: receivers that answer by a script, and all that it records."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from detectors.incidents import Command
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import ReceiverGate
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import Answer, Delivered, Receipts
from sinks.receivers.contract import Pace
from tests.sinks.samples import Time, command, incident

Script = Callable[[Command], Answer]
EAGER = Pace(per_minute=0, burst=1, concurrency=3)


def numbered(
    n: int,
    sink: str = "pagerduty",
    action: str = "trigger",
    *,
    who: str = "prod-7",
    epoch: int = 0,
    **more: Any,
) -> Command:
    about = incident(id=who, epoch=epoch)
    return command(sink, action, id=f"{who}:{epoch}:{sink}:{n}", incident=about, **more)


class Receiver:
    """Answers as a script says; remembers what it was sent, and when."""

    def __init__(self, time: Time, script: Script = lambda command: Delivered()) -> None:
        self.time = time
        self.script = script
        self.got: list[tuple[int, str]] = []
        self.receipts: list[dict[str, str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        self.got.append((self.time.now, command.id))
        self.receipts.append(dict(receipts(command.sink)))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
            return self.script(command)
        finally:
            self.under_way -= 1

    @property
    def ids(self) -> list[str]:
        return [got for _, got in self.got]


class DelivererFixture:
    """A deliverer with receivers for all three sinks, and what it recorded."""

    def __init__(self, time: Time | None = None, **scripts: Script) -> None:
        self.time = time or Time()
        self.receivers = {
            sink: Receiver(self.time, scripts.get(sink, lambda command: Delivered()))
            for sink in ("pagerduty", "datadog", "slack")
        }
        self.recorded: list[Delivery] = []
        self.dead: list[tuple[str, str, int]] = []
        self.told: list[tuple[str, int]] = []
        self.gates: dict[str, ReceiverGate] = {}  # the others let everything through
        self.deliverer = self.make()

    def make(self) -> Deliverer:
        eager = {sink: ReceiverGate(EAGER, self.time.clock, self.time.sleep) for sink in self.receivers}
        return Deliverer(
            self.receivers,
            self.record,
            self.dead_letter,
            self.time.clock,
            self.time.sleep,
            lambda: 0.5,
            gates=eager | self.gates,
            on_delivered=lambda command, at: self.told.append((command.id, at)),
        )

    async def record(self, delivery: Delivery) -> None:
        self.recorded.append(delivery)

    async def dead_letter(self, command: Command, reason: str, attempts: int) -> None:
        self.dead.append((command.id, reason, attempts))

    def outcomes(self) -> list[tuple[str, str]]:
        return [(delivery.command_id, delivery.outcome) for delivery in self.recorded]


async def drained(deliverer: Deliverer, within: float) -> bool:
    """Wait until every command has an outcome; False if that takes longer than ``within`` real seconds."""
    try:
        async with asyncio.timeout(within):
            while deliverer.pending:
                await asyncio.sleep(0)
    except TimeoutError:
        return False
    return True


def failing(times: int, answer: Answer) -> Script:
    left: defaultdict[str, int] = defaultdict(lambda: times)

    def script(command: Command) -> Answer:
        left[command.id] -= 1
        return answer if left[command.id] >= 0 else Delivered()

    return script
