"""Which rules and dashboards ship, and which queries do they make?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

__all__ = ["DASHBOARDS", "DEPLOY", "PROMETHEUS", "RULES", "documented", "expressions", "filled_in", "rules"]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = sorted(PROMETHEUS.glob("*.rules.yml"))
#: The dashboards by the names of their files.
DASHBOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted((DEPLOY / "grafana" / "dashboards").iterdir())
}
#: What Grafana puts for the variables that it has itself.
_GRAFANA = {"__rate_interval": "1m"}


def rules() -> Iterator[dict[str, Any]]:
    """Every recording and alerting rule that ships."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def _asked(dashboard: dict[str, Any]) -> Iterator[str]:
    """The queries of a dashboard, as they are written: of its panels and of its annotations."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for one in dashboard["annotations"]["list"]:
        yield one["expr"]


def filled_in(dashboard: dict[str, Any]) -> list[str]:
    """The queries of a dashboard, with all values chosen where a variable stands.

    Raises:
        KeyError: a query has a variable that the dashboard does not.
    """
    values = _GRAFANA | {one["name"]: ".*" for one in dashboard["templating"]["list"]}
    return [re.sub(r"\$(\w+)", lambda found: values[found.group(1)], query) for query in _asked(dashboard)]


def expressions() -> list[str]:
    """All queries that ship, of rules and of dashboards."""
    return [rule["expr"] for rule in rules()] + [
        query for dashboard in DASHBOARDS.values() for query in filled_in(dashboard)
    ]


def documented() -> dict[str, set[str]]:
    """Name of each series that docs/metrics.md lists -> its labels. A test holds that table to the registry."""
    listed: dict[str, set[str]] = {}
    text = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    for name, labels in re.findall(r"^\| `(watchofficer_\w+)` \| ([^|]*)\|", text, re.MULTILINE):
        named = set(re.findall(r"`(\w+)`", labels))
        if "*scope*" in labels:
            named |= {"env", "auth_method", "csp", "client_id"}
        suffixes = ("_bucket", "_count", "_sum") if "le" in named else ("",)
        listed |= {name + suffix: named for suffix in suffixes}
    return listed
