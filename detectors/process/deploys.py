"""Which version of which service has gone into use? A CI job tells it; nothing is judged by it."""

from __future__ import annotations

import msgspec

from detectors.axes import overlaps
from detectors.instants import DAY, HOUR, MINUTE

__all__ = ["AHEAD_AT_MOST", "BACK_AT_MOST", "SHOWN_BEFORE", "Deploy", "deploy_words", "shown_with"]

#: How far before T a deploy may lie that is told at T, and how far after it, as clocks differ; ms.
BACK_AT_MOST, AHEAD_AT_MOST = 7 * DAY, 5 * MINUTE
#: A deploy is told with an incident that began within this time after it, ms.
SHOWN_BEFORE = HOUR


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a service that has gone into use.

    Attributes:
        service, version: their names.
        scope: what it may touch.
        at: when, ms.
        by: who told it.
        text: more words, or "".
    """

    service: str
    version: str
    scope: str
    at: int
    by: str
    text: str = ""


def shown_with(deploy: Deploy, scope: str, began: int, end: int) -> bool:
    """Return whether a deploy is told with an incident.

    Args:
        scope: of the incident; a deploy to a part of it, or to what holds it, may have to do with it.
        began: the first failing event, ms.
        end: the end of the incident, ms.
    """
    return overlaps(deploy.scope, scope) and began - SHOWN_BEFORE <= deploy.at <= end


def deploy_words(deploy: Deploy, began: int | None = None) -> str:
    """Return one sentence.

    Args:
        began: when an incident began (ms), before which, or after which, the deploy is told to lie.
    """
    more = f": {deploy.text.rstrip('. ')}" if deploy.text else ""
    said = f"{deploy.service} {deploy.version} deployed to {deploy.scope}{more}."
    if began is None:
        return said
    minutes = round(abs(deploy.at - began) / MINUTE)
    length = f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else "less than a minute"
    return f"{length[0].upper()}{length[1:]} {'before' if deploy.at <= began else 'after'} the first failure: {said}"
