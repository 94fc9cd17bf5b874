"""Which acts are there for people: each with its word, what it takes, who may, and when?

The table is the only list. Paths of the HTTP interface, commands, Slack's words, schemas and ``docs/actions.md`` are
made from it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from detectors.process.vocabulary import InputKind

__all__ = [
    "ACTIONS",
    "BY_KIND",
    "BY_WORD",
    "OF_INCIDENTS",
    "PATHS",
    "SPOKEN",
    "About",
    "Action",
    "Field",
    "misgiven",
]

About = Literal["incident", "scope", "value", "cover"]
#: A field of an input that an act may take, beside who asks.
Field = Literal[
    "text",
    "role",
    "who",
    "stage",
    "since",
    "until",
    "link",
    "public",
    "item",
    "recurs",
    "axis",
    "value",
    "scope",
    "states",
]


class Action(NamedTuple):
    """One act.

    Attributes:
        kind: of its input.
        word: its name in paths, at the command line and in Slack.
        about: what it speaks of.
        needs: the fields that it must have, in the order in which a command gives them; a text is the last.
        may: the fields that it may have beside.
        late: whether an incident that is over still takes it.
        role: who may: who responds, or the commander of the incident alone.
        does: what follows, in words.
    """

    kind: InputKind
    word: str
    about: About
    needs: tuple[Field, ...]
    may: tuple[Field, ...]
    late: bool
    role: Literal["respond", "command"]
    does: str


def _act(
    kind: InputKind,
    does: str,
    *needs: Field,
    may: tuple[Field, ...] = (),
    word: str | None = None,
    about: About = "incident",
    late: bool = False,
    role: Literal["respond", "command"] = "respond",
) -> Action:
    return Action(kind, word or kind.replace("_", "-"), about, needs, may, late, role, does)


ACTIONS: tuple[Action, ...] = (
    _act("acknowledge", "you have it: the response clocks stop", may=("text",), word="ack"),
    _act("unacknowledge", "you give it back: nobody has it", may=("text",), word="unack"),
    _act("note", "put a note on its timeline", "text", may=("since",), late=True),
    _act(
        "update",
        "tell everybody who waits how it stands, in place of the update that is due",
        "text",
        may=("public",),
    ),
    _act(
        "declare",
        "say that it is a service outage; with states the sign-in page tells it to who lives there",
        may=("states", "text"),
    ),
    _act("assign", "give somebody a role", "role", "who", late=True),
    _act("stage", "say how far the process is", "stage", may=("text",), late=True),
    _act(
        "eta", "say by when it is expected to be over; without a time it is withdrawn", may=("until", "text")
    ),
    _act(
        "follow_up",
        "put down what is left to do; with the number of one, link it or (without a link) say that it is done",
        may=("text", "link", "item"),
        late=True,
    ),
    _act("check", "tick a line of its recovery checklist", "item", may=("text",), late=True),
    _act("post_mortem", "link its post-mortem", "link", late=True),
    _act(
        "complete",
        "end the process, once the post-mortem and all follow-ups are linked",
        late=True,
        role="command",
    ),
    _act("resolve", "say that it is over", may=("text",)),
    _act("report", "say that sign-in fails", may=("text",), about="scope"),
    _act(
        "retire", "say that nobody will use a value any more", "axis", "value", may=("text",), about="value"
    ),
    _act(
        "mute",
        "wake and tell nobody of what lies within a scope, but Slack's channel quietly",
        "until",
        "text",
        about="scope",
        may=("since",),
    ),
    _act(
        "maintain",
        "announce maintenance of a scope",
        "since",
        "until",
        "text",
        about="scope",
        may=("recurs",),
    ),
    _act(
        "correct",
        "take a span of a scope out of the SLA account, afterwards",
        "since",
        "until",
        "text",
        about="scope",
    ),
    _act(
        "unmute",
        "end a mute, a maintenance or a correction before its time",
        "item",
        may=("text",),
        about="cover",
    ),
    _act(
        "deploy",
        "tell that a version (the value) of a service (the item) has gone into use: a mark on charts and timelines,"
        " which changes no verdict",
        "item",
        "value",
        may=("since", "text"),
        about="scope",
    ),
)
BY_KIND: dict[InputKind, Action] = {one.kind: one for one in ACTIONS}
BY_WORD: dict[str, Action] = {one.word: one for one in ACTIONS}
#: The acts that speak of an incident, by word.
OF_INCIDENTS: dict[str, Action] = {one.word: one for one in ACTIONS if one.about == "incident"}
Spoken = Literal["note", "assigned", "staged", "eta", "follow_up", "checked", "post_mortem", "completed"]
#: Where an act on a scope goes over HTTP, below ``/api/v1/``.
PATHS: dict[InputKind, str] = {
    "report": "reports",
    "mute": "mutes",
    "maintain": "maintenance",
    "correct": "corrections",
    "deploy": "deploys",
}
#: Changes that a person has said and that are told like notes: once a minute at most, the others joined.
SPOKEN: frozenset[Spoken] = frozenset(get_args(Spoken))


def misgiven(action: Action, given: frozenset[str]) -> str | None:
    """Return the first field that an act lacks, or does not take, and that in words; None where all is right.

    Args:
        action: the act.
        given: the names of the fields that have a value, of those of ``Field``; the scope of a ``scope`` aside.
    """
    for field in action.needs:
        if field not in given:
            return f"{field}: {action.word} needs it"
    if action.kind == "follow_up" and not given & {"text", "item"}:
        return "text: follow-up needs it, or the item (the number) of one that there is"
    surplus = sorted(given - {*action.needs, *action.may})
    return f"{surplus[0]}: {action.word} takes none" if surplus else None
