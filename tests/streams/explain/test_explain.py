"""An incident explained from a replay: what fired, why it is on its scope, how bad it was, who was known_case."""

from __future__ import annotations

import dataclasses
import io
import re

import msgspec
import pytest
from rich.console import Console

from detectors.instants import MINUTE, SECOND
from streams.cli.reporting.explain import show
from streams.explain.case_file import CaseFile
from streams.explain.from_replay import replayed
from streams.explain.sections import ReportSection, after, figures, findings, happenings, legend, sections
from streams.policy_tests.events import history_of
from streams.policy_tests.notation import parse_flow
from streams.replay.entries import SourceError
from streams.settings.policy_file import default_policy
from tests.streams.explain.case_files import START, case_file, entries, events


def shown(width: int = 100, one: CaseFile | None = None) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(one or case_file(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def of_kind(kind: str) -> ReportSection:
    """Return the first section of a kind; of a severity, the rise to the greatest."""
    found = [section for section in sections(case_file()) if section.kind == kind]
    return next((section for section in found if section.title == "Severity from 2 to 1"), found[0])


def paragraph(kind: str, name: str) -> str:
    (words,) = [words for about, words in of_kind(kind).paragraphs if about == name]
    return words


def test_every_change_is_a_section_in_its_order() -> None:
    kinds = [section.kind for section in sections(case_file())]
    assert kinds[:3] == ["refused", "deploy", "opened"]
    assert kinds[-1] == "resolved"
    assert {"severity", "declared", "acknowledged", "note", "recovering"} <= set(kinds)
    times = [section.at for section in sections(case_file())]
    assert times == sorted(times)


def test_the_opening_says_what_fired_with_its_numbers_and_thresholds() -> None:
    assert re.fullmatch(r"Opened: ID\.me on SSOe \(prod/ssoe/idme\), severity [23]", of_kind("opened").title)
    words = paragraph("opened", "outage")
    rules = default_policy().outage
    assert re.search(
        r"\d+ of \d+ idme on ssoe sign-ins failed in \d+s, \d+ people; normal is 0\.05%\.", words
    )
    assert re.search(
        rf"Counted in people, [\d.]+% of those who came through in \d+s failed; usually 0\.05% do\. That is evidence"
        r" of [\d.]+ nats \(a likelihood 10\^\d+ times as high\); 21\.6 nats,"
        rf" of at least {rules.min_people} people, are an outage\.",
        words,
    )


def test_what_those_who_fail_have_in_common_is_told_once() -> None:
    told = [text for one in sections(case_file()) for name, text in one.paragraphs if name == "in common"]
    assert len(told) == 1
    assert re.fullmatch(r"(\d+) of \1 failing people have the error code 007\.", told[0])


def test_the_opening_says_why_it_is_on_this_scope() -> None:
    words = paragraph("opened", "scope")
    assert words.startswith("ID.me on SSOe fails as one.")
    assert re.search(
        r"better than “all is as usual” does, by \d+ nats \(a likelihood \S+ times as high\)", words
    )


def test_a_severity_is_explained_by_the_figure_what_it_rests_on_and_the_threshold() -> None:
    titles = [one.title for one in sections(case_file()) if one.kind == "severity"]
    assert titles[0] == "Severity from 2 to 1"
    assert re.fullmatch(
        r"1,\d{3} people an hour \(projected: those so far and, for the rest of the hour, new ones as in the last 5m,"
        r" at the lower bound that holds with 80%\); more than 1,000 is severity 1\.",
        paragraph("severity", "severity"),
    )


def test_it_is_said_who_was_told_what_by_each_change() -> None:
    assert paragraph("severity", "notified") == (
        "Slack: update, broadcast; PagerDuty: trigger (critical); Datadog: event (error)"
    )
    assert paragraph("resolved", "notified").startswith(
        "Slack: update, reply; PagerDuty: resolve (critical); Datadog: event (ok), "
    )


def test_recovery_and_resolution_say_why() -> None:
    assert "resolves after 15m" in paragraph("recovering", "")
    assert paragraph("resolved", "") == "All its findings have been quiet for 15m."
    assert paragraph("resolved", "counts").startswith("100.0% of 600 sign-ins succeeded in the 5 min before")


def test_what_people_asked_for_is_told_also_where_it_was_refused() -> None:
    assert of_kind("acknowledged").title == "Acknowledged by Ada"
    refused = [section for section in sections(case_file()) if section.kind == "refused"]
    assert [section.title for section in refused] == ["Refused: note by Ada", "Refused: acknowledge by Ada"]
    assert "is acknowledged already, by Ada" in refused[1].paragraphs[0][1]


def test_what_fired_on_the_scope_is_told_at_length_and_what_fired_beside_it_in_short() -> None:
    found = list(findings(case_file()))
    assert re.match(
        r"outage on prod/ssoe/idme, (2 times, )?for \d min( \d+ s)?[^:]*: \d+ of \d+ idme", found[0][1]
    )
    assert re.fullmatch(r"15:05:\d\d", found[0][0])
    beside = [words for at, words in found if not at]
    assert any(re.match(r"outage beside it on .*prod/ssoe \(15:0\d:\d\d\)", words) for words in beside)
    assert not any("prod/sis" in words for _, words in found)


def test_the_figures_say_how_long_everything_took() -> None:
    known = dict(figures(case_file()))
    assert re.fullmatch(r"\d+ s after it began", known["found"])
    assert re.fullmatch(r"\d s after it was opened", known["paged"]), "as soon as the severity is 2"
    assert known["acknowledged"].endswith("s after it was opened")
    assert known["resolved"].startswith("1")
    assert known["worst"].startswith("severity 1, ")


def test_the_worst_of_an_estimate_is_told_with_its_error() -> None:
    known_case = case_file()
    worst = max(known_case.changes, key=lambda line: line.users_impacted)
    estimated = msgspec.structs.replace(worst, users_impacted_error=0.0019)
    lines = [estimated if line is worst else line for line in known_case.lines]
    assert dict(figures(dataclasses.replace(known_case, lines=lines)))["worst"].endswith(
        " people an hour (±0.19%)"
    )


def test_the_story_begins_with_the_first_failing_event() -> None:
    assert 0 <= case_file().began - (START + 5 * MINUTE) <= SECOND


def test_the_plot_shows_the_collapse_and_what_happened_in_it() -> None:
    text = shown()
    assert re.search(r"100%  █+\S? +\S█+", text)
    assert "prod/ssoe/idme: success in 1m, people who failed in 5m, a column is" in text
    assert "O opened, P paged, S severity, A acknowledged, D declared, R recovering, E resolved" in text
    assert {mark.letter for mark in happenings(case_file())} == set("OPSADRE")
    assert legend([]) == ""


def test_where_nobody_failed_the_plot_shows_how_many_came() -> None:
    flows = [
        parse_flow(f"prod/{leaf} sign_in success {rate}/s")
        for leaf, rate in (("ssoe/idme", 2), ("sis/idme", 1))
    ]
    lines = events("prod/ssoe/idme sign_in success 2/s x 10m", "prod/sis/idme sign_in success 1/s x 20m")
    history = history_of(flows, START, default_policy())
    silent = replayed("prod-1", entries(lines), default_policy(), now=START + 20 * MINUTE, history=history)
    text = shown(one=silent)
    assert "prod/ssoe/idme: success in 1m, sign-ins that completed (nobody failed), a column is" in text
    assert re.search(r"^ +120  ▇*█+", text, re.MULTILINE)
    assert "ID.me on SSOe has fallen silent as one." in text


def test_everything_fits_the_width_of_the_terminal() -> None:
    for width in (60, 80, 200):
        assert max(len(line) for line in shown(width).splitlines()) <= width


def test_a_note_cannot_take_over_the_terminal() -> None:
    assert "\x1b" not in shown()
    assert "[2Jmy screen" in shown()


def test_an_incident_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        SourceError, match=re.escape("no incident prod-7 in these events, only prod-1 (prod/ssoe/idme)")
    ):
        replayed("prod-7", entries(events()), default_policy(), now=START + 30 * MINUTE)
    quiet = events("prod/ssoe/idme sign_in success 1/s x 1m")
    for name in ("prod-1", "nonsense"):
        with pytest.raises(SourceError, match=f"no incident {name} in these events, nor any other"):
            replayed(name, entries(quiet), default_policy(), now=START + MINUTE)


@pytest.mark.parametrize(
    ("millis", "words"),
    [
        (0, "0 s"),
        (59_000, "59 s"),
        (60_000, "1 min"),
        (895_000, "14 min 55 s"),
        (7_500_000, "2 h 5 min"),
        (-4_000, "-4 s"),
    ],
)
def test_spans_are_told_as_people_tell_them(millis: int, words: str) -> None:
    assert after(millis) == words
