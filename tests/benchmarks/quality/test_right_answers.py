"""Outages that are hard to judge, and what only looks like one: a table of situations, each with its right answer.

Each row is played through the whole pipeline, once, with a tuning seed. What is wrong with any answer fails it
(``findings``), and so does a page too late or too many, another scope on the way, an untrue word, or a restless banner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from benchmarks.quality.cases import Case
from benchmarks.quality.findings import findings
from benchmarks.quality.runs import Run, play
from benchmarks.quality.said import Heard
from benchmarks.quality.variation import Varied
from detectors.axes import contains
from detectors.incidents import Command, Transition
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.notices.notices import Notice
from streams.evaluate.evaluator import Verdict
from streams.settings.policy_file import default_policy
from streams.simulate.scenarios import SCENARIOS

pytestmark = pytest.mark.quality

#: One of the tuning seeds.
SEED = 1
#: How often the banner of a key may change in an hour.
BANNER_CHANGES = 4


@dataclass(frozen=True)
class Cut(Case):
    """A case of the library that ends after so many minutes, 0 for all of it; the seed 0 varies nothing."""

    minutes: int = 0

    def varied(self) -> Varied:
        plain = SCENARIOS[self.kind]
        varied = super().varied() if self.seed else Varied(plain, plain.rate)
        length = self.minutes * MINUTE or varied.scenario.duration
        return replace(varied, scenario=replace(varied.scenario, duration=length))


@dataclass
class Played:
    """A run, with all that it said."""

    run: Run
    heard: Heard
    transitions: list[Transition]
    commands: list[Command]
    notices: list[Notice]
    banners: dict[str, list[int]]

    @property
    def scopes(self) -> set[str]:
        """All scopes that any incident of production had, at any time."""
        return {change.incident.scope for change in self.transitions if change.incident.env == "prod"}

    @property
    def pages(self) -> int:
        """How often somebody was woken: the alerts of PagerDuty that wake, each key once, without reminders."""
        woke = ("critical", "error")
        return len(
            {
                one.dedup_key
                for one in self.commands
                if (one.sink, one.action) == ("pagerduty", "trigger")
                and one.level in woke
                and not one.dedup_key.endswith(":breach")
            }
        )

    @property
    def most_banner_changes(self) -> int:
        """The most changes that the banner of any key had in an hour."""
        return max(
            (
                sum(begin <= at < begin + HOUR for at in changes)
                for changes in self.banners.values()
                for begin in changes
            ),
            default=0,
        )


def played(case: Case) -> Played:
    heard, banners = Heard(), defaultdict[str, list[int]](list)
    transitions: list[Transition] = []
    commands: list[Command] = []
    notices: list[Notice] = []

    def see(verdict: Verdict) -> None:
        heard.take(verdict.result)
        transitions.extend(verdict.result.transitions)
        commands.extend(verdict.result.commands)
        notices.extend(verdict.result.notices)
        for banner in verdict.banners:
            banners[banner.key].append(verdict.result.at)

    run = play(case, default_policy(), seen=see)
    return Played(run, heard, transitions, commands, notices, banners)


def _nothing(one: Played) -> bool:
    return True


def _told(kind: str, value: str) -> Callable[[Played], bool]:
    return lambda one: (kind, value) in {(notice.kind, notice.value) for notice in one.notices}


def _delayed(one: Played) -> bool:
    return any("may be delayed" in change.incident.sentence for change in one.transitions)


def _share_rose(one: Played) -> bool:
    return any(change.kind == "share" for change in one.transitions)


def _by_people(one: Played) -> bool:
    return any((change.incident.scope, change.incident.severity) == ("prod", 2) for change in one.transitions)


def _declared(one: Played) -> bool:
    return any(change.incident.declared_at is not None for change in one.transitions)


@dataclass(frozen=True)
class Row:
    """A situation and its right answer.

    Attributes:
        number: the row.
        scenario: of the library.
        right: the answer, in words.
        scopes: those that the incidents had; none may ever have had a scope that lies in none of them.
        severities: the worst of each label that calls for an incident, in the order of the labels; 0 for any.
        pages: how often somebody may be woken.
        within: s from the beginning of each label to the page, or to the opening where nobody is woken.
        minutes: the length of the run; 0 for all of it.
        also: what else must hold.
        seed: of the variation; 0 for the scenario as it stands.
        untrue: what need not be true of what is said.
        excused: kinds of faults that are none here.
    """

    number: int
    scenario: str
    right: str
    scopes: tuple[str, ...] = ()
    severities: tuple[int, ...] = ()
    pages: int = 0
    within: int = 0
    minutes: int = 0
    also: Callable[[Played], bool] = field(default=_nothing)
    seed: int = SEED
    untrue: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()


SSOE, SIS, IDME = "prod/ssoe", "prod/sis", "prod/*/idme"
TABLE = (
    Row(1, "stray_beside_outage", "the method, at once: a stray failure is no excess", (SSOE,), (1,), 1, 15),
    Row(2, "stepped_recovery", "never wider than the method", (SSOE,), (1,), 1, 15),
    Row(
        3,
        "tokens_within_outage",
        "as soon as alone, with a beginning and people of its own",
        (IDME, SIS),
        (1, 1),
        2,
        30,
        70,
    ),
    Row(
        4,
        "outage_beside_maintenance",
        "the method that fails, beside the one in maintenance, whose own incident wakes nobody",
        (SSOE, SIS),
        (1,),
        1,
        20,
        excused=("false incident",),
    ),
    # They all use vaweb, so that a narrower scope is as right as the label's.
    Row(
        5,
        "repeaters",
        "severity 2: those who fail again are not new",
        ("prod/sis/idme",),
        (2,),
        1,
        240,
        60,
        untrue=("scope",),
        excused=("wrong scope",),
    ),
    Row(
        6, "failures_without_provider", "over a minute after the end, resolved after 15", (SSOE,), (1,), 1, 20
    ),
    Row(7, "shortfall", "a shortfall, with its size as severity", ("prod",), (1,), 1, 300, 45),
    # Its run knows a few minutes before, which say the level of a method less exactly than 15 %.
    Row(
        7,
        "shortfall_of_a_method",
        "a shortfall of the method alone",
        (SSOE,),
        (1,),
        1,
        300,
        45,
        untrue=("people",),
    ),
    Row(7, "silence_but_for_a_tenth", "a shortfall, with its size as severity", ("prod",), (1,), 1, 120, 45),
    Row(
        8,
        "silence_after_a_dead_week",
        "found at once: the bad hour does not count",
        ("prod",),
        (1,),
        1,
        60,
        45,
    ),
    # One week of history is left, of which a few minutes say the estimate to a fifth; the severity is right.
    Row(
        8,
        "silence_after_an_incident_last_week",
        "found at once, the estimate is whole",
        (SSOE,),
        (1,),
        1,
        60,
        45,
        untrue=("people",),
    ),
    Row(9, "first_day", "found: the hour before says what is usual", ("prod",), (1,), 1, 90, 105),
    Row(10, "clock_behind", "a notice that names the producer", also=_told("clock", "ssoe")),
    Row(10, "clock_ahead", "a notice that names the producer", also=_told("clock", "ssoe")),
    Row(10, "clock_ahead_of_broker", "a notice that names the producer", also=_told("clock", "ssoe")),
    Row(11, "slow_provider", "delayed, and nobody is woken", (IDME,), also=_delayed),
    Row(12, "move_of_method", "a notice", also=_told("moved", "ssoe")),
    Row(12, "move_of_client", "a notice", also=_told("moved", "vaweb")),
    # The people of an hour are estimated by those of a minute, whose greatest number is a quarter too many.
    Row(
        13,
        "denied_collapse",
        "an outage, whatever the code, that began with the first such failure",
        ("prod/*/logingov",),
        (1,),
        1,
        90,
        untrue=("people",),
    ),
    Row(14, "retries_at_night", "nobody is woken: one person could have done it"),
    Row(14, "scanner", "nobody is woken: one machine could have done it"),
    # As it stands in the library: drawn pauses may be so long that the incident resolves between two blips. Its label
    # is of severity 2 by a projection that stood as long as the blips; 44 people failed in an hour, which is 3.
    Row(
        15,
        "three_blips",
        "one incident, paged once, severity by the people",
        (SSOE,),
        (3,),
        1,
        30,
        seed=0,
        untrue=("severity",),
        excused=("reopened", "wrong severity"),
    ),
    Row(16, "steady_5_percent", "the banner changes at most four times an hour", (SSOE,), (2,), 1, 300, 75),
    # An incident is open before the rise, as 3 % spend the month's budget: the label has none of its own.
    Row(
        17,
        "chronic_then_worse",
        "the rise of the failing share is told",
        (SSOE,),
        pages=1,
        minutes=75,
        also=_share_rose,
        excused=("false page", "missed"),
    ),
    # A surge is told before, in Slack: the history that is made knows nothing of how usual its code is.
    Row(
        18,
        "large_house",
        "severity 2 by the people, whatever the ratio",
        ("prod",),
        pages=1,
        minutes=30,
        also=_by_people,
        excused=("false page", "missed"),
    ),
    Row(
        19,
        "slow_quarter",
        "declared and paged after a quarter of an hour",
        (SSOE,),
        (0,),
        1,
        1_200,
        50,
        _declared,
    ),
    Row(20, "ssoe_silence", "those who would have completed, within 15 %", (SSOE,), (1,), 1, 60, 45),
    Row(20, "silence", "those who would have completed, within 15 %", ("prod",), (1,), 1, 60, 45),
    Row(20, "idme_never_returns", "those who would have completed, within 15 %", (IDME,), (1,), 1, 480, 60),
    Row(20, "ssoe_never_returns", "those who would have completed, within 15 %", (SSOE,), (1,), 1, 480, 60),
)


def test_every_row_is_played() -> None:
    assert {row.number for row in TABLE} == set(range(1, 21))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.number}-{row.scenario}")
def test_the_answer_is_right(row: Row) -> None:
    one = played(Cut("library", row.scenario, row.seed, minutes=row.minutes))
    answers = [answer for answer in one.run.score.answers if answer.label.kind != "notice"]
    faults = [f"{what}: {how}" for what, how in findings([one.run]) if what not in row.excused]
    assert not faults, "\n".join(faults)
    assert set(row.scopes) <= one.scopes, row.right
    assert all(any(contains(wide, told) for wide in row.scopes) for told in one.scopes), (
        one.scopes,
        row.right,
    )
    assert one.pages == row.pages, row.right
    if row.severities:
        assert all(
            wanted in (0, answer.severity) for wanted, answer in zip(row.severities, answers, strict=True)
        ), row.right
        late = [answer.to_page if row.pages else answer.to_open for answer in answers]
        assert all(ms is not None and ms <= row.within * SECOND for ms in late), (late, row.right)
    assert one.most_banner_changes <= BANNER_CHANGES
    assert [
        said for said in one.heard.compared(one.run) if not said.is_true and said.what not in row.untrue
    ] == []
    assert row.also(one), row.right
    assert one.run.events > 1000
