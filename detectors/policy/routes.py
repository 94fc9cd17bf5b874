"""Which receivers, beside PagerDuty, Datadog and Slack, does a policy name, and for which incidents?

PagerDuty, Datadog and Slack hear of incidents by rules of their own. A route adds receivers; it takes none away.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from detectors.incidents import DetectorName, TransitionKind
from detectors.policy.source import quote
from detectors.policy.types import AxisValue, ScopePath, Section, Severity, UnknownName

__all__ = ["RECEIVER_KINDS", "STANDING", "ReceiverName", "Route", "RouteMatch", "kind_of"]

#: Receivers that hear of every incident by rules of their own.
STANDING = ("pagerduty", "datadog", "slack")
#: Kinds of further receivers. A name is a kind, or a kind and a name from the settings: ``email:leadership``.
RECEIVER_KINDS = ("alertmanager", "email", "statuspage", "teams", "webhook")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def kind_of(receiver: str) -> str:
    """The kind of a receiver: ``email`` of ``email:leadership``."""
    return receiver.partition(":")[0]


def _receiver(value: str) -> str:
    kind, colon, name = value.partition(":")
    known = (*RECEIVER_KINDS, *STANDING)
    if kind not in known or (colon and (kind in STANDING or not _NAME.fullmatch(name))):
        near = difflib.get_close_matches(kind, known, 1, 0.7) if kind not in known else []
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownName(
            f"must be a receiver ({', '.join(known)}), or one with a name of the settings such as"
            f" email:leadership, is {quote(value)}{hint}"
        )
    return value


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


_Listed = BeforeValidator(_listed)
_AtLeastOne = Field(min_length=1, max_length=64)
#: A receiver, by the name that the settings give it.
ReceiverName = Annotated[str, Field(strict=True), AfterValidator(_receiver)]


class RouteMatch(Section):
    """For which incidents and changes a route is. A field that is left out matches all; of a list, any will do.

    Attributes:
        env: environments.
        scope: the incident has requests in common with one of these.
        severity: the severity now.
        kind: kinds of change (``opened``, ``severity``, ``declared``, ``update``, ``resolved`` ...). Left out: those
            that the kind of receiver is made for. A resolution goes to whom the incident was told, in any case.
        cause: a detector that found it. Left out: all but ``surge`` and ``latency`` alone, which wake nobody.
        hours: the change lies within ``business_hours``, or outside.
    """

    env: Annotated[tuple[AxisValue, ...], _Listed, _AtLeastOne] | None = None
    scope: Annotated[tuple[ScopePath, ...], _Listed, _AtLeastOne] | None = None
    severity: Annotated[tuple[Severity, ...], _Listed, _AtLeastOne] | None = None
    kind: Annotated[tuple[TransitionKind, ...], _Listed, _AtLeastOne] | None = None
    cause: Annotated[tuple[DetectorName, ...], _Listed, _AtLeastOne] | None = None
    hours: Literal["business", "outside"] | None = None


class Route(Section):
    """Which receivers hear of the incidents that ``match``.

    Attributes:
        receivers: who hears: a kind of receiver, or one with a name of the settings, such as ``email:leadership``.
    """

    match: RouteMatch = RouteMatch()
    receivers: Annotated[tuple[ReceiverName, ...], _Listed, _AtLeastOne]
