"""A real Prometheus, with the rules that ship, reads the page and answers what the API answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sinks.metrics.snapshot import EnvSnapshot
from tests.deploy.prometheus import prometheus
from tests.deploy.queries import DASHBOARDS, filled_in
from tests.streams.http.serving import serving
from tests.support.processes import needs

Scope = tuple[str, ...]
PROD: Scope = ("", "", "")
SSOE: Scope = ("ssoe", "", "")
RATIOS, PEOPLE = {PROD: 0.75, SSOE: 0.5}, {PROD: 1300, SSOE: 1200}
PATHS = {PROD: "prod", SSOE: "prod/ssoe"}
SNAPSHOT = EnvSnapshot(
    events={("ssoe", "idme", "bad"): 1200, ("ssoe", "idme", "good"): 1200},
    success_ratio={(scope, "1h"): ratio for scope, ratio in RATIOS.items()},
    users_impacted=PEOPLE,
    durations={("prod/ssoe", "1h", "0.99"): 2.5},
    severity={SSOE: 1},
    incidents_open={1: 1},
)


def sli(scope: Scope) -> bytes:
    counts = dict.fromkeys(("good", "bad", "excluded", "started", "slow"), 1)
    return json.dumps(
        {
            "type": "sli",
            "at": "2026-11-23T15:05:00Z",
            "scope": PATHS[scope],
            "window": "1h",
            **counts,
            "success_ratio": RATIOS[scope],
            "latency_ratio": 1.0,
            "users_impacted": PEOPLE[scope],
        }
    ).encode()


@pytest.mark.e2e
@needs("prometheus", "prometheus")
@pytest.mark.timeout(120)
async def test_a_prometheus_answers_what_the_api_answers_and_takes_every_query_of_the_dashboards(
    tmp_path: Path,
) -> None:
    async with serving() as served:
        served.metrics.set_env("prod", SNAPSHOT)
        served.metrics.observe_event_to_page(4.5, "prod-1")
        for scope, path in PATHS.items():
            served.views.apply("sli", f"{path}|1h".encode(), sli(scope))
        served.views.ready = True
        async with served.client.get("/api/v1/slis?scope=prod&scope=prod/ssoe") as response:
            told = {one["scope"]: one for one in (await response.json())["slis"]}
        async with prometheus(f"127.0.0.1:{served.client.port}", tmp_path) as asked:
            async with asyncio.timeout(100.0):
                while not await asked.scrapes():
                    await asyncio.sleep(0.1)
            for scope, path in PATHS.items():
                chosen = f'{{env="prod", auth_method="{scope[0]}", csp="", client_id=""}}'
                ((_, people),) = await asked.ask(f"watchofficer_users_impacted{chosen}")
                ((_, ratio),) = await asked.ask(f"watchofficer_success_ratio{chosen}")
                assert (people, ratio) == (told[path]["users_impacted"], told[path]["success_ratio"])
            counted = await asked.ask("sum by (result) (watchofficer_login_events_total)")
            assert {labels["result"]: value for labels, value in counted if value} == {
                "bad": 1200,
                "good": 1200,
            }
            assert await asked.ask("watchofficer_event_to_page_seconds_sum") != []
            assert [value for _, value in await asked.ask("watchofficer_request_duration_seconds")] == [2.5]
            for query in {query for dashboard in DASHBOARDS.values() for query in filled_in(dashboard)}:
                await asked.ask(query)
