"""The team's own fields of an incident in Datadog come from the settings, and keep no incident from being made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from sinks import sandbox
from sinks.receivers.answers import Delivered
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.datadog.config import DatadogSettings
from sinks.receivers.datadog.fields import field_rules
from sinks.receivers.datadog.wording import render
from sinks.sandbox import DatadogSandbox
from tests.sinks.receivers.datadog.official import check_with_the_official_model
from tests.sinks.samples import NAMES, OPENED, Time, command, incident, no_receipts

TEAM = """{
  "teams": {"type": "autocomplete", "value": ["Platform Identity"]},
  "services": {"type": "autocomplete", "value": ["Identity"]},
  "Priority": {"type": "dropdown", "from": "priority"},
  "Monitor": {"type": "textbox", "from": "monitor"},
  "Controller": {"type": "dropdown", "from": "auth_method", "table": {"sis": "v0/sign_in", "ssoe": "v1/session"}},
  "Acknowledged by Team": {"type": "dropdown", "from": "acknowledged"},
  "Sub Service": {"type": "textbox", "from": "sub_service"},
  "detection_method": {"type": "dropdown", "from": "detection_method"},
  "Users Impacted": {"type": "textbox", "from": "people"}
}"""


def fields(action: str = "incident_create", **changes: Any) -> dict[str, Any]:
    given = command("datadog", action, incident=incident(**changes))
    body = render(given, now=OPENED, incident_id="i", names=NAMES, fields=field_rules(TEAM)).body
    check_with_the_official_model(action, body)
    found: dict[str, Any] = body["data"]["attributes"]["fields"]
    return found


@pytest.mark.parametrize("action", ["incident_create", "incident_update", "incident_resolve"])
def test_the_teams_fields_are_filled(action: str) -> None:
    found = fields(action, acknowledged_at=OPENED)
    assert {name: one["value"] for name, one in found.items() if name not in ("severity", "state")} == {
        "teams": ["Platform Identity"],
        "services": ["Identity"],
        "Priority": "P1",
        "Monitor": "burn_rate, outage",
        "Controller": "v1/session",
        "Acknowledged by Team": "yes",
        "Sub Service": "SSOe sign-in",
        "detection_method": "monitor",
        "Users Impacted": "9431",
    }


def test_what_is_not_known_is_left_to_people() -> None:
    assert "Controller" not in fields(scope="prod")
    assert fields(causes=("reported",))["detection_method"]["value"] == "employee"


@pytest.mark.parametrize(
    ("now", "peak", "left"), [("SEV-4", 1, "SEV-2"), ("SEV-4", 2, "SEV-3"), ("SEV-1", 1, "SEV-1")]
)
def test_the_worst_severity_is_left_standing(now: str, peak: int, left: str) -> None:
    over = fields("incident_resolve", datadog_severity=now, peak_severity=peak, state="resolved")
    assert over["severity"]["value"] == left
    assert fields("incident_update", datadog_severity=now, peak_severity=peak)["severity"]["value"] == now


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        '{"a": {"type": "number", "value": "1"}}',
        '{"a": {"type": "dropdown"}}',
        '{"a": {"type": "dropdown", "value": "1", "from": "priority"}}',
        '{"severity": {"type": "dropdown", "value": "SEV-1"}}',
        '{"a": {"type": "dropdown", "vaule": "1"}}',
    ],
)
def test_what_is_no_map_of_fields_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError):
        DatadogSettings(fields=text)


async def test_fields_that_datadog_refuses_keep_no_incident_from_being_made() -> None:
    time = Time()
    datadog = DatadogSandbox(
        clock=time.clock,
        sleep=time.sleep,
        api_key=sandbox.DATADOG_API_KEY,
        app_key=sandbox.DATADOG_APP_KEY,
    )
    await datadog.start()
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            client = Datadog(
                http,
                api_key=SecretStr(sandbox.DATADOG_API_KEY),
                app_key=SecretStr(sandbox.DATADOG_APP_KEY),
                base_url=datadog.url,
                names=NAMES,
                clock=time.clock,
                fields=field_rules(TEAM),
            )
            refused = iter([None, True])
            original = datadog._take_fault

            def refuse_the_creation(path: str) -> Any:
                if path == "/api/v2/incidents" and next(refused, None) is None:
                    datadog.fail(1, status=400, path=path)
                return original(path)

            datadog._take_fault = refuse_the_creation  # type: ignore[method-assign]
            answer = await client.send(command("datadog", "incident_create"), no_receipts)
    finally:
        await datadog.stop()
    assert isinstance(answer, Delivered)
    posts = [one for one in datadog.requests if one.method == "POST"]
    assert [one.status for one in posts] == [400, 201]
    assert "Priority" in posts[0].body["data"]["attributes"]["fields"]
    assert "Priority" not in posts[1].body["data"]["attributes"]["fields"]
