"""The story of a demo, as the records of the topics tell it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detectors.incidents import Command
from detectors.instants import MINUTE, SECOND, format_instant
from sinks.banner import banner
from sinks.delivery.outcomes import Delivery
from streams.demo.timeline import HEADER, Entry, Timeline, episode_words
from streams.kafka.topics import Topics
from streams.settings.policy_file import default_policy
from streams.simulate.episodes import Placed
from streams.simulate.scenarios import SCENARIOS
from tests.sinks.samples import NAMES, OPENED, command, incident

TOPICS = Topics()
WALL = OPENED + 3 * 24 * 60 * MINUTE


def log_line(kind: str, **changes: Any) -> bytes:
    line = {
        "type": kind,
        "at": format_instant(OPENED),
        "incident": "prod-7",
        "scope": "prod/ssoe",
        "severity": 1,
        "sentence": "97 of 100 failed.",
        "reason": "because",
        "by": None,
    }
    return msgspec.json.encode({**line, **changes})


def delivery(of: Command, outcome: str = "delivered") -> bytes:
    fields: dict[str, Any] = {
        "command_id": of.id,
        "sink": of.sink,
        "incident_id": of.incident_id,
        "epoch": of.epoch,
        "action": of.action,
        "outcome": outcome,
        "at": OPENED,
    }
    return msgspec.json.encode(Delivery(**fields))


def banners(at: int, **states: str) -> list[bytes]:
    shown = banner.banners(default_policy(), "prod", [], at)
    return [
        banner.encode(msgspec.structs.replace(shown[f"prod/{key}"], state=state))
        for key, state in states.items()
    ]


class Story:
    """A timeline that is fed as the consumer would, and read back as (who, mark, what)."""

    def __init__(self) -> None:
        self.timeline = Timeline(TOPICS, NAMES)

    def log(self, kind: str, **changes: Any) -> Story:
        self.timeline.take(TOPICS.incident_log, log_line(kind, **changes), WALL)
        return self

    def delivered(self, of: Command, outcome: str = "delivered") -> Story:
        self.timeline.take(TOPICS.commands, msgspec.json.encode(of), WALL)
        self.timeline.take(TOPICS.deliveries, delivery(of, outcome), WALL)
        return self

    def shown(self, at: int, **states: str) -> Story:
        for value in banners(at, **states):
            self.timeline.take(TOPICS.banner, value, WALL)
        return self

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(entry.who, entry.mark) for entry in self.timeline.entries]

    @property
    def words(self) -> str:
        return " | ".join(entry.what for entry in self.timeline.entries)


def test_a_line_has_both_times_and_what_passed_since_the_start() -> None:
    entry = Entry(OPENED + 250, WALL + 12_340, "slack", "root message posted", "slack_root")
    line = entry.line(WALL)
    assert line == "15:05:00  15:05:12.3      +12.3 s  slack      root message posted"
    assert HEADER.index("who") == line.index("slack")
    assert HEADER.index("what") == line.index("root")


def test_a_whole_second_on_the_wall_has_its_tenth_too() -> None:
    assert "  15:05:00.0       +0.0 s  " in Entry(OPENED, WALL, "watch", "detected").line(WALL)


def test_an_incident_is_told_from_its_detection_to_its_end() -> None:
    story = Story()
    for kind in ("opened", "severity", "acknowledged", "declared", "recovering", "resolved"):
        story.log(kind, by="PagerDuty: Ada" if kind == "acknowledged" else None)
    kinds = ["opened", "severity", "acknowledged", "declared", "recovering", "resolved"]
    assert story.told == [("watch", kind) for kind in kinds]
    assert "detected: prod-7 on prod/ssoe, severity 1. 97 of 100 failed." in story.words
    assert "acknowledged by PagerDuty: Ada, by a signed webhook" in story.words


def test_an_acknowledgement_over_http_is_no_webhook() -> None:
    story = Story().log("acknowledged", by="Ada")
    assert "webhook" not in story.words


@pytest.mark.parametrize("kind", ["note", "update", "page_due", "closed"])
def test_what_is_routine_has_no_line_but_is_kept(kind: str) -> None:
    story = Story().log(kind)
    assert story.told == []
    assert [line["type"] for line in story.timeline.log] == [kind]


@pytest.mark.parametrize(
    "kind", ["relapsed", "unacknowledged", "reminder", "breach", "cause", "reopened", "scope"]
)
def test_every_other_turn_has_a_line(kind: str) -> None:
    assert Story().log(kind).told == [("watch", kind)]


def test_a_notice_has_a_line_with_its_sentence() -> None:
    line = {
        "type": "notice",
        "at": format_instant(OPENED),
        "kind": "retired_value",
        "env": "prod",
        "field": "csp",
        "value": "mhv",
        "count": 3,
        "text": "csp mhv is retired, and was seen again.",
        "incident": None,
    }
    story = Story()
    story.timeline.take(TOPICS.incident_log, msgspec.json.encode(line), WALL)
    assert story.words == "notice: csp mhv is retired, and was seen again."


def test_what_was_asked_for_and_refused_has_a_line() -> None:
    line = {
        "type": "refused",
        "at": format_instant(OPENED),
        "incident": "prod-7",
        "input": "i",
        "kind": "resolve",
        "by": "Ada",
        "reason": "it is closed",
    }
    story = Story()
    story.timeline.take(TOPICS.incident_log, msgspec.json.encode(line), WALL)
    assert story.words == "resolve of Ada did not apply: it is closed"


def test_a_repeated_record_is_told_once() -> None:
    story = Story()
    for _ in range(2):
        story.log("opened").delivered(command("slack", "post")).shown(OPENED, ssoe="critical")
    assert story.told == [("watch", "opened"), ("slack", "slack_root"), ("banner", "banner_up")]


def test_a_delivery_that_is_read_before_its_command_waits_for_it() -> None:
    timeline, of = Timeline(TOPICS, NAMES), command("slack", "post")
    timeline.take(TOPICS.deliveries, delivery(of), WALL)
    assert timeline.entries == []
    timeline.take(TOPICS.commands, msgspec.json.encode(of), WALL + SECOND)
    (entry,) = timeline.entries
    assert (entry.at, entry.wall, entry.mark) == (of.at, WALL, "slack_root")


@pytest.mark.parametrize("outcome", ["superseded", "dropped"])
def test_what_was_not_sent_has_no_line(outcome: str) -> None:
    assert Story().delivered(command(), outcome).told == []


def test_a_dead_letter_has_a_line() -> None:
    assert Story().delivered(command(), "dead").told == [("pagerduty", "dead")]


def test_the_first_page_at_a_key_wakes_and_a_rise_at_it_does_not() -> None:
    first = command(level="error")
    rise = command(id="rise", level="critical", kind="severity")
    linked = command(id="linked", level="critical", dedup_key=f"{first.dedup_key}:s1")
    end = command(id="end", action="resolve", kind="resolved")
    story = Story()
    for one in (first, rise, linked, end):
        story.delivered(one)
    assert [mark for _, mark in story.told] == ["page", "raise", "page", "resolve"]
    assert "paged (error): SSOe sign-in is failing" in story.words


def test_a_warning_wakes_nobody() -> None:
    story = Story().delivered(command(level="warning"))
    assert story.told == [("pagerduty", "warning")]
    assert "nobody is woken" in story.words


@pytest.mark.parametrize(
    ("sink", "action", "level", "mark"),
    [
        ("datadog", "event", "error", "event_error"),
        ("datadog", "event", "ok", "event_ok"),
        ("datadog", "incident_create", "error", "incident_declared"),
        ("datadog", "incident_update", "error", "incident_update"),
        ("datadog", "incident_resolve", "ok", "incident_resolved"),
        ("slack", "post", "info", "slack_root"),
        ("slack", "reply", "info", "slack_reply"),
        ("slack", "broadcast", "info", "slack_reply"),
        ("pagerduty", "acknowledge", "error", "acknowledge"),
    ],
)
def test_each_receiver_is_told_in_its_own_words(sink: str, action: str, level: str, mark: str) -> None:
    assert Story().delivered(command(sink, action, level=level)).told == [(sink, mark)]


def test_datadog_is_stable_while_recovering() -> None:
    recovering = command("datadog", "incident_update", incident=incident(state="recovering"))
    assert "incident is stable" in Story().delivered(recovering).words


def test_the_edit_of_a_root_message_has_no_line() -> None:
    assert Story().delivered(command("slack", "update")).told == []


def test_a_banner_that_goes_up_says_that_the_other_method_has_none() -> None:
    story = Story().shown(OPENED, ssoe="ok", sis="ok").shown(OPENED + SECOND, ssoe="warning")
    story.shown(OPENED + MINUTE, ssoe="critical", sis="ok").shown(OPENED + 2 * MINUTE, ssoe="ok")
    assert [entry.what for entry in story.timeline.entries] == [
        "up for prod/ssoe: warning; prod/sis stays ok",
        "changed for prod/ssoe: critical; prod/sis stays ok",
        "down for prod/ssoe",
    ]
    changes = [(change.key, change.state) for change in story.timeline.banners]
    assert changes[:2] == [("prod/ssoe", "ok"), ("prod/sis", "ok")]
    assert [state for key, state in changes if key == "prod/ssoe"] == ["ok", "warning", "critical", "ok"]


def test_republished_banners_change_nothing() -> None:
    story = Story()
    for minute in range(5):
        story.shown(OPENED + minute * MINUTE, ssoe="ok", sis="ok")
    assert story.told == []
    assert len(story.timeline.banners) == 2


def test_a_banner_of_another_environment_is_kept_without_a_line() -> None:
    story = Story()
    value = banner.encode(
        msgspec.structs.replace(
            banner.banners(default_policy(), "staging", [], OPENED)["staging/ssoe"], state="critical"
        )
    )
    story.timeline.take(TOPICS.banner, value, WALL)
    assert story.told == []
    assert [change.key for change in story.timeline.banners] == ["staging/ssoe"]


def test_a_record_that_is_not_what_its_topic_holds_is_an_error() -> None:
    for topic in Timeline(TOPICS, NAMES).sources:
        with pytest.raises(ValueError, match=r"."):
            Timeline(TOPICS, NAMES).take(topic, b"{", WALL)


def test_a_tombstone_says_nothing() -> None:
    timeline = Timeline(TOPICS, NAMES)
    for topic in timeline.sources:
        timeline.take(topic, None, WALL)
    assert timeline.entries == []


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_every_episode_of_every_scenario_can_be_told(scenario: Any) -> None:
    timeline = Timeline(TOPICS, NAMES)
    for index, episode in enumerate(scenario.episodes):
        placed = Placed(index, episode, OPENED, OPENED + episode.lasts)
        assert episode_words(placed, NAMES).strip()
        timeline.begin(placed, WALL)
        timeline.end(placed, WALL)
    assert [entry.mark for entry in timeline.entries] == ["begins", "ends"] * len(scenario.episodes)
