"""Scoring assigns incidents to labels, and counts the faults of the answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.backtest.labels import Label
from detectors.backtest.outcomes import Outcome
from detectors.backtest.totals import Totals, totals
from detectors.instants import MINUTE, SECOND
from detectors.scopes import SCOPES
from tests.detectors.backtest.made import at, label, outcome, scored


def figures(labels: list[Label], outcomes: list[Outcome], until: float = 240) -> Totals:
    return totals([scored(labels, outcomes, until)])


def test_a_perfect_answer_has_every_share_at_one() -> None:
    found = figures([label()], [outcome()])
    shares = (
        *(found.recall, found.precision, found.scope_right, found.severity_right),
        *(found.cause_right, found.alone_share, found.ended_well),
    )
    assert shares == (1.0,) * 7
    assert (found.false_pages, found.false_incidents, found.duplicates) == (0, 0, 0)


def test_nothing_to_score_has_no_shares() -> None:
    found = figures([], [])
    assert found.recall is None
    assert found.precision is None
    assert found.to_page.median is None


# -- which incident answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "answers"), [(8.9, False), (9, True), (10, True), (45, True), (45.1, False)]
)
def test_it_opens_from_a_minute_before_the_start_to_five_after_the_end(opened: float, answers: bool) -> None:
    found = figures([label()], [outcome(opened=opened, resolved=90)])
    assert found.answered == int(answers)
    assert found.false_incidents == int(not answers)


def test_lost_returns_may_be_found_fifteen_minutes_after_the_end() -> None:
    assert figures([label(kind="funnel")], [outcome(opened=54.9, resolved=90)]).answered == 1
    assert figures([label(kind="funnel")], [outcome(opened=55.1, resolved=90)]).answered == 0


def test_an_incident_that_is_over_before_the_start_is_no_answer() -> None:
    found = figures([label()], [outcome(opened=9.5, resolved=9.9)])
    assert (found.answered, found.false_pages) == (0, 1)


@pytest.mark.parametrize(
    ("scope", "answers"),
    [
        ("prod/ssoe", True),
        ("prod", True),
        ("prod/ssoe/idme", True),
        ("prod/*/idme", True),
        ("prod/sis", False),
        ("prod/sis/idme", False),
        ("staging/ssoe", False),
        ("prod/*/*/vaweb", True),
        ("prod/ssoe/clear/vaweb", True),
        ("prod/sis/*/vaweb", False),
    ],
)
def test_its_scope_overlaps_the_labels(scope: str, answers: bool) -> None:
    found = figures([label("prod/ssoe")], [outcome(scope)])
    assert found.answered == int(answers)
    assert found.false_pages == int(not answers)
    if answers:
        assert found.scope_right == float(scope == "prod/ssoe")


def test_two_labels_are_answered_by_the_incidents_on_the_closest_scopes() -> None:
    labels = [label("prod/ssoe/idme"), label("prod/sis/logingov", 13)]
    outcomes = [
        outcome("prod/sis/logingov", 13.5, incident="prod-1"),
        outcome("prod/ssoe/idme", 13.6, incident="prod-2"),
    ]
    answers = scored(labels, outcomes).answers
    assert [a.own.incident for a in answers if a.own] == ["prod-2", "prod-1"]


def test_answering_more_labels_comes_before_closer_scopes() -> None:
    # prod/ssoe would fit the first label exactly, and is all that the second can have
    labels = [label("prod/ssoe"), label("prod/ssoe/mhv")]
    outcomes = [outcome("prod/ssoe", incident="prod-1"), outcome("prod/ssoe/idme", incident="prod-2")]
    answers = scored(labels, outcomes).answers
    assert [a.own.incident for a in answers if a.own] == ["prod-2", "prod-1"]


def test_labels_outside_the_run_are_left_out() -> None:
    found = figures(
        [label(start=-20, end=0), label(start=10), label(start=60, end=70)], [outcome()], until=60
    )
    assert (found.labels, found.outside, found.recall) == (1, 2, 1.0)


# -- recall and precision -----------------------------------------------------------------------------------


def test_a_label_that_must_page_is_missed_where_nobody_was_woken() -> None:
    found = figures([label()], [outcome(pages=())])
    assert (found.recall, found.answered, found.pages) == (0.0, 1, 0)


def test_a_page_long_after_the_end_is_none_for_the_label() -> None:
    assert figures([label()], [outcome(pages=(45,), resolved=90)]).recall == 1.0
    assert figures([label()], [outcome(pages=(45.1,), resolved=90)]).recall == 0.0


def test_a_label_that_must_only_be_noticed_is_met_without_a_page() -> None:
    found = figures([label(page=False, severity=3)], [outcome(pages=(), severity=3)])
    assert (found.recall, found.precision, found.false_pages) == (1.0, None, 0)


def test_waking_somebody_for_what_must_only_be_noticed_is_a_false_page() -> None:
    found = figures([label(page=False)], [outcome()])
    assert (found.recall, found.precision, found.false_pages, found.false_incidents) == (1.0, 0.0, 1, 0)


def test_a_notice_needs_no_incident_and_tolerates_one_that_wakes_nobody() -> None:
    notice = label("prod/*/clear", kind="notice", page=False)
    assert figures([notice], []).labels == 0
    quiet = figures([notice], [outcome("prod/sis/clear/vaweb", pages=())])
    assert (quiet.false_incidents, quiet.false_pages) == (0, 0)
    loud = figures([notice], [outcome("prod/sis/clear/vaweb")])
    assert (loud.false_incidents, loud.false_pages) == (1, 1)
    elsewhere = figures([notice], [outcome("prod/*/idme", pages=())])
    assert elsewhere.false_incidents == 1


def test_an_outage_within_a_notice_is_an_outage() -> None:
    labels = [label("prod/*/clear", kind="notice", page=False), label("prod/*/clear")]
    found = figures(labels, [outcome("prod/*/clear")])
    assert (found.labels, found.recall, found.false_pages, found.right_pages) == (1, 1.0, 0, 1)


def test_a_label_that_may_page_or_not_counts_in_neither() -> None:
    for outcomes in ([], [outcome()], [outcome(pages=())]):
        found = figures([label(page=None)], outcomes)
        assert (found.recall, found.precision, found.pages) == (None, None, 0)
    assert figures([label(page=None)], [outcome()]).free_pages == 1


def test_an_incident_for_no_label_is_false_and_so_is_its_page() -> None:
    found = figures([label()], [outcome(), outcome("prod/sis", incident="prod-2")])
    assert (found.false_incidents, found.false_pages, found.precision) == (1, 1, 0.5)
    quiet = figures([], [outcome(pages=())])
    assert (quiet.false_incidents, quiet.false_pages) == (1, 0)


def test_a_second_incident_for_one_label_is_a_duplicate_and_its_page_a_double_one() -> None:
    found = figures([label()], [outcome(), outcome("prod/ssoe/idme", 12, incident="prod-2")])
    assert (found.duplicates, found.double_pages, found.false_pages) == (1, 1, 0)
    assert (found.precision, found.alone_share) == (0.5, 0.0)


def test_a_reopened_incident_is_no_duplicate_but_pages_again() -> None:
    found = figures([label()], [outcome(resolved=20), outcome(opened=25, epoch=1)])
    assert (found.again, found.duplicates, found.repeated_pages, found.alone_share) == (1, 0, 1, 0.0)
    assert found.to_open.worst == MINUTE // 2


def test_an_incident_reopened_for_a_second_label_answers_it() -> None:
    found = figures([label(), label(start=60, end=80)], [outcome(), outcome(opened=61, resolved=95, epoch=1)])
    assert (found.recall, found.alone_share, found.repeated_pages, found.right_pages) == (1.0, 1.0, 0, 2)


def test_one_incident_for_two_outages_misses_one_of_them() -> None:
    labels = [label("prod/ssoe/idme"), label("prod/sis/logingov")]
    result = scored(labels, [outcome("prod")])
    found = totals([result])
    assert (found.recall, found.shared) == (0.5, 1)
    assert [a.shared is not None for a in result.answers].count(True) == 1


# -- delays, scope, severity, cause -------------------------------------------------------------------------


def test_delays_run_from_the_start_of_the_label_in_event_time() -> None:
    outcomes = [outcome(opened=10.5, pages=(11,)), outcome("prod/sis", 10, pages=(14, 20), incident="prod-2")]
    found = figures([label(), label("prod/sis", severity=2)], outcomes)
    assert found.to_open.values == (0, 30 * SECOND)
    assert found.to_page.as_json() == {"count": 2, "median_s": 150.0, "worst_s": 240.0}
    assert {level: d.worst for level, d in found.to_page_by_severity.items()} == {1: MINUTE, 2: 4 * MINUTE}


def test_an_incident_that_opened_just_before_the_start_has_no_negative_delay() -> None:
    assert figures([label()], [outcome(opened=9.5)]).to_page.values == (0,)


def test_the_scope_is_the_one_held_longest_while_it_lasted() -> None:
    widened = outcome(((10.5, "prod/ssoe/idme"), (11, "prod/ssoe"), (41, "prod")))
    assert figures([label()], [widened]).scope == {("prod/ssoe", "prod/ssoe"): 1}


def test_the_peak_severity_counts_whatever_it_fell_to() -> None:
    risen = outcome(severity=((10.5, 3), (11, 1), (30, 2)))
    assert figures([label()], [risen]).severity == {(1, 1): 1}
    assert figures([label()], [outcome(severity=2)]).severity_right == 0.0


def test_confusions_show_what_was_missed() -> None:
    found = figures([label()], [])
    assert found.scope == {("prod/ssoe", None): 1}
    assert found.severity == {(1, None): 1}
    assert found.scope_right is None


@pytest.mark.parametrize(
    ("kind", "causes", "right"),
    [
        ("outage", ("burn_rate",), 1.0),
        ("outage", ("silence",), 0.0),
        ("silence", ("outage", "silence"), 1.0),
        ("funnel", ("silence",), 0.0),
        ("surge", ("surge",), 1.0),
        ("latency", ("latency",), 1.0),
        ("of a kind of its own", ("outage",), None),
    ],
)
def test_the_cause_is_right_if_a_detector_of_the_kind_found_it(
    kind: str, causes: tuple[str, ...], right: float | None
) -> None:
    assert figures([label(kind=kind)], [outcome(causes=causes)]).cause_right == right


# -- the end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "resolved", "ending", "well"),
    [
        ("outage", 60, "in time", 1.0),
        ("outage", 60.1, "late", 0.0),
        ("outage", 39, "early", 0.0),
        ("outage", None, "not over", 0.0),
        ("funnel", 85, "in time", 1.0),
        ("surge", 85.1, "late", 0.0),
        ("surge", 60.1, "in time", 1.0),
    ],
)
def test_it_resolves_within_the_time_that_its_kind_has(
    kind: str, resolved: float | None, ending: str, well: float
) -> None:
    found = figures([label(kind=kind)], [outcome(resolved=resolved)])
    assert found.ending == {ending: 1}
    assert found.ended_well == well


def test_a_quiet_night_may_fade() -> None:
    found = figures([label()], [outcome(resolved=170, resolved_reason="faded")])
    assert (found.ending, found.ended_well) == ({"faded": 1}, 1.0)


def test_an_end_that_the_run_did_not_see_is_unknown() -> None:
    found = figures([label()], [outcome(resolved=None)], until=59)
    assert (found.ending, found.ended_well) == ({"unknown": 1}, None)
    assert figures([label()], [outcome(resolved=None)], until=60).ending == {"not over": 1}


def test_an_incident_resolved_early_but_reopened_ends_with_its_last_epoch() -> None:
    answers = scored([label()], [outcome(resolved=20), outcome(opened=25, resolved=56, epoch=1)]).answers
    assert answers[0].ending == "in time"
    assert answers[0].recovery == 16 * MINUTE


# -- arbitrary input -----------------------------------------------------------------------------------------

_scopes = st.sampled_from([f"prod/{scope}".rstrip("/") for scope in SCOPES] + ["staging/ssoe"])
_times = st.tuples(st.integers(0, 90), st.integers(1, 60))
_labels = st.builds(
    lambda scope, times, page, kind: label(scope, times[0], sum(times), page=page, kind=kind),
    _scopes,
    _times,
    st.sampled_from([True, False, None]),
    st.sampled_from(["outage", "funnel", "surge"]),
)
_outcomes = st.lists(
    st.builds(
        lambda scope, times, paged: (scope, times, paged),
        _scopes,
        _times,
        st.booleans(),
    ),
    max_size=6,
).map(
    lambda drawn: [
        outcome(scope, times[0], sum(times), incident=f"prod-{n}", pages=None if paged else ())
        for n, (scope, times, paged) in enumerate(drawn)
    ]
)


@given(st.lists(_labels, max_size=6), _outcomes)
def test_every_incident_and_every_page_is_accounted_for_once(
    labels: list[Label], outcomes: list[Outcome]
) -> None:
    result = scored(labels, outcomes)
    found = totals([result])
    assert found.answered + found.again + found.duplicates + found.false_incidents == len(outcomes)
    assert found.pages + found.free_pages == sum(len(one.pages) for one in outcomes)
    assert found.labels + found.outside == len(labels)
    assert sum(found.scope.values()) == found.labels
    own = [answer.own.incident for answer in result.answers if answer.own]
    assert len(own) == len(set(own))
    for answer in result.answers:
        # a label that any incident may answer is missed only for the sake of other labels
        if answer.own is None:
            may = {one.incident for one in outcomes if answer.label.may_be_answered_by(one)}
            assert may <= set(own)


@given(st.lists(_labels, max_size=4), _outcomes, st.lists(_labels, max_size=4), _outcomes)
def test_totals_add_up_over_runs(
    labels: list[Label], outcomes: list[Outcome], more: list[Label], others: list[Outcome]
) -> None:
    one, other = scored(labels, outcomes), scored(more, others)
    both, first, second = totals([one, other]), totals([one]), totals([other])
    for name in ("labels", "paged", "noticed", "pages", "false_pages", "duplicates", "alone"):
        assert getattr(both, name) == getattr(first, name) + getattr(second, name)
    assert both.scope == first.scope + second.scope
    assert sorted(both.to_page.values) == sorted(first.to_page.values + second.to_page.values)


def test_the_run_is_scored_up_to_its_last_t() -> None:
    assert scored([label()], [outcome()], until=50).answers[0].until == at(50)
