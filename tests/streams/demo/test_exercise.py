"""An exercise reaches nobody whom an outage reaches, says everywhere that it is one, and is scored by its log."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from detectors.instants import MINUTE, format_instant
from sinks.wording import ScopeNames, headline
from streams.cli.main import main
from streams.demo.people.exercise import NotARoute, exercise_policy, exercise_report, exercise_settings
from streams.records.log_lines import read_line
from streams.reports.episodes import episodes_of
from streams.settings.policy_file import default_policy
from streams.settings.settings import SettingsError, read_settings
from tests.detectors.lifecycle.scenario import Scenario
from tests.streams.reports.logs import AT, incident, line

POLICY = exercise_policy(default_policy())
REAL = {"WATCHOFFICER_PAGERDUTY__ROUTING_KEY": "a" * 32}


def test_the_settings_of_an_exercise_are_its_own_and_those_of_the_watch_are_not_used() -> None:
    assert exercise_settings(REAL).sinks() == frozenset()
    own = exercise_settings({**REAL, "WATCHOFFICER_EXERCISE_PAGERDUTY__ROUTING_KEY": "b" * 32})
    assert own.sinks() == {"pagerduty"}
    watch = read_settings({**REAL, "WATCHOFFICER_EXERCISE_SLACK__CHANNEL": "C0"})
    assert watch.sinks() == {"pagerduty"}
    assert watch.doubts == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PAGERDUTY__ROUTING_KEY": "a" * 32}, "this is the route of real incidents"),
        (
            {
                "STATUSPAGE__API_KEY": "k",
                "STATUSPAGE__PAGE": "p",
                "STATUSPAGE__HEADLINE": "h",
                "STATUSPAGE__COMPONENTS": "prod/ssoe=ab12cd",
            },
            "the public hears of no exercise",
        ),
        ({"PAGERDUTI__ROUTING_KEY": "x"}, "WATCHOFFICER_EXERCISE_PAGERDUTI__ROUTING_KEY is not a setting"),
    ],
)
def test_an_exercise_that_would_reach_others_is_refused(given: dict[str, str], said: str) -> None:
    environ = {**REAL, **{f"WATCHOFFICER_EXERCISE_{name}": value for name, value in given.items()}}
    with pytest.raises(NotARoute, match=said):
        exercise_settings(environ)


def test_a_setting_that_cannot_be_used_is_named_as_that_of_the_exercise() -> None:
    with pytest.raises(SettingsError, match=r"^WATCHOFFICER_EXERCISE_PORT: "):
        exercise_settings({"WATCHOFFICER_EXERCISE_PORT": "none"})


def test_each_headline_of_an_exercise_says_so_and_its_keys_are_its_own() -> None:
    scenario = Scenario(POLICY)
    scenario.at(0).fires("prod/ssoe", people=5_000)
    heard = scenario.play(until=0)
    one = heard.incidents["prod-1"]
    assert headline(one, ScopeNames(POLICY)) == "EXERCISE: SSOe sign-in is failing"
    assert headline(one, ScopeNames(default_policy())) == "SSOe sign-in is failing"
    assert {command.dedup_key for command in heard.commands} == {"exercise:prod-1:0"}


def log(**told: Any) -> list[dict[str, Any]]:
    """The log of an incident that was answered as the process asks, but for what is left out (True)."""
    process = {
        "stage": "completed",
        "roles": {"commander": "Ada", "technical_lead": "Bo"},
        "follow_ups": [
            {"at": format_instant(AT), "by": "Bo", "text": "an alarm", "link": "https://j.example/1"}
        ],
        "checklist": [{"item": "statement", "text": "told", "done_at": format_instant(AT), "done_by": "Ada"}],
        "completed_at": format_instant(AT + 90 * MINUTE),
        "completed_by": "Ada",
    }
    opened, *rest = incident("prod-1", 0, acked=None if told.get("ack") else 2, over=50)
    kinds = ("declared", "eta", "note", "update")
    said = [line(kind, 3 + n, by="Ada") for n, kind in enumerate(kinds) if not told.get(kind)]
    calm = [] if told.get("silence") else [line("update", 30)]
    last = line("completed", 90, to="closed", process={} if told.get("process") else process)
    return [opened, *rest[:-1], *said, *calm, rest[-1], last]


def scored(**told: Any) -> dict[str, Any]:
    episodes = episodes_of([read_line(one) for one in log(**told)])
    return exercise_report("ssoe_outage", episodes, POLICY, now=AT + 100 * MINUTE).data


def test_an_answer_as_the_process_asks_is_kept_in_full() -> None:
    data = scored()
    assert [one["asked"] for one in data["answers"] if not one["kept"]] == []
    assert data["kept"] == data["asked"] == 13


@pytest.mark.parametrize(
    ("left_out", "missed"),
    [
        ("ack", ["acknowledge within 30m", "acknowledge within the response time of severity 2"]),
        ("declared", ["say whether it is a service outage: declare it"]),
        ("eta", ["estimate the end"]),
        ("note", ["note what was done, and when"]),
        ("update", ["tell those who wait, in words of your own"]),
        ("silence", ["let nobody wait longer than 30m"]),
    ],
)
def test_what_was_left_out_is_missed_and_nothing_else(left_out: str, missed: list[str]) -> None:
    assert [one["asked"] for one in scored(**{left_out: True})["answers"] if not one["kept"]] == missed


def test_what_nobody_took_is_missed() -> None:
    data = scored(process=True)
    assert data["asked"] - data["kept"] == 5
    assert exercise_report("x", [], POLICY, now=AT).data["asked"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ssoe_outag"], "no scenario 'ssoe_outag'; did you mean ssoe_outage?"),
        (["ssoe_outage", "--speed", "1"], "--speed 1: must be a number above 1"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_status_2(arguments: list[str], said: str) -> None:
    shown = CliRunner().invoke(main, ["exercise", *arguments])
    assert shown.exit_code == 2
    assert said in shown.output
