"""Which notifications are held back while an engine catches up, and which are due once it has?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from detectors.engine.state import Waiting
from detectors.incidents import Command, Incident, Transition
from detectors.notification.plan import catch_up
from detectors.policy.policy import Policy

__all__ = ["HeldBack"]


class HeldBack:
    """Remembers the incidents that change while notifications are held back.

    Args:
        policy: the policy.
        sinks: the receivers that are on.
        waiting: the incidents of an earlier run; None while notifications were sent.

    Attributes:
        waiting: the incidents while notifications are held back; None while they are sent.
    """

    def __init__(self, policy: Policy, sinks: frozenset[str], waiting: Waiting | None) -> None:
        self._policy = policy
        self._sinks = sinks
        self.waiting = waiting

    def update(self, catching_up: bool, incidents: Sequence[Incident]) -> list[Command]:
        """Begin or end holding back notifications; return the commands that are due at its end.

        Args:
            catching_up: whether notifications are held back from now on.
            incidents: those that are not closed.
        """
        if catching_up:
            if self.waiting is None:
                self.waiting = Waiting({one.id: replace(one, notes=()) for one in incidents}, {})
            return []
        if self.waiting is None:
            return []
        waiting, self.waiting = self.waiting, None
        commands: list[Command] = []
        for name, incident in sorted(waiting.latest.items()):
            commands += catch_up(incident, waiting.before.get(name), self._policy, self._sinks)
        return commands

    def note(self, transition: Transition) -> None:
        """Remember how an incident stands after a transition, if notifications are held back."""
        if self.waiting is not None:
            self.waiting.latest[transition.incident.id] = transition.incident
