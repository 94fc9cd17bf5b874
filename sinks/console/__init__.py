"""Which page does the console serve? One self-contained page that shows incidents and accepts a person's input."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

import msgspec

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames

__all__ = ["Page", "page"]


@dataclass(frozen=True)
class Page:
    """The page as served, and the Content-Security-Policy that allows only its own script and style."""

    body: bytes
    content_security_policy: str


def page(policy: Policy) -> Page:
    """The page with its script and style inline. It loads nothing else, and connects only to its own origin.

    Args:
        policy: its axes and values, with their names, stand in the page.
    """
    files = resources.files(__package__)
    script = (files / "console.js").read_text("utf-8")
    style = (files / "console.css").read_text("utf-8")
    html = (files / "console.html").read_text("utf-8")
    body = html.replace("/*style*/", style, 1)
    body = body.replace("/*values*/", _values(policy), 1).replace("/*script*/", script, 1)
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


def _values(policy: Policy) -> str:
    """The axes of a policy, and what is known of their values, as JSON that ends no element of HTML."""
    names = ScopeNames(policy)
    values = {
        axis: {
            value: {
                "name": names.of(axis, value),
                "banner": known.banner,
                "retired": None if known.retired is None else format_instant(known.retired),
            }
            for value, known in policy.values.get(axis, {}).items()
        }
        for axis in policy.axes
    }
    text = msgspec.json.encode({"axes": policy.axes, "values": values}).decode()
    return text.replace("<", "\\u003c")


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
