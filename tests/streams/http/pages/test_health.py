"""Does HTTP say in words what does not get on?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.runtime.progress import Position, Why
from tests.streams.http.serving import NOW, Serving, serving


@pytest.fixture
async def served() -> AsyncIterator[Serving]:
    async with serving() as parts:
        yield parts


async def get(served: Serving, path: str) -> tuple[int, Any]:
    async with served.client.get(path) as response:
        return response.status, await response.json()


async def test_what_does_not_get_on_makes_it_unready_once_the_watch_is_blind_of_it(served: Serving) -> None:
    served.health.ready("evaluate")
    served.progress.stuck(Why.WRITE, "Topic sli refuses records", key="sli", remedy="Grant WRITE on it.")
    served.monotonic = 59.0
    assert (await get(served, "/readyz"))[0] == 200
    served.monotonic = 60.0
    status, body = await get(served, "/readyz")
    assert status == 503
    said = "Topic sli refuses records. Grant WRITE on it."
    assert body["parts"] == {"evaluate": "ok", "blind:write": said}
    assert body["error"]["message"] == f"blind:write: {said}"
    assert (await get(served, "/healthz"))[0] == 200  # a restart would not help
    served.progress.going(Why.WRITE, "sli")
    assert (await get(served, "/readyz"))[0] == 200


async def test_the_report_has_all_that_is_measured(served: Serving) -> None:
    served.health.ready("evaluate")
    served.health.unready("views", "the topics are still being read")
    served.progress.beat("loop")
    served.progress.stalled(0.12)
    served.progress.stuck(Why.PARTITION, "Partition 3 stands", key="3")
    served.progress.evaluated("prod", NOW - 4_000)
    served.progress.set_fleet({"prod": NOW - 14_000, "staging": NOW - 9_000})
    served.progress.read_to(3, Position(10, 12))
    served.progress.set_unsent({"pagerduty": NOW - 65_000})
    served.progress.broker_ahead = -1_000
    served.monotonic = 75.0
    status, body = await get(served, "/api/v1/health")
    assert status == 200
    assert body == {
        "status": "blind",
        "at": "2026-11-23T15:05:00Z",
        "parts": {"evaluate": "ok", "views": "the topics are still being read"},
        "stalled": {},
        "blind": {"partition": body["blind"]["partition"]},
        "obstacles": [
            {
                "why": "partition",
                "key": "3",
                "since": "2026-11-23T15:03:45Z",
                "age_seconds": 75.0,
                "sentence": "Partition 3 stands",
                "remedy": "",
                "blind": True,
            }
        ],
        "evaluated": {
            "prod": {"to": "2026-11-23T15:04:56Z", "lag_seconds": 3.0, "here": True},
            "staging": {"to": "2026-11-23T15:04:51Z", "lag_seconds": 8.0, "here": False},
        },
        "positions": {"3": {"offset": 10, "end": 12}},
        "loop": {"last_beat_seconds": 75.0, "longest_seconds": 0.12},
        "broker_clock_ahead_seconds": -1.0,
        "oldest_unsent_seconds": {"pagerduty": 65.0},
        "told": {},
    }
    assert body["blind"]["partition"].startswith("Partition 3 stands. See the partition's leader")
    served.progress.going(Why.PARTITION, "3")
    assert (await get(served, "/api/v1/health"))[1]["status"] == "not_ready"
    served.health.ready("views")
    assert (await get(served, "/api/v1/health"))[1]["status"] == "ok"
