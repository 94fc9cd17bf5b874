"""In which order are verdicts written, and when is a state written with them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from detectors.incidents import Incident
from detectors.notification.notices import change_command
from detectors.policy.policy import Policy
from streams.evaluate.announce import announce
from streams.evaluate.evaluator import Verdict
from streams.evaluate.ownership.owner import Owner
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.evaluate.shard_state import encode_state
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.refused.aside import AsideWriter
from streams.records.models import encode_incident
from streams.records.progress import progress_headers
from streams.records.verdicts import (
    applied_out,
    banner_out,
    command_out,
    day_out,
    history_out,
    log_out,
    notice_out,
    refused_out,
    sli_out,
)

__all__ = ["STATE_EVERY", "VerdictWriter"]

#: The state is written at least so often, ms of event time, so that a restart evaluates little again.
STATE_EVERY = 10_000


class VerdictWriter:
    """Writes the verdicts and states of shards.

    Args:
        settings: topics and partitions.
        producer: returns from ``write`` when all records have been acknowledged.
        aside: writes what no next verdict needs.
    """

    def __init__(
        self,
        settings: EvaluateSettings,
        producer: BatchProducer,
        aside: AsideWriter | BatchProducer,
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._aside = aside

    async def write(
        self, shard: Shard, owner: Owner, verdicts: Sequence[Verdict], states_every: int = STATE_EVERY
    ) -> None:
        """Write commands, log lines, incidents, everything else, states: each acknowledged before the next is sent.

        Everything else (SLIs, history, days, banners) is what no next verdict needs: while the broker refuses it, the
        states are written all the same.

        Args:
            states_every: the state of an environment in which nothing has changed is written so long after it was
                written last, ms of event time.
        """
        topics, partition = self._settings.topics, shard.partition
        commands = [
            command_out(topics, self._settings.partitions, command)
            for verdict in verdicts
            for command in verdict.result.commands
        ]
        await self._producer.write(commands)
        await self._producer.write(self._log_lines(shard, verdicts))
        await self._producer.write(
            ProducerRecord(topics.incidents, incident.id.encode(), encode_incident(incident), partition)
            for incident in _incidents(verdicts).values()
        )
        await self._aside.write(self._others(partition, verdicts))
        changed = {
            verdict.result.env
            for verdict in verdicts
            if verdict.result.transitions
            or verdict.result.refused
            or verdict.result.unseen
            or verdict.banners
        }
        await owner.write(self._states(shard, owner, shard.states_due(changed, states_every)))
        for verdict in verdicts:
            announce(verdict.result.transitions)

    async def write_change(self, policy: Policy, since: int) -> None:
        """Tell PagerDuty and Datadog, where they are on, that another policy judges from ``since`` (T, ms) on."""
        topics, partitions = self._settings.topics, self._settings.partitions
        program = version("watchofficer")
        told = (sink for sink in ("pagerduty", "datadog") if sink in self._settings.sinks)
        commands = (change_command(program, policy, since, sink=sink, since=since) for sink in told)
        await self._producer.write([command_out(topics, partitions, command) for command in commands])

    async def write_missing(
        self, partition: int, history: Iterable[Mapping[str, Any]], days: Iterable[Mapping[str, Any]]
    ) -> None:
        """Write records of the history and of days, which the topics lack, once more."""
        topics = self._settings.topics
        records = [history_out(topics, partition, record) for record in history]
        await self._aside.write(records + [day_out(topics, partition, record) for record in days])

    async def claim(self, shard: Shard, owner: Owner, goal: int, envs: Iterable[str]) -> None:
        """Write the states of environments, and make sure that they are in force and ``goal`` (T, ms) may be judged.

        Raises:
            TakenOver: another worker has taken over the shard.
        """
        await owner.claim(goal, self._states(shard, owner, envs))

    def _states(self, shard: Shard, owner: Owner, envs: Iterable[str]) -> list[ProducerRecord]:
        topic, together = self._settings.topics.watch_state, shard.envs
        return [
            ProducerRecord(
                topic,
                env.encode(),
                encode_state(shard.state(env, owner.term)),
                shard.partition,
                progress_headers(shard.reached(env), together),
            )
            for env in envs
        ]

    def _log_lines(self, shard: Shard, verdicts: Sequence[Verdict]) -> list[ProducerRecord]:
        topics, partition = self._settings.topics, shard.partition
        lines: list[ProducerRecord] = []
        for verdict in verdicts:
            result = verdict.result
            lines += [
                log_out(topics, partition, transition, shard.offsets(), shard.policy.hash)
                for transition in result.transitions
            ]
            lines += [
                refused_out(topics, partition, result.at, incident_input, why)
                for incident_input, why in result.refused
            ]
            lines += [applied_out(topics, partition, result.at, applied) for applied in result.unseen]
            lines += [notice_out(topics, partition, notice) for notice in result.notices]
        return lines

    def _others(self, partition: int, verdicts: Sequence[Verdict]) -> list[ProducerRecord]:
        topics = self._settings.topics
        others: list[ProducerRecord] = []
        for verdict in verdicts:
            others += [banner_out(topics, partition, banner) for banner in verdict.shown or verdict.banners]
            others += [sli_out(topics, partition, value) for value in verdict.result.sli]
            others += [history_out(topics, partition, record) for record in verdict.result.history]
            others += [day_out(topics, partition, record) for record in verdict.result.days]
        return others


def _incidents(verdicts: Sequence[Verdict]) -> dict[str, Incident]:
    """The last state of each incident that is to be written, by id."""
    incidents: dict[str, Incident] = {}
    for verdict in verdicts:
        result = verdict.result
        for transition in result.transitions:
            incidents[transition.incident.id] = transition.incident
        if result.incidents is not None and result.at % STATE_EVERY == 0:
            for incident in result.incidents:
                incidents[incident.id] = incident
    return incidents
