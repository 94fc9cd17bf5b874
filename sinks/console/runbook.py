"""How is a runbook served? As a page without script, its text filled in with the figures of an incident.

The texts are Markdown files, `deploy/runbooks/NAME.md`, with placeholders ``{{people}}`` that ``figures`` has. A figure
is put into the text after the text has been parsed, so that it can be no markup, whatever it says.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from detectors.policy.runbooks import RUNBOOKS, path_of_runbook
from sinks.console.figures import FiguresOf
from sinks.wording import Link, one_line

__all__ = [
    "SECTIONS",
    "RunbookPage",
    "index_page",
    "placeholders",
    "runbook_page",
    "title_of",
]

#: The headings of each runbook, in their order: the one shape.
SECTIONS = (*("Confirm", "Try by hand", "Who owns it", "What to switch", "What to tell", "Verify", "Close"),)
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_LINKED = re.compile(r"(\w+)\.md")
#: What the block at the top of the page shows of an incident: a term and the placeholder of its words.
_FACTS = (
    ("What", "headline"),
    ("Severity", "severity"),
    ("Priority", "priority"),
    ("People", "people"),
    ("At the worst", "peak"),
    ("Failing since", "since"),
    ("Succeeding now", "success"),
    ("Evidence", "evidence"),
    ("In common", "common"),
    ("Acknowledged", "acknowledged"),
    ("Declared", "declared"),
)
#: In a checkout the texts stand in deploy/, in an installed package beside this module (pyproject.toml, force-include).
_FOLDERS = (
    Path(__file__).parent / "runbooks",
    Path(__file__).resolve().parents[2] / "deploy" / "runbooks",
)
_STYLE = """
:root { color-scheme: light dark; --ink: #15202b; --paper: #fff; --soft: #52606d; --rule: #d5dce3; --link: #1f5fa8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1318; --soft: #9fb0bf; --rule: #2b3a47;
  --link: #79b8ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 50rem;
  margin: 0 auto; padding: 1rem 1.25rem 3rem; }
a { color: var(--link); } nav { color: var(--soft); } h2 { border-bottom: 1px solid var(--rule); margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; border: 1px solid var(--rule);
  border-radius: 8px; padding: .8rem 1rem; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, monospace; } li { margin: .3rem 0; } b { font-weight: 600; }
"""


@dataclass(frozen=True)
class RunbookPage:
    """A page as served, and the Content-Security-Policy that allows its own style and nothing else."""

    body: bytes
    content_security_policy: str


@cache
def _text(name: str) -> str:
    """The text of a runbook that ships.

    Raises:
        KeyError: there is no such runbook.
    """
    if name not in RUNBOOKS:
        raise KeyError(name)
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    return (folder / f"{name}.md").read_text("utf-8")


def title_of(name: str) -> str:
    """The title of a runbook that ships: its first line."""
    return _text(name).partition("\n")[0].removeprefix("# ")


def placeholders(name: str) -> frozenset[str]:
    """The placeholders in the text of a runbook that ships."""
    return frozenset(_PLACEHOLDER.findall(_text(name)))


def runbook_page(
    name: str,
    figures: FiguresOf,
    *,
    incident: str | None,
    also: Iterable[str] = (),
    links: Iterable[Link] = (),
    choices: Mapping[str, str] | None = None,
) -> RunbookPage:
    """A runbook as a page.

    Args:
        name: of a runbook that ships.
        figures: placeholder -> words.
        incident: id of the incident that the figures are of; None without one.
        also: other runbooks that apply to the incident.
        links: of the incident.
        choices: where there is no incident, those (id -> in words) that the runbook applies to.

    Raises:
        KeyError: there is no such runbook.
    """
    _, _, text = _text(name).partition("\n")
    parts = [f"<h1>{escape(title_of(name))}</h1>"]
    if incident is not None:
        facts = "".join(f"<dt>{term}</dt><dd>{escape(one_line(figures[word]))}</dd>" for term, word in _FACTS)
        parts.append(f"<dl><dt>Incident</dt><dd>{escape(incident)}</dd>{facts}</dl>")
    for other, words in (choices or {}).items():
        path = escape(path_of_runbook(name, other))
        parts.append(
            f'<p>With the figures of <a href="{path}">{escape(f"{other}: {one_line(words)}")}</a></p>'
        )
    further = [(title_of(other), path_of_runbook(other, incident)) for other in also]
    further += [(link.title, link.url) for link in links if link.name != "runbook"]
    procedure = RUNBOOKS[name]
    if procedure is not None:
        further.append(("The public procedure", procedure))
    if further:
        listed = ", ".join(
            f'<a href="{escape(url)}" rel="noreferrer noopener">{escape(one_line(title))}</a>'
            for title, url in further
        )
        parts.append(f"<p>See also: {listed}</p>")
    parts.append(_rendered(text, figures, incident))
    return _page(title_of(name), "".join(parts))


def index_page() -> RunbookPage:
    """The list of all runbooks that ship."""
    items = "".join(
        f'<li><a href="{escape(path_of_runbook(name))}">{escape(title_of(name))}</a></li>'
        for name in RUNBOOKS
    )
    return _page("Runbooks", f"<h1>Runbooks</h1><ul>{items}</ul>")


def _rendered(text: str, figures: FiguresOf, incident: str | None) -> str:
    parser = MarkdownIt("commonmark", {"html": False})
    tokens = parser.parse(text)
    for token in tokens:
        for child in token.children or ():
            _fill(child, figures, incident)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _fill(token: Token, figures: FiguresOf, incident: str | None) -> None:
    """Put figures into a token's text, and lead a link to another runbook (``NAME.md``) to its page."""
    if token.type in ("text", "code_inline"):
        token.content = _PLACEHOLDER.sub(
            lambda found: one_line(figures.get(found[1], found[0])), token.content
        )
    elif token.type == "link_open":
        linked = _LINKED.fullmatch(str(token.attrs.get("href", "")))
        if linked is not None and linked[1] in RUNBOOKS:
            token.attrs["href"] = path_of_runbook(linked[1], incident)


def _page(title: str, main: str) -> RunbookPage:
    body = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>"
        '<nav><a href="/">Console</a> · <a href="/runbooks">Runbooks</a></nav>\n'
        f"<main>{main}</main></body></html>\n"
    )
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    directives = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return RunbookPage(body.encode(), "; ".join(directives))
