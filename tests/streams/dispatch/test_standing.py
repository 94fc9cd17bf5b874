"""What stands is told again each minute by the worker whose outbox it is from, under its lease."""

from __future__ import annotations

from collections.abc import Callable

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Retry
from streams.dispatch.standing import StandingAlerts
from tests.sinks.samples import Time, command, incident


class Forgetful:
    """A receiver that counts how often it was told what stands."""

    def __init__(self) -> None:
        self.standing: set[str] = set()
        self.refreshed: list[set[str]] = []
        self.answers: list[Answer | Exception] = []

    async def send(self, given: Command, receipts: Receipts) -> Answer:
        return Delivered()

    def remember(self, given: Command) -> None:
        self.standing.add(given.incident_id)

    def forget(self, incidents: Callable[[str], bool]) -> None:
        self.standing = {one for one in self.standing if not incidents(one)}

    async def refresh(self) -> Answer | None:
        self.refreshed.append(set(self.standing))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return None


class Plain:
    """A receiver that remembers by itself."""

    async def send(self, given: Command, receipts: Receipts) -> Answer:
        return Delivered()


def of(incident_id: str) -> Command:
    return command("alertmanager", "open", incident=incident(id=incident_id))


def partition_of(incident_id: str) -> int:
    return int(incident_id.rpartition("-")[2]) % 2


async def test_what_stands_is_told_each_minute_until_the_partitions_are_given_away() -> None:
    time, client = Time(), Forgetful()
    alerts = StandingAlerts({"alertmanager": client, "slack": Plain()}, time.sleep)
    for name in ("prod-1", "prod-2", "prod-3"):
        alerts.remember(of(name))
    alerts.keep({0, 1}, partition_of)
    await time.pass_(125)
    assert client.refreshed == [{"prod-1", "prod-2", "prod-3"}] * 3
    alerts.keep({1}, partition_of)
    await time.pass_(60)
    assert client.refreshed[-1] == {"prod-1", "prod-3"}
    alerts.keep((), partition_of)
    await time.pass_(300)
    assert len(client.refreshed) == 4


async def test_a_refresh_that_fails_is_made_again_a_minute_later() -> None:
    time, client = Time(), Forgetful()
    client.answers = [Retry(None, "no answer"), RuntimeError("a defect")]
    alerts = StandingAlerts({"alertmanager": client}, time.sleep)
    alerts.remember(of("prod-1"))
    alerts.keep({0, 1}, partition_of)
    await time.pass_(125)
    assert len(client.refreshed) == 3
    alerts.keep((), partition_of)
    await time.settle()


async def test_receivers_that_remember_by_themselves_make_no_task() -> None:
    time = Time()
    alerts = StandingAlerts({"slack": Plain()}, time.sleep)
    alerts.remember(command("slack", "post"))
    alerts.keep({0}, partition_of)
    await time.pass_(120)
    assert time.slept == []
