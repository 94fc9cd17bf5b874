"""Which commands need not be sent: what a newer command, which waits behind it, makes pointless?"""

from __future__ import annotations

from collections.abc import Iterable

from detectors.incidents import Command
from sinks.receivers.contract import Fate
from sinks.receivers.registry import kind_of

__all__ = ["overtaken"]


def overtaken(command: Command, later: Iterable[Command]) -> Fate | None:
    """Whether ``later`` commands, which wait behind ``command``, make it pointless; None if they do not.

    Its receiver decides (``ReceiverSettings.overtaken``), of the later commands of the same epoch.

    Args:
        command: the command at the head of its lane.
        later: the commands behind it, oldest first.
    """
    kind = kind_of(command.sink)
    same_epoch = [other for other in later if other.epoch == command.epoch]
    return kind.overtaken(command, same_epoch) if kind is not None and same_epoch else None
