"""Which instants an event may have happened at, and how they are read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from detectors.instants import parse_instant
from streams.events import decode as events
from streams.events.decode import decode
from streams.events.login_event import LoginEvent
from streams.events.validation import Reason, Rejection, decode_exactly
from tests.streams.events.both_ways import accepted, content, expected, reason
from tests.streams.events.strategies import event_bytes, instants
from tests.support.depth import examples


@settings(max_examples=examples(200))
@given(instants())
def test_instants_are_read_as_the_validator_and_parse_instant_read_them(text: str) -> None:
    decoded = decode(event_bytes(occurred_at=text))
    assert content(decoded) == expected(event_bytes(occurred_at=text))
    try:
        instant = parse_instant(text)
    except ValueError:
        assert isinstance(decoded, Rejection)
        assert decoded.reason is Reason.BAD_INSTANT
    else:
        assert isinstance(decoded, LoginEvent)
        assert decoded.occurred_at == instant


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("2026-11-23T15:04:05Z", 0),
        ("2026-11-23T15:04:05.1Z", 100),
        ("2026-11-23T15:04:05.12Z", 120),
        ("2026-11-23T15:04:05.123Z", 123),
        ("2026-11-23T15:04:05.123999999Z", 123),
        ("2026-11-23T15:04:05.123+00:00", 123),
        ("2026-11-23T15:04:05.123456+00:00", 123),
        ("2026-11-23T10:04:05.123-05:00", 123),
        ("2026-11-24T15:03:05.123+23:59", 123),
        ("2026-11-23T15:04:05.123" + "9" * 300 + "Z", 123),
        ("2026-11-23T15:04:05.123" + "9" * 60_000 + "-00:01", 60_123),
    ],
)
def test_instants_are_cut_off_at_the_millisecond_in_any_zone(text: str, millis: int) -> None:
    assert accepted(event_bytes(occurred_at=text)).occurred_at == 1_795_446_245_000 + millis


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T00:00:00Z",
        "2026-11-23t15:04:05Z",
        "2026-11-23T15:04:05z",
        "2026-11-23 15:04:05Z",
        "2026-11-23T15:04:05",
        "2026-11-23T15:04:60Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T15:04:05-00:00",
        "2026-11-23T15:04:05+24:00",
        "2026-11-23T15:04:05+0000",
        "2026-11-23T15:04:05.Z",
        "2026-11-23T15:04:05.123Z\n",
        "2026-11-23T15:04:05.123ZZ",
        "2026-11-23T15:04:05.12Z9Z",
        "20261123T150405Z",
        "٢٠٢٦-11-23T15:04:05Z",
        "0000-01-01T00:00:00Z",
        "",
        "Z",
        "1795446245000",
    ],
)
def test_what_is_no_instant_is_rejected(text: str) -> None:
    assert reason(event_bytes(occurred_at=text)) is Reason.BAD_INSTANT


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59"])
def test_an_offset_may_reach_past_the_ends_of_the_calendar(text: str) -> None:
    assert accepted(event_bytes(occurred_at=text)).occurred_at == parse_instant(text)


def test_more_seconds_than_are_remembered_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_SECONDS_KEPT", 3)
    monkeypatch.setattr(events, "_SECONDS", {})
    values = [event_bytes(occurred_at=f"2026-11-23T15:04:{n % 60:02d}Z") for n in range(200)]
    assert [decode(value) for value in values] == [decode_exactly(value) for value in values]
    assert len(events._SECONDS) <= 3
