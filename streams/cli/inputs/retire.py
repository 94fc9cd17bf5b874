"""How does `watchofficer retire` tell a running watch that nobody will use a value any more?"""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

import httpx

from streams.settings.settings import SettingsError, read_settings

__all__ = ["retire_command"]

_PATIENCE = 15.0  # seconds for an answer, which waits for the broker's acknowledgement


def retire_command(axis: str, value: str, *, env: str, by: str | None, text: str, url: str | None) -> int:
    """Send the input to the HTTP interface of a worker and print its id; returns the exit status.

    Args:
        axis: a field of the policy's axes.
        value: the value of that field.
        env: the environment in which the value is retired.
        by: who says so; None: the user of this machine.
        text: why.
        url: where a worker serves HTTP; None: the address in the settings.
    """
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    token = settings.api_token
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    base = url or f"http://{settings.bind}:{settings.port}"
    body = {
        "axis": axis,
        "value": value.lower(),
        "env": env,
        "by": by or os.environ.get("USER") or "somebody",
        "text": text,
    }
    try:
        answer = httpx.post(
            f"{base.rstrip('/')}/api/v1/retire",
            json=body,
            headers=headers,
            timeout=_PATIENCE,
            trust_env=False,
        )
        said: Any = answer.json()
        if answer.status_code != httpx.codes.ACCEPTED:
            print(f"refused: {said['error']['message']}", file=sys.stderr)
            return 2
        accepted = said["accepted"]
        print(f"accepted: nobody will use {axis} {accepted['value']} in {env} (input {accepted['id']})")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"no answer from {base}: {error!r}", file=sys.stderr)
        return 2
    except (ValueError, TypeError, KeyError):
        print(f"{base} does not answer as a watch does (status {answer.status_code})", file=sys.stderr)
        return 2
    return 0
