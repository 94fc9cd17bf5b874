"""How would a person see what a receiver got: as Slack's channel, as a phone that rings, as an incident in Datadog?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from detectors.instants import format_instant
from sinks.html import Child, Html, tag

__all__ = ["STYLE", "channel", "incidents", "phone"]

_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_LINKED = re.compile(r"<(https?://[^|>]*)\|([^>]*)>|\*([^*\n]+)\*")
_SHOWN = 30

STYLE = """
.slack{border:1px solid #ccc;border-radius:10px;max-width:52rem;padding:0 1rem 1rem;background:#fff}
.slack h2{border-bottom:1px solid #ddd;padding-bottom:.5rem}
.said{display:grid;grid-template-columns:2.4rem 1fr;gap:.2rem .7rem;margin:.8rem 0}
.face{width:2.4rem;height:2.4rem;border-radius:6px;background:#2563a8;color:#fff;display:grid;place-items:center}
.said p{margin:.2rem 0;white-space:pre-wrap;overflow-wrap:anywhere}.said .head{font-size:1.15rem;font-weight:700}
.minor{color:#5b6470;font-size:.85rem}.thread{margin-left:3rem;border-left:3px solid #ddd;padding-left:.8rem}
.fields{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:.2rem 1rem}
.button{display:inline-block;border:1px solid #aaa;border-radius:5px;padding:.15rem .7rem;margin-right:.4rem}
.phone{width:23rem;max-width:100%;border:10px solid #1c1f24;border-radius:34px;padding:1.2rem .8rem;min-height:22rem;
background:linear-gradient(#24344d,#0e1420);color:#fff;box-sizing:border-box}
.phone .time{font-size:2.6rem;text-align:center;font-weight:300}
.ring{background:#ffffffe8;color:#111;border-radius:14px;
padding:.6rem .8rem;margin-top:.6rem}.ring b{color:#06772f}
.case{border:1px solid #d6d9e0;border-left:6px solid #632ca6;border-radius:8px;padding:.7rem 1rem;margin:.8rem 0;
max-width:52rem;background:#fff}.case h3{margin:.2rem 0}.pill{border-radius:1rem;padding:.05rem .6rem;font-weight:600;
background:#eee6f8;color:#4a1d80;margin-right:.3rem}
"""


class Said(Protocol):
    """A message as Slack keeps it."""

    ts: str
    at: int
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str | None
    broadcast: bool
    edits: list[str]


class Rung(Protocol):
    """A notification that woke somebody."""

    @property
    def at(self) -> int: ...
    @property
    def who(self) -> str: ...
    @property
    def summary(self) -> str: ...


class Held(Protocol):
    """An incident as PagerDuty keeps it."""

    number: int
    status: Any
    summary: str
    created_at: int
    acknowledged_by: str | None
    resolved_at: int | None
    notes: list[str]


def channel(messages: Sequence[Said]) -> Html:
    """Slack's channel, the oldest first, each thread below its message."""
    roots = [one for one in messages if one.thread_ts is None][-_SHOWN:]
    body = (
        [
            _said(root),
            tag("div", (_said(one) for one in messages if one.thread_ts == root.ts), class_="thread"),
        ]
        for root in roots
    )
    return tag(
        "div",
        tag("h2", "# identity-alerts"),
        body if roots else tag("p", "Nothing was said yet."),
        class_="slack",
    )


def phone(rings: Sequence[Rung], alerts: Sequence[Held]) -> Html:
    """The phone of whoever is on call, the latest call first, and the incidents behind."""
    calls = (
        tag(
            "div",
            tag("b", "PagerDuty"),
            tag("span", f" · {_clock(one.at)} · {one.who}", class_="minor"),
            tag("div", one.summary),
            class_="ring",
        )
        for one in reversed(rings[-_SHOWN:])
    )
    shown = tag(
        "div",
        tag("div", _clock(rings[-1].at) if rings else "–", class_="time"),
        list(calls) or tag("div", "It has not rung.", class_="ring"),
        class_="phone",
    )
    return tag("div", shown, (_alert(one) for one in reversed(alerts[-_SHOWN:])))


def incidents(
    held: Sequence[Mapping[str, Any]],
    history: Sequence[tuple[int, str, str, str]],
    events: Sequence[Mapping[str, Any]],
) -> Html:
    """The incidents of Datadog with their states in order, the latest first, and the events.

    Args:
        held: incidents as the API returns them.
        history: (at, incident, state, severity) of each creation and change.
        events: bodies of the events, ``data.attributes``.
    """
    cases = (
        _case(one, [line for line in history if line[1] == one["id"]]) for one in reversed(held[-_SHOWN:])
    )
    told = (_event(one) for one in reversed(events[-_SHOWN:]))
    return tag(
        "div",
        tag("h2", "Incidents"),
        list(cases) or tag("p", "None."),
        tag("h2", "Events"),
        list(told) or tag("p", "None."),
    )


def _said(one: Said) -> Html:
    notes = [_clock(one.at)]
    notes += ["edited"] if one.edits else []
    notes += ["also sent to the channel"] if one.broadcast else []
    blocks = list(_blocks(one.blocks)) or [tag("p", _marked(one.text))]
    body = tag(
        "div", tag("strong", "watchofficer"), " ", tag("span", " · ".join(notes), class_="minor"), blocks
    )
    return tag("div", tag("div", "W", class_="face", aria_hidden="true"), body, class_="said")


def _blocks(blocks: Sequence[Mapping[str, Any]]) -> Iterator[Html]:
    for block in blocks:
        text = block.get("text")
        words = _marked(str(text["text"])) if isinstance(text, dict) and "text" in text else None
        match block.get("type"):
            case "header":
                yield tag("p", words, class_="head")
            case "actions":
                texts = (one.get("text", {}).get("text", "") for one in block.get("elements", ()))
                yield tag("p", (tag("span", one, class_="button") for one in texts))
            case "context":
                parts = (
                    tag("span", _marked(str(one.get("text", ""))), " ") for one in block.get("elements", ())
                )
                yield tag("p", parts, class_="minor")
            case "section":
                fields = [tag("p", _marked(str(one.get("text", "")))) for one in block.get("fields", ())]
                yield tag(
                    "div",
                    tag("p", words) if words else None,
                    tag("div", fields, class_="fields") if fields else None,
                )
            case "image":
                yield tag(
                    "p",
                    tag("img", src=str(block.get("image_url")), alt=str(block.get("alt_text")), width="520"),
                )
            case "divider":
                yield tag("hr")


def _marked(text: str) -> list[Child]:
    """Slack's text with its links and bold words."""
    plain = _DATE.sub(r"\1", text)
    parts: list[Child] = []
    at = 0
    for found in _LINKED.finditer(plain):
        parts.append(_unescaped(plain[at : found.start()]))
        url, words, bold = found.groups()
        parts.append(
            tag("b", _unescaped(bold)) if bold else tag("a", _unescaped(words), href=_unescaped(url))
        )
        at = found.end()
    return [*parts, _unescaped(plain[at:])]


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _alert(one: Held) -> Html:
    by = f" by {one.acknowledged_by}" if one.acknowledged_by and one.status == "acknowledged" else ""
    head = tag("p", tag("span", one.status, class_="pill"), f"#{one.number}, {_clock(one.created_at)}{by}")
    return tag(
        "div",
        head,
        tag("h3", one.summary),
        (tag("p", note, class_="minor") for note in one.notes),
        class_="case",
    )


def _case(one: Mapping[str, Any], lines: Sequence[tuple[int, str, str, str]]) -> Html:
    attributes = one["attributes"]
    fields = {name: field.get("value") for name, field in attributes.get("fields", {}).items()}
    head = tag(
        "p",
        (tag("span", str(fields[name]), class_="pill") for name in ("severity", "state") if fields.get(name)),
    )
    rest = (
        f"{name.replace('_', ' ')}: {value}"
        for name, value in fields.items()
        if name not in ("severity", "state") and value
    )
    impact = attributes.get("customer_impact_scope")
    return tag(
        "div",
        head,
        tag("h3", f"IR-{attributes.get('public_id', '')} {attributes['title']}"),
        tag("p", f"Customer impact: {impact}") if impact else None,
        (tag("p", words, class_="minor") for words in rest),
        tag("ol", (tag("li", f"{_clock(at)} {state}, {severity}") for at, _, state, severity in lines)),
        class_="case",
    )


def _event(one: Mapping[str, Any]) -> Html:
    status = str(one.get("attributes", {}).get("status", ""))
    message = str(one.get("message", "")).removeprefix("%%%").removesuffix("%%%").strip()
    body = tag("details", tag("summary", "Message"), tag("p", message)) if message else None
    return tag(
        "div", tag("p", tag("span", status, class_="pill"), str(one.get("title", ""))), body, class_="case"
    )


def _clock(at: int) -> str:
    return f"{format_instant(at)[11:19]} UTC"
