"""Which policy judges which T: by the log alone, whatever came late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import FAR_PAST, SECOND
from streams.records.policies import (
    NOTICE,
    PolicyRecord,
    PolicySchedule,
    decode_policy,
    encode_policy,
    last_before,
    policy_record,
)
from streams.records.reading import Unreadable
from streams.segments.codec import NewerVersion
from streams.settings.policy_file import default_policy, read_policy
from tests.support.oracle import NOON

_RECORDS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from("ABC")), min_size=1, max_size=8
)


def _record(since: int, name: str) -> PolicyRecord:
    return PolicyRecord(since=f"2026-11-23T12:{since:02}:00Z", hash=name, text="{}")


@given(_RECORDS, st.integers(-1, 13))
def test_the_last_record_of_the_log_that_is_in_force_judges(
    log: list[tuple[int, int, str]], minute: int
) -> None:
    schedule = PolicySchedule()
    in_force: list[tuple[int, str]] = []
    for since, taken, name in log:
        record = _record(since, name)
        stamp = NOON + taken * 60 * SECOND
        took = schedule.take(record, stamp)
        assert took == (not in_force or since > taken)  # a minute is more than NOTICE
        if took:
            in_force.append((record.since_ms if in_force else FAR_PAST, name))
    at = NOON + minute * 60 * SECOND
    assert schedule.at(at).hash == [name for since, name in in_force if since <= at][-1]
    change = schedule.next_change(at)
    later = [since for since, _ in in_force if since > at]
    changes = [t for t in sorted(later) if schedule.at(t).hash != schedule.at(t - 1).hash]
    assert change is None or schedule.at(change - 1).hash == schedule.at(at).hash
    assert [t for t in changes if change is None or t < change] == []


def test_a_record_that_came_too_late_is_not_in_force() -> None:
    schedule = PolicySchedule()
    schedule.take(_record(0, "A"), NOON)
    assert not schedule.take(_record(1, "B"), NOON + 60 * SECOND - NOTICE + 1)
    assert schedule.take(_record(1, "C"), NOON + 60 * SECOND - NOTICE)
    assert schedule.at(NOON + 60 * SECOND).hash == "C"


def test_a_record_holds_the_whole_policy() -> None:
    policy = read_policy("severity: {severity_1_over: 700}", "mine")
    record = decode_policy(encode_policy(policy_record(policy, NOON, "host:1")))
    schedule = PolicySchedule()
    schedule.take(record, None)
    assert schedule.at(NOON).policy() == policy
    assert record.hash == policy.hash != default_policy().hash


def test_what_this_build_cannot_judge_by_is_refused_in_one_line_that_says_what_to_do() -> None:
    with pytest.raises(NewerVersion, match="version 2"):
        decode_policy(encode_policy(_record(0, "A")).replace(b'"v":1', b'"v":2'))
    schedule = PolicySchedule()
    later = PolicyRecord(since="2026-11-23T12:00:00Z", hash="A", text='{"tide": 1}', version="9.0.0")
    schedule.take(later, None)
    with pytest.raises(Unreadable, match=r"tide.*9\.0\.0.*under the key") as refused:
        schedule.at(NOON).policy()
    assert "\n" not in str(refused.value)
    schedule.take(policy_record(default_policy(), NOON + 60 * SECOND, "b"), None)
    schedule.drop(b"2026-11-23T12:00:00Z/A")
    assert schedule.at(NOON).policy() == default_policy()


def test_the_last_t_before_a_change() -> None:
    assert last_before(NOON, 5 * SECOND) == NOON - 5 * SECOND
    assert last_before(NOON + 1, 5 * SECOND) == NOON
