"""What `deploy/` holds for operators: valid, and about settings, commands and versions that there are."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from streams.cli.main import main
from streams.settings.settings import variables
from tests.support.processes import needs

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = DEPLOY / "helm"
VERSION = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["version"]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
FILES = [
    DEPLOY / "Containerfile",
    DEPLOY / "compose.yaml",
    DEPLOY / "examples" / "msk.env",
    DEPLOY / "examples" / "msk-iam.env",
    *sorted((DEPLOY / "systemd").glob("*.service")),
    *sorted((CHART / "templates").iterdir()),
]


def errors(**changes: Any) -> list[str]:
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(VALUES | changes)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_settings_that_there_are_stand_in_a_file(file: Path) -> None:
    known = {one.name for one in variables()}
    known |= {f"{one.name}_FILE" for one in variables() if one.secret}
    named = set(re.findall(r"WATCHOFFICER_[A-Z][A-Z_]*[A-Z]", file.read_text()))
    assert named - known - {"WATCHOFFICER_IMAGE"} == set()


def test_the_chart_has_the_version_of_the_package_and_values_of_its_schema() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    Draft7Validator.check_schema(SCHEMA)
    assert errors() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"BROKER": "k:9092", "PAGERDUTY__ROUTING_KEY": "in plain sight"}},
        {"settings": {"PORT": 1}},
        {"workers": {"replicas": 0}},
        {"replicas": 2},
        {"secrets": {"existingSecret": "s", "keys": ["routing-key"]}},
        {"settings": {"BROKER": "k:9092", "HTTP_TLS__CERT_FILE": "/nowhere/tls.crt"}},
    ],
)
def test_values_that_would_not_run_or_would_show_a_secret_are_refused(changes: dict[str, Any]) -> None:
    assert errors(**changes)


def test_every_secret_setting_is_refused_beside_the_others() -> None:
    secret = [one.name.removeprefix("WATCHOFFICER_") for one in variables() if one.secret]
    assert [name for name in secret if not errors(settings={"BROKER": "k", name: "x"})] == []


def test_the_parts_of_the_composed_watch_fit_each_other() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = composed["services"]
    assert {name for name in services if name.startswith("kafka-")} == {"kafka-1", "kafka-2", "kafka-3"}
    for name in ("worker-1", "worker-2", "guard"):
        one = services[name]
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        brokers = one["environment"]["WATCHOFFICER_BROKER"].split(",")
        assert {broker.partition(":")[0] for broker in brokers} <= services.keys()
    mounted = [one.split(":")[0] for service in services.values() for one in service.get("volumes", ())]
    assert [one for one in mounted if one.startswith("./") and not (DEPLOY / one).exists()] == []
    scraped = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {
        target.partition(":")[0]
        for job in scraped
        for one in job["static_configs"]
        for target in one["targets"]
    }
    assert targets == {"worker-1", "worker-2", "guard"}


def test_the_image_holds_all_that_the_package_is_built_from_and_runs_as_nobody() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    copied = [
        part for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for part in line.split()
    ]
    assert [part for part in copied if not (DEPLOY.parent / part).exists()] == []
    assert {"detectors", "sinks", "streams", "deploy/runbooks", "requirements.lock"} <= set(copied)
    assert re.search(r"^USER 65532:65532$", text, re.MULTILINE)
    (checked,) = re.findall(r'CMD \["watchofficer", "(\w+)"\]', text)
    assert checked in main.commands


@needs("systemd-analyze", "systemd")
def test_the_units_are_valid(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text().replace("/opt/watchofficer/bin/watchofficer", "/bin/true")
        (tmp_path / unit.name).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
