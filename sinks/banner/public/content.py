"""What is the public told of sign-in: which parts work, what is known of what does not, and what is planned?

Only what is made here reaches the public: names of methods, providers and clients as the policy has them, generated
sentences, and updates that a person has marked public. Nothing else that people, errors or receivers say does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from detectors.incidents import Incident
from detectors.policy.policy import Policy
from detectors.process.record import Said
from sinks.banner.banner import BADNESS, Banner, BannerState
from sinks.banner.keys import MVI, BannerKeys
from sinks.banner.statuses import Known
from sinks.neutral import neutral_text
from sinks.receivers.statuspage.wording import Status, status_of
from sinks.wording import ScopeNames, capitalised

__all__ = [
    "ENV",
    "PUBLIC_TEXT",
    "Component",
    "Day",
    "Days",
    "Planned",
    "PublicIncident",
    "PublicStatus",
    "public_status",
]

#: The environment that the public is told of.
ENV = "prod"
#: The most characters of an update that the public reads.
PUBLIC_TEXT = 2_000
_STANDING = ("open", "acknowledged", "recovering")

#: A local date, such as 2026-11-23, and the share of the day's sign-ins that succeeded; None where none is known.
Day = tuple[str, float | None]
#: Method and provider ("" for any) -> its days, oldest first.
Days = Mapping[tuple[str, str], Sequence[Day]]


@dataclass(frozen=True)
class Component:
    """A method, or a provider or client on it.

    Attributes:
        name: for people.
        state: of its banner; None where that is unknown.
        days: its availability.
        parts: what it consists of.
    """

    name: str
    state: BannerState | None
    days: tuple[Day, ...] = ()
    parts: tuple[Component, ...] = ()

    def all(self) -> Iterator[Component]:
        """Yield the component, then its parts."""
        yield self
        yield from self.parts


@dataclass(frozen=True)
class PublicIncident:
    """An incident as the public sees it.

    Attributes:
        key: names this one outage, for readers of the feed.
        title: what fails.
        status: how far it is.
        began_at: ms.
        entries: instant (ms) and sentence, the latest first; never empty.
    """

    key: str
    title: str
    status: Status
    began_at: int
    entries: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Planned:
    """Maintenance that is under way or ahead: what it is of, and from when to when, ms."""

    title: str
    start: int
    end: int


@dataclass(frozen=True)
class PublicStatus:
    """All that the public is told.

    Attributes:
        at: when it was put together, ms.
        reported_at: when the states were judged last, ms; None: never.
        is_known: whether the states are those of now.
        components: the methods, with their providers.
        incidents: what fails now, the latest first.
        planned: maintenance, the next first.
    """

    at: int
    reported_at: int | None
    is_known: bool
    components: tuple[Component, ...]
    incidents: tuple[PublicIncident, ...]
    planned: tuple[Planned, ...]

    @property
    def worst(self) -> BannerState:
        """The worst state of a component; ``ok`` where none is known."""
        states = (part.state for one in self.components for part in one.all())
        return max((one for one in states if one is not None), key=BADNESS.__getitem__, default="ok")


def public_status(
    policy: Policy,
    state: Known,
    incidents: Iterable[Incident],
    *,
    is_known: bool,
    updates: Mapping[str, Sequence[Said]],
    planned: Iterable[tuple[str, int, int]],
    days: Days,
) -> PublicStatus:
    """Return what the public is told.

    Args:
        policy: names methods, providers and clients, and says which of them have a banner.
        state: the banners.
        incidents: of any environment and state.
        is_known: whether the watch gets on, so that the states are those of now.
        updates: id of an incident -> updates by people, public ones and others.
        planned: scope, start and end (ms) of maintenance.
        days: what is known of earlier days.
    """
    shown = [one for one in incidents if _is_public(one, policy, state)]
    return PublicStatus(
        at=state.now,
        reported_at=state.reported,
        is_known=is_known and state.is_current,
        components=_components(policy, state, days),
        incidents=tuple(
            _told(one, ScopeNames(policy), updates.get(one.id, ()))
            for one in sorted(shown, key=lambda one: (-one.opened_at, one.id))
        ),
        planned=_planned(policy, state.now, planned),
    )


def _is_public(incident: Incident, policy: Policy, state: Known) -> bool:
    """Whether an incident of production that nobody keeps quiet has a banner that is not ``ok``."""
    if incident.env != ENV or incident.state not in _STANDING or incident.is_hidden:
        return False
    keys = BannerKeys(policy).of_scope(incident.scope, state.now)
    return any(_fails(state.banners.get(key)) for key in keys)


def _fails(banner: Banner | None) -> bool:
    return banner is not None and banner.state in ("warning", "critical")


def _told(incident: Incident, names: ScopeNames, updates: Sequence[Said]) -> PublicIncident:
    what = names.words(incident.scope)
    entries = [(incident.opened_at, f"Some people cannot sign in ({what}). We are looking into it.")]
    known = [at for at in (incident.acknowledged_at, incident.declared_at) if at is not None]
    if known:
        entries.append((max(min(known), incident.opened_at), "We know of it and work on it."))
    if incident.recovering_at is not None:
        entries.append((incident.recovering_at, f"Signing in works again ({what}). We keep watching."))
    entries += [
        (one.at, neutral_text(one.text)[:PUBLIC_TEXT])
        for one in updates
        if one.public and one.at >= incident.opened_at
    ]
    return PublicIncident(
        key=f"{incident.id}:{incident.epoch}",
        title=capitalised(what),
        status=status_of(incident),
        began_at=incident.opened_at,
        entries=tuple(sorted(dict.fromkeys(entries), reverse=True)),
    )


def _components(policy: Policy, state: Known, days: Days) -> tuple[Component, ...]:
    keys, names = BannerKeys(policy), ScopeNames(policy)
    providers = keys.providers(state.now)
    found = []
    for method in keys.methods(state.now):
        whole = keys.path(ENV, method)
        parts = [
            Component(
                names.of("csp", csp),
                _worst(state, whole, keys.path(ENV, method, csp)),
                tuple(days.get((method, csp), ())),
            )
            for csp in providers
        ]
        own = {whole, *(keys.path(ENV, method, csp) for csp in providers)}
        parts += [
            Component(capitalised(names.words(key)), _worst(state, key))
            for key, banner in sorted(state.banners.items())
            if banner.state != "ok" and key not in own and key.startswith(f"{whole}/")
        ]
        found.append(
            Component(
                names.of("auth_method", method),
                _worst(state, whole),
                tuple(days.get((method, ""), ())),
                tuple(parts),
            )
        )
    beside = [
        Component(capitalised(names.words(key)), _worst(state, key))
        for key, banner in sorted(state.banners.items())
        if banner.state != "ok" and key.startswith(f"{ENV}/*")
    ]
    return (*found, *beside)


def _worst(state: Known, *keys: str) -> BannerState | None:
    """The worst state of keys; None where all are unknown."""
    shown = (state.banners[key].state for key in keys if key in state.banners and not key.endswith(f"/{MVI}"))
    return max(shown, key=BADNESS.__getitem__, default=None)


def _planned(policy: Policy, now: int, spans: Iterable[tuple[str, int, int]]) -> tuple[Planned, ...]:
    names = ScopeNames(policy)
    windows = ((window.scope, window.start, window.end) for window in policy.maintenance)
    ahead = {
        Planned(capitalised(names.words(scope)), start, end)
        for scope, start, end in (*windows, *spans)
        if scope.partition("/")[0] == ENV and end > now
    }
    return tuple(sorted(ahead, key=lambda one: (one.start, one.title)))
