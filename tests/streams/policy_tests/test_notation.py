"""The short notation of input series: what it stands for, and what is said of what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.history.history import BUCKET, History
from detectors.instants import DAY, MINUTE, SECOND, parse_instant
from detectors.scopes import SCOPES
from detectors.windows.counters import BAD, EXCLUDED, GOOD, SLOW, STARTED, TIMED
from streams.events.decode import decode_many
from streams.events.login_event import LoginEvent
from streams.policy_tests.events import HISTORY_LENGTH, history_of, lines_of
from streams.policy_tests.notation import parse_flow, parse_series
from streams.settings.policy_file import default_policy

START = parse_instant("2026-11-23T15:00:00Z")


def events(*texts: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of([parse_series(text) for text in texts], START)]


def seconds(text: str) -> list[float]:
    return [(parse_instant(event["occurred_at"]) - START) / SECOND for event in events(text)]


def people(*texts: str) -> list[str | None]:
    return [event.get("user_hash") for event in events(*texts)]


def test_a_rate_is_spread_evenly_over_its_segment() -> None:
    assert seconds("prod/ssoe/idme callback success 2/s x 2s") == [0.25, 0.75, 1.25, 1.75]
    assert seconds("prod/ssoe/idme callback success 3/m x 1m") == [10, 30, 50]
    assert seconds("prod/ssoe/idme callback success 120/h x 1m") == [15, 45]


def test_a_number_of_events_is_spread_evenly_over_its_segment() -> None:
    assert seconds("prod/ssoe/idme callback failure 007 4 events x 8s") == [1, 3, 5, 7]


def test_segments_follow_each_other_and_a_gap_holds_nothing() -> None:
    text = "prod/ssoe/idme callback success 1/s x 2s, gap 10s, failure 007 once, success 1/s x 1s"
    assert seconds(text) == [0.5, 1.5, 12, 12.5]
    assert [event["outcome"] for event in events(text)] == ["success", "success", "failure", "success"]


def test_kinds_of_events_joined_by_plus_happen_at_once() -> None:
    text = "prod/ssoe/idme callback success 1/s + failure 007 1/s x 2s"
    assert [(event["outcome"], event.get("error_code")) for event in events(text)] == [
        ("success", None),
        ("failure", "007"),
    ] * 2


def test_a_failure_without_a_code_has_none_and_one_with_a_number_for_a_code_has_it() -> None:
    text = "prod/ssoe/idme callback failure once, failure 2/s x 1s, failure 40 once, failure 40 2 events x 1s"
    assert [event.get("error_code") for event in events(text)] == [None, None, None, "40", "40", "40"]


def test_events_are_of_the_scope_that_is_named() -> None:
    (event,) = events("staging/sis/mhv token success once")
    assert {name: event[name] for name in ("env", "auth_method", "csp", "step", "outcome")} == {
        "env": "staging",
        "auth_method": "sis",
        "csp": "mhv",
        "step": "token",
        "outcome": "success",
    }
    (bare,) = events("prod/ssoe callback success once")
    assert bare["csp"] is None


def test_stars_take_methods_and_providers_in_turn() -> None:
    spread = Counter((e["auth_method"], e["csp"]) for e in events("prod/*/* callback success 8/s x 2s"))
    assert len(spread) == 8
    assert set(spread.values()) == {2}
    both = [e["auth_method"] for e in events("prod/*/idme callback success 4 events x 1s")]
    assert both == ["ssoe", "sis", "ssoe", "sis"]


def test_a_sign_in_is_its_start_and_its_callback_of_one_flow() -> None:
    start, callback, again, refused, lost = events(
        "prod/ssoe/idme sign_in success once, failure 110 once",
        "prod/sis/idme sign_in lost once",
    )
    assert (start["step"], start["outcome"]) == ("new", "started")
    assert (callback["step"], callback["outcome"]) == ("callback", "success")
    assert start["flow_id"] == callback["flow_id"] != again["flow_id"]
    assert "user_hash" not in start
    assert (refused["outcome"], refused["error_code"]) == ("failure", "110")
    assert (lost["step"], lost["outcome"]) == ("authorize", "started")


def test_people_are_unique_the_same_or_so_many_in_turn() -> None:
    failing = "prod/ssoe/idme callback failure 007 6 events {} x 1m"
    assert len(set(people(failing.format("")))) == 6
    assert len(set(people(failing.format("people=unique")))) == 6
    assert len(set(people(failing.format("people=same")))) == 1
    three = people(failing.format("people=3"))
    assert three[:3] == three[3:]
    assert len(set(three)) == 3


def test_people_with_a_name_are_the_same_wherever_it_stands() -> None:
    idme, mhv = (
        f"prod/ssoe/{csp} callback failure 007 2 events people=2:night x 1m" for csp in ("idme", "mhv")
    )
    assert len(set(people(idme, mhv))) == 2
    assert len(set(people(*(text.replace(":night", "") for text in (idme, mhv))))) == 4


def test_nobody_known_leaves_the_flow_to_tell_people_apart() -> None:
    found = events("prod/ssoe/idme callback failure 007 3 events people=none x 1m")
    assert all("user_hash" not in event for event in found)
    assert len({event["flow_id"] for event in found}) == 3


def test_requests_take_as_long_as_said() -> None:
    slow, usual = events("prod/ssoe/idme callback success 1 event ms=3000 x 1s, success once")
    assert (slow["duration_ms"], usual["duration_ms"]) == (3000, 200)


def test_any_value_of_a_field_may_be_given() -> None:
    (one,) = events(
        "prod/sis callback failure 400 csp=clear client_id=vaweb error_class=CodeInvalid acr=loa1 once"
    )
    assert (one["csp"], one["client_id"], one["error_class"], one["acr"]) == (
        "clear",
        "vaweb",
        "CodeInvalid",
        "loa1",
    )
    (step,) = events("prod/sis callback success step=webauthn_options outcome=offered once")
    assert (step["step"], step["outcome"], step["auth_method"]) == ("webauthn_options", "offered", "sis")
    start, end = events("prod/sis sign_in failure auth_method=okta error_class=Timeout once")
    assert [(e["step"], e["auth_method"], e.get("error_class")) for e in (start, end)] == [
        ("authorize", "okta", None),
        ("callback", "okta", "Timeout"),
    ]


@pytest.mark.parametrize("field", ["step", "outcome", "event_id", "user_hash", "duration_ms"])
def test_fields_that_a_series_gives_by_itself_are_no_options(field: str) -> None:
    with pytest.raises(ValueError, match="where an option"):
        parse_series(f"prod/sis sign_in success {field}=x once")


def test_a_history_has_no_further_fields() -> None:
    with pytest.raises(ValueError, match="a history knows methods and providers alone"):
        parse_flow("prod/sis sign_in success 1/s csp=clear")


@given(
    st.dictionaries(
        st.sampled_from(["auth_method", "csp", "client_id", "step", "outcome", "error_class", "acr"]),
        st.from_regex(r"[a-zA-Z0-9_.:-]{1,64}", fullmatch=True),
    )
)
def test_events_with_values_that_nobody_has_listed_are_valid(fields: dict[str, str]) -> None:
    options = " ".join(f"{name}={value}" for name, value in fields.items())
    lines = lines_of([parse_series(f"prod/sis/idme callback failure 007 2/s {options} x 1s")], START)
    for event in decode_many(lines):
        assert isinstance(event, LoginEvent)
        assert {name: getattr(event, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "ends where a scope should stand: ''"),
        ("prod", "has 'prod', where a scope such as prod/ssoe/idme"),
        ("prod/idme callback success once", "has 'prod/idme', where a scope"),
        ("prod/ssoe/idme/x callback success once", "where a scope"),
        ("prod/ssoe calback success once", "has 'calback' after 'prod/ssoe', where a step (new, authorize"),
        (
            "prod/ssoe callback succes 1/s x 1m",
            "has 'succes' after 'prod/ssoe callback', where what happens (started, success, failure",
        ),
        ("prod/ssoe callback lost 1/s x 1m", "has 'lost'"),
        ("prod/ssoe sign_in started 1/s x 1m", "where what happens (success, failure, lost"),
        ("prod/ssoe callback success 2 x 1m", "where an amount such as 2/s, 30/m or 40 events should stand"),
        ("prod/ssoe callback success 0/s x 1m", "where a rate above 0"),
        ("prod/ssoe callback success 0 events x 1m", "from 1 to 1,000,000"),
        ("prod/ssoe callback success 1/s", "ends where 'x' and a duration, or 'once', should stand"),
        ("prod/ssoe callback success 1/s for 1m", "has 'for' after 'callback success 1/s', where 'x'"),
        ("prod/ssoe callback success 1/s x soon", "where a duration such as 30s"),
        ("prod/ssoe callback success 1/s x 0s", "longer than nothing"),
        ("prod/ssoe callback success 1/s once", "what happens once has no rate"),
        ("prod/ssoe callback success + failure 1/s x 1m", "'once' stands alone"),
        ("prod/ssoe callback success 1/s people=few x 1m", "where people=unique, same, none"),
        ("prod/ssoe callback success 1/s people=0 x 1m", "where people=unique"),
        ("prod/ssoe callback success 1/s color=red x 1m", "where an option"),
        ("prod/ssoe callback success 1/s x 1m success 1/s x 1m", "where the end, or ',' and another segment"),
        ("prod/ssoe callback success 1/s x 1m,", "ends where what happens should stand"),
        ("prod/ssoe callback success 1000/s x 1h", "at most 1,000,000 events of a kind"),
    ],
)
def test_what_is_no_series_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"stand|has|most") as caught:
        parse_series(text)
    assert said in str(caught.value)


@given(
    rate=st.integers(1, 50),
    unit=st.sampled_from(["s", "m"]),
    length=st.integers(1, 90),
    options=st.sampled_from(["", "people=same", "people=7", "people=none", "ms=10"]),
)
def test_every_event_of_a_series_is_valid_in_order_and_within_its_segment(
    rate: int, unit: str, length: int, options: str
) -> None:
    text = f"prod/*/* callback failure 007 {rate}/{unit} {options} x {length}s, success once"
    lines = lines_of([parse_series(text)], START)
    decoded = decode_many(lines)
    assert all(isinstance(event, LoginEvent) for event in decoded)
    times = [event.occurred_at for event in decoded if isinstance(event, LoginEvent)]
    assert times == sorted(times)
    assert times[-1] == START + length * SECOND
    assert all(START <= at < START + length * SECOND for at in times[:-1])
    exact = rate * length * SECOND / {"s": SECOND, "m": MINUTE}[unit]
    assert abs(len(lines) - 1 - exact) <= 0.5
    assert len({event.event_id for event in decoded if isinstance(event, LoginEvent)}) == len(lines)


# -- history ---------------------------------------------------------------------------------------------------


def counts(*texts: str) -> dict[str, list[int]]:
    """Counts by scope of all two weeks."""
    history = History("prod")
    history.extend(history_of([parse_flow(text) for text in texts], START, default_policy()))
    total = history.sums(START - HISTORY_LENGTH, START)
    return {scope: [int(value) for value in total[i]] for i, scope in enumerate(SCOPES) if total[i].any()}


def test_a_rate_becomes_two_weeks_of_records_up_to_the_start() -> None:
    records = list(
        history_of([parse_flow("prod/ssoe/idme sign_in success 1/s")], START + 1, default_policy())
    )
    assert len(records) == HISTORY_LENGTH // BUCKET
    assert parse_instant(records[0]["at"]) == START - HISTORY_LENGTH
    assert parse_instant(records[-1]["at"]) == START - BUCKET
    assert set(records[0]["scopes"]) == {"prod", "prod/ssoe", "prod/*/idme", "prod/ssoe/idme"}


def test_counts_of_a_history_are_whole_and_add_up_to_the_rate() -> None:
    fortnight = HISTORY_LENGTH // DAY * 24
    found = counts("prod/ssoe/idme sign_in success 7/h + failure 007 2/h + failure 001 1/h + lost 3/h")
    mine = found["ssoe/idme"]
    assert [mine[i] for i in (GOOD, BAD, EXCLUDED, STARTED)] == [
        fortnight * amount for amount in (7, 2, 1, 13)
    ]
    assert mine[TIMED] == fortnight * 9
    assert found[""] == found["ssoe"] == mine


def test_slow_requests_of_a_history_are_slow_by_the_methods_threshold() -> None:
    found = counts("prod/*/idme callback success 2/h ms=1500")
    assert (found["ssoe/idme"][SLOW], found["sis/idme"][SLOW]) == (0, 24 * 14)


def test_sessions_have_no_part_in_a_history() -> None:
    assert counts("prod/sis refresh success 5/s") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prod/ssoe callback success 2/s x 10m", "where nothing more: a history goes on for two weeks"),
        ("prod/ssoe callback success 40 events", "a history has rates, such as 2/s"),
    ],
)
def test_what_ends_is_no_history(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="history") as caught:
        parse_flow(text)
    assert said in str(caught.value)
