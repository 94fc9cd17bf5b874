"""The views: what the topics say, kept so that any worker can answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import format_instant
from sinks.banner import banner
from streams.http import views as views_module
from streams.http.views import BANNER_KEYS, HISTORY_POINTS, LOG_LINES, Point, Views
from streams.kafka.topics import Topics

T0 = 1_795_446_300_000
TOPICS = Topics("t.")


def sli(at: int = T0, scope: str = "prod/ssoe", window: str = "5m", **changes: Any) -> dict[str, Any]:
    value = {
        "type": "sli",
        "at": format_instant(at),
        "scope": scope,
        "window": window,
        "good": 9,
        "bad": 1,
        "excluded": 0,
        "started": 10,
        "slow": 0,
        "success_ratio": 0.9,
        "latency_ratio": 1.0,
        "users_impacted": 1,
    }
    return value | changes


def incident(number: int = 1, **changes: Any) -> dict[str, Any]:
    value = {
        "id": f"prod-{number}",
        "state": "open",
        "severity": 2,
        "opened_at": format_instant(T0 + number * 1000),
    }
    return value | changes


def state(version: int) -> banner.Banner:
    return banner.Banner(
        key="prod/sis",
        state="ok",
        severity=None,
        title="",
        message="",
        since=None,
        version=version,
        updated_at=T0,
        valid_until=T0,
        incident_id=None,
    )


def feed(views: Views, topic: str, key: str, value: Any) -> None:
    views.apply(topic, key.encode(), None if value is None else json.dumps(value).encode())


@pytest.fixture
def views() -> Views:
    return Views(TOPICS)


def test_the_latest_indicator_of_each_scope_and_window_is_kept(views: Views) -> None:
    for value in (sli(T0), sli(T0 + 10_000, good=1), sli(T0, window="1h"), sli(T0, scope="prod")):
        feed(views, "t.sli", f"{value['scope']}|{value['window']}", value)
    assert [(v["scope"], v["window"], v["good"]) for v in views.slis()] == [
        ("prod", "5m", 9),
        ("prod/ssoe", "1h", 9),
        ("prod/ssoe", "5m", 1),
    ]
    assert views.evaluated_to() == {"prod": T0 + 10_000}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_indicators_never_go_back_in_time_and_a_repeat_replaces(steps: list[int]) -> None:
    views = Views(TOPICS)
    greatest = -1
    for good, step in enumerate(steps):
        feed(views, "t.sli", "prod/ssoe|5m", sli(T0 + step * 10_000, good=good, success_ratio=good / 100))
        greatest = max(greatest, step)
        (shown,) = views.slis()
        assert shown["at"] == format_instant(T0 + greatest * 10_000)
    history = views.history("prod/ssoe", "5m")
    assert [p.at for p in history] == sorted({p.at for p in history})
    assert history[-1].success_ratio == shown["success_ratio"]


def test_history_is_bounded_and_only_of_what_the_console_draws(views: Views) -> None:
    for step in range(HISTORY_POINTS + 5):
        for scope in ("prod", "prod/ssoe", "prod/*/idme", "prod/ssoe/idme"):
            feed(views, "t.sli", "k", sli(T0 + step * 10_000, scope=scope))
    assert len(views.history("prod/ssoe", "5m")) == HISTORY_POINTS
    assert views.history("prod", "5m")[-1] == Point(T0 + (HISTORY_POINTS + 4) * 10_000, 0.9, 1)
    assert views.history("prod/*/idme", "5m") == views.history("prod/ssoe/idme", "5m") == ()


def test_the_last_record_of_an_incident_counts_and_a_tombstone_removes_it(views: Views) -> None:
    feed(views, "t.incidents", "prod-1", incident())
    feed(views, "t.incidents", "prod-1", incident(state="acknowledged"))
    known = views.incident("prod-1")
    assert known is not None
    assert known["state"] == "acknowledged"
    feed(views, "t.incidents", "prod-1", None)
    assert views.incident("prod-1") is None


def test_what_a_worker_writes_that_has_lost_the_environment_does_not_bring_back_an_older_incident(
    views: Views,
) -> None:
    for state, at in (("open", 1), ("closed", 3), ("resolved", 2)):
        feed(views, "t.incidents", "prod-1", incident(state=state, updated_at=format_instant(T0 + at)))
    known = views.incident("prod-1")
    assert known is not None
    assert known["state"] == "closed"


def test_open_incidents_come_first_then_the_worst_then_the_latest(views: Views) -> None:
    for value in (
        incident(1, severity=3),
        incident(2, severity=1),
        incident(3, severity=3),
        incident(4, state="closed", severity=1),
        incident(5, state="resolved", severity=3),
        incident(6, state="resolved", severity=1),
    ):
        feed(views, "t.incidents", value["id"], value)
    assert [i["id"] for i in views.incidents()] == [
        "prod-2",
        "prod-3",
        "prod-1",
        "prod-6",
        "prod-5",
        "prod-4",
    ]


def test_only_so_many_closed_incidents_are_kept_and_every_open_one(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_module, "CLOSED_INCIDENTS", 2)
    for number in range(1, 9):
        feed(
            views, "t.incidents", f"prod-{number}", incident(number, state="open" if number < 4 else "closed")
        )
    assert sorted(i["id"] for i in views.incidents()) == ["prod-1", "prod-2", "prod-3", "prod-7", "prod-8"]


@given(st.permutations([3, 5, 5, 8, 11]))
def test_the_greatest_version_of_a_banner_wins_in_any_order(versions: list[int]) -> None:
    views = Views(TOPICS)
    for version in versions:
        views.apply("t.banner-state", b"prod/sis", banner.encode(state(version)))
    assert views.banners() == [state(11)]


def test_of_many_banner_keys_the_latest_are_kept(views: Views) -> None:
    for number in range(BANNER_KEYS + 5):
        one = msgspec.structs.replace(state(number), key=f"prod/sis/*/client{number}")
        views.apply("t.banner-state", one.key.encode(), banner.encode(one))
    kept = {one.key for one in views.banners()}
    assert len(kept) == BANNER_KEYS
    assert "prod/sis/*/client4" not in kept
    assert "prod/sis/*/client5" in kept


def test_a_banner_key_that_is_retired_is_gone(views: Views) -> None:
    views.apply("t.banner-state", b"prod/sis", banner.encode(state(3)))
    feed(views, "t.banner-state", "prod/sis", None)
    assert views.banners() == []


def test_the_log_is_kept_in_order_by_incident_and_bounded(views: Views) -> None:
    for number in range(LOG_LINES + 10):
        feed(views, "t.incident-log", "k", {"incident": f"prod-{number % 2}", "number": number})
    feed(views, "t.incident-log", "prod-7", {"reason": "named by its key alone"})
    feed(views, "t.incident-log", "k", {"incident": {"id": "prod-8"}})
    assert len(views.incident_log()) == LOG_LINES
    assert [line["number"] for line in views.incident_log("prod-1")][-2:] == [LOG_LINES + 7, LOG_LINES + 9]
    assert len(views.incident_log("prod-7")) == len(views.incident_log("prod-8")) == 1


def test_records_of_other_topics_are_left_alone(views: Views) -> None:
    feed(views, "sli", "k", sli())
    assert (views.slis(), views.unreadable) == ([], 0)


@pytest.mark.parametrize("topic", TOPICS.all())
@given(
    value=st.one_of(
        st.binary(max_size=30),
        st.recursive(
            st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
        ).map(lambda v: json.dumps(v).encode()),
        st.dictionaries(
            st.sampled_from(
                ["at", "scope", "window", "id", "state", "severity", "opened_at", "version", "incident"]
            ),
            st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=1),
        ).map(lambda v: json.dumps(v).encode()),
    ),
    key=st.none() | st.binary(max_size=5),
)
def test_a_record_that_makes_no_sense_is_counted_and_does_no_harm(
    topic: str, value: bytes, key: bytes | None
) -> None:
    views = Views(TOPICS)
    feed(views, "t.sli", "k", sli())
    feed(views, "t.incidents", "prod-1", incident())
    views.apply(topic, key, value)
    assert sli() in views.slis()
    assert incident() in views.incidents()
    assert views.evaluated_to()["prod"] == T0


def test_states_are_handed_on_and_no_fold_of_theirs_is_kept() -> None:
    seen: list[tuple[bytes | None, Any]] = []
    views = Views(TOPICS, states=lambda key, headers: seen.append((key, headers)))
    assert TOPICS.watch_state in views.topics
    assert views.apply(TOPICS.watch_state, b"process/a", None, [("blind", b"clock")]) is None
    assert seen == [(b"process/a", [("blind", b"clock")])]
    assert TOPICS.watch_state not in Views(TOPICS).topics
