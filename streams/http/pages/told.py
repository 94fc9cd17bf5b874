"""Which receivers were told what of an incident, and which links did they return? What ``incident-deliveries`` says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sinks.console.timeline import Message
from sinks.delivery.outcomes import Delivery
from sinks.receivers.links import found_links

__all__ = ["INCIDENTS", "MESSAGES", "ToldStates"]

#: Incidents that are remembered, the latest told, and the messages of each: the first to each receiver, and the latest.
INCIDENTS, MESSAGES = 500, 100


class _Told:
    """The messages of one incident by the ids of their commands, and its receipts by receiver."""

    __slots__ = ("messages", "receipts")

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.receipts: dict[str, dict[str, str]] = {}

    def note(self, command: str, message: Message) -> None:
        """Keep a message. Beyond the bound one goes that is not the first to its receiver: an edit, else the oldest."""
        self.messages[command] = message
        if len(self.messages) <= MESSAGES:
            return
        first: dict[str, str] = {}
        for known, one in self.messages.items():
            if one.outcome == "delivered":
                first.setdefault(one.sink, known)
        others = self.messages.keys() - first.values()
        del self.messages[
            next(
                (known for known, one in self.messages.items() if known in others and one.is_quiet),
                next(known for known in self.messages if known in others),
            )
        ]


class ToldStates:
    """What became of the messages of each incident."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}

    def learn(self, value: bytes) -> None:
        """Note a record of ``incident-deliveries``; a repeat changes nothing.

        Raises:
            ValueError: it is none.
        """
        delivery = msgspec.json.decode(value, type=Delivery)
        told = self._told.pop(delivery.incident_id, None) or _Told()
        self._told[delivery.incident_id] = told
        told.note(
            delivery.command_id,
            Message(
                at=delivery.at,
                sink=delivery.sink,
                action=delivery.action,
                outcome=delivery.outcome,
                reason=delivery.reason,
                attempts=delivery.attempts,
            ),
        )
        if delivery.receipt:
            told.receipts.setdefault(delivery.sink, {}).update(delivery.receipt)
        if len(self._told) > INCIDENTS:
            del self._told[next(iter(self._told))]

    def messages(self, incident: str) -> list[Message]:
        """Return the messages of an incident (id), in the order of their outcomes."""
        told = self._told.get(incident)
        return [] if told is None else sorted(told.messages.values(), key=lambda one: one.at)

    def links(self, incident: str) -> dict[str, str]:
        """Return the links that receivers have returned of an incident (id), by name."""
        told = self._told.get(incident)
        receipts: Mapping[str, Mapping[str, str]] = {} if told is None else told.receipts
        return found_links(lambda sink: dict(receipts.get(sink, {})))
