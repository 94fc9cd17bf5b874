"""Incidents and inputs as they may be."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from detectors.incidents import Common, Counts, Incident, IncidentInput, Note, Page
from detectors.process.actions import ACTIONS, Action
from detectors.process.record import Check, FollowUp, Process, Said
from detectors.process.states import US_STATES
from detectors.process.vocabulary import Role, Stage
from detectors.scopes import ENVS

__all__ = ["incidents", "inputs"]

INSTANTS = st.integers(0, 4_102_444_800_000)
COUNTS = st.integers(0, 10**9)
ERRORS: st.SearchStrategy[float | UnsetType] = st.just(UNSET) | st.sampled_from([0.0019, 1.0])
TEXT = st.text(max_size=40)


CODES = st.sets(st.sampled_from(US_STATES), min_size=1).map(lambda codes: tuple(sorted(codes)))


def optional(what: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | what


processes = st.builds(
    Process,
    states=st.just(()) | CODES,
    stage=st.sampled_from(get_args(Stage)),
    roles=st.dictionaries(st.sampled_from(get_args(Role)), TEXT, max_size=2),
    eta=optional(INSTANTS),
    next_update_at=optional(INSTANTS),
    said=optional(st.builds(Said, at=INSTANTS, by=TEXT, text=TEXT, public=st.booleans())),
    follow_ups=st.lists(
        st.builds(FollowUp, at=INSTANTS, by=TEXT, text=TEXT, link=optional(TEXT), done_at=optional(INSTANTS)),
        max_size=2,
    ).map(tuple),
    checklist=st.lists(
        st.builds(Check, item=TEXT, text=TEXT, done_at=optional(INSTANTS), done_by=optional(TEXT)), max_size=2
    ).map(tuple),
    works=st.just(("prod/sis",)),
    completed_at=optional(INSTANTS),
    completed_by=optional(TEXT),
)
counts = st.builds(
    Counts,
    at=INSTANTS,
    window=st.sampled_from([300_000, 900_000, 3_600_000, 1_500]),
    **dict.fromkeys(("good", "bad", "excluded", "started", "slow", "timed", "users_impacted"), COUNTS),
)


@st.composite
def incidents(draw: st.DrawFn) -> Incident:
    env = draw(st.sampled_from(ENVS))
    values: dict[str, Any] = {
        name: draw(optional(INSTANTS))
        for name in ("acknowledged_at", "declared_at", "recovering_at", "resolved_at", "closed_at")
    }
    values |= {
        name: draw(optional(TEXT)) for name in ("acknowledged_by", "declared_by", "resolved_by", "fail_over")
    }
    values |= {name: draw(INSTANTS) for name in ("first_bad_at", "opened_at", "updated_at")}
    values["notes"] = tuple(draw(st.lists(st.builds(Note, at=INSTANTS, by=TEXT, text=TEXT), max_size=2)))
    common = st.builds(
        lambda failing, others, **rest: Common(failing=failing, failing_of=failing + others, **rest),
        failing=COUNTS,
        others=COUNTS,
        field=TEXT,
        value=TEXT,
        usual_share=st.none() | st.floats(0, 1),
    )
    values["common"] = tuple(draw(st.lists(common, max_size=3)))
    values["pages"] = tuple(draw(st.lists(st.builds(Page, dedup_key=TEXT), max_size=2)))
    values |= {name: draw(optional(counts)) for name in ("counts_opening", "counts_peak", "counts_now")}
    return Incident(
        id=f"{env}-{draw(st.integers(1, 10**6))}",
        env=env,
        epoch=draw(st.integers(0, 9)),
        scope=env + draw(st.sampled_from(["", "/ssoe", "/sis/mhv", "/*/idme"])),
        state=draw(st.sampled_from(["open", "acknowledged", "recovering", "resolved", "closed"])),
        causes=("outage",),
        sentence=draw(TEXT),
        severity=draw(st.integers(1, 3)),
        peak_severity=draw(st.integers(1, 3)),
        priority="P1",
        datadog_severity="SEV-1",
        basis="observed",
        users_impacted=draw(COUNTS),
        peak_users_impacted=draw(COUNTS),
        users_impacted_error=draw(ERRORS),
        peak_users_impacted_error=draw(ERRORS),
        failing_ratio=draw(st.floats(0, 1)),
        muted_until=draw(optional(INSTANTS)),
        process=draw(processes),
        links=draw(st.dictionaries(TEXT, TEXT, max_size=2)),
        **values,
    )


_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "role": st.sampled_from(get_args(Role)),
    "who": st.text(min_size=1, max_size=200),
    "stage": st.sampled_from(get_args(Stage)),
    "since": INSTANTS,
    "until": INSTANTS,
    "link": st.just("https://example.org/1"),
    "public": st.booleans(),
    "item": st.text(min_size=1, max_size=128),
    "recurs": st.just("FREQ=WEEKLY;BYDAY=SU"),
    "axis": st.just("csp"),
    "value": st.just("mhv"),
    "states": CODES,
}


@st.composite
def inputs_of(draw: st.DrawFn, /, action: Action, **rest: st.SearchStrategy[Any]) -> IncidentInput:
    env = draw(st.sampled_from(ENVS))
    may = [field for field in action.may if draw(st.booleans())]
    fields = {field: draw(_FIELDS[field]) for field in (*action.needs, *may)}
    about = {
        "incident": {"incident": f"{env}-{draw(st.integers(1, 10**6))}"},
        "scope": {"scope": f"{env}/*/idme"},
    }.get(action.about, {})
    drawn = {name: draw(strategy) for name, strategy in rest.items()}
    return IncidentInput(env=env, kind=action.kind, **about, **drawn | fields)  # type: ignore[arg-type]


inputs = st.sampled_from(ACTIONS).flatmap(
    lambda action: inputs_of(
        action,
        id=st.text(min_size=1, max_size=128),
        by=st.text(min_size=1, max_size=200),
        via=st.sampled_from(["http", "pagerduty"]),
        at=INSTANTS,
    )
)
