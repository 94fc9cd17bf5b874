"""How was an incident conducted, as the incident log tells: who did what, what was told, what is left to do?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from detectors.instants import format_duration, parse_instant
from detectors.policy.policy import Policy
from detectors.process.actions import SPOKEN
from sinks.wording import day_words, duration_words, one_line
from streams.records.log_lines import Line
from streams.reports.document import Cell, Item, Section, Sentence, Table
from streams.reports.episodes import Episode

__all__ = ["conduct_data", "conduct_section", "judged_conduct", "longest_silence", "open_conduct"]

#: A gap between updates is in time if it is at most so much longer than the policy's, ms: steps and seconds.
_TOLERANCE = 60_000
#: Changes that tell nothing of how it stands: what people put down, and links that have come.
_NO_NEWS = SPOKEN | {"notes", "linked", "links", "uncovered"}


def _process(episodes: Sequence[Episode]) -> tuple[dict[str, Any], Line | None]:
    """Return how the incident is conducted as of the last line that says so, and that line."""
    lines = [line for one in episodes for line in one.lines if line.process]
    return (dict(lines[-1].process or {}), lines[-1]) if lines else ({}, None)


def _updates(one: Episode) -> list[Line]:
    return [line for line in one.lines if line.kind == "update"]


def _gaps(one: Episode) -> Iterator[tuple[int, Line]]:
    """Yield the time (ms) without news before each of them, up to the end of the episode, with the line after it."""
    told = [line for line in one.lines if line.kind not in _NO_NEWS]
    until = [line for line in told if one.resolved_at is None or line.instant <= one.resolved_at]
    yield from ((after.instant - before.instant, after) for before, after in itertools.pairwise(until))


def longest_silence(one: Episode) -> int:
    """Return the longest time (ms) of an episode without news for those who wait."""
    return max((gap for gap, _ in _gaps(one)), default=0)


def conduct_data(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Return roles, stage, follow-ups and checklist as they stood last, and how many updates were sent."""
    process, _ = _process(episodes)
    updates = [line for one in episodes for line in _updates(one)]
    return {
        "stage": process.get("stage", "detection"),
        "roles": process.get("roles", {}),
        "updates": len(updates),
        "updates_by_people": sum(line.by is not None for line in updates),
        "follow_ups": process.get("follow_ups", []),
        "checklist": process.get("checklist", []),
        "completed": process.get("completed_at"),
        "completed_by": process.get("completed_by"),
    }


def conduct_section(episodes: Sequence[Episode], log: str) -> Section:
    """Tell roles, stages, updates, the recovery checklist and follow-ups."""
    process, last = _process(episodes)
    source = log if last is None else f"incident-log, {last.incident}, {last.at}, process"
    items: list[Item] = []
    roles = process.get("roles", {})
    if roles:
        rows: list[tuple[Cell, ...]] = [(_words(role), one_line(str(who))) for role, who in roles.items()]
        items.append(Table(("role", "who"), rows, source, title="Roles"))
    else:
        items.append(Sentence("Nobody had a role.", source))
    stages = list(_stages(episodes))
    if stages:
        items.append(Table(("stage", "from"), stages, log, title="Stages"))
    for one in episodes:
        updates = _updates(one)
        people = sum(line.by is not None for line in updates)
        items.append(
            Sentence(f"{one.name}: {len(updates)} updates were sent, {people} of them by people.", log)
        )
    checks: list[tuple[Cell, ...]] = [
        (check["text"], "open" if check.get("done_at") is None else _told(check))
        for check in process.get("checklist", ())
    ]
    if checks:
        items.append(Table(("what", "checked"), checks, source, title="Recovery checklist"))
    tasks: list[tuple[Cell, ...]] = [
        (
            n,
            one_line(task["text"]),
            one_line(task["by"]),
            task.get("link") or "",
            "done" if task.get("done_at") else "",
        )
        for n, task in enumerate(process.get("follow_ups", ()), 1)
    ]
    if tasks:
        items.append(Table(("", "what is left to do", "by", "link", ""), tasks, source, title="Follow-ups"))
    if process.get("completed_at"):
        when = day_words(parse_instant(process["completed_at"]))
        items.append(Sentence(f"{one_line(process['completed_by'])} completed the process {when}.", source))
    return Section("How it was conducted", items)


def _told(check: dict[str, Any]) -> str:
    return f"{day_words(parse_instant(check['done_at']))} by {one_line(str(check.get('done_by')))}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _stages(episodes: Sequence[Episode]) -> Iterator[tuple[str, str]]:
    known = None
    for line in (line for one in episodes for line in one.lines if line.process is not None):
        stage = (line.process or {}).get("stage", "detection")
        if stage != known:
            yield _words(stage), day_words(line.instant)
            known = stage


def judged_conduct(episodes: Sequence[Episode], policy: Policy) -> tuple[list[str], list[str]]:
    """Return what went well, and what badly, of updates and the recovery checklist."""
    well, badly = list[str](), list[str]()
    every = policy.lifecycle.update_every
    for one in episodes:
        longest = longest_silence(one)
        if longest > every + _TOLERANCE:
            badly.append(f"{one.name}: those who wait heard nothing for {duration_words(longest)}.")
        else:
            well.append(f"{one.name}: news went out at least each {format_duration(every)}.")
    process, _ = _process(episodes)
    checks = process.get("checklist", ())
    if checks and episodes[-1].resolved_at is not None:
        left = sum(check.get("done_at") is None for check in checks)
        words = f"{len(checks) - left} of {len(checks)} lines of the recovery checklist were ticked."
        (badly if left else well).append(words)
    return well, badly


def open_conduct(episodes: Sequence[Episode]) -> list[str]:
    """Return what of the process people have still to say or do."""
    process, last = _process(episodes)
    if last is None or episodes[-1].resolved_at is None:
        return []
    asked = []
    unticked = [check["text"] for check in process.get("checklist", ()) if check.get("done_at") is None]
    if unticked:
        asked.append(f"Nobody has ticked: {'; '.join(unticked)}.")
    tasks = list(enumerate(process.get("follow_ups", ()), 1))
    unlinked = [str(n) for n, one in tasks if not one.get("link") and not one.get("done_at")]
    if unlinked:
        asked.append(f"Follow-up {', '.join(unlinked)} has no link: where is it tracked?")
    if not tasks:
        asked.append("There is no follow-up: is nothing left to do?")
    if not process.get("completed_at"):
        asked.append("The process is not completed: its commander does it, once the post-mortem is linked.")
    return asked
