"""How is one command sent once, and what becomes of an error in this program?"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from detectors.incidents import Command
from sinks.neutral import neutral
from sinks.receivers.answers import Answer, Receipts, Refused, SinkClient

__all__ = ["about", "send"]

_log = structlog.get_logger(__name__)


async def send(clients: Mapping[str, SinkClient], command: Command, receipts: Receipts) -> Answer:
    """Send a command through the client of its receiver; an exception is a refusal, since it would come again.

    Texts by other people are neutral in what any receiver gets (``sinks.neutral``).
    """
    try:
        return await clients[command.sink].send(neutral(command), receipts)
    except Exception as error:
        # A defect of this program. Its text is not logged: some exceptions repeat the request's content.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place is not None else "?"
        _log.error("delivery_fault", **about(command), error=type(error).__name__, where=where)
        return Refused(f"{type(error).__name__} in {where}")


def about(command: Command) -> dict[str, str]:
    """What a log line says of a command."""
    return {
        "sink": command.sink,
        "incident": command.incident_id,
        "action": command.action,
        "command": command.id,
    }
