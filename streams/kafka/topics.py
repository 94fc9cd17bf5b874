"""The topics: their names, the settings they are created with, and the check of what a broker has."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.instants import DAY, HOUR, MINUTE
from detectors.scopes import ENVS

__all__ = ["PARTITIONS", "Topics", "env_partition"]

#: of the topics that are created here
PARTITIONS = 4


def env_partition(env: str, partitions: int) -> int:
    """The partition of the internal topics that holds an environment's records."""
    return ENVS.index(env) % partitions


@dataclass(frozen=True)
class Topics:
    """The names of all topics, with the deployment's prefix."""

    prefix: str = ""

    def __getattr__(self, name: str) -> str:
        try:
            return self.prefix + _NAMES[name]
        except KeyError:
            raise AttributeError(name) from None

    def all(self) -> dict[str, dict[str, str]]:
        """Name -> the settings it is created with."""
        return {self.prefix + _NAMES[key]: dict(_CONFIGS[key]) for key in _NAMES}


_NAMES = {
    "login_events": "login-events",
    "rejected": "login-events.rejected",
    "segments": "sli-segments",
    "ingest_state": "ingest-state",
    "history": "sli-history",
    "watch_state": "watch-state",
    "sli": "sli",
    "incidents": "incidents",
    "incident_log": "incident-log",
    "commands": "incident-commands",
    "dead": "incident-commands.dead",
    "deliveries": "incident-deliveries",
    "banner": "banner-state",
    "inputs": "incident-inputs",
}

_COMPACT = {"cleanup.policy": "compact"}


def _keep(millis: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(millis)}


_CONFIGS: dict[str, dict[str, str]] = {
    "login_events": {**_keep(7 * DAY), "message.timestamp.type": "LogAppendTime"},
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
    },
    "ingest_state": _COMPACT,
    "history": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    # States stay for as long as the marks do, so that a replay can go on from one in the middle.
    "watch_state": {**_COMPACT, "min.compaction.lag.ms": str(6 * HOUR)},
    "sli": _keep(7 * DAY),
    "incidents": _COMPACT,
    "incident_log": _keep(400 * DAY),
    "commands": _keep(7 * DAY),
    "dead": _keep(35 * DAY),
    "deliveries": {"cleanup.policy": "compact,delete", "retention.ms": str(35 * DAY)},
    "banner": _COMPACT,
    "inputs": _keep(35 * DAY),
}
