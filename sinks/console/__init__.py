"""The console: one web page, whole in itself, that shows the watch as it stands and takes a person's word."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["Page", "page"]


@dataclass(frozen=True)
class Page:
    """The page as it is served, with the policy that lets the browser run this script and style, and no
    other."""

    body: bytes
    content_security_policy: str


@cache
def page() -> Page:
    """The page with its script and its style inside. It loads nothing, and talks to its own origin alone."""
    files = resources.files(__package__)
    script = (files / "console.js").read_text("utf-8")
    style = (files / "console.css").read_text("utf-8")
    html = (files / "console.html").read_text("utf-8")
    body = html.replace("/*style*/", style, 1).replace("/*script*/", script, 1)
    directives = (
        "default-src 'none'",
        f"script-src {_source(script)}",
        f"style-src {_source(style)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return Page(body.encode(), "; ".join(directives))


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
