"""Incidents and commands to test receivers with, and a time that is moved by hand."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping
from typing import Any, get_args

from hypothesis import strategies as st

from detectors.incidents import Command, Common, Counts, Incident, Note, TransitionKind
from detectors.instants import MINUTE, parse_instant
from sinks.wording import ScopeNames
from streams.settings.policy_file import default_policy

OPENED = parse_instant("2026-11-23T15:05:00Z")
#: The names of the policy that ships.
NAMES = ScopeNames(default_policy())


def incident(**changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": "prod-7",
        "env": "prod",
        "epoch": 0,
        "scope": "prod/ssoe",
        "state": "open",
        "causes": ("burn_rate", "outage"),
        "sentence": "97 of 100 callbacks failed in the last minute.",
        "severity": 1,
        "peak_severity": 1,
        "priority": "P1",
        "datadog_severity": "SEV-2",
        "basis": "projected",
        "users_impacted": 9431,
        "peak_users_impacted": 9431,
        "first_bad_at": OPENED - 30_000,
        "opened_at": OPENED,
        "updated_at": OPENED,
        "counts_now": Counts(
            at=OPENED,
            window=5 * MINUTE,
            good=3,
            bad=97,
            excluded=2,
            started=140,
            slow=0,
            timed=100,
            users_impacted=91,
        ),
        "failing_ratio": 0.97,
        "links": {
            "console": "https://watch.example/incidents/prod-7",
            "runbook": "https://runbooks.example/ssoe",
        },
        "policy_hash": "abcdef123456",
    }
    return Incident(**{**fields, **changes})


def command(sink: str = "pagerduty", action: str = "trigger", **changes: Any) -> Command:
    about: Incident = changes.pop("incident", None) or incident()
    level = {"pagerduty": "critical", "datadog": "error"}.get(sink, "info")
    fields: dict[str, Any] = {
        "id": f"{about.id}:{about.epoch}:{changes.get('kind', 'opened')}@{OPENED}:{sink}:{action}",
        "sink": sink,
        "action": action,
        "level": level,
        "dedup_key": f"watchofficer:{about.id}:{about.epoch}",
        "incident_id": about.id,
        "epoch": about.epoch,
        "at": OPENED,
        "kind": "opened",
        "reason": "outage fires.",
        "incident": about,
    }
    return Command(**{**fields, **changes})


def no_receipts(sink: str) -> Mapping[str, str]:
    return {}


class Time:
    """A clock that stands until it is moved; sleepers wake when it reaches them."""

    def __init__(self, now: int = OPENED) -> None:
        self.now = now
        self.slept: list[float] = []
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def clock(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + round(seconds * 1000), len(self.slept), future))
        await future

    async def settle(self) -> None:
        """Let everything run that can run without time passing."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def pass_(self, seconds: float) -> None:
        """Move by so much, waking sleepers on the way, each at its own instant."""
        end = self.now + round(seconds * 1000)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await self.settle()
        self.now = end


class RunningTime(Time):
    """A clock that moves on by itself whenever somebody sleeps: for one sleeper at a time."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1000)
        await asyncio.sleep(0)


_SCOPES = ["prod", "prod/ssoe", "prod/sis", "prod/*/idme", "prod/ssoe/mhv", "staging/sis", "dev"]
_KINDS = list(get_args(TransitionKind))
_prose = st.text(max_size=6000) | st.text("&<>é\u0301👩‍👩‍👧\n", max_size=6000)
_instants = st.integers(OPENED - 40 * 24 * 60 * MINUTE, OPENED)

_common = st.builds(
    Common,
    field=st.sampled_from(["client_id", "step", "error_code", "realm"]),
    value=_prose,
    failing=st.integers(0, 10**7),
    failing_of=st.integers(0, 10**7),
    usual_share=st.none() | st.floats(0, 1),
)

#: What most failing people of an incident have in common, and how that is said.
IN_COMMON = Common(field="client_id", value="vamobile", failing=88, failing_of=90, usual_share=0.31)
SAID_IN_COMMON = "88 of 90 failing people use vamobile, which 31% of all use"


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    """Any incident there can be, with prose of any length in every place that others write."""
    scope = draw(st.sampled_from(_SCOPES))
    person = st.none() | st.text(max_size=300)
    notes = st.builds(Note, at=_instants, by=st.text(max_size=300), text=_prose)
    url = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=300).map(
        lambda path: "https://example.org/" + path
    )
    return incident(
        env=scope.partition("/")[0],
        scope=scope,
        state=draw(st.sampled_from(["open", "acknowledged", "recovering", "resolved", "closed"])),
        causes=tuple(draw(st.sets(st.sampled_from(["burn_rate", "outage", "silence", "latency", "surge"])))),
        sentence=draw(_prose),
        severity=draw(st.sampled_from([1, 2, 3])),
        basis=draw(st.sampled_from(["observed", "projected", "estimated"])),
        users_impacted=draw(st.integers(0, 10**7)),
        acknowledged_at=draw(st.none() | _instants),
        acknowledged_by=draw(person),
        declared_at=draw(st.none() | _instants),
        declared_by=draw(person),
        resolved_at=draw(st.none() | _instants),
        resolved_by=draw(person),
        resolved_reason=draw(person),
        fail_over=draw(st.none() | _prose),
        common=tuple(draw(st.lists(_common, max_size=3))),
        in_maintenance=draw(st.booleans()),
        narrower=tuple(draw(st.lists(st.sampled_from(_SCOPES), max_size=14))),
        notes=tuple(draw(st.lists(notes, max_size=15))),
        links=draw(st.dictionaries(st.text(max_size=40), url, max_size=12)),
    )


def crammed(sink: str, action: str, kind: str = "severity", state: str = "acknowledged") -> Command:
    """Return a command with texts of the greatest length, in characters of four bytes."""
    long = "\U0001f6d1" * 6000
    about = incident(
        scope="prod/*/logingov",
        state=state,
        sentence=long,
        fail_over=long,
        common=(Common(field="error_class", value=long, failing=88, failing_of=90),) * 3,
        acknowledged_at=OPENED,
        acknowledged_by=long,
        declared_at=OPENED,
        declared_by=long,
        resolved_at=OPENED,
        resolved_by=long,
        resolved_reason=long,
        narrower=tuple(_SCOPES) * 2,
        notes=(Note(OPENED, long, long),) * 40,
        links={f"{n}{long}": f"https://example.org/{n}" + "x" * (3000 if n % 3 else 370) for n in range(90)},
        policy_hash=long,
    )
    return command(sink, action, incident=about, kind=kind, reason=long, by=long)


@st.composite
def commands(draw: st.DrawFn, sink: str, actions: tuple[str, ...]) -> Command:
    return command(
        sink,
        draw(st.sampled_from(actions)),
        incident=draw(incidents()),
        kind=draw(st.sampled_from(_KINDS)),
        reason=draw(_prose),
        by=draw(st.none() | st.text(max_size=300)),
        at=draw(_instants),
    )
