"""What does ``GET /v0/backend_statuses`` answer, the page from which VA.gov's front end reads the banners?

**When watchofficer is blind**, the records expire (``valid_until``) and the state of sign-in is unknown. The
page then shows no banner, because a banner that nobody can remove would keep people from signing in who
could. The operators learn of the blindness through alerts; on the page, ``reported_at`` stops advancing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from detectors.policy.sections import MaintenanceWindow
from sinks.banner.banner import BADNESS, Banner
from sinks.banner.keys import BannerKeys, Services

__all__ = ["statuses"]


def statuses(
    policy: Policy,
    banners: Iterable[Banner],
    now: int,
    *,
    auth_method: str | None = None,
    client: str | None = None,
    env: str = "prod",
) -> dict[str, Any]:
    """The body of ``GET /v0/backend_statuses`` at ``now`` (ms).

    With ``auth_method``, the body describes that method, the person index, and the credential providers as
    used through that method. Without it, the body describes all methods, and of a credential provider the
    worst state of all. What fails for the visitor's client alone counts as its method or provider. Every service is
    always listed, with a status of active, warning, critical or maintenance: the front end takes an empty list for an
    outage of ``mvi``, and fails on any other status. The front end's service ``global`` is not listed, because no login
    event describes it.

    Args:
        policy: its values name the services, and its maintenance windows are shown.
        banners: banners of any environments; the greatest version of each key is used.
        now: ms since the epoch.
        auth_method: the visitor's sign-in method, one that has a banner, if known.
        client: the visitor's client; None: the policy's ``banner.default_client``.
        env: the environment that the page describes, one that the policy lists.
    """
    latest: dict[str, Banner] = {}
    for banner in banners:
        if banner.key not in latest or latest[banner.key].version < banner.version:
            latest[banner.key] = banner
    banner_keys = BannerKeys(policy)
    covering = [w for w in policy.maintenance if w.scope.partition("/")[0] == env and w.end > now]
    under_way = {key for w in covering if w.start <= now for key in banner_keys.of_scope(w.scope, now)}
    services = banner_keys.services(env, now, auth_method, client or policy.banner.default_client)
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
                "maintenance_windows": _windows(
                    ((window, banner_keys.of_scope(window.scope, now)) for window in covering), services
                ),
            },
        }
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


def _windows(
    covering: Iterable[tuple[MaintenanceWindow, Sequence[str]]], services: Services
) -> list[dict[str, str]]:
    """The maintenance windows that have not ended, one entry for each service that a window covers.

    Args:
        covering: windows, and the banner keys that each sets.
        services: those that are listed.
    """
    return [
        {
            "external_service": service,
            "start_time": format_instant(window.start),
            "end_time": format_instant(window.end),
            "description": window.description,
        }
        for window, set_keys in sorted(covering, key=lambda pair: (pair[0].start, pair[0].scope))
        for service, (_, keys) in services.items()
        if not set(set_keys).isdisjoint(keys)
    ]
