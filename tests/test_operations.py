"""Whatever `docs/operations.md` says that one may see, a test shows: what is said then, and that the remedy helps."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.runtime.progress import Why
from streams.watchdog.blindness import REMEDIES

ROOT = Path(__file__).resolve().parents[1]
PROMETHEUS = ROOT / "deploy" / "prometheus"
_CELL = re.compile(r"(?<!\\)\|")

#: Section of the page -> symptom, as its row names it -> the tests that show it.
SHOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "The watch says that it is blind": {
        "broker": (
            "e2e/blind/test_starting.py::test_a_broker_that_is_away_is_told_until_it_is_there",
            "e2e/blind/test_starting.py::test_each_bad_certificate_is_told_apart",
            "e2e/blind/test_starting.py::test_a_wrong_password_is_told_until_the_broker_takes_it",
            "e2e/blind/topics/test_deleted_topics.py"
            "::test_it_is_told_and_a_worker_that_is_restarted_makes_it_again",
        ),
        "start": (
            "e2e/blind/test_starting.py::test_a_right_that_is_missing_is_named_until_it_is_given",
            "streams/watchdog/test_watchdog.py"
            "::test_a_part_that_does_not_begin_is_said_unless_it_waits_for_a_reason_of_its_own",
        ),
        "lag": (
            "streams/watchdog/test_watchdog.py"
            "::test_an_evaluation_that_stands_still_is_said_and_names_what_holds_it_back",
            "streams/watchdog/test_watchdog.py::test_an_evaluation_that_stays_minutes_behind_is_blind",
        ),
        "partition": (
            "e2e/blind/test_transactions.py"
            "::test_an_outage_is_seen_while_a_transaction_is_open_and_the_watch_goes_on_after_its_abort",
        ),
        "write": (
            "e2e/blind/test_refused_writes.py"
            "::test_what_pages_need_is_told_while_it_may_not_be_written_and_pages_come_when_it_may",
            "e2e/blind/test_refused_writes.py::test_a_full_disk_is_told_until_there_is_room",
            "e2e/blind/test_refused_writes.py::test_too_few_replicas_are_told_until_there_are_enough",
        ),
        "loop": (
            "streams/watchdog/test_watchdog.py::test_an_event_loop_that_stands_still_is_said",
            "e2e/blind/test_standing_still.py::test_a_worker_that_was_frozen_goes_on_without_a_restart",
        ),
        "rejected": (
            "e2e/blind/test_rejected_events.py"
            "::test_a_producer_that_turns_to_another_version_is_told_with_the_field_that_is_wrong",
        ),
        "clock": (
            "e2e/blind/test_clocks.py::test_an_outage_is_seen_at_its_time_and_the_clock_is_told",
            "streams/cli/test_doctor_checks.py::test_the_clock_is_compared_as_a_worker_does",
        ),
        "fault": (
            "streams/evaluate/test_service.py"
            "::test_a_fault_of_one_detector_neither_stops_evaluation_nor_goes_untold",
            "detectors/engine/test_faults.py::test_the_others_find_what_they_find",
        ),
    },
    "Something looks wrong": {
        "there was an outage, and no page": (
            "streams/explain/test_explain.py::test_it_is_said_who_was_told_what_by_each_change",
            "detectors/lifecycle/conduct/test_covering.py"
            "::test_a_mute_keeps_all_but_slacks_message_back_and_what_still_fails_pages_when_it_ends",
            "e2e/test_receivers.py::test_a_receiver_without_credentials_is_off_and_the_log_says_so",
        ),
        "there was an outage, and no incident": (
            "streams/cli/test_doctor.py::test_an_old_event_and_none_at_all_are_warnings",
            "streams/cli/test_doctor.py::test_what_is_mostly_rejected_or_never_an_event_has_failed",
            "streams/replay/test_faults.py::test_an_input_without_records_is_nothing_judged",
        ),
        "an incident that should not be": (
            "streams/explain/test_explain.py"
            "::test_the_opening_says_what_fired_with_its_numbers_and_thresholds",
            "streams/policy_tests/test_expectations.py::test_what_should_be_absent_and_is_there_is_told",
        ),
        "a page for something that was planned": (
            "streams/cli/test_acts.py::test_a_scope_is_kept_quiet_by_a_command",
            "detectors/lifecycle/conduct/test_covering.py"
            "::test_maintenance_marks_and_pages_when_it_is_over_and_restarts_change_nothing",
            "streams/reports/test_reports.py"
            "::test_maintenance_and_corrections_at_run_time_are_left_out_with_who_said_so_and_why",
        ),
        "a page because something has ended for good": (
            "streams/cli/test_retire.py::test_a_value_is_retired_by_the_running_watch",
            "detectors/lifecycle/test_gone.py::test_a_person_can_retire_a_value_whose_silence_then_ends",
        ),
        "a second page for an incident that was resolved": (
            "detectors/lifecycle/people/test_resolving.py"
            "::test_it_pages_once_at_a_key_of_its_own_if_it_still_fails_after_the_grace",
        ),
        "lag with brokers that are well": (
            "streams/watchdog/test_watchdog.py::test_an_evaluation_that_stays_minutes_behind_is_blind",
            "streams/kafka/test_quotas.py::test_a_quota_of_reading_is_held_against_what_comes",
            "streams/kafka/test_quotas.py"
            "::test_a_real_quota_is_read_and_one_that_may_not_be_seen_is_a_warning",
        ),
        "401 or 403 from a worker": (
            "streams/http/access/test_access.py"
            "::test_beyond_loopback_reads_need_a_token_but_for_the_public_paths",
            "streams/http/access/test_access.py"
            "::test_a_token_that_reads_does_not_write_and_a_name_is_the_actor",
        ),
        "a worker ends at its start with one line": (
            "e2e/blind/test_unreadable_records.py"
            "::test_what_would_change_a_verdict_is_refused_in_one_line_that_names_the_record",
            "streams/records/test_reading.py::test_a_state_of_a_newer_version_is_refused_and_says_so",
        ),
        "replay exits with status 2": (
            "streams/replay/test_faults.py::test_an_input_without_records_is_nothing_judged",
            "streams/replay/test_faults.py::test_a_run_with_nearly_all_events_late_is_nothing_judged",
        ),
    },
    "Routine": {
        "before a release is installed": (
            "upgrade/test_upgrade.py::test_a_worker_goes_on_from_what_an_older_build_has_left",
        ),
        "before a change of the policy takes effect": (
            "streams/cli/test_lint.py::test_findings_are_status_1_and_told_a_line_each",
            "streams/policy_tests/test_command.py::test_a_failure_is_status_1_with_a_diff_and_what_happened",
            "streams/replay/test_scores.py::test_a_policy_that_wakes_nobody_makes_the_page_vanish",
        ),
        "each month": (
            "streams/cli/test_report.py::test_the_response_times_of_a_month_from_a_file",
            "streams/reports/test_reports.py"
            "::test_maintenance_and_corrections_at_run_time_are_left_out_with_who_said_so_and_why",
        ),
    },
}


@cache
def rows() -> dict[str, list[list[str]]]:
    """The cells of each row by the heading of its section, without links and marks of code."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in (ROOT / "docs" / "operations.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("|") and not line.startswith("|---"):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).replace("`", "")
            found.setdefault(heading, []).append([cell.strip() for cell in _CELL.split(plain)[1:-1]])
    return {heading: some[1:] for heading, some in found.items()}


def documents(suffix: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text()) for file in sorted(PROMETHEUS.glob(f"*{suffix}"))]


@pytest.mark.parametrize("section", SHOWN)
def test_every_row_has_a_test_and_every_test_a_row(section: str) -> None:
    assert [row[0] for row in rows()[section]] == list(SHOWN[section])


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(
    "test", sorted({one for rows in SHOWN.values() for some in rows.values() for one in some})
)
def test_the_tests_of_a_row_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert name in functions(file)


def test_the_page_has_no_further_tables() -> None:
    assert rows().keys() == {*SHOWN, "Prometheus says something"}


def test_each_kind_of_blindness_has_its_row_and_its_alert() -> None:
    told = {row[0]: row[1] for row in rows()["The watch says that it is blind"]}
    assert told.keys() == {why.value for why in Why}
    rules = {rule["alert"]: rule["expr"] for rule in alerts()}
    for kind, alert in told.items():
        assert f'why="{kind}"' in rules[alert]


def test_what_is_to_be_done_about_blindness_is_what_the_alert_says() -> None:
    for kind, _, remedy in rows()["The watch says that it is blind"]:
        assert remedy.startswith(REMEDIES[Why(kind)])


def alerts() -> list[dict[str, str]]:
    return [
        rule
        for file in documents(".rules.yml")
        for group in file["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def test_each_alert_of_prometheus_has_a_row_and_fires_in_a_test_of_promtool() -> None:
    names = {rule["alert"] for rule in alerts()}
    told = {name for row in rows()["Prometheus says something"] for name in row[0].split(", ")}
    assert told | {row[1] for row in rows()["The watch says that it is blind"]} == names
    fires = {
        test["alertname"]
        for file in documents(".test.yml")
        for case in file["tests"]
        for test in case.get("alert_rule_test", ())
        if test.get("exp_alerts")
    }
    assert names <= fires
