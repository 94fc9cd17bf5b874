"""The banner: what VA.gov tells people who are about to sign in, while something is wrong.

One record a key on the compacted topic ``banner-state``: ``prod/ssoe``, ``prod/sis``, ``prod/mvi`` and
``prod/<method>/<csp>``. Every key of an environment that is watched always has a state, ``ok`` said in so
many words.

The other end, ``GET /v0/backend_statuses``, is ``statuses``. **When the watch is blind** the records run
out (``valid_until``) and nobody knows how sign-in is. The page then shows no banner: a banner that nobody
can take down would keep people from signing in who could. That the watch is blind is told to those who can
mend it, by another way; ``reported_at`` stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from detectors.incidents import Incident
from detectors.instants import MINUTE, format_instant, parse_instant
from detectors.scopes import CSPS, METHODS
from sinks.wording import CSP_NAMES, one_line, truncate

__all__ = [
    "BANNERS",
    "Banner",
    "BannerState",
    "Maintenance",
    "banner_keys",
    "banner_schema",
    "banners",
    "decode",
    "encode",
    "headers",
    "keys_of",
    "statuses",
]

BannerState = Literal["ok", "warning", "critical", "maintenance"]

#: The master person index: both sign-in methods depend on it. The front end knows it as ``mvi``.
MVI = "mvi"
#: SLA severity -> banner, unless policy says otherwise; ``active`` is how the front end says "nothing wrong".
BANNERS: Mapping[int, str] = {1: "critical", 2: "warning", 3: "active"}
#: A banner tells everybody: not for a scope of which a smaller share fails.
MIN_FAILING_RATIO = 0.05
VALID_FOR = 5 * MINUTE
MESSAGE_LIMIT = 1000

_STANDING = ("open", "acknowledged", "recovering")
_BADNESS = {"ok": 0, "maintenance": 1, "warning": 2, "critical": 3}
_EVENT_TYPE = "watchofficer.banner-state.v1"

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Maintenance(Protocol):
    """An announced window: the scope it covers, from ``start`` to ``end`` (ms), and words for people."""

    @property
    def scope(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def description(self) -> str: ...


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one key at ``version`` (ms). Instants in ms.

    Attributes:
        since: when the state began; None for an ``ok`` that has always been.
        version: the T it was judged at; greater versions replace smaller ones, across restarts too.
        severity: SLA severity of the incident behind it, 1 or 2; None for ``ok`` and ``maintenance``.
        incident_id: the incident behind it, if one is.
    """

    key: str
    state: BannerState
    severity: int | None
    title: str
    message: str
    since: int | None
    version: int
    updated_at: int
    valid_until: int
    incident_id: str | None


class _Current(NamedTuple):
    """What stands on a key: since when (ms), and the incident or the words of the window behind it."""

    state: BannerState
    since: int | None
    incident: Incident | None = None
    described: str = ""


_OK = _Current("ok", None)


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """State of one banner. Keep the greatest version of each key; after valid_until the state is unknown."""

    schema_version: Literal[1]
    key: Annotated[
        str, Meta(pattern=r"^[a-z]+/[a-z]+(/[a-z]+)?$", description="Scope of the banner: prod/sis.")
    ]
    state: BannerState
    severity: Annotated[int, Meta(ge=1, le=3)] | None
    title: Annotated[str, Meta(description="Headline for people; empty when ok.")]
    message: Annotated[str, Meta(description="Text for people; empty when ok.")]
    since: Annotated[Instant | None, Meta(description="When the state began; null if it has always been so.")]
    version: Annotated[int, Meta(ge=0, description="Monotonic, across restarts: the instant judged, in ms.")]
    updated_at: Instant
    valid_until: Annotated[Instant, Meta(description="It is published again before; after, it is unknown.")]
    incident_id: str | None


def banner_keys(env: str) -> tuple[str, ...]:
    """All keys of an environment."""
    methods = [f"{env}/{method}" for method in METHODS]
    return (*methods, f"{env}/{MVI}", *(f"{method}/{csp}" for method in methods for csp in CSPS))


def keys_of(scope: str) -> tuple[str, ...]:
    """The keys that an incident on a scope writes.

    A credential provider on both methods writes both of its keys; the whole environment both methods and
    the person index. A method does not write its credential providers': whoever uses the method is told by
    the method's own.
    """
    env, _, rest = scope.partition("/")
    if not rest:
        return (*(f"{env}/{method}" for method in METHODS), f"{env}/{MVI}")
    method, _, csp = rest.partition("/")
    if method == "*":
        return tuple(f"{env}/{each}/{csp}" for each in METHODS)
    return (scope,)


def banners(
    env: str,
    incidents: Iterable[Incident],
    windows: Iterable[Maintenance],
    at: int,
    *,
    previous: Mapping[str, Banner] | None = None,
    levels: Mapping[int, str] = BANNERS,
    min_failing_ratio: float = MIN_FAILING_RATIO,
    valid_for: int = VALID_FOR,
) -> dict[str, Banner]:
    """The banners of an environment at ``at`` (ms), by key; each key of ``banner_keys`` is there.

    Incidents count from their opening until they are resolved. Of several on a key the worst shows, and of
    equals the first to open. An announced maintenance window shows as ``maintenance`` on the keys it
    covers, and so does an incident within one.

    Args:
        previous: what was last published, for ``since``; without it an ``ok`` has no beginning.
    """
    current: dict[str, _Current] = {}
    standing = [i for i in incidents if i.env == env and i.state in _STANDING]
    for incident in sorted(standing, key=lambda i: (i.opened_at, i.id)):
        state = _state(incident, levels, min_failing_ratio)
        for key in keys_of(incident.scope):
            if _BADNESS[state] > _BADNESS[current.get(key, _OK).state]:
                current[key] = _Current(state, incident.opened_at, incident)
    for window in windows:
        if window.scope.partition("/")[0] == env and window.start <= at < window.end:
            shown = _Current("maintenance", window.start, None, window.description)
            current |= dict.fromkeys(keys_of(window.scope), shown)

    result = {}
    for key in banner_keys(env):
        now, before = current.get(key, _OK), (previous or {}).get(key)
        behind = now.incident
        title, message = _words(key, now.state, now.described)
        since = now.since if before is None else before.since if before.state == now.state else at
        result[key] = Banner(
            key=key,
            state=now.state,
            severity=behind.severity if behind is not None and now.state != "maintenance" else None,
            title=title,
            message=message,
            since=since,
            version=at,
            updated_at=at,
            valid_until=at + valid_for,
            incident_id=behind.id if behind is not None else None,
        )
    return result


def encode(banner: Banner) -> bytes:
    """The record's value, JSON."""
    fields = msgspec.structs.asdict(banner)
    for name in ("since", "updated_at", "valid_until"):
        fields[name] = None if fields[name] is None else format_instant(fields[name])
    return msgspec.json.encode(_Value(schema_version=1, **fields))


def decode(value: bytes) -> Banner:
    """The banner of a record's value.

    Raises:
        ValueError: it is none (``msgspec.ValidationError`` is a ValueError too).
    """
    fields = msgspec.structs.asdict(msgspec.json.decode(value, type=_Value))
    del fields["schema_version"]
    for name in ("since", "updated_at", "valid_until"):
        fields[name] = None if fields[name] is None else parse_instant(fields[name])
    return Banner(**fields)


def headers(banner: Banner) -> list[tuple[str, bytes]]:
    """The record's headers: CloudEvents 1.0, binary mode. The id is a function of key and version."""
    values = {
        "ce_specversion": "1.0",
        "ce_id": f"{banner.key}@{banner.version}",
        "ce_source": "/watchofficer/" + banner.key.partition("/")[0],
        "ce_type": _EVENT_TYPE,
        "ce_subject": banner.key,
        "ce_time": format_instant(banner.updated_at),
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in values.items()]


def banner_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a record's value."""
    (schema,), components = msgspec.json.schema_components([_Value], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **components[str(schema["$ref"]).rpartition("/")[2]],
        "title": "BannerState",
    }


def statuses(
    banners: Iterable[Banner],
    auth_method: Literal["ssoe", "sis"] | None,
    now: int,
    *,
    windows: Sequence[Maintenance] = (),
    env: str = "prod",
) -> dict[str, Any]:
    """The body of ``GET /v0/backend_statuses``.

    A person who signs in by one method is told of that method, the person index and the credential
    providers as seen through that method; without a method, of everything, a provider as it is on the worse
    of the two. All services are always listed, with a status of active, warning, critical or maintenance:
    the front end takes an empty list for an outage of ``mvi``, and breaks on any other status. ``global``
    is not ours to say anything about.
    """
    methods = (auth_method,) if auth_method else METHODS
    latest: dict[str, Banner] = {}
    for banner in banners:
        if banner.key not in latest or latest[banner.key].version < banner.version:
            latest[banner.key] = banner
    covering = [w for w in windows if w.scope.partition("/")[0] == env and w.end > now]
    under_way = {key for w in covering if w.start <= now for key in keys_of(w.scope)}

    def status(service: str, name: str, keys: Sequence[str]) -> dict[str, Any]:
        known = [latest[key] for key in keys if key in latest]
        valid = [banner for banner in known if banner.valid_until > now]
        state = max((banner.state for banner in valid), key=_BADNESS.__getitem__, default="ok")
        if state == "ok" and not under_way.isdisjoint(keys):
            state = "maintenance"
        since = max((banner.since for banner in known if banner.since is not None), default=None)
        return {
            "service": name,
            "service_id": service,
            "status": "active" if state == "ok" else state,
            "last_incident_timestamp": None if since is None else format_instant(since),
        }

    services = {csp: (CSP_NAMES[csp], [f"{env}/{method}/{csp}" for method in methods]) for csp in CSPS}
    services[MVI] = ("MVI", [f"{env}/{MVI}"])
    services |= {method: (_SERVICES[method], [f"{env}/{method}"]) for method in methods}
    reported = max((b.updated_at for b in latest.values() if b.key.startswith(f"{env}/")), default=now)
    return {
        "data": {
            "id": "",
            "type": "backend_statuses",
            "attributes": {
                "reported_at": format_instant(reported),
                "statuses": [status(service, name, keys) for service, (name, keys) in services.items()],
                "maintenance_windows": [
                    {
                        "external_service": service,
                        "start_time": format_instant(window.start),
                        "end_time": format_instant(window.end),
                        "description": window.description,
                    }
                    for window in sorted(covering, key=lambda w: (w.start, w.scope))
                    for service, (_, keys) in services.items()
                    if not set(keys_of(window.scope)).isdisjoint(keys)
                ],
            },
        }
    }


_SERVICES = {"ssoe": "SSOe", "sis": "Sign-in Service"}
_SORRY = "We're working to fix this."
_LATER = "Please try again later."


def _state(incident: Incident, levels: Mapping[int, str], min_failing_ratio: float) -> BannerState:
    if incident.failing_ratio < min_failing_ratio:
        return "ok"
    level = levels.get(incident.severity, "active")
    if level not in ("warning", "critical"):
        return "ok"
    if incident.in_maintenance:
        return "maintenance"
    return "critical" if level == "critical" else "warning"


def _words(key: str, state: BannerState, described: str) -> tuple[str, str]:
    """Headline and text for people who know nothing of methods; the front end's words where it has any."""
    if state == "ok":
        return "", ""
    service = key.rpartition("/")[2]
    name = CSP_NAMES.get(service)
    if state == "maintenance":
        title = f"Maintenance of signing in with {name}" if name else "Maintenance of signing in"
        text = described or "You may have trouble signing in while it lasts."
        return title, truncate(one_line(text), MESSAGE_LIMIT)
    if name:
        others = "You can sign in with another account, if you have one. "
        return f"You may have trouble signing in with {name}", f"{_SORRY} {others}{_LATER}"
    if service == MVI:
        return "You may have trouble signing in or using some tools or services", f"{_SORRY} {_LATER}"
    if state == "critical":
        return "Our sign in process isn't working right now", f"{_SORRY} {_LATER}"
    return "You may have trouble signing in", f"{_SORRY} {_LATER}"
