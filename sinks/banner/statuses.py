"""What does ``GET /v0/backend_statuses`` answer, the page from which VA.gov's front end reads the banners?

**When the watch is blind**, or has judged nothing yet, the state of sign-in is unknown. Each service then keeps its
last known state for ``KEPT`` after the last verdict, and is ``active`` thereafter: a banner that nobody can remove
would keep people from signing in who could. ``reported_at`` stands still meanwhile.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from detectors.instants import MINUTE, SECOND
from detectors.lifecycle.conduct.covering import Planned, planned
from detectors.policy.policy import Policy
from detectors.process.covers import Cover
from sinks.banner.banner import BADNESS, Banner
from sinks.banner.keys import BannerKeys, Service, Services, Visitor
from sinks.banner.ways import WaysIn

__all__ = ["KEPT", "Body", "Known", "known", "statuses"]

#: How long the last known state is shown after the last verdict, ms.
KEPT = 15 * MINUTE
#: The body of an answer, as JSON.
Body = dict[str, Any]


class Known(NamedTuple):
    """What is known of an environment at an instant. Instants in ms.

    Attributes:
        now: the instant.
        reported: the last verdict; None if nothing has been judged.
        banners: by key, those valid at ``now``; where the last verdict is no longer valid, those valid at that verdict.
        since: key -> when the last state that has a beginning began, valid or not.
        is_current: whether a verdict is valid at ``now``. If not, the state of sign-in is unknown.
    """

    now: int
    reported: int | None
    banners: Mapping[str, Banner]
    since: Mapping[str, int]
    is_current: bool

    @property
    def holds(self) -> bool:
        """Whether what was judged last may still be shown."""
        return self.is_current or (self.reported is not None and self.now < self.reported + KEPT)


def known(banners: Iterable[Banner], now: int, env: str) -> Known:
    """What the banners of an environment say at ``now`` (ms).

    Args:
        banners: of any environments; the greatest version of each key is used.
        now: ms since the epoch.
        env: the environment.
    """
    latest: dict[str, Banner] = {}
    for banner in banners:
        mine = banner.key.startswith(f"{env}/")
        if mine and (banner.key not in latest or latest[banner.key].version < banner.version):
            latest[banner.key] = banner
    since = {key: banner.since for key, banner in latest.items() if banner.since is not None}
    reported = max((banner.updated_at for banner in latest.values()), default=None)
    is_current = any(banner.valid_until > now for banner in latest.values())
    state = Known(now, reported, {}, since, is_current)
    if reported is None or not state.holds:
        return state
    judged = now if is_current else reported
    valid = {key: banner for key, banner in latest.items() if banner.valid_until > judged}
    return state._replace(banners=valid)


def statuses(
    policy: Policy,
    state: Known,
    visitor: Visitor = Visitor(),  # noqa: B008  (immutable)
    *,
    success: Mapping[str, float] | None = None,
    covers: Iterable[Cover] = (),
    env: str = "prod",
    began: int | None = None,
) -> Body:
    """The body of ``GET /v0/backend_statuses``.

    It lists the services that concern the visitor: the sign-in method, the credential providers as used through that
    method, the person index. What is not known of the visitor stands for all: of a provider the worst state over all
    methods. What fails for the visitor's client alone counts as its method or provider. The list is never empty, with
    a status of active, warning, critical or maintenance: the front end fails on any other. The front end's service
    ``global`` is not listed, because no login event describes it. A service that is not active has ``alternatives``,
    the ways in that work; today's front end ignores this field.

    Args:
        policy: its values name the services, and its maintenance windows are shown.
        state: what is known of ``env``.
        visitor: who asks; each value is one that has a banner.
        success: scope -> share of the sign-ins that have just succeeded, of scopes where enough completed.
        covers: the maintenance that was announced at run time, among other covers.
        env: the environment that the page describes, one that the policy lists.
        began: when the watch began (ms); ``reported_at`` where nothing has been judged yet.
    """
    now = state.now
    keys = BannerKeys(policy)
    visitor = visitor._replace(client=visitor.client or policy.banner.default_client)
    covering = [w for w in planned(policy, covers, now) if w.scope.partition("/")[0] == env]
    under_way = {key for w in covering if w.start <= now for key in keys.of_scope(w.scope, now)}
    services = keys.services(env, now, visitor)
    failing = under_way | {key for key, banner in state.banners.items() if banner.state != "ok"}
    ways = WaysIn(policy, env, now, visitor, failing, success if success and state.is_current else {})
    reported = next((at for at in (state.reported, began) if at is not None), now)
    return {
        "data": {
            "id": "",
            "type": "backend_statuses",
            "attributes": {
                "reported_at": _instant(reported),
                "statuses": [
                    {"service": service.name, "service_id": service_id}
                    | _state_of(service, state, under_way)
                    | ({} if failing.isdisjoint(service.keys) else {"alternatives": ways.instead_of(service)})
                    for service_id, service in services.items()
                ],
                "maintenance_windows": _windows(
                    ((window, keys.of_scope(window.scope, now)) for window in covering), services
                ),
            },
        }
    }


def _state_of(service: Service, state: Known, under_way: Collection[str]) -> Body:
    """The status of a service, and when its last state began."""
    shown = (state.banners[key].state for key in service.keys if key in state.banners)
    worst = max(shown, key=BADNESS.__getitem__, default="ok")
    if worst == "ok" and not set(service.keys).isdisjoint(under_way):
        worst = "maintenance"
    since = max((state.since[key] for key in service.keys if key in state.since), default=None)
    return {
        "status": "active" if worst == "ok" else worst,
        "last_incident_timestamp": None if since is None else _instant(since),
    }


def _windows(covering: Iterable[tuple[Planned, Sequence[str]]], services: Services) -> list[Body]:
    """The maintenance windows that have not ended, the earliest first, one entry for each service that a window covers.

    Those under way thus come first, as the front end looks at the first window of a sign-in service alone.

    Args:
        covering: windows, and the banner keys that each sets.
        services: those that are listed.
    """
    return [
        {
            "id": zlib.crc32(f"{window.scope} {window.start} {service_id}".encode()),
            "external_service": service_id,
            "start_time": _instant(window.start),
            "end_time": _instant(window.end),
            "description": window.description,
        }
        for window, set_keys in sorted(covering, key=lambda pair: (pair[0].start, pair[0].scope))
        for service_id, service in services.items()
        if not set(set_keys).isdisjoint(service.keys)
    ]


def _instant(at: int) -> str:
    """An instant (ms) as the front end has always had it, with milliseconds: ``2026-11-23T15:05:00.000Z``."""
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
