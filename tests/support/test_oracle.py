"""The oracle agrees with examples that were computed by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.oracle import HOUR, MINUTE, NOON, SECOND, Judgement, judge, records_of, written
from tests.support.oracle_event import Invalid, event_of


def login(at: int, event_id: str, **fields: Any) -> bytes:
    """Return an event ``at`` ms after noon, by default a success of ssoe in prod."""
    event = {
        "schema_version": 1,
        "event_id": event_id,
        "occurred_at": written(NOON + at),
        "env": "prod",
        "auth_method": "ssoe",
        "step": "callback",
        "outcome": "success",
    }
    return json.dumps(event | fields).encode()


def lines(*values: bytes, **numbers: Any) -> Judgement:
    """One file of plain lines, judged at noon."""
    return judge([[(value, None) for value in values]], {"now": NOON} | numbers)


def fates(*values: bytes, **numbers: Any) -> list[str]:
    """Return the oracle's decision about each line."""
    return lines(*values, **numbers).acceptance[0]


GOOD = json.loads(login(0, "e"))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"csp": None, "user_hash": None, "duration_ms": 0},
        {"occurred_at": "2026-11-23T07:00:00.0001239-05:00"},
        {"error_code": "777"},
        {"event_id": "é" * 128},
        {"surprise": {"icn": [1, 2]}},
        {"duration_ms": 12.5},
    ],
)
def test_takes_what_is_valid(changed: dict[str, Any]) -> None:
    assert event_of(json.dumps(GOOD | changed).encode()).at == NOON


@pytest.mark.parametrize(
    "changed",
    [
        {"schema_version": 2},
        {"schema_version": "1"},
        {"schema_version": True},
        {"event_id": ""},
        {"event_id": "e" * 129},
        {"event_id": 7},
        {"occurred_at": "2026-11-23T12:00:00"},
        {"occurred_at": "2026-11-23t12:00:00Z"},
        {"occurred_at": "2026-11-23T12:00:00z"},
        {"occurred_at": "2026-11-23 12:00:00Z"},
        {"occurred_at": "2026-11-23T12:00:00-00:00"},
        {"occurred_at": "2026-11-23T12:00:60Z"},
        {"occurred_at": "2026-02-30T12:00:00Z"},
        {"occurred_at": "2026-11-23T12:00:00+24:00"},
        {"occurred_at": "2026-11-23T12:00:00.Z"},
        {"occurred_at": NOON},
        {"env": None},
        {"csp": ["idme"]},
        {"error_code": 7},
        {"user_hash": "h" * 257},
        {"duration_ms": -1},
        {"duration_ms": "12"},
        {"duration_ms": True},
        {"duration_ms": float("nan")},
        {"duration_ms": float("inf")},
    ],
)
def test_refuses_what_is_not(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        event_of(json.dumps(GOOD | changed).encode())


@pytest.mark.parametrize("name", GOOD)
def test_refuses_an_event_that_lacks_a_required_field(name: str) -> None:
    with pytest.raises(Invalid):
        event_of(json.dumps({k: v for k, v in GOOD.items() if k != name}).encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        login(0, "e")[:-1] + b',"x":"\xff"}',
        login(0, "e") + b"x",
        login(0, "e", x="y" * 65536),
        login(0, "e")[:-1] + b',"duration_ms":1e999}',
        login(0, "e")[:-1] + b',"x":"\\ud800"}',
        login(0, "e")[:-1] + b',"x":["\\udc00"],"x":1}',
        login(0, "e")[:-1] + b',"x":' + b"[" * 32 + b"]" * 32 + b"}",
        login(0, "e")[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_refuses_what_is_no_json_object_of_bounded_size(value: bytes | None) -> None:
    with pytest.raises(Invalid):
        event_of(value)


def test_takes_depth_32_and_brackets_in_strings() -> None:
    deep = login(0, "e", s='[[{"')[:-1] + b',"x":' + b"[" * 31 + b"]" * 31 + b"}"
    assert event_of(deep).at == NOON


def test_the_last_of_duplicate_keys_wins() -> None:
    assert event_of(login(0, "e")[:-1] + b',"env":"dev"}').env == "dev"
    with pytest.raises(Invalid):
        event_of(login(0, "e")[:-1] + b',"env":7}')


def test_blank_lines_are_no_records() -> None:
    assert [value for value, _ in records_of(b"a\n\n \t\nb\r\n")] == [b"a", b"b\r"]


def test_future_and_past_are_judged_against_now_for_plain_lines_and_by_the_timestamp_for_records() -> None:
    limit = 5 * MINUTE
    assert fates(login(limit, "a"), login(limit + 1, "b"), past_limit=MINUTE) == ["accepted", "rejected"]
    assert fates(login(-MINUTE, "a"), login(-MINUTE - 1, "b"), past_limit=MINUTE) == ["accepted", "rejected"]
    record = judge(
        [[(login(limit, "a"), NOON), (login(limit + 1, "b"), NOON), (login(limit + 1, "c"), NOON + 1)]]
    )
    assert record.acceptance == [["accepted", "rejected", "accepted"]]


def test_a_rejected_record_moves_no_watermark() -> None:
    far_ahead = login(6 * MINUTE, "ahead")
    assert fates(far_ahead, login(0, "a")) == ["rejected", "accepted"]


def test_late_means_that_the_pane_had_closed_and_too_late_a_retention_before() -> None:
    # the watermark after the first is 12:00:08, so the pane [:07, :08) is closed and [:08, :09) open
    assert fates(login(10 * SECOND, "a"), login(8 * SECOND, "b"), login(8 * SECOND - 1, "c")) == [
        "accepted",
        "accepted",
        "late",
    ]
    edge = 8 * SECOND - HOUR
    numbers = {"retention": HOUR}
    assert fates(login(10 * SECOND, "a"), login(edge, "b"), login(edge - 1, "c"), **numbers) == [
        "accepted",
        "late",
        "too_late",
    ]


def test_the_watermark_is_the_lesser_of_event_time_and_record_time() -> None:
    first = (login(10 * SECOND, "a"), NOON + 5 * SECOND)  # watermark 12:00:03
    result = judge([[first, (login(3 * SECOND, "b"), NOON), (login(2 * SECOND, "c"), NOON)]])
    assert result.acceptance == [["accepted", "accepted", "late"]]


def test_a_mark_lifts_the_watermark_of_the_records_after_it() -> None:
    records = [(login(0, "a"), NOON), (login(0, "b"), NOON)]
    assert judge([records], marks={0: [(1, NOON + SECOND)]}).acceptance == [["accepted", "late"]]
    assert judge([records], marks={0: [(2, NOON + SECOND)]}).acceptance == [["accepted", "accepted"]]
    assert judge([records], marks={0: [(0, NOON + SECOND)]}).acceptance == [["late", "late"]]


def test_a_duplicate_is_found_on_its_own_partition_only() -> None:
    same = (login(0, "a"), NOON)
    result = judge([[same, same], [same]])
    assert result.acceptance == [["accepted", "duplicate"], ["accepted"]]


def test_a_duplicate_is_forgotten_after_so_many_valid_records() -> None:
    bad = b"{"
    assert fates(login(0, "a"), login(0, "b"), bad, login(0, "a"), dedup_ids=2)[-1] == "duplicate"
    assert (
        fates(login(0, "a"), login(0, "b"), bad, login(0, "c"), login(0, "a"), dedup_ids=2)[-1] == "accepted"
    )


def test_a_duplicate_is_forgotten_once_event_time_has_grown_by_more_than_the_horizon() -> None:
    now = NOON + HOUR
    assert fates(login(0, "a"), login(10 * MINUTE, "b"), login(0, "a"), now=now)[-1] == "duplicate"
    assert fates(login(0, "a"), login(10 * MINUTE + 1, "b"), login(0, "a"), now=now)[-1] == "late"


def test_a_duplicate_is_a_valid_record_and_refreshes_the_memory() -> None:
    nine, eighteen = 9 * MINUTE, 18 * MINUTE
    copies = (login(0, "x"), login(nine, "x"), login(eighteen, "x"))
    assert fates(*copies, now=NOON + HOUR) == ["accepted", "duplicate", "duplicate"]


def test_a_duplicate_moves_the_watermark() -> None:
    assert fates(login(0, "x"), login(MINUTE, "x"), login(0, "y")) == ["accepted", "duplicate", "late"]


def test_slis_of_one_minute_by_hand() -> None:
    result = lines(
        login(0, "1", outcome="started", step="new", csp="idme"),
        login(1 * SECOND, "2", csp="idme", duration_ms=2430, user_hash="ada"),
        login(2 * SECOND, "3", duration_ms=2429.9),
        login(3 * SECOND, "4", outcome="failure", error_code="007", csp="idme", user_hash="ada"),
        login(4 * SECOND, "5", outcome="failure", user_hash="ada", duration_ms=5000),
        login(5 * SECOND, "6", outcome="failure", error_code="001", flow_id="f", duration_ms=9000),
        login(6 * SECOND, "7", outcome="failure", step="refresh", flow_id="f"),
        login(7 * SECOND, "8", outcome="failure", error_code="400", env="dev", auth_method="sis"),
        login(60 * SECOND, "9"),
    )
    assert result.summary() == {
        "events": 9,
        "accepted": 9,
        "rejected": 0,
        "duplicates": 0,
        "late": 0,
        "too_late": 0,
    }
    assert [(line["scope"], line["window"]) for line in result.slis] == [
        (scope, window)
        for scope in ("dev", "dev/sis", "prod", "prod/*/idme", "prod/ssoe", "prod/ssoe/idme")
        for window in ("5m", "15m", "1h")
    ]
    by_place = {(line["scope"], line["window"]): line for line in result.slis}
    assert by_place["prod/ssoe", "5m"] == {
        "type": "sli",
        "at": "2026-11-23T12:01:00Z",
        "scope": "prod/ssoe",
        "window": "5m",
        "good": 2,
        "bad": 2,
        "excluded": 1,
        "started": 1,
        "slow": 2,
        "success_ratio": 0.5,
        "latency_ratio": 1 / 3,
        "users_impacted": 2,  # Ada, and the flow whose refresh failed
    }
    assert by_place["prod/*/idme", "1h"]["success_ratio"] == 0.5
    assert by_place["prod/*/idme", "1h"]["latency_ratio"] == 0.0
    assert by_place["dev/sis", "5m"]["latency_ratio"] is None
    assert by_place["dev/sis", "5m"]["users_impacted"] == 1


def test_a_window_holds_its_first_instant_and_not_its_last() -> None:
    result = lines(login(0, "a"), login(MINUTE, "b"), login(6 * MINUTE, "c"), now=NOON + HOUR)
    good = {
        line["at"]: line["good"] for line in result.slis if line["window"] == "5m" and line["scope"] == "prod"
    }
    assert good == {
        "2026-11-23T12:01:00Z": 1,
        "2026-11-23T12:02:00Z": 2,
        "2026-11-23T12:03:00Z": 2,
        "2026-11-23T12:04:00Z": 2,
        "2026-11-23T12:05:00Z": 2,
        "2026-11-23T12:06:00Z": 1,
    }


def test_a_late_event_counts_only_from_the_watermark_before_it_on() -> None:
    result = lines(login(0, "a"), login(3 * MINUTE, "b"), login(1, "c"), now=NOON + HOUR)
    good = [line["good"] for line in result.slis if line["window"] == "5m" and line["scope"] == "prod"]
    assert good == [1, 1, 2]  # c comes when the watermark is 12:02:58, so 12:03 is the first to see it


def test_lines_go_on_for_a_retention_after_the_last_event_of_a_scope() -> None:
    result = lines(
        login(0, "a", env="dev"),
        login(5 * MINUTE, "b"),
        now=NOON + HOUR,
        retention=3 * MINUTE,
        windows={"1m": MINUTE},
    )
    dev = [(line["at"][11:16], line["good"]) for line in result.slis if line["scope"] == "dev"]
    assert dev == [("12:01", 1), ("12:02", 0), ("12:03", 0)]
    assert [line["success_ratio"] for line in result.slis if line["scope"] == "dev"] == [1.0, None, None]
