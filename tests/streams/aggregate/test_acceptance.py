"""Acceptance of one partition: which records count, from which T on, and which are copies."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.windows.facts import ON_TIME
from streams.aggregate.acceptance import Acceptance, Rules
from streams.aggregate.dedup import Duplicates
from streams.events.decode import decode
from streams.events.validation import Reason, Rejection
from streams.settings.policy_file import read_policy
from tests.support.one_by_one import Copy, Counted, is_copy, take
from tests.support.oracle import DAY, HOUR, MINUTE, NOON, SECOND, judge
from tests.support.strategies import Log, Variation, kafka_logs, marked_logs, plain_logs, variations
from tests.support.test_oracle import login

thorough = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@cache
def rules_of(yaml: str = "{}") -> Rules:
    return Rules.of(read_policy(yaml, "policy.yaml"))


def taken(acceptance: Acceptance, at: int, event_id: str, recorded: int | None = None) -> Any:
    """What becomes of an event ``at`` ms after noon."""
    return take(acceptance, login(at, event_id), None if recorded is None else NOON + recorded, None)


@thorough
@given(st.one_of(plain_logs(), kafka_logs(), marked_logs()), variations())
def test_every_record_fares_as_the_definitions_say(log: Log, variation: Variation) -> None:
    said = judge(log.partitions, variation.numbers | {"now": log.now}, log.marks)
    counted = iter(said.counted)
    rules = rules_of(variation.yaml)
    for number, records in enumerate(log.partitions):
        partition = Acceptance(rules_of(variation.yaml))
        for offset, (value, stamp) in enumerate(records):
            for before, watermark in log.marks.get(number, ()):
                if before == offset:
                    partition.put_mark(watermark)
            fate = said.acceptance[number][offset]
            place = take(partition, value, stamp, log.now if stamp is None else None)
            if isinstance(place, Reason):
                assert fate == "rejected"
                assert isinstance(decode(value), Rejection) is (place not in (Reason.FUTURE, Reason.PAST))
            elif isinstance(place, Copy):
                assert fate == "duplicate"
            else:
                one = next(counted)
                assert place.pane == one.pane
                assert place.first_t == one.first_t(rules.step, rules.watermark_delay)
    assert next(counted, None) is None


def test_an_event_counts_from_the_first_t_after_the_watermark_that_it_met() -> None:
    partition = Acceptance(rules_of())
    taken(partition, 10_500, "a")  # the watermark is 12:00:08.5
    assert taken(partition, 8_499, "b") == Counted(NOON + 8_000, ON_TIME)  # its pane ends at 12:00:09
    assert taken(partition, 7_999, "c") == Counted(NOON + 7_000, NOON + 9_000)
    taken(partition, 11_000, "d")  # 12:00:09: that T has been evaluated
    assert taken(partition, 7_999, "e") == Counted(NOON + 7_000, NOON + 10_000)


def test_an_event_ahead_of_the_brokers_time_arrives_by_that_and_counts_when_its_time_comes() -> None:
    partition = Acceptance(rules_of())
    taken(partition, 0, "a", recorded=500)  # the watermark is 11:59:58
    ahead = taken(partition, 90 * SECOND, "b", recorded=3_200)  # it is 12:00:01.2 when the delay is taken off
    assert ahead == Counted(NOON + 90 * SECOND, NOON + 2 * SECOND)
    assert taken(partition, 13_200, "c", recorded=3_200) == Counted(NOON + 13_000, ON_TIME)
    partition.put_mark(NOON + 95 * SECOND)
    assert taken(partition, 100 * SECOND, "d", recorded=4_000) == Counted(
        NOON + 100 * SECOND, NOON + 96 * SECOND
    )


def test_the_first_event_and_those_after_one_rejected_meet_no_watermark() -> None:
    partition = Acceptance(rules_of())
    assert partition.watermark() is None
    assert taken(partition, 6 * MINUTE, "ahead", recorded=0) is Reason.FUTURE
    assert taken(partition, -35 * DAY - 1, "behind", recorded=0) is Reason.PAST
    assert partition.watermark() is None
    assert taken(partition, -HOUR, "a", recorded=0) == Counted(NOON - HOUR, ON_TIME)


def test_a_mark_only_ever_lifts_the_watermark() -> None:
    partition = Acceptance(rules_of())
    assert partition.put_mark(NOON)
    assert partition.watermark() == NOON
    assert not partition.put_mark(NOON)
    taken(partition, 30 * SECOND, "a")
    assert partition.watermark() == NOON + 28 * SECOND
    assert not partition.put_mark(NOON + 28 * SECOND)
    assert partition.put_mark(NOON + MINUTE)
    taken(partition, 40 * SECOND, "b")
    assert partition.watermark() == NOON + MINUTE


# -- copies --------------------------------------------------------------------------------------------------


def hashes_of(ids: list[str]) -> Any:
    return np.array([hash(one) for one in ids], dtype=np.int64)


def brute(ids: list[str], times: list[int], limit: int, horizon: int) -> list[bool]:
    """Which are copies, by the definition: ``times`` are the greatest so far."""
    out = []
    for n, one in enumerate(ids):
        earlier = [m for m in range(n) if ids[m] == one]
        before = times[n - 1] if n else 0
        out.append(bool(earlier) and n - earlier[-1] <= limit and before - times[earlier[-1]] <= horizon)
    return out


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0, 0, 1, 5, 9, 10, 11])), max_size=60),
    st.integers(0, 12),
    st.sampled_from([0, 5, 10]),
    st.lists(st.integers(1, 9), max_size=20),
)
def test_copies_are_found_within_their_reach_one_by_one_and_many_at_a_time(
    records: list[tuple[str, int]], limit: int, horizon: int, batches: list[int]
) -> None:
    ids = [one for one, _ in records]
    greatest = [int(at) for at in np.cumsum([grown for _, grown in records])]
    expected = brute(ids, greatest, limit, horizon)
    before = [0, *greatest][: len(ids)]
    single = Duplicates(limit, horizon)
    assert [is_copy(single, one, before[n], greatest[n]) for n, one in enumerate(ids)] == expected
    many, begin = Duplicates(limit, horizon), 0
    found: list[bool] = []
    for size in [*batches, len(ids)]:
        some = ids[begin : begin + size]
        copies = many.note_many(
            some,
            hashes_of(some),
            np.array(before[begin : begin + size]),
            np.array(greatest[begin : begin + size]),
        )
        found += [False] * len(some) if copies is None else copies.tolist()
        begin += size
    assert found == expected


def test_the_memory_of_ids_is_bounded() -> None:
    by_number, by_time = Duplicates(3_000, 1 << 40), Duplicates(1 << 40, 1_000)
    for begin in range(0, 20_000, 1_000):
        ids = [f"e{n}" for n in range(begin, begin + 1_000)]
        times = np.arange(begin, begin + 1_000)
        by_number.note_many(ids, hashes_of(ids), times, times)
        by_time.note_many(ids, hashes_of(ids), times, times)
    assert by_number.held <= 3_000 + 1_000
    assert by_time.held <= 1_000 + 1_000
    assert max(by_number._room, by_time._room) <= 8_192


def test_copies_are_found_wherever_the_table_of_ids_has_grown_or_come_round() -> None:
    rnd = random.Random(1)
    ids = [f"e{rnd.randint(0, 25_000)}" for _ in range(30_000)]
    latest: dict[str, int] = {}
    expected = []
    for n, one in enumerate(ids):
        expected.append(one in latest and n - latest[one] <= 9_000)
        latest[one] = n
    duplicates, found, begin = Duplicates(9_000, 1 << 40), list[bool](), 0
    while begin < len(ids):
        some = ids[begin : begin + rnd.choice((1, 2, 700, 3_000))]
        times = np.arange(begin, begin + len(some))
        copies = duplicates.note_many(some, hashes_of(some), times, times)
        found += [False] * len(some) if copies is None else copies.tolist()
        begin += len(some)
    assert found == expected
    assert sum(expected) > 5_000


def test_ids_of_the_same_hash_are_told_apart() -> None:
    def alike(one: str) -> int:
        return len(one) << 13

    single, many = Duplicates(50, 1 << 40), Duplicates(50, 1 << 40)
    ids = ["a", "b", "a", "cc", "b", "dd", "c", "cc", "a"]
    expected = [False, False, True, False, True, False, False, True, True]
    assert [is_copy(single, one, 0, 0, alike(one)) for one in ids] == expected
    none = np.zeros(len(ids), dtype=np.int64)
    copies = many.note_many(ids, np.array([alike(one) for one in ids]), none, none)
    assert copies is not None
    assert copies.tolist() == expected


@pytest.mark.parametrize("late", [0, 1])
def test_a_copy_is_one_within_ten_minutes_of_event_time(late: int) -> None:
    partition = Acceptance(rules_of())
    taken(partition, 0, "a")
    taken(partition, 10 * MINUTE + late, "b")
    assert isinstance(taken(partition, 0, "a"), Counted if late else Copy)
