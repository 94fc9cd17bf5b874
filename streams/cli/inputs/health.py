"""Does the process at this address stand still? For the health check of a container, which has no other client."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
from urllib.parse import urlsplit

from streams.cli.inputs.address import own_url
from streams.settings.settings import read_settings

__all__ = ["health_command"]

_PATIENCE = 4.0  # seconds for an answer
_MOST_SHOWN = 2_000  # characters


def health_command(*, ready: bool, form: str) -> int:
    """Ask the process that serves HTTP at the address in the settings; the exit status: 1 if it is not well.

    Args:
        ready: ask whether it does its work (``/readyz``) instead of whether it stands still (``/healthz``).
        form: ``text`` for a line on standard error where it is not well, or ``json`` for an object in any case.

    Raises:
        SettingsError: the settings cannot be used.
    """
    settings = read_settings(os.environ)
    served = urlsplit(own_url(settings))
    connection = _connection(served.scheme, served.hostname or "", settings.port)
    well = False
    try:
        connection.request("GET", "/readyz" if ready else "/healthz")
        answer = connection.getresponse()
        well, said = answer.status == 200, answer.read(_MOST_SHOWN).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        said = (
            f"no answer at {served.geturl()}: {type(error).__name__}; start one with "
            "`watchofficer run`, or correct WATCHOFFICER_BIND and WATCHOFFICER_PORT"
        )
    finally:
        connection.close()
    if form == "json":
        print(json.dumps({"asked": "ready" if ready else "alive", "well": well, "said": said}))
    elif not well:
        print(said, file=sys.stderr)
    return 0 if well else 1


def _connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    # Nothing secret is sent, and a process whose certificate has expired lives.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=context)
