"""What are the topics called, and with which settings are they created?"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields

from detectors.instants import DAY, HOUR, MINUTE
from detectors.scopes import ENVS

__all__ = ["PARTITIONS", "Topics", "env_partition", "holds_unlisted"]

#: The number of partitions of topics that are created here, where none of their kind is there yet.
PARTITIONS = 4


def env_partition(env: str, partitions: int) -> int:
    """The partition of the internal topics that holds an environment's records.

    All environments but the four of ``ENVS`` share one partition, so that one worker sees how many there are. A
    policy that lists another one does not move it.
    """
    place = ENVS.index(env) if env in ENVS else len(ENVS) - 1
    return place % partitions


def holds_unlisted(partition: int, partitions: int) -> bool:
    """Whether a partition of the internal topics holds the environments beside the four of ``ENVS``."""
    return partition == (len(ENVS) - 1) % partitions


def _named(name: str) -> str:
    """A field that holds the prefixed name of the topic ``name``."""
    made: str = field(init=False, metadata={"name": name})
    return made


@dataclass(frozen=True)
class Topics:
    """The names of all topics of a deployment: ``prefix`` and the topic's own name."""

    prefix: str = ""
    login_events: str = _named("login-events")
    rejected: str = _named("login-events.rejected")
    segments: str = _named("sli-segments")
    ingest_state: str = _named("ingest-state")
    history: str = _named("sli-history")
    days: str = _named("sla-days")
    watch_state: str = _named("watch-state")
    sli: str = _named("sli")
    incidents: str = _named("incidents")
    incident_log: str = _named("incident-log")
    commands: str = _named("incident-commands")
    dead: str = _named("incident-commands.dead")
    deliveries: str = _named("incident-deliveries")
    banner: str = _named("banner-state")
    inputs: str = _named("incident-inputs")
    policy: str = _named("policy")
    quarantine: str = _named("watchofficer.quarantine")

    def __post_init__(self) -> None:
        for topic in _topics():
            object.__setattr__(self, topic.name, self.prefix + topic.metadata["name"])

    def addressed(self) -> tuple[str, ...]:
        """The topics on which a record stands on the partition that belongs to its environment or incident.

        All of them must have the same number of partitions.
        """
        others = {
            self.login_events,
            self.ingest_state,
            self.rejected,
            self.dead,
            self.policy,
            self.quarantine,
        }
        return tuple(name for name in self.all() if name not in others)

    def all(self) -> dict[str, dict[str, str]]:
        """Name -> the settings the topic is created with."""
        return {getattr(self, topic.name): dict(_CONFIGS[topic.name]) for topic in _topics()}


def _topics() -> list[Field[str]]:
    return [each for each in fields(Topics) if "name" in each.metadata]


_COMPACT = {"cleanup.policy": "compact"}
#: What is written comes back with the broker's time, which each worker goes by (``runtime.broker_clock``).
_STAMPED = {"message.timestamp.type": "LogAppendTime"}


def _keep(millis: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(millis)}


_CONFIGS: dict[str, dict[str, str]] = {
    "login_events": {**_keep(7 * DAY), **_STAMPED},
    "rejected": _keep(7 * DAY),
    # What counted at the last T is read back on a start, two hours and a quarter before it; beyond that the watch may
    # have been down for some hours. The broker may clean what is older.
    "segments": {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(6 * HOUR),
        "segment.ms": str(10 * MINUTE),
        "min.cleanable.dirty.ratio": "0.2",
        # A new owner has written again by then what it has taken over half done.
        "min.compaction.lag.ms": str(10 * MINUTE),
        **_STAMPED,
    },
    "ingest_state": _COMPACT,
    "history": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    "days": {"cleanup.policy": "compact,delete", "retention.ms": str(800 * DAY)},
    # States stay for as long as the marks do, so that a replay can go on from one in the middle.
    "watch_state": {**_COMPACT, "min.compaction.lag.ms": str(6 * HOUR), **_STAMPED},
    "sli": _keep(7 * DAY),
    "incidents": _COMPACT,
    "incident_log": _keep(400 * DAY),
    "commands": _keep(7 * DAY),
    "dead": _keep(35 * DAY),
    "deliveries": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    "banner": _COMPACT,
    "inputs": _keep(35 * DAY),
    # Each change has a key of its own and stands for good. The broker's stamp says whether it came in time.
    "policy": {**_COMPACT, **_STAMPED},
    "quarantine": _keep(35 * DAY),
}
