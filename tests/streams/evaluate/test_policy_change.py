"""A change of the policy: each T is judged by the policy in force there, live as in replay, whatever crashes."""

from __future__ import annotations

import json
from importlib.metadata import version
from random import Random

import pytest

from detectors.engine.engine import Engine
from detectors.engine.state import EngineState
from detectors.history.history import History
from detectors.instants import parse_instant
from detectors.policy.policy import Policy
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.policies.book import FixedPolicy
from streams.evaluate.shard_state import covered_from, read_back
from streams.records.policies import PolicySchedule, policy_record
from streams.records.verdicts import decode_command, log_line
from streams.settings.policy_file import read_policy
from tests.detectors.engine.episodes import ENV, POLICY, STEP, rows_of
from tests.streams.evaluate.test_service import OUTAGE, Shard
from tests.support.oracle import NOON, SECOND
from tests.support.stepped_kafka import SINKS, TOPICS

#: Another severity for the same people, and updates more often.
OTHER: Policy = read_policy(
    """
step: 5s
retention: 1h
sli_every: 5s
severity: {dwell: 10s, severity_1_over: 9000, severity_2_over: 8000}
lifecycle: {recovering_after: 10s, recover_for: 60s, reopen_within: 2m, faded_after: 10m, update_every: 90s,
  scope_change_every: 30s, warning_waits: 5s, resolve_grace: 30s}
""",
    "another",
)
CHANGE = NOON + 95 * SECOND
END = NOON + 120 * SECOND


def schedule_with(change: int) -> PolicySchedule:
    schedule = PolicySchedule()
    schedule.take(policy_record(POLICY, NOON, "a"), None)
    schedule.take(policy_record(OTHER, change, "b"), None)
    return schedule


def replayed(change: int) -> set[str]:
    """The incident log, as a replay writes it."""

    def make(policy: Policy, state: EngineState | None = None) -> Evaluator:
        return Evaluator(
            policy, lambda env: Engine(env, policy, History.of(env, policy), state=state, sinks=SINKS)
        )

    first, rows, last = make(POLICY), rows_of(OUTAGE), change - STEP
    first.add({ENV: rows})
    told = [(verdict, POLICY) for verdict in first.advance(last)]
    second = make(OTHER, first.engine(ENV).state())
    judged = [row for row in rows if row.arrives(STEP) <= last]
    second.go_on_from(first, {ENV: judged}, covered_from(last - read_back(OTHER), OTHER))
    told += [(verdict, OTHER) for verdict in second.advance(END)]
    return {
        json.dumps(log_line(one, {}, policy.hash), sort_keys=True)
        for verdict, policy in told
        for one in verdict.result.transitions
    }


def live(schedule: PolicySchedule, crashes: int, seed: int) -> tuple[set[str], set[str]]:
    """The incident log of workers of which some end in the middle, and the ids of the changes that they tell."""
    random, shard = Random(seed), Shard()

    class Known(FixedPolicy):
        async def settled(self, to: int) -> PolicySchedule:
            return schedule

    shard.world.policies = Known(POLICY)
    shard.crash()
    for until in (60, 90, 100, 120):
        shard.facts(until * SECOND)
        for _ in range(crashes):
            for _ in range(random.randrange(12)):
                shard.worker.step()
            shard.crash()
        shard.judge()
    lines = [json.loads(value) for value in shard.values(TOPICS.incident_log)]
    told = {decode_command(value).id for value in shard.values(TOPICS.commands)}
    log = {json.dumps(line | {"offsets": {}}, sort_keys=True) for line in lines if "policy_hash" in line}
    return log, {one for one in told if one.startswith("change:")}


@pytest.mark.parametrize("crashes", [0, 2])
def test_a_change_is_judged_live_as_in_a_replay(crashes: int) -> None:
    found, told = live(schedule_with(CHANGE), crashes, seed=crashes)
    assert found == replayed(CHANGE)
    lines = [json.loads(line) for line in found]
    assert {line["incident"] for line in lines} == {f"{ENV}-1"}  # an open incident keeps its id
    by = {(parse_instant(line["at"]) >= CHANGE, line["policy_hash"]) for line in lines}
    assert by == {(False, POLICY.hash), (True, OTHER.hash)}
    assert told == {
        f"change:{version('watchofficer')}:{OTHER.hash}@{CHANGE}:{to}" for to in ("pagerduty", "datadog")
    }


def test_a_change_to_an_equal_policy_changes_nothing() -> None:
    schedule = PolicySchedule()
    schedule.take(policy_record(POLICY, NOON, "a"), None)
    unchanged, _ = live(schedule, 0, seed=1)
    same = read_policy(POLICY.canonical().replace('"update_every":120000', '"update_every":120001'), "same")
    schedule.take(policy_record(same, CHANGE, "b"), None)
    changed, _ = live(schedule, 1, seed=1)
    assert {line.replace(same.hash, POLICY.hash) for line in changed} == unchanged
