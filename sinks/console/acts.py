"""Which buttons does a page have: one for each act that the state of an incident allows, as the table of acts says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from detectors.axes import ANY, OTHER
from detectors.incidents import Incident
from detectors.process.actions import BY_KIND, OF_INCIDENTS, PATHS, Action, Field
from detectors.process.vocabulary import InputKind
from detectors.scopes import ENVS
from sinks.html import Html, tag
from sinks.wording import ScopeNames

__all__ = ["act_button", "first_acts", "further_acts", "report_button"]

_LABELS = {
    "ack": "Acknowledge",
    "unack": "Give back",
    "note": "Add note",
    "update": "Send update",
    "declare": "Declare",
    "assign": "Assign role",
    "stage": "Set stage",
    "eta": "Set ETA",
    "follow-up": "Add follow-up",
    "check": "Tick",
    "post-mortem": "Link post-mortem",
    "complete": "Complete",
    "resolve": "Resolve",
}
#: Those that somebody who was woken needs, in the order in which they are needed.
_FIRST = ("ack", "note", "update", "declare", "resolve")
#: Those on the incident's scope, with what stands on their buttons.
_OF_SCOPE: dict[InputKind, str] = {"mute": "Mute this scope", "maintain": "Announce maintenance"}
#: Lines of the checklist have buttons of their own.
_ELSEWHERE = ("check",)


def first_acts(incident: Incident) -> Html:
    """The buttons of the acts that come first."""
    words = [word for word in _FIRST if _allowed(incident, OF_INCIDENTS[word])]
    buttons = [act_button(incident, OF_INCIDENTS[word], primary=word == words[0]) for word in words]
    return tag("div", buttons, class_="actions", role="group", aria_label=f"What to do with {incident.id}")


def further_acts(incident: Incident, names: ScopeNames) -> Html:
    """The buttons of all other acts, with those on the incident's scope."""
    buttons = [
        act_button(incident, action)
        for word, action in OF_INCIDENTS.items()
        if word not in (*_FIRST, *_ELSEWHERE) and _allowed(incident, action)
    ]
    if incident.state not in ("resolved", "closed"):
        if incident.declared_at is not None and incident.env == ENVS[0]:
            buttons.append(_states_button(incident))
        scope = {"scope": incident.scope}
        for kind in _OF_SCOPE:
            buttons.append(_button(BY_KIND[kind], _OF_SCOPE[kind], f"/api/v1/{PATHS[kind]}", scope))
        retired = _silent_value(incident, names)
        if retired is not None:
            axis, value = retired
            preset = {"axis": axis, "value": value, "env": incident.env}
            buttons.append(_button(BY_KIND["retire"], "Nobody uses it any more", "/api/v1/retire", preset))
    return tag("div", buttons, class_="actions", role="group", aria_label="More acts")


def act_button(
    incident: Incident, action: Action, *, label: str | None = None, primary: bool = False, **preset: str
) -> Html:
    """The button of an act on an incident.

    Args:
        incident: that the act speaks of.
        action: the act.
        label: what stands on the button, else the act's own.
        primary: whether it comes first.
        preset: fields whose values are known, which nobody is asked for.
    """
    path = f"/api/v1/incidents/{incident.id}/{action.word}"
    words = label or _LABELS.get(action.word, action.word)
    return _button(action, words, path, preset, about=incident.id, primary=primary)


def report_button(env: str) -> Html:
    """The button by which somebody says that sign-in fails, of whatever scope."""
    action = BY_KIND["report"]
    path = f"/api/v1/{PATHS['report']}"
    return _button(action, "Report that sign-in fails", path, {}, needs=("scope",), proposed={"scope": env})


def _states_button(incident: Incident) -> Html:
    """The button by which somebody says for which states an incident that is declared is an outage."""
    return _button(
        BY_KIND["declare"],
        "Set states",
        f"/api/v1/incidents/{incident.id}/declare",
        {},
        about=incident.id,
        needs=("states",),
        proposed={"states": ", ".join(incident.process.states)},
        does="say for which states it is an outage: the sign-in page tells it to who lives there",
    )


def _button(
    action: Action,
    label: str,
    path: str,
    preset: Mapping[str, str],
    *,
    about: str = "",
    needs: Sequence[Field] = (),
    proposed: Mapping[str, str] = MappingProxyType({}),
    does: str = "",
    primary: bool = False,
) -> Html:
    """A button.

    Args:
        action: what it asks for.
        label: what stands on it.
        path: where it is sent to.
        preset: fields that are sent as they are.
        about: the incident.
        needs: fields that it needs beside those that the action needs.
        proposed: values that the dialog proposes.
        does: what follows, in words, else the action's own.
        primary: whether it comes first.
    """
    needed = [name for name in dict.fromkeys((*needs, *action.needs)) if name not in preset]
    fields = list(dict.fromkeys((*needed, *(name for name in action.may if name not in preset))))
    does = does or action.does
    return tag(
        "button",
        label,
        type="button",
        class_="primary" if primary else None,
        id=f"act-{action.word}-{about}-{preset.get('item', '')}".strip("-"),
        data_path=path,
        data_fields=" ".join(fields),
        data_needs=" ".join(needed),
        data_preset=msgspec.json.encode(preset).decode() if preset else None,
        data_proposed=msgspec.json.encode(dict(proposed)).decode() if proposed else None,
        data_does=f"{does[:1].upper()}{does[1:]}.",
        aria_label=f"{label}, {about}" if about else None,
    )


def _allowed(incident: Incident, action: Action) -> bool:
    if incident.state in ("resolved", "closed"):
        ended = incident.process.completed_at is not None
        return action.late and not (ended and action.word == "complete")
    if action.word == "ack":
        return incident.acknowledged_at is None
    if action.word == "unack":
        return incident.acknowledged_at is not None
    return not (action.word == "declare" and incident.declared_at is not None) and action.word != "complete"


def _silent_value(incident: Incident, names: ScopeNames) -> tuple[str, str] | None:
    """The axis and value that an incident says have fallen silent; None where it says more, or names several."""
    named = [
        (axis, value) for axis, value in names.named(incident.scope).items() if value not in (ANY, OTHER)
    ]
    return named[0] if incident.causes == ("silence",) and len(named) == 1 else None
