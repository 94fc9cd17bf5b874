"""From which state does a replay of a later part of the log continue? From the live worker's state at that point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from detectors.policy.policy import Policy
from streams.evaluate.shard_state import ShardState, read_back

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """The state of every environment at the last T before an instant for which `watch-state` still has one.

    Attributes:
        since: the instant, ms; verdicts are returned from this T on.
        states: the state by environment; an environment without one starts anew, two hours before the instant.
        history: the records of `sli-history` that were complete at the instant.
    """

    since: int
    states: dict[str, ShardState] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def reached(self) -> dict[str, int]:
        """Environment -> the last T of its state, ms; environments without a state are left out."""
        at = {env: state.engine.evaluated_to for env, state in self.states.items()}
        return {env: reached for env, reached in at.items() if reached is not None}

    def back(self, policy: Policy) -> int:
        """Return how long before ``since`` the first record was accepted that is needed to continue, ms."""
        return self.since - min([self.since, *self.reached.values()]) + read_back(policy)
