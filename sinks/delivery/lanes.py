"""Which commands wait for each other? Those of one lane, in their order; no lane waits for another.

A lane holds what one receiver must get in order: of most receivers all commands of an incident, of PagerDuty those of
one dedup key, since alerts of different keys are different things to it (``ReceiverSettings.lane``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from detectors.incidents import Command
from sinks.receivers.contract import ReceiverSettings
from sinks.receivers.registry import kind_of

__all__ = ["Lane", "Rank", "lane_of", "rank_of"]

#: What is sent first where not all can be sent at once: the least. (how hasty, severity, made at in ms).
Rank = tuple[int, int, int]


def lane_of(command: Command) -> tuple[str, str]:
    """The lane of a command: its receiver, and what its receiver keeps in order."""
    kind = kind_of(command.sink) or ReceiverSettings
    return command.sink, kind.lane(command)


def rank_of(command: Command) -> Rank:
    """Pages before edits, then the most severe first, then the oldest."""
    kind = kind_of(command.sink) or ReceiverSettings
    return kind.haste(command), command.incident.severity, command.at


class Lane:
    """The commands of one lane that have no outcome yet, the oldest first."""

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name
        self._waiting: deque[tuple[Command, int]] = deque()
        self._rank: Rank = (0, 0, 0)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def key(self) -> str:
        """What tells this lane from others of its receiver."""
        return self.name[1]

    @property
    def head(self) -> Command:
        """The command that is sent next."""
        return self._waiting[0][0]

    @property
    def since(self) -> int:
        """When the head was made, or written to the outbox, whichever is later, ms."""
        return self._waiting[0][1]

    @property
    def rank(self) -> Rank:
        """The rank of the most urgent of its commands: what waits behind another urges that on."""
        return self._rank

    def behind(self) -> Iterator[Command]:
        """The commands behind the head."""
        return (command for command, _ in islice(self._waiting, 1, None))

    def append(self, command: Command, since: int) -> None:
        """Queue a command that was made or written at ``since``, ms."""
        self._waiting.append((command, since))
        rank = rank_of(command)
        self._rank = rank if len(self._waiting) == 1 else min(self._rank, rank)

    def pop(self) -> None:
        """Take the head out, which has its outcome."""
        self._waiting.popleft()
        if self._waiting:
            self._rank = min(rank_of(command) for command, _ in self._waiting)
