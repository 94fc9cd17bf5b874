"""How does a command tell a running watch something? By a request to the HTTP interface of a worker."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from streams.cli.inputs.address import own_url, trusted, why_not
from streams.settings.settings import SettingsError, read_settings

__all__ = ["act_command", "fetch", "send", "tell"]

_PATIENCE = 15.0  # seconds for an answer, which waits for the broker's acknowledgement


def send(
    path: str, fields: Mapping[str, Any], *, by: str | None, url: str | None, key: str | None = None
) -> dict[str, Any] | None:
    """Send an act to a worker, and return what it has accepted; print why not, and return None, otherwise.

    Args:
        path: below ``/api/v1/``.
        fields: of the body; those that are None are left out.
        by: who asks; None: the user of this machine.
        url: where a worker serves HTTP; None: the address in the settings.
        key: an act with the same key is done once; None: one that is new.
    """
    body = {name: value for name, value in fields.items() if value is not None}
    body["by"] = by or os.environ.get("USER") or "somebody"
    answer = _ask("POST", path, url, httpx.codes.ACCEPTED, body, key)
    return None if answer is None else answer.get("accepted")


def fetch(path: str, *, url: str | None) -> dict[str, Any] | None:
    """Return what a worker answers for a path below ``/api/v1/``; print why not, and return None, otherwise."""
    return _ask("GET", path, url, httpx.codes.OK)


def _ask(
    method: str,
    path: str,
    url: str | None,
    wanted: int,
    body: dict[str, Any] | None = None,
    key: str | None = None,
) -> dict[str, Any] | None:
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return None
    headers = {} if body is None else {"Idempotency-Key": key or str(uuid.uuid4())}
    if settings.api_token is not None:
        headers["Authorization"] = f"Bearer {settings.api_token.get_secret_value()}"
    base = url or own_url(settings)
    try:
        answer = httpx.request(
            method,
            f"{base.rstrip('/')}/api/v1/{path}",
            json=body,
            headers=headers,
            timeout=_PATIENCE,
            trust_env=False,
            verify=trusted(settings, url),
        )
        said: Any = answer.json()
        if answer.status_code != wanted:
            print(f"refused: {said['error']['message']}", file=sys.stderr)
            return None
        if body is not None:
            said["accepted"]["id"]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"no worker answers at {base}: {why_not(error)}"
        print(f"{said}; start one with `watchofficer run`, or say where it is with --url", file=sys.stderr)
        return None
    except (ValueError, TypeError, KeyError):
        print(f"{base} does not answer as a watch does (status {answer.status_code})", file=sys.stderr)
        return None
    return dict(said)


def tell(accepted: Mapping[str, Any], form: str, words: str) -> None:
    """Print what a worker has accepted: as it said so (``form`` is ``json``), or in words."""
    print(json.dumps(accepted) if form == "json" else words)


def act_command(
    path: str,
    fields: Mapping[str, Any],
    *,
    by: str | None,
    url: str | None,
    form: str,
    key: str | None = None,
) -> int:
    """Send an act and print its input, as ``tell`` does; return the exit status."""
    accepted = send(path, fields, by=by, url=url, key=key)
    if accepted is None:
        return 2
    about = accepted.get("incident") or accepted.get("scope") or accepted.get("item") or ""
    what = f"{accepted['kind'].replace('_', '-')} {about}".strip()
    found = f"input {accepted['id']}; GET /api/v1/inputs/{accepted['id']} says what became of it"
    tell(accepted, form, f"accepted: {what} ({found})")
    return 0
