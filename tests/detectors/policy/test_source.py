"""Reading YAML: plain values with positions, nothing executed, nothing that exhausts the machine."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detectors.policy.source import PolicyError, PolicyProblem, Position, format_path, merge, read_source
from streams.settings.policy_file import read_policy


def refused(text: str | bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "p.yaml")
    return str(caught.value)


def test_words_are_told_from_numbers_by_the_core_schema() -> None:
    text = (
        "[001, 1_000, 1.5, 1e-6, .5, no, on, 1:30, 2026-11-23T15:00:00Z, true, null, ~, '5', 0x1f, .inf, -3]"
    )
    assert read_source(text, "p").values == [
        "001", 1000, 1.5, 1e-6, 0.5, "no", "on", "1:30", "2026-11-23T15:00:00Z", True, None, None, "5",
        "0x1f", ".inf", -3,
    ]  # fmt: skip


def test_keys_are_always_text() -> None:
    assert read_source("1: a\n001: b\ntrue: c", "p").values == {"1": "a", "001": "b", "true": "c"}


def test_each_value_has_the_position_of_its_key() -> None:
    positions = read_source("a:\n  b: [x,\n      y]\n", "p").positions
    assert positions["a", "b"] == Position(2, 3)
    assert positions["a", "b", 1] == Position(3, 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\n", "p.yaml:2: is not YAML: while parsing a flow"),
        ("a: 'x\n", "p.yaml:2: is not YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("\ta: 1", r"p.yaml:1: is not YAML: while scanning for the next token, found character '\t'"),
        ("a: *b", "p.yaml:1: is not YAML: found undefined alias"),
        (
            "a: 1\n---\nb: 2\n",
            "p.yaml:2: is not YAML: expected a single document in the stream, but found another document",
        ),
        ("a: 1\nb: \x07", "p.yaml:2: holds the control character #x07"),
        (b"a: 1\nb: \xff\n", "p.yaml:2: is not UTF-8"),
        ("{[1]: 2}", "p.yaml:1: a key must be a word"),
        ("a: 1\nb: 2\na: 3", "p.yaml:3: a: stands twice; the first is in line 1"),
        ("a: !!int x", "p.yaml:1: a: 'x' is not what its tag tag:yaml.org,2002:int says"),
    ],
)
def test_a_fault_of_syntax_names_its_line(text: str | bytes, said: str) -> None:
    assert any(line.startswith(said) for line in refused(text).splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['exit 3']",
        "a: !!python/name:os.system",
        "a: !include /etc/passwd",
        "a: !!timestamp 2026-11-23",
        "a: !!set {b}",
        "a: !!binary aGk=",
    ],
)
def test_a_tag_is_refused_and_nothing_is_made_of_it(text: str) -> None:
    assert "is not allowed" in refused(text)


def test_an_alias_stands_for_its_value() -> None:
    assert read_source("a: &x [1, 2]\nb: *x", "p").values == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.perf_counter()
    assert "has more than 20000 values once its aliases are expanded" in refused(bomb)
    assert time.perf_counter() - began < 5


def test_an_alias_of_what_it_stands_in_is_refused() -> None:
    assert "has more than 32 levels" in refused("a: &a [*a]")


@pytest.mark.parametrize("text", ["[" * 5_000, "{a: " * 5_000, "- " * 5_000])
def test_deep_nesting_is_refused(text: str) -> None:
    assert "nested deeper than 32 levels" in refused(text)


def test_a_huge_document_is_refused_unread() -> None:
    says = "p.yaml:1: is larger than 256 KiB, the most a policy may have"
    assert refused("# " + "x" * 300_000) == says
    # What is read of a large file may end within a character.
    assert refused(b"\xef\xbb\xbf#" + "é".encode() * (128 * 1024) + b"\xc3") == says
    assert read_source(b"\xef\xbb\xbf#" + b"x" * (256 * 1024 - 1), "p.yaml").values == {}


def test_messages_stay_short_whatever_they_quote() -> None:
    assert max(len(line) for line in refused(f"{'k' * 5000}: !!int {'v' * 5000}").splitlines()) < 300


def test_a_path_reads_like_an_expression() -> None:
    assert format_path(("burn_rate", "rules", 2, "long")) == "burn_rate.rules[2].long"


def outcome(text: str | bytes) -> tuple[PolicyProblem, ...]:
    """Return the problems of a document: none, or those of the error that reading raises."""
    try:
        read_policy(text, "p.yaml")
    except PolicyError as error:
        return error.errors
    return ()


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_a_policy_or_a_policy_error(text: str | bytes) -> None:
    assert all(1 <= problem.line <= len(text) + 1 and problem.message for problem in outcome(text))


YAML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5m", "1s"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = [
    "step",
    "sli_windows",
    "objectives",
    "codes",
    "severity",
    "priority",
    "lifecycle",
    "banner",
    "runbooks",
]
SECTIONS += [
    "fail_over",
    "notify",
    "maintenance",
    "outage",
    "burn_rate",
    "silence",
    "latency",
    "funnel",
    "surge",
    "business_hours",
]


@given(st.dictionaries(st.sampled_from(SECTIONS), YAML | st.dictionaries(st.just("rules"), YAML), max_size=4))
def test_any_values_are_a_policy_or_a_policy_error(values: dict[str, Any]) -> None:
    text = yaml.safe_dump(values, allow_unicode=True)
    assert all(problem.message and problem.line <= text.count("\n") + 1 for problem in outcome(text))


MAPPINGS = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(MAPPINGS, MAPPINGS)
def test_merging_keeps_what_is_said_and_completes_the_rest(base: Any, over: Any) -> None:
    merged = merge(base, over)
    assert merge(base, merged) == merged
    assert merge(base, None) == base
    if isinstance(base, dict) and isinstance(over, dict):
        assert merged.keys() == base.keys() | over.keys()
    else:
        assert merged == over
