"""A merge and the end of an alert by itself resolve nothing; news older than what is known changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.instants import SECOND
from detectors.process.alert_news import AlertNews
from tests.detectors.lifecycle.scenario import START, Heard, Scenario

MINUTES = 60


class Pager:
    """PagerDuty, as it speaks in a scenario in which a method fails from second 0 on."""

    def __init__(self, *, people: int = 60) -> None:
        self.scenario = Scenario()
        self.scenario.at(0).fires("prod/ssoe", people=people)

    def says(
        self,
        second: int,
        kind: str,
        *,
        happened: int | None = None,
        key: str | None = "prod-1:0",
        incident: str | None = "Q1",
        into: str | None = None,
        by: str = "PagerDuty: Ada",
        **more: Any,
    ) -> Pager:
        alert = AlertNews(
            dedup_key=None if key is None else f"watchofficer:{key}",
            incident=incident,
            into=into,
            occurred_at=START + (second if happened is None else happened) * SECOND,
        )
        more = {"alert": alert, "via": "pagerduty", "by": by, "id": f"{kind}-{second}-{incident}", **more}
        self.scenario.at(second).asks(kind, "prod-1", **more)
        return self

    def plays(self, until: int) -> Heard:
        return self.scenario.play(until=until)


def stands(heard: Heard) -> tuple[str, str | None]:
    one = heard.incidents["prod-1"]
    return one.state, one.acknowledged_by


def test_who_merges_two_of_our_alerts_has_them_and_nothing_is_resolved() -> None:
    heard = Pager().says(60, "linked").says(100, "merge", into="Q9").plays(30 * MINUTES)
    assert stands(heard) == ("acknowledged", "PagerDuty: Ada")
    assert heard.told("pagerduty") == [(0, "trigger", "error", "prod-1:0")]
    assert "resolved" not in [kind for _, kind in heard.kinds()]
    assert heard.incidents["prod-1"].pages[0].incident == "Q9"
    assert "merged into another one there (Q9) by PagerDuty: Ada" in heard.last("acknowledged").reason


def test_the_target_of_a_merge_speaks_for_the_alert_from_then_on() -> None:
    pager = (
        Pager()
        .says(100, "merge", into="Q9", by="PagerDuty")
        .says(200, "acknowledge", key=None, incident="Q9")
    )
    heard = pager.says(300, "unacknowledge", key=None, incident="Q9").plays(300)
    assert [kind for _, kind in heard.kinds()] == ["opened", "note", "acknowledged", "unacknowledged"]
    heard = pager.says(400, "resolve", key=None, incident="Q9").plays(400)
    assert heard.when("said_resolved") == [400]


def test_a_late_word_of_the_source_of_a_merge_changes_nothing() -> None:
    pager = Pager().says(100, "merge", into="Q9").says(200, "unacknowledge", happened=90)
    heard = pager.plays(200)
    assert stands(heard) == ("acknowledged", "PagerDuty: Ada")
    assert [why for _, why in heard.refused] == ["PagerDuty has said what came later before"]


def test_pagerdutys_own_end_of_an_alert_resolves_nothing_pages_nobody_and_is_on_the_timeline() -> None:
    heard = Pager().says(100, "auto_resolve", by="PagerDuty").plays(20 * MINUTES)
    assert stands(heard) == ("open", None)
    assert len(heard.pages()) == 1
    assert [note.text for note in heard.incidents["prod-1"].notes] == [
        "PagerDuty resolved its alert by itself; nobody has said that it is over."
    ]


def test_after_its_own_end_a_rise_still_wakes_somebody() -> None:
    pager = Pager().says(100, "auto_resolve", by="PagerDuty")
    pager.scenario.at(300).hits(5_000)
    assert pager.plays(300).pages()[1:] == [(300, "critical", "prod-1:0:s1")]


def test_of_two_alerts_the_older_ones_end_resolves_nothing_and_the_laters_does() -> None:
    pager = Pager().says(40, "acknowledge")
    pager.scenario.at(100).hits(5_000)
    pager.says(200, "resolve").says(210, "linked", key="prod-1:0:s1", incident="Q2")
    heard = pager.plays(20 * MINUTES)
    assert [key for *_, key in heard.pages()] == ["prod-1:0", "prod-1:0:s1"]
    assert stands(heard) == ("acknowledged", "PagerDuty: Ada")
    assert heard.incidents["prod-1"].notes[-1].text == (
        "One of its alerts was resolved in PagerDuty; 1 alert is still open."
    )
    pager.scenario.at(1_300).quiet()
    pager.says(1_310, "resolve", key="prod-1:0:s1", incident="Q2")
    heard = pager.plays(1_310)
    assert heard.when("resolved") == [1_310]


def test_a_person_who_resolves_the_last_alert_while_it_fails_is_paged_again_and_pagerduty_hears_no_resolve() -> (
    None
):
    heard = Pager().says(100, "resolve").plays(10 * MINUTES)
    assert heard.when("said_resolved") == [100]
    assert heard.told("pagerduty") == [
        (0, "trigger", "error", "prod-1:0"),
        (400, "trigger", "error", "prod-1:0:r1"),
    ]


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [
        (("unacknowledge", 125), ("acknowledge", 123), "open"),
        (("acknowledge", 125), ("unacknowledge", 123), "acknowledged"),
        (("resolve", 125), ("acknowledge", 123), "open"),
        (("acknowledge", 125), ("acknowledge", 123), "acknowledged"),
    ],
)
def test_what_happened_later_counts_whatever_arrives_first(
    first: tuple[str, int], then: tuple[str, int], state: str
) -> None:
    pager = Pager().says(100, "acknowledge") if first[0] == "unacknowledge" else Pager()
    heard = pager.says(130, first[0], happened=first[1]).says(140, then[0], happened=then[1]).plays(150)
    assert stands(heard)[0] == state


def test_at_one_instant_the_later_state_counts() -> None:
    pager = Pager().says(100, "acknowledge", happened=90).says(110, "unacknowledge", happened=90)
    assert stands(pager.plays(110)) == ("acknowledged", "PagerDuty: Ada")


def test_an_expired_acknowledgement_of_before_does_not_undo_a_later_one_by_another_door() -> None:
    pager = Pager().says(100, "acknowledge")
    pager.scenario.at(110).asks("unacknowledge", "prod-1", at=START + 110 * SECOND)
    pager.scenario.at(120).asks("acknowledge", "prod-1", by="Bob", at=START + 120 * SECOND)
    heard = pager.says(140, "unacknowledge", happened=105).plays(140)
    assert stands(heard) == ("acknowledged", "Bob")


def test_news_of_an_earlier_epoch_changes_nothing() -> None:
    pager = Pager()
    pager.scenario.at(100).quiet()
    pager.scenario.at(1_200).fires("prod/ssoe")
    heard = pager.says(1_300, "acknowledge").plays(1_300)
    assert heard.incidents["prod-1"].epoch == 1
    assert stands(heard) == ("open", None)
    assert [why for _, why in heard.refused] == ["it is of an earlier epoch of prod-1"]


def test_an_incident_that_lives_again_in_pagerduty_lives_again_here_and_opens_no_second_one() -> None:
    pager = Pager().says(60, "linked")
    pager.scenario.at(100).quiet()
    heard = pager.says(1_200, "reopen").plays(1_200)
    assert heard.when("resolved") == [990]
    assert heard.when("relapsed") == [1_200]
    pager.scenario.at(1_300).fires("prod/ssoe")
    heard = pager.plays(1_400)
    one = heard.incidents["prod-1"]
    assert (one.state, one.epoch, one.resolved_at, one.pages[0].closed_at) == ("open", 0, None, None)
    assert len(heard.pages()) == 1
    pager.scenario.at(1_500).quiet()
    assert pager.plays(1_490 + 15 * MINUTES).when("resolved") == [990, 1_490 + 15 * MINUTES]


def test_it_lives_again_beside_no_other_incident_of_the_same() -> None:
    pager = Pager()
    pager.scenario.at(100).quiet()
    pager.scenario.at(1_000).fires("prod/ssoe/mhv")
    heard = pager.says(1_200, "reopen").plays(1_200)
    assert [one.state for one in heard.incidents.values()].count("open") == 1


def test_it_is_known_for_good_which_incident_of_pagerdutys_holds_an_alert() -> None:
    pager = Pager().says(
        60,
        "linked",
        alert=AlertNews(
            dedup_key="watchofficer:prod-1:0", incident="Q1", url="https://va.pagerduty.com/incidents/Q1"
        ),
    )
    pager.says(70, "linked", id="again")
    pager.plays(70)
    pager.scenario.restart()
    heard = pager.plays(80)
    one = heard.incidents["prod-1"]
    assert (one.pages[0].incident, one.links["pagerduty"]) == ("Q1", "https://va.pagerduty.com/incidents/Q1")
    assert heard.when("linked") == [60]
    assert [c.action for c in heard.commands if c.kind == "linked"] == ["update"]
    pager.scenario.at(100).quiet()
    pager.scenario.at(1_200).fires("prod/ssoe")
    again = pager.plays(1_200).incidents["prod-1"]
    assert again.epoch == 1
    assert "pagerduty" not in again.links


def test_while_one_of_two_alerts_is_acknowledged_the_incident_is() -> None:
    pager = Pager().says(40, "acknowledge")
    pager.scenario.at(100).hits(5_000)
    pager.says(120, "linked", key="prod-1:0:s1", incident="Q2")
    pager.says(130, "acknowledge", key="prod-1:0:s1", incident="Q2").says(140, "unacknowledge")
    heard = pager.plays(140)
    assert stands(heard)[0] == "acknowledged"
    heard = pager.says(150, "unacknowledge", key="prod-1:0:s1", incident="Q2").plays(150)
    assert stands(heard)[0] == "open"
