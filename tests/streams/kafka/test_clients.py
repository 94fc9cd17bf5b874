"""The waits of a retry loop, and how aiokafka's consumers are made."""

from __future__ import annotations

import pytest

from streams.kafka.clients import FETCH_WAIT_MS, Backoff, KafkaClients
from streams.runtime.clocks import Timing

ADDRESS = {"bootstrap_servers": "127.0.0.1:1"}


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
async def test_each_wait_is_a_random_part_of_a_ceiling_that_doubles_up_to_the_longest(chance: float) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    backoff = Backoff(0.5, 3.0, Timing(sleep=sleep, chance=lambda: chance))
    said = []
    for _ in range(5):
        said.append(backoff.failed())
        await backoff.wait()
    assert slept == [chance * ceiling for ceiling in (0.5, 1.0, 2.0, 3.0, 3.0)]
    assert said == [round(seconds, 2) for seconds in slept]
    backoff.succeeded()
    backoff.failed()
    await backoff.wait()
    assert slept[-1] == chance * 0.5


async def test_a_group_member_waits_briefly_for_a_fetch_and_commits_nothing_by_itself() -> None:
    member = KafkaClients(ADDRESS).group_member("a-group", 10_000)
    try:
        seen = {
            name: getattr(member, name) for name in ("_fetch_max_wait_ms", "_group_id", "_enable_auto_commit")
        }
        assert seen == {
            "_fetch_max_wait_ms": FETCH_WAIT_MS,
            "_group_id": "a-group",
            "_enable_auto_commit": False,
        }
    finally:
        await member.stop()
