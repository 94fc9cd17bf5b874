"""From which state does a replay of a later part of the log continue? From that of the live worker there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detectors.policy.policy import Policy
from streams.evaluate.shard_state import ShardState, read_back

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """The memory of every environment at the last T before an instant that `watch-state` still has.

    Attributes:
        since: the instant, ms: verdicts are given out from this T on.
        states: by environment; one that is missing begins anew, two hours before the instant.
        history: the records of `sli-history` that were complete then.
    """

    since: int
    states: dict[str, ShardState] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reached(self) -> dict[str, int]:
        """The last T of each environment that has a state, ms."""
        at = {env: state.engine.evaluated_to for env, state in self.states.items()}
        return {env: reached for env, reached in at.items() if reached is not None}

    def back(self, policy: Policy) -> int:
        """How long before ``since`` the first record was taken that is needed to go on from here, ms."""
        return self.since - min([self.since, *self.reached.values()]) + read_back(policy)
