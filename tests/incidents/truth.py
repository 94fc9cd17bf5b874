"""What must the record and the reports of a story say, by the rules of the process alone?

The rules are those of docs/process.md, written down again: nothing here asks the life cycle, the paging or the reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.incidents.stories import HOUR, MINUTE, STEP, Act, Epoch, Story

__all__ = ["Near", "Told", "at_work", "local", "told"]

_ALERT_TARGET, _RESPONSE_1, _RESPONSE_2 = 30 * MINUTE, HOUR, 4 * HOUR
_DECLARE_AFTER, _RECOVERS, _GRACE = 15 * MINUTE, MINUTE, 5 * MINUTE
#: A severity is known within so many seconds of what makes it.
_WEIGHED = 4 * MINUTE
_WASHINGTON = ZoneInfo("America/New_York")
#: The federal holidays of November 2026.
_HOLIDAYS = ("2026-11-11", "2026-11-26")


class Near(NamedTuple):
    """A number from ``low`` to ``high``."""

    low: float
    high: float


@dataclass(frozen=True)
class Told:
    """What is true of a story: of each epoch and of the whole, field -> value; instants in seconds of the month."""

    epochs: tuple[dict[str, Any], ...]
    whole: dict[str, Any]


def local(month: int, second: int) -> datetime:
    """The clock of Washington, ``second`` s after the month's start (ms)."""
    return datetime.fromtimestamp(month / 1_000 + second, _WASHINGTON)


def at_work(month: int, second: int) -> bool:
    """Whether it is within business hours: Monday to Friday, 09:00 to 20:00, no holiday."""
    now = local(month, second)
    open_ = time(9) <= now.time() < time(20) and now.weekday() < 5
    return open_ and f"{now:%Y-%m-%d}" not in _HOLIDAYS


def _declared(story: Story, epoch: Epoch) -> tuple[Any, str] | None:
    """When and by whom an epoch is declared, if it was not before."""
    found = list[tuple[float, Any, str]]()
    for act in epoch.acts:
        if act.kind == "declare":
            found.append((act.at, act.at, act.by))
    if story.detector == "outage" and story.severity == 1 and not story.muted:
        at = epoch.opened if story.rises is None else story.rises
        found.append((at, Near(at, at + _WEIGHED), "the policy"))
    on_method = story.scope in ("prod", "prod/ssoe", "prod/sis")
    for begin, end in epoch.spans if on_method and story.detector != "report" else ():
        if begin + _DECLARE_AFTER - STEP <= end:
            at = begin + _DECLARE_AFTER
            found.append((at, Near(at - STEP, at), "the policy"))
    return min(found, key=lambda one: one[0])[1:] if found else None


def _recovering(epoch: Epoch) -> Iterator[tuple[int, int]]:
    """The times from the last failure to the next within an epoch in which it is recovering."""
    ends = [begin for begin, _ in epoch.spans[1:]] + [epoch.over]
    for number, ((_, last), until) in enumerate(zip(epoch.spans, ends, strict=True)):
        yield last + (_RECOVERS << number), until


def _wakes(story: Story, epoch: Epoch, declared_before: bool, month: int) -> tuple[list[int], bool]:
    """When somebody is woken in an epoch, and whether PagerDuty hears of it at all."""
    opened, urgent = epoch.opened, not at_work(month, epoch.opened)
    acks = [act.at for act in epoch.acts if act.kind == "acknowledge"]
    acked = min(acks, default=None)
    said = next((act.at for act in epoch.acts if act.kind == "resolve"), None)
    if story.muted or (story.detector == "report" and not urgent):
        return [], False
    waking = story.severity < 3 or story.detector == "report"
    paged_at: int | None = opened
    if story.detector == "latency":
        lasting = None if declared_before else _declared(story, epoch)
        paged_at = opened if declared_before else None
        if lasting is not None and (acked is None or acked > lasting[0].high):
            paged_at = round(lasting[0].high)
        waking = True
    elif not waking and acked is not None and acked <= opened + STEP:
        paged_at = None
    if paged_at is None:
        return [], False
    found = [paged_at] if waking else []
    if story.rises is not None and acked is not None and acked < story.rises and epoch.opened < story.rises:
        found.append(story.rises)
    if said is not None and said + _GRACE <= epoch.last and waking:
        found.append(said + _GRACE)
    found += [at for at in _breach(story, epoch, acks, said) if waking and at > paged_at][:1]
    return sorted(found), True


def _breach(story: Story, epoch: Epoch, acks: list[int], said: int | None) -> Iterator[int]:
    """When a response time is over and whoever comes next is paged."""
    clocks = [_ALERT_TARGET] + ([_RESPONSE_1] if story.severity == 1 else [])
    for due in (epoch.opened + clock for clock in clocks):
        had = [at for at in acks if at <= due]
        dropped = said is not None and said <= due and not any(at > said for at in had)
        waits = said is not None and said <= due < said + _GRACE and not any(at > said for at in had)
        calm = story.detector != "report" and any(begin <= due < end for begin, end in _recovering(epoch))
        if due < epoch.over and (not had or dropped) and not waits and not calm:
            yield due


def _epoch(story: Story, number: int, declared_before: bool, month: int) -> dict[str, Any]:
    epoch = story.epochs[number]
    ack = next((act for act in epoch.acts if act.kind == "acknowledge"), None)
    answered = min(epoch.over, ack.at if ack is not None else epoch.over)
    response = {1: _RESPONSE_1, 2: _RESPONSE_2, 3: None}[story.severity]
    wakes, alerted = _wakes(story, epoch, declared_before, month)
    recovering = None if story.detector == "report" else list(_recovering(epoch))[-1][0]
    return {
        "opened_at": epoch.opened,
        "first_bad_at": story.began if number == 0 else epoch.opened,
        "acknowledged_at": None if ack is None else ack.at,
        "acknowledged_by": None if ack is None else _called(ack),
        "recovering_at": recovering,
        "resolved_at": epoch.over,
        "resolved_by": None if epoch.resolved_by is None else epoch.resolved_by[1],
        "peak_severity": story.severity,
        "wakes": [Near(at - STEP, at + _WEIGHED) for at in wakes],
        "alerted": alerted,
        "response_kept": response is None or answered <= epoch.opened + response,
        "alert_kept": not alerted or answered <= epoch.opened + _ALERT_TARGET,
        "notes": sorted(act.at - act.more["ago"] for act in epoch.acts if act.kind == "note"),
        "updates": sum(act.kind == "update" for act in epoch.acts),
        "relapses": 0 if story.detector == "report" else len(epoch.spans) - 1,
        "csp_caused": story.csp_caused,
    }


def _called(act: Act) -> str:
    return act.by if act.more.get("way") == "us" else f"PagerDuty: {act.by}"


def told(story: Story, month: int) -> Told:
    """What is true of a story in the month that starts at an instant (ms)."""
    epochs, declared = list[dict[str, Any]](), None
    for number, epoch in enumerate(story.epochs):
        epochs.append(_epoch(story, number, declared is not None, month))
        declared = declared or _declared(story, epoch)
    roles = dict[str, str]()
    for act in (act for epoch in story.epochs for act in epoch.acts):
        if act.kind == "acknowledge":
            roles.setdefault("commander", _called(act))
        elif act.kind == "assign":
            roles[act.more["role"]] = act.more["who"]
    tasks = [(f"task {a.more['n']}", a.more["link"]) for a in story.after if a.kind == "follow_up"]
    linked = any(act.kind == "post_mortem" for act in story.after)
    ends = next((act for act in story.after if act.kind == "complete"), None)
    completed = (
        ends is not None
        and linked
        and all(link is not None for _, link in tasks)
        and roles.get("commander") == ends.by
    )
    ticked = {act.more["item"]: act.by for act in story.after if act.kind == "check"}
    # A figure that is projected from minutes is a lower bound, and a line has it as it stood then.
    least = {1: 1_000, 2: 50}.get(story.severity, 0)
    users = Near(0, 50) if story.severity == 3 else Near(least, 1.25 * story.rate[1])
    whole = {
        "scope": story.scope,
        "causes": {"report": None}.get(story.detector, (story.detector,)),
        "declared_at": None if declared is None else declared[0],
        "declared_by": None if declared is None else declared[1],
        "peak_severity": story.severity,
        "users": users,
        "roles": roles,
        "follow_ups": tasks,
        "ticked": ticked if story.detector == "report" else {"monitors": "the data", **ticked},
        "completed_by": ends.by if completed and ends is not None else None,
        "epochs": len(story.epochs),
    }
    return Told(tuple(epochs), whole)
