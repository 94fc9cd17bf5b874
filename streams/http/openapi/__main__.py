"""``python -m streams.http.openapi`` writes ``deploy/openapi.json``. A test compares that file with what is served."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from detectors.incidents import IncidentInput
from sinks.metrics.prometheus import Metrics
from streams.http.api import routes
from streams.http.charts import Charts
from streams.http.openapi.document import openapi, render
from streams.http.views import Views
from streams.settings.policy_file import default_policy
from streams.settings.settings import Settings
from streams.watchdog.report import Report

_FILE = Path("deploy", "openapi.json")


def _nothing(*given: object) -> Report:
    raise NotImplementedError("these routes are described, not served")


async def _no_input(value: IncidentInput) -> object:
    return _nothing(value)


def _main() -> None:
    metrics = Metrics(clock=lambda: 0, version=version("watchofficer"), policy="")
    views = Views()
    charts = Charts(views, default_policy, None, clock=lambda: 0)
    table = routes(
        views, metrics, _nothing, _no_input, Settings(), default_policy, clock=lambda: 0, charts=charts
    )
    _FILE.write_text(render(openapi((one.method, one.path, one.handler) for one in table)), encoding="utf-8")
    print(_FILE)


if __name__ == "__main__":
    _main()
