"""While most of what is read is rejected nothing resolves, in replay as live."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from detectors.instants import MINUTE, SECOND
from streams.replay.entries import Entry
from streams.replay.replay import Replay
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON, written

_OUTAGE, _END = 5 * MINUTE, 35 * MINUTE  # after the beginning


def event(at: int, number: int, *, version: int = 1) -> bytes:
    failed = at - NOON < _OUTAGE
    said = {
        "schema_version": version,
        "event_id": f"{version}-{at}-{number}",
        "occurred_at": written(at),
        "env": "prod",
        "auth_method": "ssoe",
        "step": "callback",
        "outcome": "failure" if failed else "success",
        "user_hash": f"u{at}-{number}",
        **({"error_code": "007"} if failed else {}),
    }
    return json.dumps(said).encode()


def entries(rejected: int, until: int) -> Iterator[Entry]:
    """Two events a second that fail for a while; in between, ``rejected`` records a second until ``until`` (ms)."""
    for at in range(NOON, NOON + _END, SECOND):
        for number in range(2):
            yield at, event(at, number)
        if _OUTAGE <= at - NOON < until:
            for number in range(rejected):
                yield at, event(at, number, version=2)


def resolved_at(rejected: int, until: int) -> list[int]:
    """When incidents resolve, ms after the beginning."""
    run = Replay([entries(rejected, until)], default_policy(), now=NOON)
    told = [transition for verdict in run.run() for transition in verdict.result.transitions]
    assert [one.kind for one in told if one.kind == "opened"] == ["opened"]
    return [one.at - NOON for one in told if one.kind == "resolved"]


@pytest.mark.long
def test_recovery_waits_while_most_is_rejected() -> None:
    (as_usual,) = resolved_at(0, 0)
    assert resolved_at(2, 15 * MINUTE) == [as_usual], "no more than half"
    (later,) = resolved_at(3, 15 * MINUTE)
    assert later - as_usual == pytest.approx(10 * MINUTE, abs=MINUTE)
