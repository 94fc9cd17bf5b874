"""What do people change of how an incident is conducted? Each act returns the reason for a refusal, or None.

Each is told like a note: once a minute at most, those in between joined.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from detectors.bounds import LINK_BYTES, fits, plain_line
from detectors.incidents import IncidentInput, TransitionKind
from detectors.instants import MINUTE, format_instant
from detectors.lifecycle.conduct.progress import STATEMENT, checklist
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.people.notes import say
from detectors.lifecycle.recorder import Recorder
from detectors.process.record import FOLLOW_UP_LINK_BYTES, FOLLOW_UPS_KEPT, FollowUp, Said

__all__ = [
    "UPDATES_EVERY",
    "assign",
    "check",
    "complete",
    "eta",
    "follow_up",
    "post_mortem",
    "stage",
    "update",
]

#: A person's update goes to everybody who waits, so the next is taken so much later at the earliest, ms.
UPDATES_EVERY = MINUTE
#: What the name of a person says of the door by which they came.
_DOOR = re.compile(r"^PagerDuty: | \(Slack [A-Z0-9]+\)$")


def assign(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Give somebody a role."""
    roles, who = memory.incident.process.roles, plain_line(asked.who or "")
    if asked.role is None or not who:
        return "it names no role, or nobody"
    if roles.get(asked.role) == who:
        return f"{who} is {_words(asked.role)} already"
    _change(
        memory,
        asked,
        recorder,
        "assigned",
        f"{who} is {_words(asked.role)}.",
        roles={**roles, asked.role: who},
    )
    return None


def stage(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Say how far the process is."""
    if asked.stage is None:
        return "it names no stage"
    if asked.stage == "completed":
        return "it is completed by the act complete"
    if asked.stage == memory.incident.process.stage:
        return f"{memory.incident.id} is in the stage {_words(asked.stage)} already"
    said = f"It is in the stage {_words(asked.stage)}{_because(asked)}"
    _change(memory, asked, recorder, "staged", said, stage=asked.stage)
    return None


def eta(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Say by when it is expected to be over, or withdraw what was said."""
    if asked.until is not None and asked.until <= recorder.at:
        return f"{format_instant(asked.until)} is past"
    if asked.until == memory.incident.process.eta:
        return "that is what was said before"
    if asked.until is None:
        said = f"It is not known any more when it will be over{_because(asked)}"
    else:
        said = f"It is expected to be over by {format_instant(asked.until)}{_because(asked)}"
    _change(memory, asked, recorder, "eta", said, eta=asked.until)
    return None


def follow_up(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Put down what is left to do, or link or close one of those."""
    known = memory.incident.process.follow_ups
    if asked.link is not None and not fits(asked.link, FOLLOW_UP_LINK_BYTES):
        return f"a link of a follow-up has at most {FOLLOW_UP_LINK_BYTES} bytes"
    if asked.item is None:
        if not asked.text:
            return "it has no text"
        if len(known) >= FOLLOW_UPS_KEPT:
            return (
                f"it has {FOLLOW_UPS_KEPT} follow-ups, the most that it may; put the rest into your tracker"
            )
        more = (*known, FollowUp(recorder.at, asked.by, asked.text, asked.link))
        where = f" ({asked.link})" if asked.link else ""
        said = f"Follow-up {len(more)}: {asked.text}{where}"
    else:
        place = int(asked.item) - 1 if asked.item.isascii() and asked.item.isdigit() else -1
        if not 0 <= place < len(known):
            return f"there is no follow-up {asked.item}; it has {len(known)}"
        one = known[place]
        if asked.link is None and one.done_at is not None:
            return f"follow-up {place + 1} is done already"
        changed = replace(one, link=asked.link) if asked.link else replace(one, done_at=recorder.at)
        more = (*known[:place], changed, *known[place + 1 :])
        what = f"is at {asked.link}." if asked.link else "is done."
        said = f"Follow-up {place + 1} ({one.text}) {what}"
    _change(memory, asked, recorder, "follow_up", said, follow_ups=more)
    return None


def check(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Tick a line of the recovery checklist."""
    lines = checklist(memory.incident, recorder.policy)
    one = next((line for line in lines if line.item == asked.item), None)
    if one is None:
        return f"its checklist has no {asked.item}, but {', '.join(line.item for line in lines)}"
    if one.done_at is not None:
        return f"{one.item} was ticked already, by {one.done_by}"
    ticked = replace(one, done_at=recorder.at, done_by=asked.by)
    said = f"Checked: {one.text}{_because(asked)}"
    changed = tuple(ticked if line.item == one.item else line for line in lines)
    _change(memory, asked, recorder, "checked", said, checklist=changed)
    return None


def post_mortem(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Link the post-mortem."""
    if asked.link is None or not fits(asked.link, LINK_BYTES):
        return f"it has no link of at most {LINK_BYTES} bytes"
    links = memory.incident.links
    if links.get("postmortem") == asked.link:
        return "that is its post-mortem already"
    memory.incident = replace(memory.incident, links={**links, "postmortem": asked.link})
    _change(memory, asked, recorder, "post_mortem", f"Its post-mortem is at {asked.link}.")
    return None


def complete(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """End the process. Its commander alone does, by any door, once the post-mortem and every follow-up have a link."""
    incident, process = memory.incident, memory.incident.process
    commander = process.roles.get("commander")
    unlinked = [
        str(n) for n, one in enumerate(process.follow_ups, 1) if one.link is None and one.done_at is None
    ]
    if process.completed_at is not None:
        return f"{incident.id} is completed already, by {process.completed_by}"
    if memory.is_open:
        return f"{incident.id} is not over: resolve it first"
    if commander is None:
        return f"{incident.id} has no commander: assign one first"
    if _person(asked.by) != _person(commander):
        return f"its commander completes it, who is {commander}; assign another one first"
    if "postmortem" not in incident.links:
        return "it has no post-mortem: link it first (post-mortem)"
    if unlinked:
        return f"follow-up {', '.join(unlinked)} has no link and is not done"
    said = f"{asked.by} completed it."
    ended = {"completed_at": recorder.at, "completed_by": asked.by}
    _change(memory, asked, recorder, "completed", said, stage="completed", **ended)
    return None


def update(memory: IncidentMemory, asked: IncidentInput, recorder: Recorder) -> str | None:
    """Tell everybody who waits what a person says, in place of the update that is due; the next is due after this."""
    process = memory.incident.process
    if not asked.text:
        return "it has no text"
    last = process.said
    if last is not None and recorder.at - last.at < UPDATES_EVERY:
        return (
            f"{last.by} sent an update at {format_instant(last.at)};"
            f" the next is taken from {format_instant(last.at + UPDATES_EVERY)} on"
        )
    said = Said(recorder.at, asked.by, asked.text, asked.public is True)
    lines = checklist(memory.incident, recorder.policy)
    if memory.incident.state == "recovering":
        lines = tuple(
            replace(one, done_at=recorder.at, done_by=asked.by)
            if one.item == STATEMENT and one.done_at is None
            else one
            for one in lines
        )
    memory.incident = replace(memory.incident, process=replace(process, said=said, checklist=lines))
    recorder.change(memory, "update", asked.text, by=asked.by, via=asked.via)
    return None


def _change(
    memory: IncidentMemory,
    asked: IncidentInput,
    recorder: Recorder,
    kind: TransitionKind,
    said: str,
    **changes: Any,
) -> None:
    say(memory, asked, said, recorder, kind, process=replace(memory.incident.process, **changes))


def _person(name: str) -> str:
    return _DOOR.sub("", name).casefold()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _because(asked: IncidentInput) -> str:
    return f": {asked.text}" if asked.text else "."
