"""What differs between a deployment, a demo and a test of a worker?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streams.ingest.settings import Start
from streams.mappings.inputs import Input
from streams.settings.policy_file import PolicyFile

__all__ = ["Role", "WorkerOptions"]

Role = Literal["all", "ingest", "evaluate", "sinks"]


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What differs between a deployment and the demo.

    Attributes:
        role: which parts run here.
        start: where to begin without a resume record.
        session_seconds: after so long without a heartbeat a worker's partitions are given to another. On the
            embedded broker a first join waits for half of it.
        port: of the web server.
        check_timestamps: whether an input topic is refused whose records carry their producers' clocks, unchecked.
        before_judging: awaited before the first segment is evaluated; work that a start does not need is done
            meanwhile.
        blind_after: how long something must not get on until the watch is blind, seconds; None: as the policy says.
        folder: for temporary files; the system's by default.
        inputs: what is read; the topic of login events alone by default.
        policy_file: whose changes are recorded on the topic `policy`; None: one policy judges every T.
        policy_force: whether the policy of the file counts though it is older than the last record.
    """

    role: Role = "all"
    start: Start = None
    session_seconds: float = 10.0
    port: int = 6066
    check_timestamps: bool = False
    before_judging: asyncio.Future[None] | None = None
    blind_after: float | None = None
    folder: Path | None = None
    inputs: tuple[Input, ...] = ()
    policy_file: PolicyFile | None = None
    policy_force: bool = False

    @property
    def roles(self) -> frozenset[str]:
        """The single roles that run here."""
        return frozenset({"ingest", "evaluate", "sinks"} if self.role == "all" else {self.role})
