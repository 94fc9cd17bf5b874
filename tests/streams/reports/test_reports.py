"""Reports of a month whose figures were computed by hand, and how they are written."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from detectors.history.history import BUCKET, History
from detectors.instants import DAY, HOUR, MINUTE, format_instant
from detectors.process.deploys import Deploy
from streams.records.log_lines import Line, read_line
from streams.reports.announced import announced
from streams.reports.availability.report import sla_report
from streams.reports.document import Report
from streams.reports.episodes import Episode, episodes_of
from streams.reports.postmortem import postmortem_report
from streams.reports.rendering.html import html
from streams.reports.rendering.markdown import markdown
from streams.reports.response import response_report
from streams.reports.spans import between, local, month_of
from streams.settings.policy_file import default_policy
from tests.streams.reports.logs import AT, incident, line

POLICY = default_policy()
NOVEMBER = month_of("2026-11", POLICY.time_zone)
HOSTILE = "<script>alert(1)</script> | `x` *b* [a](http://e)\r\n# h"


def month() -> list[Episode]:
    """Three incidents in November (2, 10 min and never acknowledged), and one in October."""
    lines = [
        *incident("prod-1", 0, acked=2, over=20),
        *incident("prod-2", 12 * 60, acked=10, over=30),  # 22:00 in Washington
        *incident("prod-3", 24 * 60, acked=None, over=100, scope="prod/sis"),
        *incident("staging-1", 5, acked=1, over=2, scope="staging/sis"),
        *incident("prod-0", -20 * 24 * 60, acked=4, over=10),
    ]
    return episodes_of([read_line(one) for one in lines])


def response() -> Report:
    return response_report(month(), POLICY, NOVEMBER, env="prod", now=NOVEMBER.end, known_from=AT - 40 * DAY)


def test_the_times_of_a_month_are_those_computed_by_hand() -> None:
    data = response().data
    assert (data["incidents"], data["acknowledged"], data["interruptions"]) == (3, 2, 3)
    assert data["acknowledged_share"] == pytest.approx(2 / 3)
    assert data["time_to_acknowledge_seconds"] == {"of": 2, "mean": 360, "median": 360}
    assert data["time_to_resolve_seconds"] == {"of": 3, "mean": 3000, "median": 1800}
    assert data["time_to_detect_seconds"] == {"of": 3, "mean": 60, "median": 60}
    assert data["before"]["time_to_acknowledge_seconds"]["mean"] == 240
    assert data["compliance"]["severity_2"] == {"of": 3, "kept": 3, "share": 1, "late": []}
    assert data["compliance"]["alert_target"]["late"] == ["prod-3"]
    assert data["interruptions_by_hour"][10] == 2
    assert data["interruptions_by_hour"][22] == 1
    assert data["interruptions_by_weekday"] == [0, 2, 1, 0, 0, 0, 0]
    assert data["interruptions_outside_business_hours"] == 2  # 10 November, 22:00; 11 November is a holiday
    assert data["by_scope"]["prod/sis"]["incidents"] == 1


def test_a_month_without_incidents_is_told_without_figures() -> None:
    empty = response_report([], POLICY, NOVEMBER, env="prod", now=AT, known_from=None)
    assert empty.data["time_to_acknowledge_seconds"] == {"of": 0, "mean": None, "median": None}
    assert "No incident opened." in markdown(empty)
    assert "holds nothing" in markdown(empty)


def test_a_month_follows_the_local_clock_over_its_changes() -> None:
    assert format_instant(NOVEMBER.start) == "2026-11-01T04:00:00Z"
    assert format_instant(NOVEMBER.end) == "2026-12-01T05:00:00Z"
    assert NOVEMBER.before(POLICY.time_zone).name == "2026-10"
    span = between(AT, AT + HOUR)
    assert span.before(POLICY.time_zone) == between(AT - HOUR, AT)
    assert local(NOVEMBER.start, POLICY.time_zone).hour == 0


def history(bad: int, until: int = AT) -> History:
    """November until the 10th, or longer: 100 sign-ins of ssoe each five minutes, of which ``bad`` fail on the 9th."""
    found = History.of("prod", POLICY)
    for at in range(NOVEMBER.start, until - until % BUCKET, BUCKET):
        failing = bad if local(at, POLICY.time_zone).day == 9 else 0
        counts = {"good": 100 - failing, "bad": failing, "excluded": 0, "started": 0, "slow": 1, "timed": 100}
        leaf = {"axes": {"auth_method": "ssoe", "csp": "idme"}, "sign_in": counts}
        found.add({"v": 2, "env": "prod", "at": format_instant(at), "leaves": [leaf]})
    return found


def test_availability_is_that_of_the_records_with_and_without_what_a_provider_caused() -> None:
    report = sla_report(history(10), [], POLICY, NOVEMBER, now=AT)
    days = (AT - NOVEMBER.start) / DAY
    ssoe = report.data["methods"]["ssoe"]
    assert ssoe["availability_with_all"] == pytest.approx(1 - 0.1 / days, rel=1e-6)
    assert ssoe["availability"] == pytest.approx(ssoe["availability_with_all"])
    assert not ssoe["met"]
    assert ssoe["in_time_ratio"] == pytest.approx(0.99)
    assert report.data["coverage"] == pytest.approx(1)
    assert report.data["methods"]["sis"]["availability"] is None
    assert "missed its objective" in markdown(report)
    whole = local(AT, POLICY.time_zone)
    begin = -(whole.hour * 60 + whole.minute) - 24 * 60
    caused = {"evidence": [{"detector": "outage", "scope": "prod/ssoe", "sentence": "", "csp_caused": True}]}
    lines = incident("prod-9", begin + 1, acked=None, over=24 * 60 - 1, **caused)
    excused = sla_report(
        history(10), episodes_of([read_line(one) for one in lines]), POLICY, NOVEMBER, now=AT
    )
    assert excused.data["methods"]["ssoe"]["availability"] == pytest.approx(1)
    assert excused.data["methods"]["ssoe"]["met"]
    assert "caused by the credential provider (prod-9)" in markdown(excused)


def test_maintenance_and_corrections_at_run_time_are_left_out_with_who_said_so_and_why() -> None:
    whole = local(AT, POLICY.time_zone)
    ninth = AT - (whole.hour * 60 + whole.minute) * MINUTE - DAY  # the day on which sign-ins fail

    def told(what: str, at: int, **more: Any) -> Line:
        cover = {
            "by": "Ada",
            "text": "patch",
            "recurs": None,
            "said_at": format_instant(AT - 9 * DAY),
            **more,
        }
        notice = {"type": "notice", "kind": more["kind"], "at": format_instant(at), "field": what}
        return read_line(
            {**notice, "env": "prod", "value": more["id"], "count": 0, "text": "", "cover": cover}
        )

    def spanning(start: int, end: int, **more: Any) -> dict[str, Any]:
        return {"start": format_instant(start), "end": format_instant(end), "scope": "prod/ssoe", **more}

    begun = {"begun": format_instant(ninth)}
    three_hours = spanning(ninth, ninth + 3 * HOUR, id="prod-c1", kind="maintenance", counts=True, **begun)
    late = spanning(ninth, ninth + HOUR, id="prod-c2", kind="maintenance", counts=False, **begun)
    rest = spanning(ninth + 2 * HOUR, ninth + DAY, id="prod-c3", kind="correction", counts=True)
    lines = [
        told("began", ninth, **three_hours),
        told("ended", ninth + 2 * HOUR, **three_hours),  # by a person, an hour before its time
        told("began", ninth, **late),
        told("set", AT - HOUR, **rest),
        told("set", AT - HOUR, **rest | {"id": "prod-c4"}),
        told("ended", AT - HOUR + MINUTE, **rest | {"id": "prod-c4"}),
    ]
    said = announced(lines, "prod", AT)
    report = sla_report(history(10), [], POLICY, NOVEMBER, now=AT, said=said)
    ssoe = report.data["methods"]["ssoe"]
    assert (ssoe["maintenance_minutes"], ssoe["correction_minutes"]) == (120, 22 * 60)
    assert ssoe["availability_with_all"] < ssoe["availability"] == pytest.approx(1)
    text = markdown(report)
    assert "scheduled maintenance (prod-c1 by Ada: patch)" in text
    assert "correction (prod-c3 by Ada: patch)" in text
    assert "60.0 minutes of maintenance of SSOe sign-in from" in text
    assert "too late (prod-c2 by Ada: patch)" in text
    assert "prod-c4" not in text


def lines_of_an_incident() -> list[dict[str, Any]]:
    counts = {"good": 1, "bad": 3, "users_impacted": 3}
    common = [{"field": "csp", "value": "idme", "failing": 88, "failing_of": 90, "usual_share": 0.31}]
    return [
        *incident("prod-7", -9000, acked=1, over=20),
        line(
            "opened", 0, severity=3, first_bad_at=format_instant(AT - MINUTE), counts=counts, sentence=HOSTILE
        ),
        line("severity", 1, severity=1, peak_severity=1, users_impacted=1204, common=common, counts=counts),
        line("note", 5, severity=1, by=HOSTILE, reason=HOSTILE),
        line("acknowledged", 61, severity=1, by="Ada"),
        line("resolved", 90, severity=1, reason="All is quiet."),
    ]


def test_a_post_mortem_tells_the_incident_by_its_log() -> None:
    every = episodes_of([read_line(one) for one in lines_of_an_incident()])
    own = [one for one in every if one.incident == "prod-1"]
    report = postmortem_report(own, [one for one in every if one not in own], POLICY, now=AT + DAY)
    assert report.data["peak_severity"] == 1
    assert report.data["users_impacted"] == 1204
    assert report.data["time_to_detect_seconds"] == 60
    assert not report.data["response_time_kept"]
    told = markdown(report)
    for words in (
        "Ada acknowledged it 1 h 1 min after it opened",
        "88 of 90 failing people use idme, which 31% of all use",
        "| prod-7 |",
        "was missed",
        "+0:01:00",
    ):
        assert words in told, words


def test_a_post_mortem_tells_which_deploys_stood_before_the_first_failure() -> None:
    deploys = [
        Deploy(service="vets-api", version=version, scope=scope, at=AT - back * MINUTE, by="CI")
        for version, scope, back in (
            ("v1", "prod", 4),
            ("v2", "prod", 62),
            ("v3", "staging", 4),
            ("v4", "prod", -3),
        )
    ]
    every = episodes_of([read_line(one) for one in lines_of_an_incident()])
    own = [one for one in every if one.incident == "prod-1"]
    told = markdown(postmortem_report(own, [], POLICY, now=AT + DAY, deploys=deploys))
    assert "deploy by CI | 3 minutes before the first failure: vets-api v1 deployed to prod." in told
    assert "4 minutes after the first failure: vets-api v4 deployed to prod." in told
    assert "v2" not in told
    assert "v3" not in told


def test_a_post_mortem_tells_how_it_was_conducted_and_what_happened_when_it_happened() -> None:
    roles = {"commander": "Ada", "liaison": HOSTILE}
    check = {"item": "monitors", "text": "the findings of the incident are quiet"}
    ticked = {**check, "done_at": format_instant(AT + 80 * MINUTE), "done_by": "the data"}
    task = {"at": format_instant(AT + 70 * MINUTE), "by": "Ada", "text": "a dashboard"}
    answered = {"stage": "triage", "roles": roles}
    lines = [
        line("opened", 0, process={"checklist": [check]}),
        line("acknowledged", 1, by="Ada", process=answered),
        line("note", 40, by="Bo", reason="IAM restarts it", happened_at=format_instant(AT + 90_000)),
        line("update", 45, by="Ada", reason="We work on it", process=answered),
        line("update", 75, reason="as before", process=answered),
        line("resolved", 90, process={"stage": "resolution", "roles": roles, "checklist": [ticked, check]}),
        line(
            "follow_up",
            95,
            by="Ada",
            process={**answered, "follow_ups": [task], "checklist": [ticked, check]},
        ),
    ]
    report = postmortem_report(episodes_of([read_line(one) for one in lines]), [], POLICY, now=AT + DAY)
    assert report.data["roles"] == roles
    assert (report.data["updates"], report.data["updates_by_people"]) == (2, 1)
    assert report.data["follow_ups"] == [task]
    told = markdown(report)
    rows = [row for row in told.splitlines() if row.startswith("| 2026")]
    assert [row.split("|")[3].strip() for row in rows][:4] == [
        "first failing event",
        "opened",
        "acknowledged by Ada",
        "note by Bo",
    ]
    for words in (
        "| commander | Ada |",
        "2 updates were sent, 1 of them by people",
        "10 Nov 2026 16:20 UTC by the data",
        "those who wait heard nothing for 44 min",
        "1 of 2 lines of the recovery checklist were ticked",
        "Follow-up 1 has no link",
        "The process is not completed",
    ):
        assert words in told, words
    assert "<script>" not in html(report)


class _Page(HTMLParser):
    """The tags of a page, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]


def reports() -> list[Report]:
    every = episodes_of([read_line(one) for one in lines_of_an_incident()])
    own = [one for one in every if one.incident == "prod-1"]
    return [
        response(),
        sla_report(history(10), month(), POLICY, NOVEMBER, now=AT),
        postmortem_report(own, every, POLICY, now=AT + DAY),
    ]


@pytest.mark.parametrize("n", range(3))
def test_a_page_needs_no_other_file_and_runs_nothing_whatever_people_have_written(n: int) -> None:
    page = _Page(html(reports()[n]))
    assert not {"script", "iframe", "img", "link"} & set(page.tags)
    assert all(target.startswith("#source-") for target in page.loads)
    assert "svg" in page.tags


@pytest.mark.parametrize("n", range(3))
def test_every_sentence_names_its_source(n: int) -> None:
    written = reports()[n].as_json()
    assert written["sentences"]
    assert all(one["source"] and one["text"] for one in written["sentences"])


def test_what_people_have_written_is_no_markup_and_no_line_of_its_own() -> None:
    told = markdown(reports()[2])
    assert "<script>" not in told
    assert "\n# h" not in told
    assert r"\[a\](http://e)" in told


def test_a_month_that_is_over_has_an_account_of_its_own() -> None:
    report = sla_report(history(10, NOVEMBER.end), [], POLICY, NOVEMBER, now=NOVEMBER.end + 40 * DAY)
    ssoe = report.data["methods"]["ssoe"]
    assert ssoe["availability"] == pytest.approx(ssoe["availability_with_all"])
    assert ssoe["availability"] < 1
    assert ssoe["account"]["start"] == format_instant(NOVEMBER.start)


def test_where_nobody_was_alerted_no_alert_was_missed() -> None:
    quiet = [line("opened", 0), line("resolved", 100)]
    episodes = episodes_of([read_line(one) for one in quiet])
    now = NOVEMBER.end
    report = response_report(episodes, POLICY, NOVEMBER, env="prod", now=now, known_from=AT)
    assert report.data["compliance"]["alert_target"] == {"of": 0, "kept": 0, "share": None, "late": []}
    assert "any alert" not in markdown(postmortem_report(episodes, [], POLICY, now=now))
