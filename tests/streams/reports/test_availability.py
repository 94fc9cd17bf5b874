"""A month that is over is reported from the records of its days as from its five minutes, and says what it lacks."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from detectors.engine.sla_days import day_of, day_records
from detectors.history.error_budget import Exclusion
from detectors.history.history import BUCKET, History
from detectors.instants import DAY, HOUR, format_instant
from streams.cli.main import main
from streams.kafka.topics import Topics
from streams.records.log_lines import read_line
from streams.records.verdicts import day_out
from streams.reports.availability.known import DayRecords
from streams.reports.availability.report import sla_report
from streams.reports.episodes import Episode, episodes_of
from streams.reports.rendering.markdown import markdown
from streams.reports.spans import month_of
from streams.settings.policy_file import default_policy
from tests.streams.reports.logs import AT, incident

POLICY = default_policy()
NOVEMBER = month_of("2026-11", POLICY.time_zone)
LATER = NOVEMBER.end + 60 * DAY


@cache
def history() -> History:
    """November: two methods, of which ssoe loses a tenth on the 10th."""
    found = History.of("prod", POLICY)
    for at in range(NOVEMBER.start, NOVEMBER.end, BUCKET):
        bad = 10 if AT - HOUR <= at < AT + 2 * HOUR else 0
        leaves = [
            {"axes": {"auth_method": method, "csp": "idme"}, "sign_in": counts(100, lost)}
            for method, lost in (("ssoe", bad), ("sis", 1))
        ]
        found.add({"v": 2, "env": "prod", "at": format_instant(at), "leaves": leaves})
    return found


def counts(done: int, bad: int) -> dict[str, int]:
    return {"good": done - bad, "bad": bad, "excluded": 0, "started": done, "slow": 2, "timed": done}


def caused() -> list[Episode]:
    """A provider's outage on the morning of the 10th."""
    evidence = [{"detector": "outage", "scope": "prod/ssoe", "sentence": "", "csp_caused": True}]
    return episodes_of([read_line(one) for one in incident("prod-1", 0, acked=2, over=60, evidence=evidence)])


@cache
def recorded() -> list[dict[str, Any]]:
    """The records of all days of November, as they stand on their topic."""
    excluded = [Exclusion(one.scope, one.first_bad_at, one.resolved_at or 0, "csp") for one in caused()]
    found, at = list[dict[str, Any]](), NOVEMBER.start
    while at < NOVEMBER.end:
        day = day_of(at, POLICY.time_zone)
        for record in day_records(history(), POLICY, day, excluded):
            found.append(json.loads(day_out(Topics(), 0, record).value or b""))
        at = day.end
    return found


def test_the_days_of_a_month_give_the_figures_of_its_five_minutes() -> None:
    both = [
        sla_report(records, caused(), POLICY, NOVEMBER, now=LATER)
        for records in (history(), DayRecords("prod", recorded()))
    ]
    whole, by_days = (one.data for one in both)
    assert whole["coverage"] == by_days["coverage"] == 1
    for method, expected in whole["methods"].items():
        told = by_days["methods"][method]
        assert told.pop("account") == pytest.approx(expected["account"]), method
        assert told == pytest.approx({key: value for key, value in expected.items() if key != "account"})
    assert by_days["methods"]["ssoe"]["availability"] > by_days["methods"]["ssoe"]["availability_with_all"]
    texts = [
        # A day tells a provider apart on each method, and not on both together.
        [row for row in markdown(one).splitlines() if "ID.me on both" not in row]
        for one in both
    ]
    texts[1] = [row.replace("sla-days", "sli-history") for row in texts[1]]
    assert texts[0] == texts[1]


@given(st.sets(st.integers(1, 30), max_size=30), st.sampled_from([0.25, 0.9]))
def test_a_month_that_is_known_in_part_names_the_days_that_are_missing(lost: set[int], share: float) -> None:
    dates = {f"2026-11-{day:02}" for day in lost}
    kept = [one for one in recorded() if one["date"] not in dates]
    half = [{**one, "coverage": share} if one["date"] == "2026-11-07" else one for one in kept]
    report = sla_report(DayRecords("prod", half), [], POLICY, NOVEMBER, now=LATER)
    assert report.data["days_missing"] == sorted(dates)
    assert report.data["days_known_in_part"] == ({} if "2026-11-07" in dates else {"2026-11-07": share})
    assert report.data["methods"]["sis"]["bad"] == sum(
        one["sign_in"]["bad"] for one in kept if one["scope"] == "prod/sis"
    )
    assert ("Nothing is known of" in report.about.text) == bool(dates)


def test_days_that_follow_one_another_are_told_as_one_span() -> None:
    dates = {"2026-11-01", "2026-11-02", "2026-11-03", "2026-11-30"}
    kept = [one for one in recorded() if one["date"] not in dates]
    report = sla_report(DayRecords("prod", kept), [], POLICY, NOVEMBER, now=LATER)
    assert report.about.text.endswith("Nothing is known of 2026-11-01 to 2026-11-03, 2026-11-30.")


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", "sla", "--month", "2026-11", *arguments])


def test_the_command_reads_a_file_of_days_of_which_the_last_record_counts(tmp_path: Path) -> None:
    file = tmp_path / "days.jsonl"
    wrong = [{**one, "coverage": 0.1} for one in recorded()[:1]]
    other = [{**one, "env": "staging"} for one in recorded()]
    file.write_bytes(b"\n".join(msgspec.json.encode(one) for one in [*wrong, *recorded(), *other]))
    later = ("--now", format_instant(LATER))
    found = ran("--days", str(file), "--json", *later)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["data"]["coverage"] == 1
    for arguments, said in (
        (("--history", str(file), *later), "either --history, or --days"),
        (("--now", format_instant(NOVEMBER.end - DAY)), "2026-11 is not over"),
    ):
        refused = ran("--days", str(file), *arguments)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.output
    file.write_text('{"env": "prod", "date": "2026-11-03"}\n')
    assert f"{file}:1: not a record of sla-days" in ran("--days", str(file), *later).stderr
