"""Which runbook is for what? The runbooks that ship, and the order in which a policy's table is asked.

A policy maps keys to runbooks (``Policy.runbooks``). A key is a scope, a value or service wherever it is affected, an
error code, a cause (``CAUSES``), or ``*`` for all else. A runbook is the name of one that ships, or the URL of another.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Iterator, Mapping

from detectors.incidents import Common
from detectors.policy.source import quote

__all__ = ["ANY_OTHER", "CAUSES", "RUNBOOKS", "applicable", "checked_runbook", "is_url", "path_of_runbook"]

_PUBLIC = (
    "https://github.com/department-of-veterans-affairs/va.gov-team/blob/master/products/identity/"
    "Incident%20Response/System%20Recovery%20Procedures/"
)
#: Name of a runbook that ships (a file of deploy/runbooks) -> the public procedure on the same subject, or None.
RUNBOOKS: Mapping[str, str | None] = {
    "sign_in": None,
    "ssoe": _PUBLIC + "SSOe_SRP.md",
    "sis_web": _PUBLIC + "SiS_SRP.md",
    "sis_mobile": _PUBLIC + "SiS_SRP.md",
    "idme": _PUBLIC + "IDme_SRP.md",
    "logingov": _PUBLIC + "Logingov_SRP.md",
    "mhv": _PUBLIC + "MyHealtheVet_SRP.md",
    "mpi": _PUBLIC + "Master_Person_Index_SRP.md",
    "sign_in_page": _PUBLIC + "USiP_SRP.md",
    "terms_of_use": _PUBLIC + "TOU_SRP.md",
    "secure_sign_in": _PUBLIC + "Secure_Signin_Transition.md",
    "session_failures": None,
    "silence": None,
    "lost_returns": None,
    "slowness": None,
    "user_errors": None,
    "blind": None,
    "rejected": None,
}
#: Causes that have a runbook of their own: detectors, failing sessions, and what keeps the watch from seeing. Every
#: other cause (an outage, a burn rate, a declaration, a report) has the runbook of its scope.
CAUSES = ("silence", "funnel", "latency", "surge", "session", "blind", "rejected")
#: The key of all that no other key is for.
ANY_OTHER = "*"
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def is_url(runbook: str) -> bool:
    """Whether a runbook is an address, and not the name of one that ships."""
    return runbook.startswith(("https://", "http://"))


def path_of_runbook(name: str, incident: str | None = None) -> str:
    """The path at which the console serves a runbook that ships, for an incident (id) if one is given."""
    if incident is None:
        return f"/runbooks/{name}"
    # What is neither a letter nor a digit of ASCII is percent-encoded, but for the marks that RFC 3986 reserves not.
    encoded = (chr(b) if chr(b) in _UNRESERVED else f"%{b:02X}" for b in incident.encode())
    return f"/runbooks/{name}?incident={''.join(encoded)}"


def checked_runbook(value: str) -> str:
    """The runbook, if there can be one.

    Raises:
        ValueError: it is neither the name of a runbook that ships nor a URL.
    """
    if value in RUNBOOKS or (is_url(value) and not any(c <= " " for c in value) and len(value) <= 2048):
        return value
    near = difflib.get_close_matches(value, RUNBOOKS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"must be a URL that begins with https:// or http://, or a runbook that ships, is {quote(value)}{hint}"
    )


def applicable(
    table: Mapping[str, str],
    scope: str,
    causes: Iterable[str],
    common: Iterable[Common],
    session_steps: Iterable[str],
) -> Iterator[str]:
    """Yield the runbooks that apply to an incident, the most telling first; one may come more than once.

    What the failing people have in common tells more than the cause, and the cause more than the scope. A cause tells
    only where all causes have one runbook: an outage beside a silence is an outage.

    Args:
        table: key -> runbook.
        scope: of the incident.
        causes: names of the detectors that have fired.
        common: what the people who fail have in common.
        session_steps: the steps that are of sessions.
    """
    sessions = frozenset(session_steps)
    for one in common:
        if one.field == "error_code" and one.value in table:
            yield table[one.value]
        elif one.field == "step" and one.value in sessions and "session" in table:
            yield table["session"]
    of_causes = {table.get(cause) if cause in CAUSES else None for cause in causes}
    if len(of_causes) == 1 and (only := of_causes.pop()) is not None:
        yield only
    _, *services = scope.split("/")
    yield from (table[key] for key in (scope, *reversed(services)) if key in table and key != ANY_OTHER)
    if ANY_OTHER in table:
        yield table[ANY_OTHER]
