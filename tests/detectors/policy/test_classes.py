"""The class of an event follows from the rule that tests the most of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.policy.classes import Classes, ClassTest, Counts, Outcome, Sli

OUTCOMES: dict[str, Outcome] = {
    "started": "started",
    "success": "success",
    "failure": "failure",
    "denied": "failure",
    "redirect": "neutral",
}
SLIS: dict[str, Sli] = {"callback": "sign_in", "token": "sign_in", "refresh": "session", "sts": "machine"}
MISSING = ("csp", "client_id")


def classes(*tests: ClassTest) -> Classes:
    return Classes(tests, OUTCOMES, SLIS)


def some(*words: str) -> frozenset[str]:
    return frozenset(words)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("started", "started"),
        ("success", "good"),
        ("failure", "bad"),
        ("denied", "bad"),
        ("redirect", None),
        ("offered", None),
    ],
)
def test_an_outcome_that_is_not_listed_is_neither_good_nor_bad(outcome: str, said: str | None) -> None:
    assert classes().of("callback", outcome, "400") == said


def test_a_step_that_is_not_listed_counts_in_no_sli() -> None:
    assert [classes().sli(step) for step in ("callback", "refresh", "sts", "offer")] == [
        "sign_in",
        "session",
        "machine",
        None,
    ]


@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        (ClassTest("bad", codes=some("400")), ClassTest("excluded", steps=some("token"))),
        (ClassTest("bad", steps=some("token")), ClassTest("excluded", error_classes=some("codeinvalid"))),
        (ClassTest("bad", codes=some("400")), ClassTest("excluded", prefixes=("code",))),
        (
            ClassTest("bad", error_classes=some("codeinvalid")),
            ClassTest("excluded", steps=some("token"), codes=some("400")),
        ),
        (
            ClassTest("bad", error_classes=some("codeinvalid"), steps=some("token")),
            ClassTest("excluded", error_classes=some("codeinvalid"), missing=some(*MISSING)),
        ),
        (ClassTest("bad", missing=some("csp")), ClassTest("excluded", missing=some(*MISSING))),
    ],
)
def test_more_fields_decide_then_class_before_step_before_code(lesser: ClassTest, greater: ClassTest) -> None:
    for order in ((lesser, greater), (greater, lesser)):
        got = classes(*order).of(
            "token", "failure", "400", "codeinvalid", missing_csp=True, missing_client=True
        )
        assert got == "excluded"


def test_among_rules_of_one_rank_the_first_decides() -> None:
    one = ClassTest("bad", error_classes=some("codeinvalid"))
    other = ClassTest("excluded", prefixes=("code",))
    assert classes(one, other).of("token", "failure", "400", "codeinvalid") == "bad"
    assert classes(other, one).of("token", "failure", "400", "codeinvalid") == "excluded"


def test_a_field_that_is_missing_fits_only_a_rule_that_asks_for_no_other() -> None:
    judge = classes(ClassTest("excluded", missing=some("csp")))
    assert judge.of("callback", "failure", missing_csp=True) == "excluded"
    assert judge.of("callback", "failure", missing_csp=True, missing_client=True) == "excluded"
    assert judge.of("callback", "failure", missing_client=True) == "bad"
    assert judge.of("callback", "failure") == "bad"


STEPS = ("callback", "token", "refresh", "elsewhere")
CODES = ("", "400", "007")
NAMES = ("", "codeinvalid", "codestale", "malformedparams", "invalid")
PREFIXES = ("code", "codei", "mal", "in")


def subset(words: Sequence[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(words), max_size=2)


TESTS = st.builds(
    ClassTest,
    counts=st.sampled_from(("bad", "excluded")),
    error_classes=subset(NAMES[1:]),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=1).map(tuple),
    steps=subset(STEPS[:3]),
    codes=subset(CODES[1:]),
    missing=subset(MISSING),
)


def by_definition(
    tests: Sequence[ClassTest], step: str, code: str, error_class: str, missing: frozenset[str]
) -> Counts:
    """Sort out the rules one by one, as the definition reads."""
    best: tuple[tuple[int, int, int, int], Counts] | None = None
    for test in tests:
        tests_class = bool(test.error_classes) or bool(test.prefixes)
        fits = (
            (
                not tests_class
                or error_class in test.error_classes
                or any(error_class[: len(prefix)] == prefix for prefix in test.prefixes)
            )
            and (not test.steps or step in test.steps)
            and (not test.codes or code in test.codes)
            and all(name in missing for name in test.missing)
        )
        number = tests_class + bool(test.steps) + bool(test.codes) + len(test.missing)
        rank = (number, int(tests_class), int(bool(test.steps)), int(bool(test.codes)))
        if fits and (best is None or rank > best[0]):
            best = rank, test.counts
    return best[1] if best is not None else "bad"


@given(
    tests=st.lists(TESTS, max_size=8),
    events=st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from(CODES), st.sampled_from(NAMES), subset(MISSING)),
        max_size=20,
    ),
)
def test_every_failure_is_sorted_as_the_definition_says(
    tests: list[ClassTest], events: list[tuple[str, str, str, frozenset[str]]]
) -> None:
    judge = classes(*tests)
    for step, code, error_class, missing in [*events, *events]:
        got = judge.of(
            step,
            "failure",
            code,
            error_class,
            missing_csp="csp" in missing,
            missing_client="client_id" in missing,
        )
        assert got == by_definition(tests, step, code, error_class, missing)


@given(one=TESTS, other=TESTS)
def test_two_rules_meet_where_a_failure_fits_both(one: ClassTest, other: ClassTest) -> None:
    failures = [
        (step, code, name, frozenset(MISSING))
        for step in STEPS
        for code in CODES
        for name in (*NAMES, *PREFIXES)
    ]
    both = any(one.fits(*failure) and other.fits(*failure) for failure in failures)
    assert one.meets(other) == other.meets(one) == both
