"""A recording is played in order, with the times between its events, from the instant at which the demo begins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import format_instant, parse_instant
from streams.demo.recording import Recording
from streams.replay.entries import SourceError

THEN, NOW = 1_700_000_000_000, 1_790_000_000_000


def event(n: int, at: int, **more: Any) -> bytes:
    made = {"schema_version": 1, "event_id": f"e{n}", "occurred_at": format_instant(THEN + at), "env": "prod"}
    return json.dumps(
        made | {"auth_method": "sis", "step": "callback", "outcome": "success", **more}
    ).encode()


@given(st.lists(st.integers(0, 3_600_000), min_size=1, max_size=20))
def test_what_lies_between_events_stays_and_the_first_happens_at_the_start(times: list[int]) -> None:
    recording = Recording("a log", [event(n, at, csp="idme") for n, at in enumerate(times)], 60.0)
    played = [json.loads(line) for line in recording.lines(NOW)]
    assert [parse_instant(one["occurred_at"]) for one in played] == [
        NOW + at - min(times) for at in sorted(times)
    ]
    assert {one["event_id"] for one in played} == {f"e{n}" for n in range(len(times))}
    assert {one["csp"] for one in played} == {"idme"}
    assert recording.scenario.duration >= max(times) - min(times)


def test_what_is_no_event_is_left_out_and_counted() -> None:
    recording = Recording("a log", [b"no event", None, event(1, 0), event(2, 1, env=7)], 60.0)
    assert recording.left_out == 3
    assert len([*recording.lines(NOW)]) == 1
    with pytest.raises(SourceError, match="none of 2 records is a valid event: `watchofficer map` says why"):
        Recording("a log", [b"no event", None], 60.0)
