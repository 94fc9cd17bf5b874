"""Objectives and burn-rate alerts as OpenSLO v1: what its specification asks for, and the policy's numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streams.cli.main import main
from streams.reports.openslo import openslo
from streams.settings.policy_file import default_policy, read_policy

NAME = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
DURATION = {"type": "string", "pattern": r"^[1-9][0-9]*[mhdwMQY]$"}
TEXT = {"type": "string", "minLength": 1, "maxLength": 1050}


def shape(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional,
        "additionalProperties": False,
    }


METRIC = shape(
    {
        "metricSource": shape(
            {"metricSourceRef": NAME, "type": TEXT, "spec": {"type": "object", "minProperties": 1}}
        )
    }
)
CALENDAR = shape(
    {
        "startTime": {"type": "string", "pattern": r"^\d{4}-\d\d-01 00:00:00$"},
        "timeZone": {"type": "string", "pattern": "^[A-Z][A-Za-z_]+/[A-Z][A-Za-z_]+$"},
    }
)
#: What the specification says of each kind, as far as it is written here. Nothing else may stand in a document.
SPECS = {
    "Service": shape({"description": TEXT}),
    "DataSource": shape({"type": TEXT, "connectionDetails": {"type": "object"}}),
    "SLI": shape(
        {
            "description": TEXT,
            "ratioMetric": shape({"counter": {"type": "boolean"}, "good": METRIC, "total": METRIC}),
        }
    ),
    "SLO": shape(
        {
            "description": TEXT,
            "service": NAME,
            "indicatorRef": NAME,
            "timeWindow": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": shape({"duration": DURATION, "calendar": CALENDAR, "isRolling": {"const": False}}),
            },
            "budgetingMethod": {"const": "Occurrences"},
            "objectives": {
                "type": "array",
                "minItems": 1,
                "items": shape(
                    {"displayName": TEXT, "target": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}}
                ),
            },
            "alertPolicies": {"type": "array", "items": NAME},
        }
    ),
    "AlertCondition": shape(
        {
            "description": TEXT,
            "severity": TEXT,
            "condition": shape(
                {
                    "kind": {"const": "burnrate"},
                    "op": {"enum": ["lte", "gte", "lt", "gt"]},
                    "threshold": {"type": "number"},
                    "lookbackWindow": DURATION,
                    "alertAfter": DURATION,
                }
            ),
        }
    ),
    "AlertPolicy": shape(
        {
            "description": TEXT,
            "alertWhenNoData": {"type": "boolean"},
            "alertWhenResolved": {"type": "boolean"},
            "alertWhenBreaching": {"type": "boolean"},
            "conditions": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": shape({"conditionRef": NAME}),
            },
            "notificationTargets": {"type": "array", "minItems": 1, "items": shape({"targetRef": NAME})},
        }
    ),
    "AlertNotificationTarget": shape({"target": TEXT, "description": TEXT}),
}


def check(documents: list[dict[str, Any]]) -> None:
    """Each document has the shape of its kind, a name of its own, and refers to what is there."""
    for document in documents:
        head = shape(
            {
                "apiVersion": {"const": "openslo/v1"},
                "kind": {"enum": sorted(SPECS)},
                "metadata": shape({"name": NAME, "displayName": TEXT}),
                "spec": SPECS[document["kind"]],
            }
        )
        Draft202012Validator(head).validate(document)
    names = Counter((one["kind"], one["metadata"]["name"]) for one in documents)
    assert set(names.values()) == {1}
    for kind, name in references(documents):
        assert (kind, name) in names


def references(documents: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for one in documents:
        spec = one["spec"]
        if one["kind"] == "SLO":
            found += [("Service", spec["service"]), ("SLI", spec["indicatorRef"])]
            found += [("AlertPolicy", name) for name in spec["alertPolicies"]]
        elif one["kind"] == "AlertPolicy":
            found += [("AlertCondition", condition["conditionRef"]) for condition in spec["conditions"]]
            found += [("AlertNotificationTarget", to["targetRef"]) for to in spec["notificationTargets"]]
        elif one["kind"] == "SLI":
            metric = spec["ratioMetric"]
            found += [
                ("DataSource", metric[part]["metricSource"]["metricSourceRef"]) for part in ("good", "total")
            ]
    return found


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in documents if one["kind"] == kind}


def test_the_shipped_policy_is_exported_with_its_numbers() -> None:
    documents = openslo(default_policy())
    check(documents)
    slos = of_kind(documents, "SLO")
    assert {name: spec["objectives"][0]["target"] for name, spec in slos.items()} == {
        "ssoe-availability": 0.999,
        "ssoe-latency": 0.95,
        "sis-availability": 0.999,
        "sis-latency": 0.95,
    }
    conditions = of_kind(documents, "AlertCondition")
    first = conditions["burn-rate-1h-5m"]["condition"]
    assert (first["threshold"], first["lookbackWindow"]) == (14.4, "1h")
    assert "at least 10 people fail" in conditions["burn-rate-1h-5m"]["description"]
    assert len(conditions) == len(default_policy().burn_rate.rules) + len(default_policy().latency.rules)
    assert "2430 ms" in of_kind(documents, "SLI")["ssoe-latency"]["description"]


def test_receivers_of_the_routes_are_targets_by_names_that_openslo_takes() -> None:
    policy = read_policy("routes: [{receivers: [email:the_leadership, teams]}]", "p.yaml")
    documents = openslo(policy, env="staging", topic_prefix="x.")
    check(documents)
    assert {"email-the-leadership", "teams", "pagerduty"} <= of_kind(
        documents, "AlertNotificationTarget"
    ).keys()
    assert of_kind(documents, "DataSource")["watchofficer"]["connectionDetails"]["topic"] == "x.sli-history"
    spec = of_kind(documents, "SLI")["sis-availability"]["ratioMetric"]["good"]["metricSource"]["spec"]
    assert spec == {"scope": "staging/sis", "counts": "sign_in", "sum": ["good"]}


@given(
    st.lists(
        st.tuples(st.sampled_from(["30m", "90m", "6h", "36h", "3d"]), st.sampled_from(["1m", "5m", "10m"])),
        min_size=1,
        unique=True,
    ),
    st.floats(0.5, 0.999999),
)
def test_any_rules_and_targets_make_valid_documents(rules: list[tuple[str, str]], target: float) -> None:
    given_rules = [{"long": long, "short": short, "factor": 2, "min_people": 3} for long, short in rules]
    text = json.dumps({"burn_rate": {"rules": given_rules}, "objectives": {"sis": {"availability": target}}})
    documents = openslo(read_policy(text, "p.yaml"))
    check(documents)
    windows = {"30m": "30m", "90m": "90m", "6h": "6h", "36h": "36h", "3d": "3d"}
    looked = [
        one["condition"]["lookbackWindow"] for name, one in of_kind(documents, "AlertCondition").items()
    ]
    assert [windows[long] for long, _ in rules] == looked[: len(rules)]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_command_prints_the_documents(form: str) -> None:
    shown = CliRunner().invoke(main, ["slo", "export", "--format", form])
    assert shown.exit_code == 0
    read = list(yaml.safe_load_all(shown.output)) if form == "yaml" else json.loads(shown.output)
    assert read == json.loads(json.dumps(openslo(default_policy())))
    assert not re.search(r"https?://", shown.output)
