"""Which banner does VA.gov show to people who are about to sign in?

The compacted topic ``banner-state`` holds one record for each key of ``sinks.banner.keys``: ``prod/ssoe``,
``prod/sis``, ``prod/mvi`` and ``prod/<method>/<csp>``. Each of these keys always has a state; without an incident the
state is ``ok``, which is published too. The key of a client, ``prod/sis/*/vaweb``, is published from its first incident
until it is ``ok``. The page that reads the records is ``sinks.banner.statuses``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from detectors.incidents import Incident
from detectors.instants import HOUR, format_instant, parse_instant
from detectors.lifecycle.conduct.covering import planned
from detectors.policy.policy import Policy
from detectors.process.covers import Cover
from sinks.banner.keys import MVI, BannerKeys, provider_name
from sinks.banner.standing import stands
from sinks.wording import one_line, truncate

__all__ = [
    "BADNESS",
    "KEY_PATTERN",
    "Banner",
    "BannerState",
    "banner_schema",
    "banners",
    "decode",
    "encode",
    "headers",
]

BannerState = Literal["ok", "warning", "critical", "maintenance"]

MESSAGE_LIMIT = 1000

_STANDING = ("open", "acknowledged", "recovering")
#: States in the order of their severity, ``ok`` lowest; the worst state of a key is shown.
BADNESS: Mapping[BannerState, int] = {"ok": 0, "maintenance": 1, "warning": 2, "critical": 3}
#: What a key looks like: an environment, then a value, ``*`` or service for each axis, the last one no ``*``.
KEY_PATTERN = r"^[a-z0-9_.:-]{1,64}(/([a-z0-9_.:-]{1,64}|[*])){0,3}/[a-z0-9_.:-]{1,64}$"
#: So many changes of a key in an hour, at most.
_MOST = 4
_EVENT_TYPE = "watchofficer.banner-state.v1"

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Banner(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one key at ``version`` (ms). Instants in ms.

    Attributes:
        since: when the state began; None for an ``ok`` since the beginning.
        version: the instant of the verdict; greater versions replace smaller ones, across restarts too.
        severity: SLA severity of the incident that causes the state, 1 or 2; None for ``ok`` and
            ``maintenance``.
        incident_id: the incident that causes the state, or None.
        changes: (instant, state) of each change of the last hour; for ourselves, and no part of a record.
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
    changes: tuple[tuple[int, BannerState], ...] = ()


class _Current(NamedTuple):
    """The state of a key, its beginning (ms), and the incident or the window's text that causes it."""

    state: BannerState
    since: int | None
    incident: Incident | None = None
    described: str = ""


_OK = _Current("ok", None)


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    """State of one banner. Keep the greatest version of each key; after valid_until the state is unknown."""

    schema_version: Literal[1]
    key: Annotated[str, Meta(pattern=KEY_PATTERN, description="Scope of the banner: prod/sis.")]
    state: BannerState
    severity: Annotated[int, Meta(ge=1, le=3)] | None
    title: Annotated[str, Meta(description="Headline for people; empty when ok.")]
    message: Annotated[str, Meta(description="Text for people; empty when ok.")]
    since: Annotated[Instant | None, Meta(description="When the state began; null if it has always been so.")]
    version: Annotated[int, Meta(ge=0, description="Monotonic, across restarts: the instant judged, in ms.")]
    updated_at: Instant
    valid_until: Annotated[Instant, Meta(description="It is published again before; after, it is unknown.")]
    incident_id: str | None


def banners(
    policy: Policy,
    env: str,
    incidents: Iterable[Incident],
    at: int,
    previous: Mapping[str, Banner] | None = None,
    covers: Iterable[Cover] = (),
    *,
    keys: BannerKeys | None = None,
) -> dict[str, Banner]:
    """The banners of an environment at ``at`` (ms), by key: every key that the environment always has, and more.

    Incidents count as long as they stand (``standing.stands``). If several incidents set a key, the worst
    state is shown, and of equal states that of the incident that opened first. A maintenance window shows
    ``maintenance`` on the keys of its scope, and so does an incident within the window. A key that comes and goes,
    such as that of a client, is among the banners while it is not ``ok``, and ``ok`` once thereafter; so is a key of
    ``previous`` whose value has retired.

    Args:
        policy: its values, its section ``banner`` and its maintenance windows are used.
        env: the environment.
        incidents: of any environments.
        at: ms since the epoch.
        previous: the banners that were last published, for ``since``; without them an ``ok`` has no beginning.
        covers: the maintenance that was announced at run time, among other covers.
        keys: those of the policy, where a caller asks at each step.
    """
    keys, current, known = keys or BannerKeys(policy), dict[str, _Current](), previous or {}
    standing = [i for i in incidents if i.env == env and i.state in _STANDING]
    for incident in sorted(standing, key=lambda i: (i.opened_at, i.id)):
        for key in keys.of_scope(incident.scope, at):
            state = _state(incident, known.get(key), at, policy)
            if BADNESS[state] > BADNESS[current.get(key, _OK).state]:
                current[key] = _Current(state, incident.opened_at, incident)
    for window in planned(policy, covers, at):
        if window.scope.partition("/")[0] == env and window.start <= at:
            shown = _Current("maintenance", window.start, None, window.description)
            current |= dict.fromkeys(keys.of_scope(window.scope, at), shown)

    ending = [key for key, banner in known.items() if banner.state != "ok"]
    result = {}
    for key in dict.fromkeys((*keys.of_env(env, at), *sorted({*current, *ending}))):
        now, before = current.get(key, _OK), known.get(key)
        made = _made(key, now, before, at, policy)
        result[key] = made if before is None else _steady(made, before, at, policy)
    return result


def _made(key: str, now: _Current, before: Banner | None, at: int, policy: Policy) -> Banner:
    behind = now.incident
    title, message = "", ""
    if now.state != "ok":
        title, message = _words(provider_name(key, policy), key, now.state, now.described)
    since = now.since if before is None else before.since if before.state == now.state else at
    return Banner(
        key=key,
        state=now.state,
        severity=behind.severity if behind is not None and now.state != "maintenance" else None,
        title=title,
        message=message,
        since=since,
        version=at,
        updated_at=at,
        valid_until=at + policy.banner.valid_for,
        incident_id=behind.id if behind is not None else None,
        changes=((at, now.state),) if behind is not None or now.state != "ok" else (),
    )


def _steady(made: Banner, before: Banner, at: int, policy: Policy) -> Banner:
    """The banner that follows another one: it changes at most ``_MOST`` times an hour, whatever flickers.

    A worsening is never held. An easing waits while it would be later than the last change but one, so that a
    worsening can follow it; and where this one would be the last, a key that has been critical within the hour is
    critical again at once. Another incident behind the same state waits where the changes left would be too few for an
    easing and all that may follow it.
    """
    recent = tuple(change for change in before.changes if change[0] > at - HOUR)
    if (made.state, made.incident_id) == (before.state, before.incident_id):
        return made if made.changes == recent else replace(made, changes=recent)
    left = _MOST - len(recent)
    needed = 2 if made.state != before.state else 3 if made.state == "critical" else 4
    if BADNESS[made.state] <= BADNESS[before.state] and left < needed:
        shown = replace(before, version=at, updated_at=at, valid_until=at + policy.banner.valid_for)
        return replace(shown, changes=recent)
    if made.state == "warning" and left == 1 and "critical" in dict(recent).values():
        title, message = _words(provider_name(made.key, policy), made.key, "critical", "")
        made = replace(made, state="critical", title=title, message=message)
    return replace(made, changes=(*recent, (at, made.state)))


def encode(banner: Banner) -> bytes:
    """The record's value, JSON."""
    fields = msgspec.structs.asdict(banner)
    del fields["changes"]
    for name in ("since", "updated_at", "valid_until"):
        fields[name] = None if fields[name] is None else format_instant(fields[name])
    return msgspec.json.encode(_Value(schema_version=1, **fields))


def decode(value: bytes) -> Banner:
    """The banner of a record's value.

    Raises:
        ValueError: the value is not a banner (``msgspec.ValidationError`` is a ValueError too).
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


_SORRY = "We're working to fix this."
_LATER = "Please try again later."


def _state(incident: Incident, before: Banner | None, at: int, policy: Policy) -> BannerState:
    """What an incident that is not resolved makes of a key that showed ``before``."""
    shown = (
        before is not None and before.incident_id == incident.id and before.state in ("warning", "critical")
    )
    if not stands(incident, shown, at, policy):
        return "ok"
    level = policy.banner.status[incident.severity]
    if level == "active":
        # A severity that has fallen takes no banner away; only recovery does.
        level = "warning" if shown else level
    if level == "active":
        return "ok"
    return "maintenance" if incident.in_maintenance else level


def _words(name: str | None, key: str, state: BannerState, described: str) -> tuple[str, str]:
    """Headline and text for visitors, in the wording of VA.gov's front end where it has one.

    ``name`` is what people call the provider that the key names; None if it names none.
    """
    if state == "maintenance":
        title = f"Maintenance of signing in with {name}" if name else "Maintenance of signing in"
        text = described or "You may have trouble signing in while it lasts."
        return title, truncate(one_line(text), MESSAGE_LIMIT)
    if name:
        others = "You can sign in with another account, if you have one. "
        return f"You may have trouble signing in with {name}", f"{_SORRY} {others}{_LATER}"
    if key.endswith(f"/{MVI}"):
        return "You may have trouble signing in or using some tools or services", f"{_SORRY} {_LATER}"
    if state == "critical":
        return "Our sign in process isn't working right now", f"{_SORRY} {_LATER}"
    return "You may have trouble signing in", f"{_SORRY} {_LATER}"
