"""Mutes and maintenance at run time keep quiet and lose nothing; corrections change the account alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.history.error_budget import Exclusion
from detectors.incidents import IncidentInput
from detectors.instants import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from detectors.lifecycle.conduct.covering import Covers, cover, exclusions, follow
from detectors.notices.notices import Notice
from detectors.process.covers import COVERS_KEPT, Cover, occurrence, rule_problem
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import START, Scenario

POLICY = default_policy()
ZONE = "America/New_York"


def muted(*, people: int = 60, until: int = 3_600) -> Scenario:
    scenario = Scenario()
    scenario.at(0).asks("mute", scope="prod/ssoe", until=START + until * SECOND, text="vendor test")
    scenario.at(10).fires("prod/ssoe", people=people)
    return scenario


def texts(scenario: Scenario) -> list[str]:
    return [notice.text for notice in scenario.lifecycle.take_notices()]


def test_a_mute_keeps_all_but_slacks_message_back_and_what_still_fails_pages_when_it_ends() -> None:
    scenario = muted()
    heard = scenario.play(until=3_590)
    assert heard.incidents["prod-1"].muted_until == START + HOUR
    assert {c.sink for c in heard.commands} == {"slack"}
    assert not [c for c in heard.commands if c.action == "broadcast"]
    assert heard.incidents["prod-1"].declared_at is not None  # clocks and declarations go on
    assert heard.when("update")
    heard = scenario.play(until=3_700)
    # The clocks went on meanwhile: the target for alerts was over, and nobody has it.
    assert heard.pages() == [(3_600, "error", "prod-1:0"), (3_600, "error", "prod-1:0:breach")]
    told = {(c.sink, c.action) for c in heard.commands if c.at == START + HOUR and c.kind == "uncovered"}
    assert told == {
        ("pagerduty", "trigger"),
        ("datadog", "event"),
        ("datadog", "incident_create"),
        ("slack", "update"),
        ("slack", "reply"),
    }
    said = texts(scenario)
    assert said[0].startswith(
        "Ada mutes prod/ssoe from 2026-11-23T15:00:00Z to 2026-11-23T16:00:00Z: vendor test."
    )
    assert said[1:] == ["The mute prod-c1 of prod/ssoe by Ada ended. It hid prod-1 (severity 2, prod/ssoe)."]


def test_what_has_come_and_gone_within_a_mute_is_listed_when_it_ends() -> None:
    scenario = muted()
    scenario.at(100).quiet()
    heard = scenario.play(until=3_700)
    assert {c.sink for c in heard.commands} == {"slack"}
    assert heard.incidents["prod-1"].state == "closed"
    assert "It hid prod-1" in texts(scenario)[-1]


def test_a_mute_of_another_scope_or_of_a_part_of_it_hides_nothing() -> None:
    scenario = Scenario()
    scenario.at(0).asks("mute", scope="prod/ssoe/idme", until=START + HOUR, text="t")
    scenario.at(10).fires("prod/ssoe", people=60)
    assert scenario.play(until=10).pages() == [(10, "error", "prod-1:0")]


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_rise_within_a_mute_wakes_somebody_when_it_ends(acknowledged: bool) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    if acknowledged:
        scenario.at(10).asks("acknowledge", "prod-1")
    scenario.at(20).asks("mute", scope="prod/ssoe", until=START + HOUR, text="t")
    scenario.at(60).hits(5_000)
    heard = scenario.play(until=3_700)
    pages = [page for page in heard.pages() if not page[2].endswith(":breach")]
    assert pages == [(0, "error", "prod-1:0"), (3_600, "critical", "prod-1:0:s1")]


def test_an_acknowledgement_within_a_mute_hides_no_later_rise_of_it() -> None:
    scenario = muted(people=20)
    scenario.at(20).asks("acknowledge", "prod-1")
    scenario.at(60).hits(5_000)
    assert scenario.play(until=3_700).pages() == [(3_600, "critical", "prod-1:0")]


def test_maintenance_marks_and_pages_when_it_is_over_and_restarts_change_nothing() -> None:
    scenario = Scenario()
    span = {"since": START + MINUTE, "until": START + 30 * MINUTE}
    scenario.at(0).asks("maintain", scope="prod/*/idme", text="upgrade", **span)
    scenario.at(120).fires("prod/sis/idme", people=60)
    scenario.play(until=600)
    scenario.restart()
    heard = scenario.play(until=1_900)
    assert heard.pages() == [(1_800, "error", "prod-1:0")]
    opened = next(t for t in heard.transitions if t.kind == "opened")
    assert opened.incident.in_maintenance
    assert {c.sink for c in heard.commands if c.at < START + 1_800 * SECOND} == {"slack", "datadog"}


def test_an_end_by_a_person_is_an_end() -> None:
    scenario = muted()
    scenario.at(300).asks("unmute", item="prod-c1", text="done")
    heard = scenario.play(until=320)
    assert heard.pages() == [(300, "error", "prod-1:0")]
    assert texts(scenario)[-1] == (
        "Ada ended the mute prod-c1 of prod/ssoe by Ada: done It hid prod-1 (severity 2, prod/ssoe)."
    )


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("mute", {"until": START - 1}, "it ends before it begins"),
        (
            "mute",
            {"until": START + 8 * DAY},
            "it lasts for 7d at most; say it again then, or retire what is gone",
        ),
        ("mute", {"until": START + DAY, "scope": "prod/nowhere"}, "there is no scope 'prod/nowhere'"),
        (
            "maintain",
            {"since": START - DAY, "until": START - HOUR},
            "it is over already: correct the account instead",
        ),
        (
            "maintain",
            {"since": START + DAY, "until": START + DAY + HOUR, "recurs": "FREQ=HOURLY"},
            "FREQ is one of DAILY, WEEKLY, MONTHLY, YEARLY",
        ),
        (
            "correct",
            {"since": START - DAY, "until": START + HOUR},
            "a correction is of what is past: announce maintenance instead",
        ),
        ("correct", {"since": START - 50 * DAY, "until": START - 49 * DAY}, "it lies more than 40d back"),
        ("unmute", {"item": "prod-c9"}, "there is no mute, maintenance or correction prod-c9"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, more: dict[str, object], why: str) -> None:
    scenario = Scenario()
    scenario.at(0).asks(kind, **{"scope": "prod/ssoe", "text": "t", **more})
    assert [said for _, said in scenario.play(until=0).refused] == [why]
    assert scenario.lifecycle.memory.covers == Covers()


def said(kind: str, at: int, covers: Covers, **more: object) -> Notice | str:
    fields = {"scope": "prod/ssoe", "text": "t", **more}
    asked = IncidentInput(id="x", env="prod", kind=kind, by="Ada", **fields)  # type: ignore[arg-type]
    return cover(covers, asked, at, POLICY)


def test_there_are_so_many_at_most() -> None:
    covers = Covers()
    for _ in range(COVERS_KEPT):
        assert isinstance(said("mute", START, covers, until=START + DAY), Notice)
    assert str(said("mute", START, covers, until=START + DAY)).startswith(f"there are {COVERS_KEPT}")


@pytest.mark.parametrize(
    ("announced", "counts"),
    [("2026-11-24T10:00:00-05:00", False), ("2026-11-23T10:00:00-05:00", True)],  # Thanksgiving is the 26th
)
def test_maintenance_is_taken_out_of_the_account_if_it_was_announced_three_business_days_ahead(
    announced: str, counts: bool
) -> None:
    covers, at = Covers(), parse_instant(announced)
    begin = parse_instant("2026-11-27T12:00:00-05:00")
    notice = said("maintain", at, covers, since=begin, until=begin + HOUR)
    assert isinstance(notice, Notice)
    assert ("less than 3 business days" in notice.text) != counts
    follow(covers, [], begin, POLICY)
    assert list(exclusions(covers, begin + MINUTE, POLICY)) == (
        [Exclusion("prod/ssoe", begin, begin + MINUTE, "maintenance")] if counts else []
    )
    assert [one.field for one in follow(covers, [], begin + HOUR, POLICY)] == ["ended"]
    assert covers.standing == []
    assert list(exclusions(covers, begin + DAY, POLICY)) == (
        [Exclusion("prod/ssoe", begin, begin + HOUR, "maintenance")] if counts else []
    )


def test_a_correction_is_out_of_the_account_until_it_is_taken_back() -> None:
    covers = Covers()
    said("correct", START, covers, since=START - HOUR, until=START - MINUTE)
    wanted = [Exclusion("prod/ssoe", START - HOUR, START - MINUTE, "correction")]
    assert list(exclusions(covers, START, POLICY)) == wanted
    assert follow(covers, [], START + DAY, POLICY) == []
    assert list(exclusions(covers, START + DAY, POLICY)) == wanted
    said("unmute", START + DAY, covers, item="prod-c1")
    assert list(exclusions(covers, START + DAY, POLICY)) == []


def recurring(rule: str, start: str, hours: int = 2) -> Cover:
    begin = parse_instant(start)
    return Cover(
        id="prod-c1",
        kind="maintenance",
        scope="prod",
        start=begin,
        end=begin + hours * HOUR,
        recurs=rule,
        by="Ada",
        text="t",
        said_at=0,
    )


@pytest.mark.parametrize(
    ("at", "starts"),
    [
        ("2026-10-25T02:30:00-04:00", "2026-10-25T06:00:00Z"),
        ("2026-11-01T02:30:00-05:00", "2026-11-01T07:00:00Z"),  # the clock has gone back an hour
        ("2027-03-21T02:30:00-04:00", "2027-03-21T06:00:00Z"),  # and forward again
        ("2026-11-02T02:30:00-05:00", None),
    ],
)
def test_what_recurs_is_at_the_same_hour_of_the_wall_clock(at: str, starts: str | None) -> None:
    one = recurring("FREQ=WEEKLY;BYDAY=SU", "2026-10-18T02:00:00-04:00")
    span = occurrence(one, parse_instant(at), ZONE)
    assert (None if span is None else format_instant(span[0])) == starts


@given(
    at=st.integers(START - DAY, START + 900 * DAY),
    rule=st.sampled_from(["FREQ=DAILY", "FREQ=MONTHLY;BYDAY=2TU"]),
)
def test_an_occurrence_holds_its_instant_and_begins_at_its_hour(at: int, rule: str) -> None:
    one = recurring(rule, "2026-11-23T02:00:00-05:00")
    span = occurrence(one, at, ZONE)
    if span is not None:
        assert span[0] <= at < span[1] == span[0] + 2 * HOUR
        assert occurrence(one, span[0], ZONE) == span
        assert occurrence(one, span[1], ZONE) != span


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY;COUNT=3",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "nonsense",
        "FREQ=DAILY\nFREQ=DAILY",
    ],
)
def test_a_rule_that_cannot_be_followed_says_why(rule: str) -> None:
    assert rule_problem(rule, START, ZONE)


def test_a_recurring_maintenance_begins_and_ends_each_time_and_lists_what_each_hid() -> None:
    covers = Covers()
    at = parse_instant("2026-11-23T10:00:00-05:00")
    begin = parse_instant("2026-11-29T02:00:00-05:00")
    said("maintain", at, covers, since=begin, until=begin + HOUR, recurs="FREQ=WEEKLY;BYDAY=SU")
    seen = []
    for week in range(3):
        for second in (0, 60, 3_600, 3_660):
            seen += [
                one.field for one in follow(covers, [], begin + week * 7 * DAY + second * SECOND, POLICY)
            ]
    assert seen == ["began", "ended"] * 3
    assert len(covers.excluded) == 3


def test_maintenance_that_takes_a_method_over_four_hours_a_month_is_said_so() -> None:
    scenario = Scenario()
    first, hours = parse_instant("2026-12-06T07:00:00Z"), 3 * HOUR
    for second, scope, start, more in (
        (0, "prod/ssoe", first, {}),
        (10, "prod/sis", first + DAY, {}),
        (20, "prod/ssoe/idme", first + 2 * DAY, {}),
        (30, "prod/sis", first + 30 * DAY, {"recurs": "FREQ=MONTHLY"}),
        (40, "prod/sis", first + 60 * DAY, {}),
        (50, "prod/sis", START + DAY, {}),
    ):
        span = {"since": start, "until": start + hours}
        scenario.at(second).asks("maintain", scope=scope, text="t", **span, **more)
    scenario.play(until=60)
    said = [text.partition(": t.")[2].strip() for text in texts(scenario)]
    assert said == [
        "",
        "",
        "With it prod/ssoe has more than 4h of maintenance in 2026-12: the SLA counts what is beyond.",
        "",
        "With it prod/sis has more than 4h of maintenance in 2027-02: the SLA counts what is beyond.",
        "It was announced less than 3 business days ahead: the SLA counts it.",
    ]
