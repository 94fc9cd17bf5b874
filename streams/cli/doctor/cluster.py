"""Does Kafka let this process do its work? The broker, its topics, the rights on them, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from detectors.instants import SECOND, format_duration
from detectors.policy.policy import Policy
from streams.cli.doctor.check import Check, Status
from streams.cli.doctor.quotas import quota_checks
from streams.kafka.admin import (
    TopicProblem,
    addressed_partitions,
    check_clock,
    check_inputs,
    creation_command,
)
from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import diagnose
from streams.kafka.inspection.cluster import Cluster, TopicState, look_at_cluster
from streams.kafka.inspection.time import HeardTime, hear_time
from streams.kafka.rights import MissingRight, least_rights, missing_rights
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock
from streams.worker.step_check import check_step

__all__ = ["Deployment", "clock_check", "cluster_checks", "rights_checks", "topic_checks"]

_PATIENCE = 30.0  # seconds, for all that Kafka is asked but its time
#: Off by more than that is a warning, and a failure, ms: of these a worker says the same.
_OFF, _FAR_OFF = 5 * SECOND, 60 * SECOND
#: Settings of which less than ours loses what a start reads back; -1 stands for no end.
_AT_LEAST = ("retention.ms", "min.compaction.lag.ms")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What is asked about.

    Attributes:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: the names of the topics.
        roles: of the process: ingest, evaluate, sinks, guard.
        inputs: the topics that are read.
        policy: the policy.
        check_timestamps: whether an input is refused whose records carry their producers' clocks, unchecked.
        listen: for how long records are awaited that tell the broker's time, seconds.
    """

    kafka: Mapping[str, Any]
    topics: Topics
    roles: tuple[str, ...]
    inputs: tuple[str, ...]
    policy: Policy
    check_timestamps: bool = True
    listen: float = 5.0

    @property
    def user(self) -> str | None:
        """The name with which the process enters; None without one."""
        return self.kafka.get("sasl_plain_username")

    @property
    def settings_too(self) -> bool:
        """Whether the process looks at the settings of its inputs."""
        return self.check_timestamps and not self.guards

    @property
    def guards(self) -> bool:
        """Whether the process is a guard, which reads one topic."""
        return self.roles == ("guard",)

    @property
    def wanted(self) -> dict[str, dict[str, str]]:
        """Name of a topic that the process needs -> the settings with which it is created."""
        every, state = self.topics.all(), self.topics.watch_state
        return {state: every[state]} if self.guards else every


async def cluster_checks(deployment: Deployment) -> list[Check]:
    """The checks of the broker, and where it answers those of all that is on it.

    Args:
        deployment: what is asked about.
    """
    names = {*deployment.wanted, *(() if deployment.guards else deployment.inputs)}
    try:
        async with asyncio.timeout(_PATIENCE):
            cluster = await look_at_cluster(deployment.kafka, names)
            lacked = await missing_rights(
                deployment.kafka,
                deployment.topics,
                deployment.roles,
                inputs=deployment.inputs,
                settings_too=deployment.settings_too,
            )
            checks = [_broker(deployment, cluster), *rights_checks(deployment, lacked)]
            checks += topic_checks(deployment, cluster, lacked)
            checks += await _refused(deployment, cluster, lacked)
            checks += await _quotas(deployment, cluster, lacked)
        if not deployment.guards:
            checks.append(await _clock(deployment, cluster, lacked))
    except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
        found = await diagnose(deployment.kafka, error)
        return [Check("broker", "failed", found.sentence, found.remedy)]
    return checks


def _broker(deployment: Deployment, cluster: Cluster) -> Check:
    servers = deployment.kafka["bootstrap_servers"]
    where = servers if isinstance(servers, str) else ", ".join(servers)
    number = f"{cluster.brokers} broker{'s' if cluster.brokers != 1 else ''}"
    return Check(
        "broker",
        "ok",
        f"{where} answers: {number}, protocol of Kafka {cluster.release}"
        f" ({deployment.kafka.get('security_protocol', 'PLAINTEXT')})",
    )


def rights_checks(deployment: Deployment, lacked: Sequence[MissingRight]) -> Iterator[Check]:
    """Yield a check for each right that is missing; one that is ok if none is.

    Args:
        deployment: what is asked about.
        lacked: the rights that are missing.
    """
    for right in lacked:
        status: Status = "warning" if right.verdicts_go_on else "failed"
        yield Check("rights", status, right.sentence, right.remedy(deployment.user))
    if not lacked:
        needed = least_rights(
            deployment.topics,
            deployment.roles,
            inputs=deployment.inputs,
            settings_too=deployment.settings_too,
        )
        yield Check("rights", "ok", f"none is missing on {len(needed)} topics and groups")


def topic_checks(
    deployment: Deployment, cluster: Cluster, lacked: Sequence[MissingRight] = ()
) -> Iterator[Check]:
    """Yield the checks of the topics: whether they exist, are whole, and have settings that keep what is needed.

    Args:
        deployment: what is asked about.
        cluster: what the cluster says of itself.
        lacked: the rights that are missing: of a topic that may not be described nobody knows whether it exists.
    """
    wanted = deployment.wanted
    hidden = {right.name for right in lacked if right.kind == "topic"}
    missing = [name for name in wanted if name not in cluster.topics and name not in hidden]
    if missing:
        yield _missing(deployment, cluster, missing)
    bad = bool(missing)
    for name, state in sorted(cluster.topics.items()):
        for check in _topic(name, state, wanted.get(name, {}), deployment, cluster.brokers):
            bad = True
            yield check
    if cluster.topics and not bad:
        unseen = sum(state.settings is None for state in cluster.topics.values())
        rest = f"; this user may not see the settings of {unseen}" if unseen else ""
        yield Check("topics", "ok", f"{len(cluster.topics)} exist, each with its leaders{rest}")


def _missing(deployment: Deployment, cluster: Cluster, missing: Sequence[str]) -> Check:
    topics, wanted = deployment.topics, deployment.topics.all()
    addressed = [cluster.topics[name].partitions for name in topics.addressed() if name in cluster.topics]
    source = cluster.topics.get(topics.login_events)
    of_input = PARTITIONS if source is None else source.partitions
    others = addressed[0] if addressed else PARTITIONS
    commands = [
        creation_command(
            name,
            of_input if name in (topics.login_events, topics.ingest_state) else others,
            min(3, cluster.brokers),
            wanted[name],
        )
        for name in missing
    ]
    return Check(
        "topics",
        "warning",
        f"{len(missing)} do not exist: {', '.join(missing)}",
        "\n".join(["`watchofficer run` creates them where it may, or an administrator:", *commands]),
    )


def _topic(
    name: str, state: TopicState, wanted: Mapping[str, str], deployment: Deployment, brokers: int
) -> Iterator[Check]:
    what = f"topic {name}"
    describe = f"kafka-topics.sh --describe --topic {name}"
    if state.leaderless:
        yield Check(
            what, "failed", f"{state.leaderless} of {state.partitions} partitions lack a leader", describe
        )
    elif state.lagging:
        yield Check(
            what,
            "warning",
            f"{state.lagging} of {state.partitions} partitions lack a replica in sync",
            describe,
        )
    if state.replicas == 1 and brokers > 1:
        yield Check(
            what,
            "warning",
            f"it has one replica on {brokers} brokers, and is away with any one of them",
            f"kafka-reassign-partitions.sh gives it {min(3, brokers)} replicas",
        )
    if state.settings is None or name == deployment.topics.login_events:
        return  # how long logins are kept is their producer's matter; whose time they have is asked apart
    yield from _settings(what, name, state.settings, wanted)


def _settings(what: str, name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Check]:
    alter = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config"
    for key, ours in wanted.items():
        theirs = found.get(key)
        if theirs is None:
            continue
        if key == "cleanup.policy" and set(theirs.split(",")) != set(ours.split(",")):
            listed = f"[{ours}]" if "," in ours else ours
            loses = "compact" in ours and "delete" in theirs and "delete" not in ours
            sentence = f"{key} is {theirs}, not {ours}" + (
                ": what a start reads back is deleted" if loses else ""
            )
            yield Check(what, "failed" if loses else "warning", sentence, f"{alter} {key}={listed}")
        elif key in _AT_LEAST and _less(theirs, ours):
            short, wished = format_duration(int(theirs)), format_duration(int(ours))
            yield Check(what, "warning", f"{key} is {short}, less than {wished}", f"{alter} {key}={ours}")
        elif key == "message.timestamp.type" and theirs != ours:
            sentence = f"{key} is {theirs}: its records do not tell the broker's time"
            yield Check(what, "warning", sentence, f"{alter} {key}={ours}")


def _less(theirs: str, ours: str) -> bool:
    return theirs.isdigit() and int(theirs) < int(ours)


async def _refused(deployment: Deployment, cluster: Cluster, lacked: Sequence[MissingRight]) -> list[Check]:
    """What `run` refuses, in its words."""
    topics, kafka = deployment.topics, dict(deployment.kafka)
    hidden = {right.name for right in lacked if right.kind == "topic"}
    seen = [name for name in deployment.inputs if name in cluster.topics and name not in hidden]
    others = [one for one in deployment.inputs if one not in (topics.login_events, *hidden)]
    questions: list[Callable[[], Awaitable[object]]] = [partial(check_inputs, others, kafka)]
    if deployment.settings_too:
        questions += [partial(check_clock, one, kafka, deployment.policy.future_limit) for one in seen]
    if set(topics.addressed()) <= cluster.topics.keys():
        questions.append(partial(addressed_partitions, topics, kafka))
    if topics.ingest_state in cluster.topics and topics.ingest_state not in hidden:
        questions.append(partial(check_step, KafkaClients(kafka), topics, deployment.policy.step))
    checks = []
    for question in questions if not deployment.guards else ():
        try:
            await question()
        except TopicProblem as error:
            sentence, _, remedy = str(error).partition("\n")
            checks.append(Check("topics", "failed", f"`watchofficer run` refuses this: {sentence}", remedy))
    return checks


async def _quotas(deployment: Deployment, cluster: Cluster, lacked: Sequence[MissingRight]) -> list[Check]:
    hidden = {right.name for right in lacked if right.kind == "topic"}
    inputs = deployment.inputs if "ingest" in deployment.roles else ()
    read = [name for name in inputs if name in cluster.topics and name not in hidden]
    return await quota_checks(deployment.kafka, deployment.user, read, cluster.brokers, RealClock()())


async def _clock(deployment: Deployment, cluster: Cluster, lacked: Sequence[MissingRight]) -> Check:
    hidden = {right.name for right in lacked if right.kind == "topic" and right.operation == "Read"}
    topics = tuple(
        name
        for name in (deployment.topics.segments, deployment.topics.watch_state)
        if name in cluster.topics and name not in hidden and _may_read(deployment, name)
    )
    if not topics:
        return clock_check(HeardTime(None, records=False))
    return clock_check(
        await hear_time(KafkaClients(deployment.kafka), topics, RealClock(), deployment.listen)
    )


def _may_read(deployment: Deployment, name: str) -> bool:
    """Whether the role needs to read a topic: others may not be allowed to."""
    rights = least_rights(deployment.topics, deployment.roles, inputs=deployment.inputs)
    return any(one.name == name and "Read" in one.operations for one in rights)


def clock_check(heard: HeardTime) -> Check:
    """The check of the clock of this machine.

    Args:
        heard: the clock beside the broker's.
    """
    if heard.ahead is None:
        found = (
            "what comes does not have the broker's time" if heard.records else "nothing is written meanwhile"
        )
        return Check(
            "clock",
            "warning",
            f"it could not be compared with the broker's: {found}",
            "run this again while a worker runs, on topics with LogAppendTime"
            if heard.records
            else "run this again while a worker runs",
        )
    off = abs(heard.ahead)
    if off <= _OFF:
        return Check("clock", "ok", f"it is the broker's, to within {format_duration(_OFF)}")
    how = f"{format_duration(off // SECOND * SECOND)} {'ahead of' if heard.ahead > 0 else 'behind'} the broker's"
    return Check(
        "clock",
        "failed" if off > _FAR_OFF else "warning",
        f"the clock of this machine is {how}",
        "let NTP set the clock of this machine (chronyc tracking), or that of the brokers",
    )
