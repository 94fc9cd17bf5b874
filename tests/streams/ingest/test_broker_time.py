"""Whatever the clock of a worker's machine says, marks are put by the broker's time."""

from __future__ import annotations

import pytest

from detectors.instants import MINUTE, SECOND
from streams.kafka.admin import create_missing
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy
from tests.streams.ingest.deployment import Deployment, until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

_BROKER = RealClock()  # it runs on this machine


class Machine:
    """A machine whose clock is ``ahead`` (ms) of the broker's."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead

    def __call__(self) -> int:
        return _BROKER() + self.ahead


@pytest.mark.parametrize("ahead", [2 * MINUTE, -2 * MINUTE])
async def test_a_worker_with_a_wrong_clock_marks_by_the_brokers_time(
    apache_kafka: ApacheKafka, topic_prefix: str, ahead: int
) -> None:
    topics, machine = Topics(topic_prefix), Machine(ahead)
    await create_missing(topics, {"bootstrap_servers": apache_kafka.address}, input_partitions=1)
    deployment = Deployment(apache_kafka.address, topics, default_policy(), machine)
    async with deployment.ingesting():

        async def marked() -> bool:
            return len(await marks(deployment)) >= 2

        await until(marked)
        before = len(await marks(deployment))
        machine.ahead = -ahead  # it is set while it runs

        async def marked_again() -> bool:
            return len(await marks(deployment)) >= before + 3

        await until(marked_again)
    late = [said_at - watermark for said_at, watermark in await marks(deployment)]
    assert late == [default_policy().watermark_delay] * len(late)
    now = _BROKER()
    for said_at, _ in await marks(deployment):
        assert now - MINUTE < said_at <= now + SECOND


async def marks(deployment: Deployment) -> list[tuple[int, int]]:
    """When each mark was written, and its watermark, ms."""
    found = {}
    for said in await deployment.frontiers():
        if said.marked and said.watermark is not None and said.watermark not in found:
            found[said.watermark] = said.written_at
    return [(written_at, watermark) for watermark, written_at in found.items()]
