"""`watchofficer doctor`: what became of the records of each input, as a worker says it, and what to do."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from streams.cli.doctor.inputs import input_checks
from streams.cli.main import main
from streams.events.validation import Reason, Rejection
from streams.ingest.blocks import Folded, RefusedRecord
from streams.ingest.input_health import InputHealth
from streams.settings.policy_file import default_policy
from tests.streams.events.strategies import event_bytes

NOW = 1_790_000_000_000
WHY = Rejection(Reason.MISSING_FIELD, "step is missing")


class World:
    """An input, and the seconds that pass."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.health = InputHealth(["pages"], lambda: self.seconds, default_policy())

    def read(
        self,
        events: int = 0,
        rejected: int = 0,
        unknown: tuple[str, ...] = (),
        known: int = 0,
        example: bytes | None = None,
    ) -> None:
        """Read a batch."""
        record: Any = SimpleNamespace(offset=1)
        skipped = [(0, "unlisted", shape) for shape in unknown] + [(0, "others", "")] * known
        newest = NOW if events else None
        refused = [RefusedRecord(record, WHY, b"")] * rejected
        self.health.note("pages", Folded(events + rejected, refused, skipped, newest, example))

    def said(self, now: int = NOW) -> list[tuple[str, str]]:
        """The status and the sentence of each check."""
        return [(one.status, one.sentence) for one in input_checks(now, self.health.report())]


@pytest.fixture
def world() -> World:
    return World()


def test_an_input_that_is_read_is_ok(world: World) -> None:
    world.read(events=90, known=10)
    assert world.said() == [
        ("ok", "the newest event is 0s old"),
        ("ok", "in the last 5 minutes 90.0 % mapped, 10.0 % skipped, 0.0 % rejected"),
    ]


def test_only_the_last_minutes_count(world: World) -> None:
    world.read(rejected=100)
    world.seconds = 301.0
    world.read(events=30)
    assert [status for status, _ in world.said()] == ["ok", "ok"]


def test_what_is_mostly_rejected_or_never_an_event_has_failed(world: World) -> None:
    world.read(events=20, rejected=30)
    assert world.said()[1][0] == "failed"
    assert world.said()[1][1].endswith("60.0 % rejected: missing_field")
    world.seconds = 400.0
    world.read(known=40)
    assert world.said()[1] == (
        "failed",
        "in the last 5 minutes 0.0 % mapped, 100.0 % skipped, 0.0 % rejected, by others: no sign-in is seen",
    )


def test_frequent_lines_that_no_rule_knows_are_named_and_rare_ones_are_not(world: World) -> None:
    world.read(events=60, unknown=("a new line",) * 39 + ("about kim",))
    assert world.said()[-1] == (
        "warning",
        "no rule knows 40.0 % of the records: a new line (39)",
    )


def test_events_that_leave_out_whose_they_are_are_told_with_what_to_map(world: World) -> None:
    stated = [event_bytes(csp="idme"), event_bytes(env="live", user_hash="u")]
    with capture_logs() as lines:
        for example in [stated[0]] * 64 + [stated[1]] * 128:
            world.read(events=1, example=example)
    assert [(line["event"], line["remedy"].split(",")[0]) for line in lines] == [
        ("input_not_judged_well", "map user_hash"),
        ("input_not_judged_well", "if it is production"),
        ("input_not_judged_well", "map csp"),
    ]
    told = world.said()[-2:]
    assert [status for status, _ in told] == ["warning", "warning"]
    assert "no event is of an environment that the policy lists (but of live)" in told[0][1]


def test_the_shapes_that_are_kept_are_bounded_and_the_frequent_one_stays(world: World) -> None:
    for n in range(3_000):
        world.read(unknown=("frequent", f"line {n}"))
    (report,) = world.health.report()
    assert report.shapes[0].shape == "frequent"
    assert len(world.health._known["pages"].shapes) <= 1_000


def test_an_old_event_and_none_at_all_are_warnings(world: World) -> None:
    assert [status for status, _ in world.said()] == ["warning"]
    world.read(events=1)
    assert world.said(NOW + 11 * 60_000) == [("warning", "the newest event is 11m old")]


def test_without_a_broker_or_a_worker_it_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHOFFICER_BROKER", raising=False)
    ran = CliRunner().invoke(main, ["doctor", "--json", "--url", "http://127.0.0.1:9"])
    told = {one["name"]: one for one in map(json.loads, ran.stdout.splitlines())}
    assert ran.exit_code == 1
    assert {name for name, one in told.items() if one["status"] == "failed"} == {
        "broker",
        "receivers",
        "worker",
    }
    assert "WATCHOFFICER_BROKER" in told["broker"]["sentence"]
    assert "watchofficer run" in told["worker"]["remedy"]


def test_the_least_rights_are_commands_within_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHOFFICER_BROKER", "kafka-1:9092")
    ran = CliRunner().invoke(main, ["doctor", "--acls", "--role", "sinks", "--principal", "CN=the watch"])
    assert ran.exit_code == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80
    commands = ran.stdout.replace(" \\\n ", "").splitlines()
    assert (
        "kafka-acls.sh --bootstrap-server kafka-1:9092 --add --allow-principal 'User:CN=the watch'"
        " --operation Read --operation Write --topic incident-deliveries"
    ) in commands
    assert not [line for line in commands if "watchofficer-ingest" in line]
