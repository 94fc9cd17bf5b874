"""The rules that ship: valid, tested by promtool, and about metrics that there are."""

from __future__ import annotations

import re
import subprocess

import yaml

from detectors.instants import format_duration
from streams.runtime.progress import Why
from streams.settings.policy_file import default_policy
from tests.deploy.queries import DEPLOY, PROMETHEUS, documented, expressions, rules
from tests.support.processes import needs

needs_promtool = needs("promtool", "prometheus")
needs_amtool = needs("amtool", "prometheus-alertmanager")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_configuration_with_its_rules() -> None:
    run("promtool", "check", "config", "prometheus.yml")


@needs_promtool
def test_the_rules_pass_their_unit_tests() -> None:
    run("promtool", "test", "rules", "watchofficer.test.yml")


@needs_amtool
def test_amtool_accepts_the_routing_of_alerts() -> None:
    run("amtool", "check-config", "alertmanager.yml")


#: A selector with its labels, and the labels that an aggregation or a match goes by.
SELECTOR = re.compile(r"([a-z_]*:?(?:watchofficer|process)_\w+(?::\w+)?|\bup)(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
#: Labels that Prometheus gives to what it scrapes.
SCRAPED = {"job", "instance"}


def test_rules_and_dashboards_speak_of_series_and_labels_that_are_exported_or_recorded() -> None:
    known = documented() | {
        "up": set(),
        "process_cpu_seconds_total": set(),
        "process_resident_memory_bytes": set(),
    }
    every = set().union(*known.values()) | SCRAPED
    for rule in rules():
        if "record" in rule:
            level = rule["record"].partition(":")[0]
            known[rule["record"]] = {label for label in every if re.search(rf"(^|_){label}(_|$)", level)}
    named = [(text, *found) for text in expressions() for found in SELECTOR.findall(text)]
    assert named
    for text, name, selector in named:
        assert name in known, text
        assert set(re.findall(r"(\w+)(?:!=|=~|!~|=)\"", selector)) <= known[name] | SCRAPED, text
    for text in expressions():
        renamed = set(re.findall(r'"(\w+)", "\$1"', text))
        for labels in BY.findall(text):
            assert set(re.findall(r"\w+", labels)) <= every | renamed, text


def test_budgets_burn_too_fast_by_the_rules_of_the_shipped_policy() -> None:
    form = re.compile(
        r'window="(\w+)"\} > ([\d.]+)\s+and on .*window="(\w+)"\} > ([\d.]+)\s+and on .*impacted:max >= (\d+)'
    )
    alerts = [rule for rule in rules() if rule.get("alert") == "WatchofficerBudgetBurns"]
    found = [match.groups() for alert in alerts if (match := form.search(alert["expr"]))]
    assert [
        (long, float(one), short, float(other), int(people)) for long, one, short, other, people in found
    ] == [
        (format_duration(rule.long), rule.factor, format_duration(rule.short), rule.factor, rule.min_people)
        for rule in default_policy().burn_rate.rules
    ]
    assert [alert["labels"]["window"] for alert in alerts] == [long for long, *_ in found]


def test_each_kind_of_blindness_has_a_rule_and_a_section_that_says_what_to_do() -> None:
    asked = {why for rule in rules() for why in re.findall(r'why="(\w+)"', rule["expr"])}
    assert asked == {why.value for why in Why}
    sections = re.findall(
        r"^### `(\w+)`", (DEPLOY.parent / "docs" / "blindness.md").read_text(), re.MULTILINE
    )
    assert sorted(sections) == sorted(asked)


SCOPED = re.compile(
    r"(?<!:)watchofficer_(?:success_ratio|latency_ratio|burn_rate|users_impacted\w*|error_budget_\w+|incident_severity)\b"
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


def test_each_alert_has_a_row_that_says_what_to_do() -> None:
    page = (DEPLOY.parent / "docs" / "operations.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert [alert for alert in sorted(alerts) if not any(f"`{alert}`" in row for row in rows)] == []
