"""How severities, people, scopes and long texts are put into words for receivers."""

from __future__ import annotations

import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Common, TransitionKind
from detectors.scopes import ENVS, SCOPES
from sinks.wording import (
    UNNAMED,
    ScopeNames,
    change_title,
    common_words,
    duration_words,
    ended,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    truncate,
)
from streams.settings.policy_file import read_policy
from tests.sinks.samples import NAMES, OPENED, incident


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("prod", "all sign-in"),
        ("prod/ssoe", "SSOe sign-in"),
        ("prod/sis", "SiS sign-in"),
        ("prod/ssoe/idme", "ID.me on SSOe"),
        ("prod/sis/mhv", "My HealtheVet on SiS"),
        ("prod/*/logingov", "Login.gov on both sign-in methods"),
        ("staging/sis", "SiS sign-in in staging"),
        ("dev", "all sign-in in dev"),
        ("prod/*/clear", "CLEAR on both sign-in methods"),
        ("prod/sis/newcomer", "newcomer on SiS"),
        ("prod/okta", "okta sign-in"),
        ("prod/sis/*/vaweb", "SiS sign-in by VA.gov (web)"),
        ("prod/*/*/vamobile", "sign-in by VA mobile app"),
        ("prod/sis/idme/vaweb", "ID.me on SiS by VA.gov (web)"),
        ("qa/*/*/portal", "sign-in by portal in qa"),
        ("prod/a/b/c/d", "prod/a/b/c/d"),
    ],
)
def test_a_scope_reads_as_a_person_would_say_it(scope: str, words: str) -> None:
    assert NAMES.words(scope) == words


def test_names_follow_the_policy_and_its_axes() -> None:
    values = "{auth_method: {okta: {name: Okta}}, acr: {loa3: {name: LOA 3}}, csp: {clear: {name: Clear Me}}}"
    names = ScopeNames(
        read_policy(
            f"axes: [csp, acr, auth_method]\nbreakdowns: [error_code]\nvalues: {values}", "policy.yaml"
        )
    )
    assert names.words("prod/clear/*/okta") == "Clear Me on Okta"
    assert names.words("prod/clear") == "Clear Me on all sign-in methods"
    assert names.words("prod/*/loa3/okta") == "Okta sign-in, acr LOA 3"
    assert names.words("dev/*/loa3") == "sign-in, acr LOA 3 in dev"
    assert UNNAMED.words("prod/ssoe/idme") == "idme on ssoe"


def test_every_scope_there_is_has_words_of_its_own() -> None:
    paths = [f"{env}/{scope}" if scope else env for env in ENVS for scope in SCOPES]
    words = {NAMES.words(path) for path in paths}
    assert len(words) == len(paths)
    assert words.isdisjoint(paths)


@pytest.mark.parametrize(
    ("basis", "figure", "words"),
    [
        ("observed", 1204, "1,204 people in the last hour"),
        ("observed", 1, "1 person in the last hour"),
        ("projected", 9431, "~9,400 people an hour (projected)"),
        ("projected", 7, "~7 people an hour (projected)"),
        ("estimated", 12_600, "~13,000 people an hour (estimated)"),
    ],
)
def test_people_are_counted_exactly_only_where_they_were_seen(basis: str, figure: int, words: str) -> None:
    assert people_words(incident(basis=basis, users_impacted=figure)) == words


@pytest.mark.parametrize(
    ("basis", "figure", "error", "words"),
    [
        ("observed", 2_103_928, 0.00189, "about 2,104,000 people (±0.19%) in the last hour"),
        ("observed", 2_503_928, 0.0312, "about 2,500,000 people (±3.1%) in the last hour"),
        ("observed", 16, 0.7, "about 20 people (±70%) in the last hour"),
        ("observed", 0, 1.0, "about 0 people (±100%) in the last hour"),
        ("projected", 9_431_777, 0.0021, "~9,400,000 people an hour (projected)"),
    ],
)
def test_what_was_counted_from_a_sample_is_told_with_its_error(
    basis: str, figure: int, error: float, words: str
) -> None:
    assert people_words(incident(basis=basis, users_impacted=figure, users_impacted_error=error)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "SSOe sign-in is failing"),
        ({"causes": ("latency",)}, "SSOe sign-in is slow"),
        ({"causes": ("silence",)}, "SSOe sign-in has fallen silent"),
        ({"causes": ("latency", "outage")}, "SSOe sign-in is failing"),
        ({"state": "recovering"}, "SSOe sign-in is recovering"),
        ({"state": "resolved"}, "SSOe sign-in works again"),
        ({"scope": "prod/*/idme"}, "ID.me on both sign-in methods is failing"),
    ],
)
def test_a_headline_says_what_happens(changes: dict[str, object], words: str) -> None:
    assert headline(incident(**changes), NAMES) == words


def test_the_state_names_who_has_it() -> None:
    acknowledged = {"acknowledged_at": OPENED + 120_000, "acknowledged_by": "Ada"}
    assert state_words(incident()) == "open, not acknowledged yet"
    assert state_words(incident(state="acknowledged", **acknowledged)) == "acknowledged by Ada at 15:07 UTC"
    assert (
        state_words(incident(state="recovering", recovering_at=OPENED + 600_000, **acknowledged))
        == "recovering since 15:15 UTC, acknowledged by Ada at 15:07 UTC"
    )
    assert (
        state_words(incident(state="resolved", resolved_at=OPENED + 3_600_000, resolved_reason="recovered"))
        == "resolved at 16:05 UTC (recovered)"
    )


def test_links_lead_with_the_console_and_are_never_anything_but_web_addresses() -> None:
    with_others = incident(
        links={"runbook": "https://r.example", "console": "https://c.example", "bad": "javascript:alert(1)"}
    )
    links = links_of(with_others, {"slack": "https://s.example", "console": "https://overruled.example"})
    assert [(link.name, link.url) for link in links] == [
        ("console", "https://c.example"),
        ("runbook", "https://r.example"),
        ("slack", "https://s.example"),
    ]


@pytest.mark.parametrize(
    ("millis", "words"),
    [
        (-5, "0 s"),
        (40_000, "40 s"),
        (119_999, "1 min"),
        (3_600_000, "1 h"),
        (3_900_000, "1 h 5 min"),
        (90_000_000, "25 h"),
    ],
)
def test_durations_are_as_exact_as_people_say_them(millis: int, words: str) -> None:
    assert duration_words(millis) == words


def test_one_line_has_no_line_breaks_nor_control_characters() -> None:
    assert one_line("a\n\n b\tc\x00d\u2028e ") == "a b c d e"


def test_truncation_parts_no_letter_from_its_accents_and_no_family_from_its_members() -> None:
    assert truncate("cafe\u0301 au lait", 5) == "caf…"
    assert truncate("ab👩‍👩‍👧cd", 5) == "ab…"
    assert truncate("👍🏽👍🏽", 2) == "…"


def test_half_a_surrogate_pair_is_made_writable() -> None:
    assert truncate("a\ud800b", 10).encode() == b"a?b"


@given(st.text(), st.integers(1, 40))
def test_truncation_keeps_to_the_limit_and_to_the_beginning(text: str, limit: int) -> None:
    short = truncate(text, limit)
    assert len(short) <= limit
    if short != text.encode("utf-8", "replace").decode():
        assert short.endswith("…")
        assert text.encode("utf-8", "replace").decode().startswith(short[:-1])
        assert not unicodedata.combining(text[len(short) - 1 : len(short)] or " ") or len(short) == 1


@pytest.mark.parametrize(
    ("field", "usual", "words"),
    [
        ("client_id", 0.3094, "88 of 90 failing people use x, which 31% of all use"),
        ("realm", 0.3094, "88 of 90 failing people have realm x, which 31% of all have"),
        ("step", 0.2, "88 of 90 failing people fail at the step x, where 20% of all requests complete"),
        ("error_code", None, "88 of 90 failing people have the error code x"),
        ("error_class", None, "88 of 90 failing people have the error class x"),
    ],
)
def test_what_failing_people_have_in_common_is_said_in_words(
    field: str, usual: float | None, words: str
) -> None:
    one = Common(field=field, value="x", failing=88, failing_of=90, usual_share=usual)
    assert common_words([one]) == words
    assert common_words([one, one]) == f"{words}; {words}"
    assert common_words([]) == ""


@pytest.mark.parametrize("kind", get_args(TransitionKind))
def test_each_kind_of_change_has_a_title_of_one_line_that_nobody_s_name_can_break(
    kind: TransitionKind,
) -> None:
    title = change_title(kind, "Ada\n\u202eByron", "un_ack\x1b[2J")
    assert title[0].isupper()
    assert "_" not in title
    assert title.isprintable()
    assert change_title(kind, None, None).isprintable()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("40 of 50 sign-ins failed", "40 of 50 sign-ins failed."),
        (
            "Ada reports that prod/sis fails: I cannot sign in.",
            "Ada reports that prod/sis fails: I cannot sign in.",
        ),
        ("\n", ""),
        ("Ada reports that prod/sis fails: why?\n", "Ada reports that prod/sis fails: why?"),
    ],
)
def test_a_sentence_that_may_end_in_what_a_person_wrote_ends_once(text: str, words: str) -> None:
    assert ended(text) == words
