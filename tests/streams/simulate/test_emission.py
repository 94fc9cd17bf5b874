"""Simulated lines are valid login events, as the pipeline reads them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from detectors.instants import MINUTE, SECOND, parse_instant
from detectors.scopes import CSPS, ENVS, METHODS, OUTCOMES, STEPS
from streams.events.decode import decode_many
from streams.events.login_event import FORBIDDEN, LoginEvent
from streams.simulate import Episode, simulate

PEAK = parse_instant("2026-10-06T14:00:00-04:00")
ANYTHING = {
    "outage": Episode(effect="failure", scope="prod", at=0, share=0.3, errors="sis_down"),
    "surge": Episode(effect="surge", scope="prod/*/logingov", at=0, share=0.3, errors="user_errors"),
    "slow": Episode(effect="slow", scope="prod", at=0, share=0.3, factor=8),
    "bot": Episode(effect="bot", scope="staging/sis/mhv", at=0, per_minute=30),
    "late": Episode(effect="late", scope="prod", at=0, share=0.1, delay=(3 * SECOND, 90 * SECOND)),
    "duplicate": Episode(effect="duplicate", scope="prod", at=0, share=0.1, delay=(0, 60 * SECOND)),
}


def played(*names: str, seed: int = 1) -> list[dict[str, Any]]:
    episodes = [ANYTHING[name] for name in names]
    return [
        json.loads(line) for line in simulate("healthy", seed, PEAK, 15 * MINUTE, episodes=episodes).lines()
    ]


def test_every_line_decodes_as_a_login_event() -> None:
    simulation = simulate("healthy", 1, PEAK, 15 * MINUTE, episodes=list(ANYTHING.values()))
    decoded = decode_many(simulation.lines())
    assert len(decoded) > 10_000
    assert all(isinstance(event, LoginEvent) for event in decoded)


def test_every_field_has_a_value_that_the_schema_knows() -> None:
    events = played(*ANYTHING)
    assert {e["schema_version"] for e in events} == {1}
    assert {e["env"] for e in events} == set(ENVS) - {"localhost"}
    assert {e["auth_method"] for e in events} == set(METHODS)
    assert {e["step"] for e in events} == set(STEPS) - {"revoke"}
    assert {e["outcome"] for e in events} == set(OUTCOMES)
    assert {e["csp"] for e in events} == {*CSPS, None}
    assert {e["direction"] for e in events if "direction" in e} == {"inbound", "outbound"}
    assert not {field for e in events for field in e}.intersection(FORBIDDEN)
    assert all(isinstance(e["duration_ms"], int) and e["duration_ms"] >= 0 for e in events)


def test_each_step_carries_what_its_request_knows() -> None:
    for event in played("outage"):
        of_a_flow = event["step"] in ("new", "authorize", "callback")
        assert (event["csp"] is not None) == of_a_flow
        for field in ("flow_id", "login_type", "operation", "direction", "acr"):
            assert (field in event) == of_a_flow
        assert ("authentication_time_s" in event) == (event["step"] == "callback")
        assert ("error_class" in event) == (event["outcome"] == "failure")
        assert "error_code" not in event or event["outcome"] == "failure"
        if event["step"] in ("new", "authorize"):
            assert event["user_hash"] is None
        elif event["outcome"] == "success":
            assert event["user_hash"].startswith("h:")
        assert {"request_id", "client_id"} <= event.keys()


def test_a_failure_may_come_without_a_code() -> None:
    failures = [e for e in played("outage") if e["outcome"] == "failure"]
    assert 0 < sum("error_code" not in e for e in failures) < len(failures) / 2


def test_event_ids_are_unique_and_flows_have_one_callback() -> None:
    events = played()
    assert len({e["event_id"] for e in events}) == len(events)
    callbacks = Counter(e["flow_id"] for e in events if e["step"] == "callback")
    assert set(callbacks.values()) == {1}


def test_a_healthy_run_is_delivered_in_order_of_time() -> None:
    times = [e["occurred_at"] for e in played()]
    assert times == sorted(times)


def test_late_events_come_after_younger_ones_by_no_more_than_their_delay() -> None:
    greatest, lags = 0, []
    for event in played("late"):
        at = parse_instant(event["occurred_at"])
        greatest = max(greatest, at)
        lags.append(greatest - at)
    late = sum(lag > 2 * SECOND for lag in lags) / len(lags)
    assert late == pytest.approx(0.1, abs=0.02)
    assert 80 * SECOND < max(lags) <= 90 * SECOND


def test_late_delivery_changes_when_events_come_not_which() -> None:
    def key(event: dict[str, Any]) -> str:
        return str(event["event_id"])

    assert sorted(played("late"), key=key) == sorted(played(), key=key)


def test_duplicates_are_the_same_bytes_again_within_their_delay() -> None:
    simulation = simulate("healthy", 1, PEAK, 15 * MINUTE, episodes=[ANYTHING["duplicate"]])
    lines = list(simulation.lines())
    counts = Counter(lines)
    assert max(counts.values()) == 2
    assert sum(n == 2 for n in counts.values()) / len(counts) == pytest.approx(0.1, abs=0.02)
    assert set(counts) == set(simulate("healthy", 1, PEAK, 15 * MINUTE).lines())
