"""The commands of acts, one for each: what is sent to the watch, what is printed, and the page that lists them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.lifecycle.conduct.covering import Covers, cover, follow
from detectors.notices.notices import Notice
from streams.cli.inputs.actions_page import PAGE, render
from streams.cli.main import main
from streams.records.jsonl import notice_object
from streams.settings.policy_file import default_policy
from tests.streams.http.serving import NOW, TOKEN, Serving, an_incident, serving


async def run(served: Serving, *arguments: str) -> Result:
    url = str(served.client.make_url("/"))
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--by", "Ada", "--url", url])


@pytest.mark.parametrize(
    ("arguments", "kind", "fields"),
    [
        (["ack", "prod-17"], "acknowledge", {}),
        (["note", "prod-17", "--text", "T", "--at", "2026-11-23T15:00:00Z"], "note", {"since": "15:00"}),
        (["update", "prod-17", "--text", "T", "--public"], "update", {"public": True}),
        (["assign", "prod-17", "commander", "Bob Ray"], "assign", {"role": "commander", "who": "Bob Ray"}),
        (["stage", "prod-17", "triage"], "stage", {"stage": "triage"}),
        (["eta", "prod-17", "2026-11-23T15:00:00Z"], "eta", {"until": "15:00"}),
        (["eta", "prod-17"], "eta", {"until": None}),
        (
            ["follow-up", "prod-17", "--item", "2", "--link", "https://a.example/2"],
            "follow_up",
            {"item": "2"},
        ),
        (["check", "prod-17", "monitors"], "check", {"item": "monitors"}),
        (["post-mortem", "prod-17", "https://a.example/1"], "post_mortem", {"link": "https://a.example/1"}),
        (["resolve", "prod-17", "--text", "over"], "resolve", {"text": "over"}),
        (["declare", "prod/ssoe", "--text", "people call"], "declare", {"scope": "prod/ssoe"}),
        (["declare", "prod-17"], "declare", {"incident": "prod-17"}),
        (["declare", "prod-17", "--states", "tx, AR,tx"], "declare", {"states": ("AR", "TX")}),
        (["declare", "prod/*/logingov", "--states", "PR"], "declare", {"states": ("PR",)}),
        (["report-failure", "prod", "--text", "nobody gets in"], "report", {"scope": "prod"}),
    ],
)
async def test_an_act_is_sent_as_an_input_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: str, fields: dict[str, Any]
) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", TOKEN)
    async with serving() as served:
        served.feed(an_incident(17))
        result = await run(served, *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        (value,) = served.submitted
    assert (value.kind, value.by) == (kind, "Ada")
    wanted = {
        name: parse_instant(f"2026-11-23T{of}:00Z") if of == "15:00" else of for name, of in fields.items()
    }
    assert {name: getattr(value, name) for name in fields} == wanted
    assert value.id in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["assign", "prod-17", "boss", "Bob"], "'boss' is not one of 'commander'"),
        (["eta", "prod-17", "soon"], "'soon' is no time such as 2h"),
        (["follow-up", "prod-17"], "refused: text: follow-up needs it, or the item"),
        (["post-mortem", "prod-17", "ftp://x"], "refused: link: "),
        (["ack", "prod-99"], "refused: no such incident"),
        (["declare", "prod-17", "--states", "AR,XX"], "'XX' is no state or territory; give two-letter codes"),
        (["declare", "prod-17", "--states", ","], "no state is named; give two-letter codes"),
        (["note", "prod-17"], "Missing option '--text'"),
    ],
)
async def test_what_makes_no_sense_is_status_2_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", TOKEN)
    async with serving() as served:
        served.feed(an_incident(17))
        result = await run(served, *arguments)
        assert (result.exit_code, served.submitted) == (2, [])
    assert said in result.stderr


def test_the_page_that_is_checked_in_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m streams.cli.inputs.actions_page"


@pytest.mark.parametrize(
    ("arguments", "kind", "fields"),
    [
        (
            ["mute", "add", "prod/ssoe", "2026-11-23T15:00:00Z", "--text", "vendor test"],
            "mute",
            {"scope": "prod/ssoe", "until": "15:00", "since": None, "text": "vendor test"},
        ),
        (
            [
                *("maintenance", "add", "prod/*/idme", "2026-11-23T15:00:00Z", "2026-11-23T16:00:00Z"),
                *("--text", "upgrade", "--recurs", "FREQ=WEEKLY;BYDAY=SU"),
            ],
            "maintain",
            {"scope": "prod/*/idme", "since": "15:00", "recurs": "FREQ=WEEKLY;BYDAY=SU"},
        ),
        (
            ["correction", "add", "prod", "2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z", "--text", "T"],
            "correct",
            {"scope": "prod", "until": "15:00"},
        ),
        (["maintenance", "end", "prod-c3", "--text", "done"], "unmute", {"item": "prod-c3", "text": "done"}),
    ],
)
async def test_a_scope_is_kept_quiet_by_a_command(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], kind: str, fields: dict[str, Any]
) -> None:
    await test_an_act_is_sent_as_an_input_of_its_kind(monkeypatch, arguments, kind, fields)


async def test_those_that_there_are_are_listed_with_what_became_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", TOKEN)
    covers = Covers()
    asked = IncidentInput(
        id="x", env="prod", kind="mute", scope="prod/ssoe", by="Ada", text="vendor test", until=NOW + 60_000
    )
    said = cover(covers, asked, NOW, default_policy())
    assert isinstance(said, Notice)
    lines = [notice_object(one) for one in (said, *follow(covers, [], NOW + 60_000, default_policy()))]
    async with serving() as served:
        url = str(served.client.make_url("/"))
        for line, state in zip(lines, ("set", "ended"), strict=True):
            served.views.apply("incident-log", b"prod", msgspec.json.encode(line | {"incident": None}))
            result = await asyncio.to_thread(CliRunner().invoke, main, ["mute", "list", "--url", url])
            assert (result.exit_code, result.stderr) == (0, "")
            assert result.stdout.split()[:3] == ["prod-c1", state, "prod/ssoe"]
            assert result.stdout.endswith("Ada: vendor test\n")
            result = await asyncio.to_thread(
                CliRunner().invoke, main, ["mute", "list", "--url", url, "--json"]
            )
            assert json.loads(result.stdout).items() >= {"id": "prod-c1", "state": state}.items()
        result = await asyncio.to_thread(CliRunner().invoke, main, ["maintenance", "list", "--url", url])
        assert result.stdout == ""
