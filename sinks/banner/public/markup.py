"""How does the public status page look? It is a page without script that loads nothing, served or put into a folder."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo

from detectors.instants import SECOND, format_instant
from sinks.banner.banner import BannerState
from sinks.banner.public.content import Component, Planned, PublicIncident, PublicStatus

__all__ = ["CONTENT_SECURITY_POLICY", "FEED", "headline_of", "render"]

#: Where the feed is, seen from the page: beside it.
FEED = "status.atom"
#: The page does not load itself again: whoever reads it slowly, or by ear, would lose their place.
_AGAIN = '<a href="">Look again</a>'
_WORDS: Mapping[BannerState | None, str] = {
    "ok": "Works",
    "maintenance": "Maintenance",
    "warning": "Some people cannot sign in",
    "critical": "Many people cannot sign in",
    None: "Not known",
}
_HEADLINES: Mapping[BannerState, str] = {
    "ok": "Signing in works",
    "maintenance": "Maintenance is under way",
    "warning": "Some people cannot sign in",
    "critical": "Many people cannot sign in",
}
_STYLE = """
:root { color-scheme: light dark; --ink: #15202b; --paper: #fff; --soft: #52606d; --rule: #d5dce3; --link: #1f5fa8;
  --ok: #176b3a; --maintenance: #3d4f78; --warning: #8a4b00; --critical: #a81220; --none: #8794a1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1318; --soft: #9fb0bf; --rule: #2b3a47;
  --link: #79b8ff; --ok: #6bd193; --maintenance: #a9bbea; --warning: #ffb454; --critical: #ff8a8a; --none: #5c6b78; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--paper);
  max-width: 50rem; margin: 0 auto; padding: 1rem 1.25rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.1rem; font-weight: 400; color: var(--soft); margin: 0; }
h2 { font-size: 1.1rem; border-bottom: 1px solid var(--rule); margin: 2rem 0 .8rem; } h3 { font-size: 1rem; margin: 0; }
a { color: var(--link); } footer, .soft { color: var(--soft); font-size: .9rem; }
.headline { font-size: 1.6rem; line-height: 1.25; font-weight: 650; margin: .2rem 0 .4rem; padding-left: .8rem;
  border-left: .4rem solid currentColor; }
.ok { color: var(--ok); } .maintenance { color: var(--maintenance); } .warning { color: var(--warning); }
.critical { color: var(--critical); } .none { color: var(--none); } p.none { color: var(--soft); }
article, .group { border: 1px solid var(--rule); border-radius: 8px; padding: .8rem 1rem; margin: 0 0 1rem; }
.part { margin: .6rem 0 0 1rem; } .part:first-child { margin: 0; }
.group > .part + .part { border-top: 1px solid var(--rule); padding-top: .6rem; }
.row { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; } .row b { font-weight: 600; }
svg { display: block; width: 100%; height: 1.6rem; margin: .3rem 0 .1rem; } rect { fill: currentColor; }
ol, ul { list-style: none; margin: .4rem 0 0; padding: 0; } li { margin: .5rem 0 0; }
li p { margin: 0; white-space: pre-line; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_BASE = ("default-src 'none'", f"style-src 'sha256-{_DIGEST}'", "base-uri 'none'", "form-action 'none'")
#: What the page may load: its own style, and nothing else. As a header it also says that no other page may frame it.
CONTENT_SECURITY_POLICY = "; ".join((*_BASE, "frame-ancestors 'none'"))
_UNITS = 90


def headline_of(status: PublicStatus) -> str:
    """What holds for sign-in as a whole, in a few words."""
    said = _HEADLINES[status.worst]
    return said if status.is_known else "We do not know at the moment whether signing in works"


def render(status: PublicStatus, *, time_zone: str, objective: float) -> bytes:
    """Return the page as HTML.

    Args:
        status: what the public is told.
        time_zone: IANA name of the one in which times are written.
        objective: the share of sign-ins that is promised to succeed; a day below is shown as such.
    """
    zone = ZoneInfo(time_zone)
    shown = status.worst if status.is_known else "none"
    parts = [
        "<header><h1>Sign-in status</h1>"
        f'<p class="headline {shown}">{escape(headline_of(status))}</p>{_as_of(status, zone)}</header>',
        _section("What fails now", (_incident(one, zone) for one in status.incidents)),
        _section("Parts of sign-in", (_group(one, status, objective) for one in status.components)),
        _section("Maintenance", (_maintenance(one, zone) for one in status.planned)),
        f'<footer><p>Changes as a feed: <a href="{FEED}">Atom</a>. A bar is a day, and says which share of that'
        " day's sign-ins succeeded; only what turned out to be measured wrongly is left out.</p></footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape("; ".join(_BASE))}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(headline_of(status))} · Sign-in status</title>"
        f'<link rel="alternate" type="application/atom+xml" title="Sign-in status" href="{FEED}">'
        f"<style>{_STYLE}</style></head>\n<body><main>{''.join(parts)}</main></body></html>\n"
    ).encode()


def _section(title: str, items: Iterable[str]) -> str:
    body = "".join(items)
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _as_of(status: PublicStatus, zone: ZoneInfo) -> str:
    if status.reported_at is None:
        return f'<p class="soft">Nothing has been measured yet. {_AGAIN}</p>'
    what = "As of" if status.is_known else "Last known"
    return f'<p class="soft">{what} {_time(status.reported_at, zone)}. {_AGAIN}</p>'


def _time(at: int, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(at / SECOND, UTC).astimezone(zone)
    words = f"{local:%b} {local.day}, {local.year}, {local:%H:%M %Z}"
    return f'<time datetime="{format_instant(at)}">{words}</time>'


def _incident(one: PublicIncident, zone: ZoneInfo) -> str:
    lines = "".join(f"<li>{_time(at, zone)}<p>{escape(text)}</p></li>" for at, text in one.entries)
    return (
        f"<article><h3>{escape(one.title)}</h3>"
        f'<p class="soft">{one.status.capitalize()}, since {_time(one.began_at, zone)}</p><ol>{lines}</ol></article>'
    )


def _group(one: Component, status: PublicStatus, objective: float) -> str:
    parts = "".join(_part(part, status, objective) for part in one.all())
    return f'<div class="group">{parts}</div>'


def _part(one: Component, status: PublicStatus, objective: float) -> str:
    state = one.state if status.is_known else None
    said = f'<span class="{state or "none"}">{_WORDS[state]}</span>'
    return (
        f'<div class="part"><div class="row"><b>{escape(one.name)}</b>{said}</div>'
        f"{_bars(one, objective) if one.days else ''}</div>"
    )


def _bars(one: Component, objective: float) -> str:
    """A bar for each day, the last at the right; the words beside it say what the bars say as a whole."""
    days = one.days[-_UNITS:]
    first = _UNITS - len(days)
    rects = "".join(
        f'<rect class="{_level(ratio, objective)}" x="{(first + n) * 4}" width="3" height="24">'
        f"<title>{date}: {_share(ratio)}</title></rect>"
        for n, (date, ratio) in enumerate(days)
    )
    known = [ratio for _, ratio in days if ratio is not None]
    below = sum(ratio < objective for ratio in known)
    words = (
        f"{len(known)} days known, {below} of them below {objective:.1%}; the worst {_share(min(known))}"
        if known
        else "no day known yet"
    )
    return (
        f'<svg viewBox="0 0 {_UNITS * 4} 24" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(one.name)}, day by day: {words}">{rects}</svg>'
        f'<div class="row soft"><span>{_UNITS} days</span><span>{words}</span></div>'
    )


def _level(ratio: float | None, objective: float) -> str:
    """The class of a day's bar: a tenth of the sign-ins or more failed, or more than promised, or neither."""
    if ratio is None:
        return "none"
    return "ok" if ratio >= objective else "warning" if ratio >= 0.9 else "critical"


def _share(ratio: float | None) -> str:
    return "not known" if ratio is None else f"{int(ratio * 10_000) / 100:.2f} %"  # never rounded up to 100 %


def _maintenance(one: Planned, zone: ZoneInfo) -> str:
    return (
        f"<article><h3>{escape(one.title)}</h3>"
        f'<p class="soft">{_time(one.start, zone)} to {_time(one.end, zone)}</p></article>'
    )
