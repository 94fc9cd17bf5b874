"""What becomes of a command, and what is recorded of that?"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Literal

import msgspec

from detectors.bounds import LINK_BYTES, fits

__all__ = ["Delivery", "Outcome", "bounded_receipt"]

Outcome = Literal["delivered", "superseded", "dropped", "dead"]

#: The most identifiers that a receipt keeps.
_RECEIPT_FIELDS = 20


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a command: a record of the topic ``incident-deliveries``, with the key ``command_id``.

    Attributes:
        outcome: "delivered"; "superseded" by a newer command; "dropped", because the incident was resolved
            before the command could be sent; "dead": refused by the receiver, or failing for a day.
        at: the instant of the outcome, ms since the epoch.
        receipt: identifiers that the receiver returned (a Slack timestamp, a Datadog id).
        attempts: number of requests made.
        reason: why it is dead or was dropped, for people; "" otherwise.
        dedup_key: of the command; "" in records that were written before they held it.
    """

    command_id: str
    sink: str
    incident_id: str
    epoch: int
    action: str
    outcome: Outcome
    at: int
    receipt: dict[str, str] = {}
    attempts: int = 0
    reason: str = ""
    dedup_key: str = ""


def bounded_receipt(receipt: Mapping[str, str]) -> dict[str, str]:
    """What a receipt may keep of what a receiver returned; a part of an identifier or a link is of no use."""
    kept = {name: value for name, value in receipt.items() if fits(name + value, LINK_BYTES)}
    return dict(islice(kept.items(), _RECEIPT_FIELDS))
