"""When do Prometheus and Alertmanager alert on watchofficer's metrics? Both run beside a worker and call a webhook.

The alerting rule has no ``for``, and the threshold of the shipped policy's rule with an equal window, so that only
scraping (every 15 s), evaluating (every 15 s) and grouping (30 s) take time.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import yaml
from aiohttp import web

from detectors.instants import parse_instant
from streams.kafka.embedded_broker import free_port

__all__ = ["NoPrometheus", "Notified", "PrometheusBeside", "versions"]

_READY_SECONDS = 30.0
_POLL = 0.1
_PROMETHEUS, _ALERTMANAGER = "prometheus", ("prometheus-alertmanager", "alertmanager")
_BAD = 'sum by (instance, auth_method) (rate(watchofficer_login_events_total{env="prod", result="bad"}[1m]))'
_DONE = 'sum by (instance, auth_method) (rate(watchofficer_login_events_total{env="prod", result=~"good|bad"}[1m]))'


class NoPrometheus(Exception):
    """Prometheus or Alertmanager is not installed, or does not start. The message names what is missing."""


@dataclass(frozen=True)
class Notified:
    """A notification that the webhook received.

    It states when it arrived (ms), the worker (``host:port``) and method, and since when the alert fired (ms).
    """

    at: int
    instance: str
    method: str
    since: int


class PrometheusBeside:
    """Both processes and the webhook, in one asynchronous context.

    Args:
        targets: ``host:port`` of the workers.
        folder: the folder for data and logs of both processes.
        clock: ms since the epoch.
        every: seconds between scrapes, and between evaluations.
        group_wait: Alertmanager's ``group_wait``, seconds.
    """

    def __init__(
        self,
        targets: Sequence[str],
        folder: Path,
        clock: Callable[[], int],
        every: int = 15,
        group_wait: int = 30,
    ) -> None:
        self.notified: list[Notified] = []
        self._targets = list(targets)
        self._folder = folder
        self._clock = clock
        self._every = every
        self._group_wait = group_wait
        self._processes: list[subprocess.Popen[bytes]] = []
        self._runner: web.AppRunner | None = None

    @staticmethod
    def programs() -> tuple[str, str]:
        """Return the paths of both programs.

        Raises:
            NoPrometheus: one of them is not installed.
        """
        prometheus = shutil.which(_PROMETHEUS)
        alertmanager = next(filter(None, map(shutil.which, _ALERTMANAGER)), None)
        if prometheus is None or alertmanager is None:
            raise NoPrometheus(
                "apt-get install prometheus prometheus-alertmanager (RUNLEVEL=1 starts neither)"
            )
        return prometheus, alertmanager

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        prometheus, alertmanager = self.programs()
        app = web.Application()
        app.router.add_post("/", self._receive)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        webhook, one, other = free_port(), free_port(), free_port()
        await web.TCPSite(self._runner, "127.0.0.1", webhook).start()
        self._write("alertmanager.yml", self._routing(webhook))
        self._write("rules.yml", _rules(self._every))
        self._write("prometheus.yml", self._scraping(other))
        self._spawn(
            alertmanager,
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{other}",
            "--cluster.listen-address=",
        )
        self._spawn(
            prometheus,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{one}",
        )
        await self._ready(f"http://127.0.0.1:{other}/-/ready")
        await self._ready(f"http://127.0.0.1:{one}/-/ready")

    async def _stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, 10)
            process.kill()
            process.wait()
        if self._runner is not None:
            await self._runner.cleanup()

    def _scraping(self, alertmanager: int) -> dict[str, Any]:
        every = f"{self._every}s"
        return {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
            "scrape_configs": [
                {"job_name": "watchofficer", "static_configs": [{"targets": self._targets}]},
            ],
        }

    def _routing(self, webhook: int) -> dict[str, Any]:
        return {
            "route": {
                "receiver": "webhook",
                "group_by": ["alertname", "instance", "auth_method"],
                "group_wait": f"{self._group_wait}s",
                # A group ends soon after its alert, so that the next alert waits as long as the first one.
                "group_interval": f"{self._every}s",
                "repeat_interval": "1h",
            },
            "receivers": [
                {
                    "name": "webhook",
                    "webhook_configs": [{"url": f"http://127.0.0.1:{webhook}/", "send_resolved": False}],
                }
            ],
        }

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_text(yaml.safe_dump(content))

    def _spawn(self, *command: str) -> None:
        log = self._folder / f"{Path(command[0]).name}.log"
        with log.open("ab") as output:
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            )

    async def _ready(self, url: str) -> None:
        async with httpx.AsyncClient(timeout=5.0, trust_env=False, verify=False) as client:
            for _ in range(round(_READY_SECONDS / _POLL)):
                with suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == 200:
                        return
                await asyncio.sleep(_POLL)
        raise NoPrometheus(f"{url} does not answer; see the logs in {self._folder}")

    async def _receive(self, request: web.Request) -> web.Response:
        at = self._clock()
        for alert in msgspec.json.decode(await request.read())["alerts"]:
            if alert["status"] == "firing":
                labels, since = alert["labels"], parse_instant(alert["startsAt"])
                self.notified.append(Notified(at, labels["instance"], labels["auth_method"], since))
        return web.Response()


def versions() -> str:
    """Return the names of both programs with their versions, as far as they are installed."""
    said = []
    for name, programs in (("Prometheus", (_PROMETHEUS,)), ("Alertmanager", _ALERTMANAGER)):
        program = next(filter(None, map(shutil.which, programs)), None)
        version = None
        if program is not None:
            told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
            version = re.search(r"version (\d[\w.]*)", told.stdout + told.stderr)
        said.append(f"{name} {version[1]}" if version else name)
    return " and ".join(said)


def _rules(every: int) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": "sign-in",
                "interval": f"{every}s",
                "rules": [{"alert": "SignInFailing", "expr": f"{_BAD} / {_DONE} > 0.10"}],
            }
        ]
    }
