"""What does PagerDuty say of the alerts of an incident, and does it still count when it arrives?

Webhooks arrive at least once and in any order, so each carries the instant at which it happened, and what is older than
what is known changes nothing. An incident of ours may have several alerts, and an incident of PagerDuty's may hold
several of them, also of several incidents of ours, once people have merged some.

* A merge moves an alert into another incident of PagerDuty's. It is no recovery: the alert stays open there.
* PagerDuty resolves an alert by itself after a time. Nobody has said then that anything is over.
* Only when no alert of the epoch is left open has a person resolved the incident.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from detectors.axes import overlaps
from detectors.incidents import Incident, IncidentInput, Page
from detectors.lifecycle.memory import AlertState, IncidentMemory
from detectors.lifecycle.people.actions import acknowledge, declare, unacknowledge
from detectors.lifecycle.people.notes import note
from detectors.lifecycle.people.resolving import resolve
from detectors.lifecycle.recorder import Recorder
from detectors.notification.paging import dedup_key
from detectors.process.alert_news import AlertNews

__all__ = ["NOBODY", "apply_news"]

#: The rank of a change of state (``AlertState.rank``); other news has none.
_RANKS = {"unacknowledge": 0, "reopen": 0, "acknowledge": 1, "resolve": 2, "merge": 2, "auto_resolve": 2}
#: After these an alert is in the incident that the news names.
_PLACES = frozenset({"linked", "acknowledge", "unacknowledge", "reopen"})
#: The author of what PagerDuty does by itself.
NOBODY = "PagerDuty"
#: The incidents of PagerDuty's of which the last change is remembered, the latest.
_REMEMBERED = 20
_ACTIONS = {"acknowledge": acknowledge, "unacknowledge": unacknowledge, "declare": declare}


def apply_news(
    memory: IncidentMemory,
    news: IncidentInput,
    recorder: Recorder,
    others: Sequence[IncidentMemory],
) -> str | None:
    """Apply what a webhook of PagerDuty says of an incident; return why it does not apply, or None.

    Args:
        memory: the incident.
        news: the input, with its ``alert``.
        recorder: of the step.
        others: the other incidents that are not closed.
    """
    alert, kind = news.alert, news.kind
    if alert is None:
        return "it says nothing of an alert"
    reason = _outdated(memory, alert, kind, recorder)
    if reason is not None:
        return reason
    if kind in _PLACES:
        _link(memory, alert, recorder)
    if kind == "linked":
        return None
    if kind == "merge":
        return _merge(memory, news, alert, recorder)
    if kind == "reopen":
        return _reopen(memory, news, alert, recorder, others)
    if not memory.is_open:
        return f"{memory.incident.id} is resolved"
    if kind in ("resolve", "auto_resolve"):
        return _resolved(memory, news, alert, recorder)
    if kind == "unacknowledge" and _still_acknowledged(memory, news, alert):
        note(
            memory,
            news,
            "One of its alerts is acknowledged no more in PagerDuty; another still is.",
            recorder,
        )
        return None
    if kind not in _ACTIONS:
        return f"PagerDuty does not {kind}"
    return _ACTIONS[kind](memory, news, recorder)


def _outdated(memory: IncidentMemory, alert: AlertNews, kind: str, recorder: Recorder) -> str | None:
    """Why news is older than what is known, or of an earlier epoch; else None, and its instant is remembered."""
    incident = memory.incident
    key = dedup_key(incident, recorder.policy)
    if alert.dedup_key is not None and not _within(alert.dedup_key, key):
        named = re.fullmatch(rf"{re.escape(key.rpartition(':')[0])}:(\d+)(:.*)?", alert.dedup_key)
        if named is not None and int(named[1]) < incident.epoch:
            return f"it is of an earlier epoch of {incident.id}"
    rank, name = _RANKS.get(kind), alert.incident or alert.dedup_key
    if rank is None or name is None or alert.occurred_at is None:
        return None
    known = memory.alerts.get(name)
    if known is not None and (alert.occurred_at, rank) < (known.at, known.rank):
        return "PagerDuty has said what came later before"
    kept = {other: state for other, state in memory.alerts.items() if other != name}
    memory.alerts = {**dict(list(kept.items())[1 - _REMEMBERED :]), name: AlertState(alert.occurred_at, rank)}
    return None


def _within(key: str, base: str) -> bool:
    return key == base or key.startswith(f"{base}:")


def _is_of(page: Page, alert: AlertNews) -> bool:
    """Whether an alert of ours is what news is about: it lies in the incident named, or has the key named."""
    if alert.incident is not None and page.incident is not None:
        return page.incident == alert.incident
    return page.dedup_key == alert.dedup_key


def _link(memory: IncidentMemory, alert: AlertNews, recorder: Recorder) -> None:
    """Remember which incident of PagerDuty's holds the alert that the news names, and its address."""
    incident = memory.incident
    pages = tuple(
        replace(page, incident=alert.incident, closed_at=None)
        if page.dedup_key == alert.dedup_key
        and alert.incident is not None
        and page.incident != alert.incident
        else page
        for page in incident.pages
    )
    changes: dict[str, Any] = {"pages": pages}
    if alert.url is not None:
        changes["links"] = {**incident.links, "pagerduty": alert.url}
    if any(getattr(incident, name) != value for name, value in changes.items()):
        recorder.change(memory, "linked", "PagerDuty has an incident for its alert.", **changes)


def _merge(memory: IncidentMemory, news: IncidentInput, alert: AlertNews, recorder: Recorder) -> str | None:
    """Follow an alert into the incident of PagerDuty's that it was merged into; who merged it, has it."""
    incident = memory.incident
    pages = tuple(replace(p, incident=alert.into) if _is_of(p, alert) else p for p in incident.pages)
    memory.incident = replace(incident, pages=pages)
    into = f" into another one there ({alert.into})" if alert.into else " there"
    said = f"PagerDuty's incident was merged{into} by {news.by}. Its alert stays open."
    if memory.is_open and incident.acknowledged_at is None and news.by != NOBODY:
        return acknowledge(memory, replace(news, text=said), recorder)
    note(memory, news, said, recorder)
    return None


def _resolved(
    memory: IncidentMemory, news: IncidentInput, alert: AlertNews, recorder: Recorder
) -> str | None:
    """Take it that an alert is resolved in PagerDuty; resolve the incident where a person resolved the last one."""
    incident = memory.incident
    pages = tuple(
        replace(page, closed_at=recorder.at) if _is_of(page, alert) and page.closed_at is None else page
        for page in incident.pages
    )
    memory.incident = replace(incident, pages=pages)
    left = sum(page.closed_at is None for page in pages)
    if news.kind == "auto_resolve":
        note(
            memory, news, "PagerDuty resolved its alert by itself; nobody has said that it is over.", recorder
        )
        return None
    if left:
        noun = "alert is" if left == 1 else "alerts are"
        note(
            memory, news, f"One of its alerts was resolved in PagerDuty; {left} {noun} still open.", recorder
        )
        return None
    return resolve(memory, news, recorder)


def _reopen(
    memory: IncidentMemory,
    news: IncidentInput,
    alert: AlertNews,
    recorder: Recorder,
    others: Sequence[IncidentMemory],
) -> str | None:
    """Take it that an incident of PagerDuty's lives again: ours does too, in its epoch, and opens no second one."""
    incident = memory.incident
    pages = tuple(replace(p, closed_at=None) if _is_of(p, alert) else p for p in incident.pages)
    memory.incident = incident = replace(incident, pages=pages, said_resolved_at=None, said_resolved_by=None)
    said = f"{news.by} reopened it in PagerDuty."
    taken = memory.merged or any(o.is_open and overlaps(o.incident.scope, incident.scope) for o in others)
    if memory.is_open or taken:
        note(memory, news, said, recorder)
        return None
    # Nothing has fired since: a person, time or a new finding ends it, and not the quiet that ended it before.
    memory.fired, memory.fired_at, memory.quiet_for, memory.succeeded = False, recorder.at, 0, False
    memory.resume, memory.unseen_for, memory.silent_for = "open", 0, 0
    recorder.change(memory, "relapsed", said, by=news.by, via=news.via, **_open_again(incident))
    return None


def _open_again(incident: Incident) -> dict[str, Any]:
    ended = (
        "recovering_at",
        "resolved_at",
        "resolved_by",
        "resolved_reason",
        "acknowledged_at",
        "acknowledged_by",
    )
    return {"state": "open", **dict.fromkeys(ended)}


def _still_acknowledged(memory: IncidentMemory, news: IncidentInput, alert: AlertNews) -> bool:
    """Whether another incident of PagerDuty's that holds an open alert of ours is acknowledged."""
    theirs = {page.incident for page in memory.incident.pages if page.closed_at is None} - {alert.incident}
    return any(memory.alerts[name].rank == 1 for name in theirs if name is not None and name in memory.alerts)
