"""The rules and the dashboard that ship: valid, tested by promtool, and about metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from sinks.metrics.prometheus import Metrics
from sinks.metrics.snapshot import EnvSnapshot
from streams.runtime.progress import Why
from tests.support.processes import needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = sorted(PROMETHEUS.glob("*.rules.yml"))
DASHBOARD = DEPLOY / "grafana" / "watchofficer.json"

needs_promtool = needs("promtool", "prometheus")
needs_amtool = needs("amtool", "prometheus-alertmanager")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> Iterator[dict[str, Any]]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def exported() -> set[str]:
    metrics = Metrics(
        clock=lambda: 0,
        burn_windows=("1h",),
        methods=("ssoe",),
        reasons=("x",),
        whys=("lag",),
        version="0",
        policy="0",
    )
    metrics.set_env("prod", EnvSnapshot(watermark=0, clocks={("response", 1): 0}))
    metrics.set_rejected({})
    metrics.set_producer_lags({0: 0})
    metrics.count_delivery("slack", "delivered")
    metrics.watch.set_pending({"slack": 0}, {"slack": 0.0})
    metrics.receivers.expect(["slack"])
    metrics.watch.set_blind(frozenset(), {"prod": 0.0})
    families = text_string_to_metric_families(metrics.render()[0].decode())
    return {sample.name for family in families for sample in family.samples}


@needs_promtool
def test_promtool_accepts_the_configuration_with_its_rules() -> None:
    run("promtool", "check", "config", "prometheus.yml")


@needs_promtool
def test_the_rules_pass_their_unit_tests() -> None:
    run("promtool", "test", "rules", "watchofficer.test.yml")


@needs_amtool
def test_amtool_accepts_the_routing_of_alerts() -> None:
    run("amtool", "check-config", "alertmanager.yml")


def test_rules_and_dashboard_speak_of_series_that_are_exported_or_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = exported() | recorded | {"up"}
    named = {
        name for text in expressions() for name in re.findall(r"[a-z_]*:?watchofficer_[a-z_]+(?::\w+)?", text)
    }
    assert named
    assert named <= known


def test_each_kind_of_blindness_has_a_rule_and_a_section_that_says_what_to_do() -> None:
    asked = {why for rule in rules() for why in re.findall(r'why="(\w+)"', rule["expr"])}
    assert asked == {why.value for why in Why}
    sections = re.findall(
        r"^### `(\w+)`", (DEPLOY.parent / "docs" / "blindness.md").read_text(), re.MULTILINE
    )
    assert sorted(sections) == sorted(asked)


SCOPED = re.compile(
    r"watchofficer_(?:success_ratio|latency_ratio|burn_rate|users_impacted\w*|error_budget_\w+|incident_severity)\b"
    r"(\{[^}]*\})?"
)


def test_a_gauge_of_scopes_is_asked_for_one_kind_of_scope_so_that_narrower_ones_do_not_match() -> None:
    asked = [found.group(1) or "" for text in expressions() for found in SCOPED.finditer(text)]
    assert asked
    for selector in asked:
        assert {"auth_method", "csp", "client_id"} <= set(re.findall(r"(\w+)!?=~?\"", selector))


def test_a_ratio_is_never_averaged() -> None:
    assert not [text for text in expressions() if re.search(r"\bavg\b|avg_over_time", text)]


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"]
        assert alert["annotations"]["summary"]
        assert alert["annotations"].get("description") or alert["alert"] == "Watchdog"


def test_every_alert_has_a_unit_test() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load((PROMETHEUS / "watchofficer.test.yml").read_text())["tests"]
        for case in test.get("alert_rule_test", ())
        if case.get("exp_alerts")
    }
    assert tested == {rule["alert"] for rule in rules() if "alert" in rule}
