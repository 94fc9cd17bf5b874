"""What does ``GET /v0/backend_statuses`` answer, the page from which VA.gov's front end reads the banners?

**When watchofficer is blind**, the records expire (``valid_until``) and the state of sign-in is unknown. The
page then shows no banner, because a banner that nobody can remove would keep people from signing in who
could. The operators learn of the blindness through alerts; on the page, ``reported_at`` stops advancing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.instants import format_instant
from detectors.scopes import CSPS, METHODS
from sinks.banner.banner import BADNESS, MVI, Banner, Maintenance, keys_of
from sinks.wording import CSP_NAMES

__all__ = ["statuses"]

_SERVICES = {"ssoe": "SSOe", "sis": "Sign-in Service"}


def statuses(
    banners: Iterable[Banner],
    auth_method: Literal["ssoe", "sis"] | None,
    now: int,
    *,
    windows: Sequence[Maintenance] = (),
    env: str = "prod",
) -> dict[str, Any]:
    """The body of ``GET /v0/backend_statuses`` at ``now`` (ms).

    With ``auth_method``, the body describes that method, the person index, and the credential providers as
    used through that method. Without it, the body describes both methods, and of a credential provider the
    worse state of the two. Every service is always listed, with a status of active, warning, critical or
    maintenance: the front end takes an empty list for an outage of ``mvi``, and fails on any other status.
    The front end's service ``global`` is not listed, because no login event describes it.

    Args:
        banners: banners of any environments; the greatest version of each key is used.
        auth_method: the visitor's sign-in method, if known.
        now: ms since the epoch.
        windows: announced maintenance windows.
        env: the environment that the page describes.
    """
    latest: dict[str, Banner] = {}
    for banner in banners:
        if banner.key not in latest or latest[banner.key].version < banner.version:
            latest[banner.key] = banner
    covering = [w for w in windows if w.scope.partition("/")[0] == env and w.end > now]
    under_way = {key for w in covering if w.start <= now for key in keys_of(w.scope)}
    services = _services(env, (auth_method,) if auth_method else METHODS)
    reported = max((b.updated_at for b in latest.values() if b.key.startswith(f"{env}/")), default=now)
    return {
        "data": {
            "id": "",
            "type": "backend_statuses",
            "attributes": {
                "reported_at": format_instant(reported),
                "statuses": [
                    {
                        "service": name,
                        "service_id": service,
                        **_state_of(
                            [latest[key] for key in keys if key in latest],
                            now,
                            not under_way.isdisjoint(keys),
                        ),
                    }
                    for service, (name, keys) in services.items()
                ],
                "maintenance_windows": _windows(covering, services),
            },
        }
    }


#: Service id -> name for people, banner keys.
_Services = Mapping[str, tuple[str, Sequence[str]]]


def _services(env: str, methods: Sequence[str]) -> _Services:
    return {
        **{csp: (CSP_NAMES[csp], [f"{env}/{method}/{csp}" for method in methods]) for csp in CSPS},
        MVI: ("MVI", [f"{env}/{MVI}"]),
        **{method: (_SERVICES[method], [f"{env}/{method}"]) for method in methods},
    }


def _state_of(known: Sequence[Banner], now: int, in_maintenance: bool) -> dict[str, Any]:
    """The status of a service with these banners, and when its last state began."""
    valid = [banner for banner in known if banner.valid_until > now]
    state = max((banner.state for banner in valid), key=BADNESS.__getitem__, default="ok")
    if state == "ok" and in_maintenance:
        state = "maintenance"
    since = max((banner.since for banner in known if banner.since is not None), default=None)
    return {
        "status": "active" if state == "ok" else state,
        "last_incident_timestamp": None if since is None else format_instant(since),
    }


def _windows(covering: Iterable[Maintenance], services: _Services) -> list[dict[str, str]]:
    """The maintenance windows that have not ended, one entry for each service that a window covers."""
    return [
        {
            "external_service": service,
            "start_time": format_instant(window.start),
            "end_time": format_instant(window.end),
            "description": window.description,
        }
        for window in sorted(covering, key=lambda w: (w.start, w.scope))
        for service, (_, keys) in services.items()
        if not set(keys_of(window.scope)).isdisjoint(keys)
    ]
