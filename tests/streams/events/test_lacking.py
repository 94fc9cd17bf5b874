"""What events leave out is told without naming anybody, and once, however many values a producer makes up."""

from __future__ import annotations

import msgspec
import pytest
from structlog.testing import capture_logs

from streams.events.decode import decode
from streams.events.lacking import ENOUGH, Sampled
from streams.events.login_event import LoginEvent
from streams.ingest.blocks import Folded
from streams.ingest.input_health import InputHealth
from streams.settings.policy_file import default_policy


def login(number: int, method: str) -> bytes:
    event = {
        "schema_version": 1,
        "event_id": f"{number}",
        "occurred_at": "2026-11-23T15:00:00Z",
        "env": "prod",
    }
    event |= {"auth_method": method, "step": "callback", "outcome": "success", "csp": "idme", "flow_id": "f"}
    return msgspec.json.encode(event)


@pytest.mark.parametrize("method", ["123-45-6789", "ada@example.com", "192.0.2.7"])
def test_a_method_that_says_who_somebody_is_is_not_named(method: str) -> None:
    sampled = Sampled()
    for number in range(ENOUGH):
        event = decode(login(number, method))
        assert isinstance(event, LoginEvent)
        sampled.note(event)
    (lack,) = sampled.lacks(default_policy())
    assert "but of other" in str(lack)
    assert method not in str(lack)


def test_one_kind_of_lack_is_logged_once_though_the_values_go_on_changing() -> None:
    health = InputHealth(["login-events"], lambda: 0.0, default_policy())
    with capture_logs() as logs:
        for number in range(640):
            health.note("login-events", Folded(1, [], example=login(number, f"made-up-{number}")))
    assert [one["event"] for one in logs] == ["input_not_judged_well"]
