"""How do tests let a real Prometheus scrape a server, with the rules that ship, and ask it?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from streams.kafka.embedded_broker import free_port
from tests.deploy.queries import RULES

__all__ = ["Prometheus", "prometheus"]


class Prometheus:
    """A running Prometheus, which is asked over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Return the series that answer an instant query, with their labels and finite values.

        Raises:
            AssertionError: Prometheus refuses the query.
        """
        answer = (await self._client.post("/api/v1/query", data={"query": query})).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        data = answer["data"]
        found: list[dict[str, Any]] = (
            [{"metric": {}, "value": data["result"]}] if data["resultType"] == "scalar" else data["result"]
        )
        values = [(one["metric"], float(one["value"][1])) for one in found]
        return [(labels, value) for labels, value in values if math.isfinite(value)]

    async def scrapes(self) -> bool:
        """Say whether the last scrape brought a page that Prometheus could read."""
        with suppress(httpx.TransportError, ValueError, AssertionError):
            return [value for _, value in await self.ask("up")] == [1]
        return False


@asynccontextmanager
async def prometheus(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes ``target`` (``host:port``) each second; it ends with the context."""
    port = free_port()
    configuration = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in RULES],
        "scrape_configs": [{"job_name": "watchofficer", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", timeout=10.0, trust_env=False, verify=False
            ) as client:
                yield Prometheus(client)
        finally:
            process.kill()
            await process.wait()
