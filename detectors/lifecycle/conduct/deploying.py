"""What becomes of a deploy that is told: a notice, or a refusal, and nothing else."""

from __future__ import annotations

from detectors.bounds import plain_line
from detectors.incidents import IncidentInput
from detectors.instants import format_duration
from detectors.notices.notices import Notice
from detectors.process.deploys import AHEAD_AT_MOST, BACK_AT_MOST, Deploy, deploy_words

__all__ = ["deployed"]

_SERVICE_LIMIT, _NAME_LIMIT, _TEXT_LIMIT = 64, 100, 300


def deployed(asked: IncidentInput, at: int) -> Notice | str:
    """Return the notice of a deploy, or why it is none.

    Args:
        asked: a deploy; its scope is one that there is.
        at: T, ms.
    """
    when = at if asked.since is None else asked.since
    if not at - BACK_AT_MOST <= when <= at + AHEAD_AT_MOST:
        return f"a deploy is told within {format_duration(BACK_AT_MOST)} after it, and not before it"
    service = plain_line(asked.item or "")[:_SERVICE_LIMIT]
    if not service:
        return "it names no service"
    told = Deploy(
        service=service,
        version=asked.value or "",
        scope=asked.scope or asked.env,
        at=when,
        by=asked.by[:_NAME_LIMIT],
        text=plain_line(asked.text)[:_TEXT_LIMIT],
    )
    return Notice(
        at=at,
        kind="deploy",
        env=asked.env,
        field="service",
        value=service,
        count=1,
        text=deploy_words(told),
        deploy=told,
    )
