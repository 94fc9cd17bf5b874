"""Each check of `watchofficer doctor` says what is wrong and what mends it."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from sinks.sandbox import Sandbox
from streams.cli.doctor.check import Check, as_text, wrapped_command
from streams.cli.doctor.cluster import Deployment, clock_check, cluster_checks, rights_checks, topic_checks
from streams.cli.doctor.local import disk_check, policy_checks
from streams.cli.doctor.receivers import receiver_checks
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker, free_port
from streams.kafka.inspection.cluster import Cluster, TopicState
from streams.kafka.inspection.time import HeardTime, hear_time
from streams.kafka.rights import MissingRight
from streams.kafka.topics import Topics
from streams.settings.policy_file import default_policy
from streams.settings.settings import read_settings

NOW = 1_790_000_000_000
TOPICS = Topics()


def deployment(**changes: Any) -> Deployment:
    given = {
        "kafka": {"bootstrap_servers": "kafka-1:9092", "sasl_plain_username": "watch"},
        "topics": TOPICS,
        "roles": ("ingest", "evaluate", "sinks"),
        "inputs": (TOPICS.login_events,),
        "policy": default_policy(),
        "listen": 0.0,
    }
    return Deployment(**{**given, **changes})


def cluster(**changed: TopicState) -> Cluster:
    """A cluster whose topics are as they are created, but for those that are named by their field."""
    states = {name: TopicState(4, 3, 0, 0, settings) for name, settings in TOPICS.all().items()}
    changes = {getattr(TOPICS, name): one for name, one in changed.items()}
    return Cluster(3, "3.9", {**states, **changes})


def settings_of(field: str, **changed: str) -> dict[str, str]:
    return {**TOPICS.all()[getattr(TOPICS, field)], **{k.replace("_", "."): v for k, v in changed.items()}}


# -- how a check is printed ------------------------------------------------------------------------------------


WORDS = ("--create", "--config", "retention.ms=604800000", "'in quotes'", "a" * 40, "--operation")


@given(words=st.lists(st.sampled_from(WORDS), max_size=20))
def test_a_command_means_the_same_on_several_lines(words: list[str]) -> None:
    command = " ".join(["kafka-topics.sh", *words])
    lines = list(wrapped_command(command, "   "))
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(command)


def test_a_check_is_printed_within_80_columns() -> None:
    remedy = "an administrator:\nkafka-topics.sh --create " + " ".join(
        f"--config key{n}={n}" for n in range(20)
    )
    lines = list(as_text(Check("topics", "failed", "a word " * 40, remedy)))
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("FAILED   topics: a word")


# -- Kafka -----------------------------------------------------------------------------------------------------


def test_topics_as_they_are_created_are_ok() -> None:
    assert [check.status for check in topic_checks(deployment(), cluster())] == ["ok"]


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"sli": TopicState(4, 3, 1, 1, None)}, "failed", "1 of 4 partitions lack a leader"),
        ({"sli": TopicState(4, 3, 0, 2, None)}, "warning", "2 of 4 partitions lack a replica"),
        ({"sli": TopicState(4, 1, 0, 0, None)}, "warning", "one replica on 3 brokers"),
        (
            {"incidents": TopicState(4, 3, 0, 0, settings_of("incidents", cleanup_policy="delete"))},
            "failed",
            "cleanup.policy is delete, not compact",
        ),
        (
            {"history": TopicState(4, 3, 0, 0, settings_of("history", cleanup_policy="compact"))},
            "warning",
            "cleanup.policy is compact, not compact,delete",
        ),
        (
            {"incident_log": TopicState(4, 3, 0, 0, settings_of("incident_log", retention_ms="86400000"))},
            "warning",
            "retention.ms is 1d, less than 400d",
        ),
        (
            {
                "segments": TopicState(
                    4, 3, 0, 0, settings_of("segments", message_timestamp_type="CreateTime")
                )
            },
            "warning",
            "do not tell the broker's time",
        ),
    ],
)
def test_what_is_wrong_with_a_topic_is_said_with_a_command(
    changed: dict[str, TopicState], status: str, words: str
) -> None:
    (check,) = topic_checks(deployment(), cluster(**changed))
    assert check.status == status
    assert words in check.sentence
    assert check.remedy.startswith("kafka-")


def test_longer_retention_and_short_retention_of_logins_are_nobodys_fault() -> None:
    longer = TopicState(4, 3, 0, 0, settings_of("sli", retention_ms="-1"))
    shorter = TopicState(4, 3, 0, 0, settings_of("login_events", retention_ms="1000"))
    assert [one.status for one in topic_checks(deployment(), cluster(sli=longer, login_events=shorter))] == [
        "ok"
    ]


def test_a_topic_that_this_user_may_not_describe_is_not_called_missing() -> None:
    some = cluster()
    without = Cluster(3, "3.9", {name: one for name, one in some.topics.items() if name != TOPICS.sli})
    (check,) = topic_checks(deployment(), without)
    assert (check.status, "--topic sli " in check.remedy) == ("warning", True)
    lacked = [MissingRight("Read", "topic", TOPICS.sli, verdicts_go_on=True)]
    assert [one.status for one in topic_checks(deployment(), without, lacked)] == ["ok"]
    (right,) = rights_checks(deployment(), lacked)
    assert (right.status, "User:watch" in right.remedy) == ("warning", True)


async def test_a_broker_that_answers_is_looked_at_and_not_changed(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    topics, kafka = Topics(topic_prefix), {"bootstrap_servers": embedded_broker.address}
    asked = deployment(kafka=kafka, topics=topics, inputs=(topics.login_events,))
    before = {check.name: check for check in await cluster_checks(asked)}
    assert before["broker"].status == before["rights"].status == "ok"
    assert len(before["topics"].remedy.splitlines()) == 18
    assert await create_missing(topics, kafka) != []  # none was created by the question
    others = deployment(kafka=kafka, topics=topics, inputs=(topic_prefix + "pages",))
    failed = [check.sentence for check in await cluster_checks(others) if check.status == "failed"]
    assert failed == [
        f"`watchofficer run` refuses this: WATCHOFFICER_INPUTS names topics that do not exist: {topic_prefix}pages. "
        "Name the topic that the producer writes to as MAPPING=TOPIC, or create it"
    ]


class Told:
    """A consumer of a partition with two old records, and of one record that comes: all that ``hear_time`` asks."""

    def __init__(self, stamp: int, stamped_by: int) -> None:
        self._batch = [
            SimpleNamespace(offset=n, timestamp=stamp, timestamp_type=stamped_by) for n in range(3)
        ]
        self._batch[0].timestamp = self._batch[1].timestamp = 0

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("t", 0)]

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 2)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert offset == 2

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        batch, self._batch = self._batch, []
        return {TopicPartition("t", 0): batch}


@pytest.mark.parametrize(("ahead", "least"), [(0, 0), (90_000, 80_000), (-90_000, -100_000)])
async def test_only_what_is_written_meanwhile_tells_the_time(ahead: int, least: int) -> None:
    consumer: Any = Told(NOW - ahead, stamped_by=1)
    clients: Any = SimpleNamespace(tail=lambda *topics: consumer)
    heard = await hear_time(clients, ("t",), lambda: NOW, 60.0)
    assert heard.records
    assert heard.ahead is not None
    assert least <= heard.ahead <= least + 10_000


async def test_the_times_of_producers_tell_nothing() -> None:
    clients: Any = SimpleNamespace(tail=lambda *topics: Told(NOW, stamped_by=0))
    assert await hear_time(clients, ("t",), lambda: NOW, 0.01) == HeardTime(None, records=True)


async def test_a_broker_that_is_away_is_one_failure() -> None:
    away = deployment(kafka={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    (check,) = await cluster_checks(away)
    assert (check.name, check.status) == ("broker", "failed")
    assert "nothing listens" in check.sentence


@pytest.mark.parametrize(
    ("heard", "status", "words"),
    [
        (HeardTime(0, records=True), "ok", "the broker's"),
        (HeardTime(-5_000, records=True), "ok", "the broker's"),
        (HeardTime(9_000, records=True), "warning", "9s ahead of"),
        (HeardTime(-90_500, records=True), "failed", "90s behind"),
        (HeardTime(None, records=True), "warning", "does not have the broker's time"),
        (HeardTime(None, records=False), "warning", "nothing is written"),
    ],
)
def test_the_clock_is_compared_as_a_worker_does(heard: HeardTime, status: str, words: str) -> None:
    check = clock_check(heard)
    assert check.status == status
    assert words in check.sentence


# -- receivers, policy, disk -----------------------------------------------------------------------------------


async def test_receivers_are_tried_and_nobody_is_paged() -> None:
    async with Sandbox.make(clock=lambda: NOW, sleep=asyncio.sleep) as sandbox:
        given = {f"WATCHOFFICER_{name}": value for name, value in sandbox.settings().items()}
        good = await receiver_checks(read_settings(given), default_policy())
        bad = await receiver_checks(
            read_settings({**given, "WATCHOFFICER_SLACK__TOKEN": "another"}), default_policy()
        )
        assert sandbox.timeline == []
    assert [check.name for check in good if check.status == "failed"] == []
    assert ("receiver slack", "the token is that of watchofficer in Sandbox") in [
        (check.name, check.sentence) for check in good
    ]
    (refused,) = [check for check in bad if check.status == "failed"]
    assert refused.sentence == "Slack refuses: invalid_auth"
    assert "WATCHOFFICER_SLACK__TOKEN" in refused.remedy


def test_a_policy_with_findings_is_said_with_the_command_that_shows_all(tmp_path: Path) -> None:
    assert [check.status for check in policy_checks(None, NOW)] == ["ok"]
    wrong, absent = tmp_path / "policy.yaml", tmp_path / "absent.yaml"
    wrong.write_text("no_such_key: 1\n")
    (found,) = policy_checks(wrong, NOW)
    assert (found.status, found.remedy) == ("failed", f"watchofficer lint {wrong}")
    (unread,) = policy_checks(absent, NOW)
    assert unread.status == "failed"


def test_a_folder_that_cannot_be_written_has_failed(tmp_path: Path) -> None:
    assert disk_check(tmp_path).status in ("ok", "warning")
    assert disk_check(tmp_path / "absent").status == "failed"
