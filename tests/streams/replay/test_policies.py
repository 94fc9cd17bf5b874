"""`replay --policies`: each T by the policy that was in force there, from the topic's records or a dump of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.policy.policy import Policy
from streams.records.policies import PolicySchedule, encode_policy, policy_key, policy_record, schedule_of
from streams.replay.entries import SourceError
from streams.replay.policies.source import read_policies
from streams.replay.replay import Replay
from streams.replay.verdict_lines import objects
from streams.settings.policy_file import read_policy
from tests.support.oracle import NOON, SECOND, written

_SHORT = """
step: 5s
retention: 1h
severity: {{dwell: 10s, severity_1_over: {over}, severity_2_over: 5}}
lifecycle: {{recovering_after: 10s, recover_for: 60s, reopen_within: 2m, update_every: {every}, warning_waits: 5s}}
"""
FIRST = read_policy(_SHORT.format(over=20, every="2m"), "first")
SECOND_POLICY = read_policy(_SHORT.format(over=9_000, every="2m"), "second")
EQUAL = read_policy(_SHORT.format(over=20, every="121s"), "equal in effect until 121 s have passed")
CHANGE = NOON + 150 * SECOND
END = 240


def events() -> Iterator[tuple[int | None, bytes | None]]:
    """Two sign-ins a second; after two minutes those of one method fail."""
    for second in range(END):
        for method in ("sis", "ssoe"):
            failed = method == "ssoe" and second >= 120
            event = {
                "schema_version": 1,
                "event_id": f"{method} {second}",
                "env": "prod",
                "auth_method": method,
            }
            event |= {"occurred_at": written(NOON + second * SECOND), "step": "callback", "csp": "idme"}
            event |= {"outcome": "failure", "error_code": "007"} if failed else {"outcome": "success"}
            yield None, json.dumps(event | {"user_hash": f"{method} {second}"}).encode()


def told(policies: PolicySchedule | Policy) -> list[tuple[str, str]]:
    """Each transition with the hash of the policy that has judged it."""
    replay = Replay([events()], policies, now=NOON + END * SECOND)
    return [
        (replay.policy.hash, json.dumps(line, sort_keys=True))
        for verdict in replay.run()
        for line in objects([verdict])
        if line["type"] == "transition"
    ]


def scheduled(after: Policy) -> PolicySchedule:
    schedule = PolicySchedule()
    schedule.take(policy_record(FIRST, NOON, "a"), None)
    schedule.take(policy_record(after, CHANGE, "b"), None)
    return schedule


def test_a_change_counts_from_its_t_and_an_incident_goes_on() -> None:
    alone, changed = told(schedule_of(FIRST)), told(scheduled(SECOND_POLICY))
    before = [line for hashed, line in changed if hashed == FIRST.hash]
    after = [json.loads(line) for hashed, line in changed if hashed == SECOND_POLICY.hash]
    assert before
    assert before == [line for _, line in alone][: len(before)]
    assert {(line["incident"], line["severity"]) for line in after} >= {("prod-1", 2)}
    assert min(line["at"] for line in after) >= written(CHANGE)


def test_a_change_that_changes_nothing_yet_gives_the_same_verdicts() -> None:
    assert [line for _, line in told(scheduled(EQUAL))] == [line for _, line in told(FIRST)]


def test_the_records_are_read_from_plain_lines_and_from_kcat(tmp_path: Path) -> None:
    records = [policy_record(FIRST, NOON, "a"), policy_record(SECOND_POLICY, CHANGE, "b")]
    plain, dump = tmp_path / "plain.jsonl", tmp_path / "dump.jsonl"
    plain.write_bytes(b"\n".join(encode_policy(one) for one in records))
    envelopes = [
        {"topic": "policy", "partition": 0, "offset": n, "ts": stamp, "key": policy_key(one).decode()}
        | {"payload": encode_policy(one).decode()}
        for n, (one, stamp) in enumerate(zip(records, (NOON, CHANGE), strict=True))
    ]
    dump.write_text("\n".join(map(json.dumps, envelopes)))
    assert read_policies(str(plain)).at(CHANGE).hash == SECOND_POLICY.hash
    assert read_policies(str(dump)).at(CHANGE).hash == FIRST.hash  # the broker took the second too late
    plain.write_text('{"from": 7}\n')
    with pytest.raises(SourceError, match=r"plain\.jsonl:1: not a record of policy"):
        read_policies(str(plain))
    plain.write_text("")
    with pytest.raises(SourceError, match="holds no policy"):
        read_policies(str(plain))
