"""What does a webhook of PagerDuty say of an alert?"""

from __future__ import annotations

import msgspec

__all__ = ["AlertNews"]


class AlertNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook of PagerDuty says of an alert.

    Attributes:
        dedup_key: the alert's key; None where the webhook names PagerDuty's incident alone.
        incident: PagerDuty's id of the incident that holds the alert.
        into: PagerDuty's id of the incident into which a merge has moved the alert.
        url: the address of PagerDuty's incident.
        occurred_at: when it happened, ms by PagerDuty's clock; webhooks arrive in any order.
    """

    dedup_key: str | None = None
    incident: str | None = None
    into: str | None = None
    url: str | None = None
    occurred_at: int | None = None
