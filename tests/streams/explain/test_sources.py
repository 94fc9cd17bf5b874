"""An incident explained from where it is recorded: files of the log, the topics, the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner, Result
from msgspec.structs import replace

from detectors.incidents import Command
from detectors.instants import SECOND, format_instant, parse_instant
from detectors.notices.notices import Notice
from detectors.process.deploys import Deploy
from detectors.slis import SliValue
from sinks.delivery.outcomes import Delivery
from streams.cli.main import main
from streams.explain.case_file import Receipt
from streams.explain.from_log import from_files, from_topics
from streams.explain.sections import sections
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.records.jsonl import notice_object
from streams.records.log_lines import Line
from streams.records.models import encode_input
from streams.replay.entries import SourceError
from streams.settings.policy_file import default_policy, read_policy
from tests.streams.explain.case_files import START, begun, case_file, events, inputs


def written(line: Line) -> bytes:
    """A line as it stands on the topic, with the offsets that a crash changes."""
    return msgspec.json.encode(line)


def log() -> list[bytes]:
    return [*map(deployed, case_file().deploys), *(written(line) for line in case_file().lines)]


def deployed(deploy: Deploy) -> bytes:
    """The line of the log that tells a deploy."""
    told = Notice(
        at=deploy.at, kind="deploy", env="prod", field="service", value="s", count=1, text="t", deploy=deploy
    )
    return msgspec.json.encode({**notice_object(told), "incident": None})


def commands() -> list[Command]:
    return list(case_file().commands or ())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_a_file_of_the_log_tells_the_same_sections_but_for_who_was_told(file: Path) -> None:
    file.write_bytes(b"\n".join(log()))
    recorded = from_files("prod-1", [str(file)], default_policy())
    known = [
        (one.kind, tuple(p for p in one.paragraphs if p[0] != "notified")) for one in sections(case_file())
    ]
    assert [(one.kind, one.paragraphs) for one in sections(recorded)] == known
    assert recorded.policy is not None
    (told,) = [one for one in sections(recorded) if one.kind == "deploy"]
    assert told.title == "3 minutes before the first failure: vets-api v123 deployed to prod."


def test_commands_among_the_lines_say_who_was_told(file: Path) -> None:
    values = log() + [msgspec.json.encode(command) for command in commands()]
    file.write_bytes(b"\n".join(values))
    assert list(sections(from_files("prod-1", [str(file)], default_policy()))) == list(sections(case_file()))


def test_lines_that_a_crash_repeated_are_told_once(file: Path) -> None:
    repeated = [json.dumps({**json.loads(line), "offsets": {"0": 7}}).encode() for line in log()]
    file.write_bytes(b"\n".join(log() + repeated))
    assert from_files("prod-1", [str(file)], default_policy()).lines == case_file().lines


def test_a_dump_of_kcat_is_a_log_too(file: Path) -> None:
    envelopes = [
        json.dumps(
            {"topic": "incident-log", "partition": 0, "offset": i, "ts": START, "payload": line.decode()}
        )
        for i, line in enumerate(log())
    ]
    file.write_text("\n".join(envelopes))
    assert from_files("prod-1", [str(file)], default_policy()).lines == case_file().lines


def test_another_policy_is_not_taken_for_the_one_that_judged(file: Path) -> None:
    file.write_bytes(b"\n".join(log()))
    other = read_policy("severity: {severity_2_over: 7}", "p.yaml")
    assert from_files("prod-1", [str(file)], other).policy is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"type":"opened"}', "not a line of the incident log"),
        (b'{"type":"opened","at":"yesterday"}', "not a line of the incident log"),
        (
            b"garbage",
            r"^\S+:1: not a line of the incident log: (?s:.*)What to do: give the records of the topic",
        ),
        (b"", "there is no incident prod-1 in the log"),
        (
            b'{"type":"refused","at":"2026-11-23T15:00:00Z","incident":"prod-1"}',
            "there is no incident prod-1",
        ),
    ],
)
def test_what_is_no_log_of_the_incident_is_refused(file: Path, text: bytes, said: str) -> None:
    file.write_bytes(text)
    with pytest.raises(SourceError, match=said):
        from_files("prod-1", [str(file)], default_policy())


# -- the topics ------------------------------------------------------------------------------------------------


def sli(at: int, good: int, scope: str = "prod/ssoe/idme", window: int = 300_000) -> tuple[bytes, bytes]:
    value = SliValue(at, scope, window, good, 600 - good, 0, 0, 0, 0, 600 - good)
    body = value.as_json()
    return f"{body['scope']}|{body['window']}".encode(), msgspec.json.encode(body)


async def publish(address: str, topics: Topics) -> None:
    await create_missing(topics, {"bootstrap_servers": address})
    first, *others = commands()
    delivery = Delivery(
        command_id=first.id,
        sink=first.sink,
        incident_id="prod-1",
        epoch=0,
        action=first.action,
        outcome="delivered",
        at=first.at + 1200,
    )
    moments = [START + minute * 60_000 for minute in range(-60, 240)]
    records: list[tuple[str, bytes, bytes]] = [
        *((topics.incident_log, b"prod" if b'"notice"' in line else b"prod-1", line) for line in log()),
        (
            topics.incident_log,
            b"prod-2",
            written(Line(kind="opened", at="2026-11-23T15:00:00Z", incident="prod-2")),
        ),
        *((topics.commands, b"prod-1", msgspec.json.encode(command)) for command in (first, *others)),
        (topics.deliveries, first.id.encode(), msgspec.json.encode(delivery)),
        *((topics.sli, *sli(at, 600)) for at in moments),
        *((topics.sli, *sli(at, 1, scope="prod")) for at in moments),
    ]
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for topic, key, value in records:
            await producer.send(topic, value, key=key, partition=1)
        await producer.flush()


@pytest.fixture
def topics(embedded_broker: EmbeddedBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Topics:
    monkeypatch.setenv("WATCHOFFICER_BROKER", embedded_broker.address)
    monkeypatch.setenv("WATCHOFFICER_TOPIC_PREFIX", topic_prefix)
    topics = Topics(topic_prefix)
    asyncio.run(publish(embedded_broker.address, topics))
    return topics


def test_the_topics_tell_the_whole_story(topics: Topics) -> None:
    recorded = from_topics("prod-1", default_policy())
    assert recorded.lines == case_file().lines
    assert recorded.deploys_beside == case_file().deploys
    assert recorded.commands == case_file().commands
    first = commands()[0]
    assert recorded.receipts == {first.id: Receipt("delivered", first.at + 1200)}
    opened = next(section for section in sections(recorded) if section.kind == "opened")
    notified = dict(opened.paragraphs)["notified"]
    assert "[delivered after 1 s]" in notified
    assert "[pending]" in notified
    half_an_hour = 30 * 60_000
    assert {sample.good for sample in recorded.samples} == {600}
    assert recorded.began - half_an_hour <= recorded.samples[0].at
    assert recorded.samples[-1].at <= recorded.ended + half_an_hour


def test_a_shown_incident_says_whether_its_pages_went_out(topics: Topics) -> None:
    shown = CliRunner().invoke(main, ["incidents", "show", "prod-1", "--no-rederive"])
    assert shown.exit_code == 0
    assert "[delivered after 1 s]" in " ".join(shown.output.split())


async def publish_beginning(address: str, topics: Topics, lines: list[Line]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for line in lines:
            await producer.send(topics.incident_log, written(line), key=b"prod-5", partition=1)
        for at, asked in inputs():
            value = encode_input(replace(asked, at=at - SECOND))
            await producer.send(topics.inputs, value, key=b"prod", partition=1)
        for event in begun(8):
            at = parse_instant(json.loads(event)["occurred_at"])
            await producer.send(topics.login_events, event, partition=0, timestamp_ms=at)
        await producer.flush()


def test_a_shown_incident_is_derived_again_from_the_topics_and_is_equal(
    topics: Topics, embedded_broker: EmbeddedBroker
) -> None:
    lines = [
        replace(line, incident="prod-5") for line in case_file().changes if line.instant < START + 7 * 60_000
    ]
    asyncio.run(publish_beginning(embedded_broker.address, topics, lines))
    shown = CliRunner().invoke(main, ["incidents", "show", "prod-5", "--format", "json"])
    assert shown.exit_code == 0, shown.output
    derived = json.loads(shown.stdout)["rederived"]
    assert derived["differences"] == []
    assert (derived["equal"], derived["lines"]) == (True, len(lines))
    shown = CliRunner().invoke(main, ["incidents", "show", "prod-5", "--no-rederive", "--format", "json"])
    assert json.loads(shown.stdout)["rederived"] is None


def test_an_incident_is_shown_though_its_events_cannot_be_read(
    topics: Topics, embedded_broker: EmbeddedBroker
) -> None:
    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=embedded_broker.address)
        await admin.start()
        try:
            await admin.delete_topics([topics.login_events])
        finally:
            await admin.close()

    asyncio.run(delete())
    shown = CliRunner().invoke(main, ["incidents", "show", "prod-1"])
    assert shown.exit_code == 0, shown.output
    words = " ".join(shown.stdout.split())
    assert "Resolved" in words
    assert "The events cannot be read: topic:" in words


def test_an_incident_that_the_log_does_not_hold_is_refused(topics: Topics) -> None:
    with pytest.raises(SourceError, match=f"there is no incident prod-3 in {topics.incident_log}"):
        from_topics("prod-3", default_policy())


def test_without_a_broker_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHOFFICER_BROKER", raising=False)
    with pytest.raises(SourceError, match="the incident log cannot be read: WATCHOFFICER_BROKER"):
        from_topics("prod-1", default_policy())


# -- the command line ------------------------------------------------------------------------------------------


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], env={"COLUMNS": "100"})


def test_explain_replays_events(file: Path) -> None:
    file.write_bytes(b"\n".join(events()))
    result = ran("prod-1", str(file), "--now", format_instant(START))
    assert result.exit_code == 2
    assert (
        "there is no incident prod-1 in these events, nor any other" in result.stderr
    )  # all from the future
    assert "rejected, the first 5:" in result.stderr
    assert ":3605: future: occurred_at is ahead" in result.stderr
    result = ran("prod-1", str(file), "--now", "2026-11-23T15:30:00Z")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("prod-1: ID.me on SSOe\nBegan 23 Nov 2026 15:05 UTC")
    assert "What fired" in result.stdout
    assert "Resolved" in result.stdout


def test_explain_says_that_nothing_was_judged_and_what_to_give(file: Path) -> None:
    file.write_bytes(b"no event\n")
    result = ran("prod-1", str(file))
    assert result.exit_code == 2
    assert f"{file}:1: not_json: " in result.stderr
    assert "Nothing was judged: the only record was rejected (1 not_json)." in result.stderr
    assert "What to do: give login events as JSON" in result.stderr


def test_explain_reads_a_log(file: Path) -> None:
    file.write_bytes(b"\n".join(log()))
    result = ran("prod-1", "--log", str(file))
    assert result.exit_code == 0, result.output
    assert "Opened: ID.me on SSOe" in result.stdout
    assert "as far as the log says" in result.stdout


def test_explain_reads_the_topics(topics: Topics) -> None:
    result = ran("prod-1")
    assert result.exit_code == 0, result.output
    assert "PagerDuty: trigger" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prod-1", "missing.jsonl"], "missing.jsonl: No such file or directory"),
        (["prod-1", "--log", "missing.jsonl"], "missing.jsonl: No such file or directory"),
        (["prod-1", "a.jsonl", "--log", "b.jsonl"], "Either EVENTS or --log."),
        (["prod-1", "a.jsonl", "--policy", "missing.yaml"], "missing.yaml:1: cannot be read"),
        ([], "Missing argument 'INCIDENT'"),
    ],
)
def test_what_cannot_be_read_is_status_2(arguments: list[Any], said: str) -> None:
    result = ran(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)
