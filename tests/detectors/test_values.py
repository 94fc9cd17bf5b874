"""Values that producers choose freely have one spelling, which fits a path, a key and a label."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.values import class_name, normalised


@given(st.text(max_size=70) | st.from_regex(r"[A-Za-z0-9_.:-]{1,66}", fullmatch=True))
def test_a_spelling_is_short_and_plain_and_stays_as_it_is(value: str) -> None:
    spelt = normalised(value)
    assert re.fullmatch(r"[-a-z0-9_.:]{1,64}", spelt)
    assert normalised(spelt) == spelt
    assert spelt in ("other", value.lower())


@pytest.mark.parametrize("value", ["", " ", "va web", "a/b", "*", "é", "x" * 65, "clear\n", "K"])
def test_what_cannot_be_spelt_is_other(value: str) -> None:
    assert normalised(value) == ("k" if value == "K" else "other")  # the sign for kelvin is a k in lower case


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("SignIn::Errors::MalformedParamsError", "malformedparams"),
        ("malformedparams", "malformedparams"),
        ("MalformedParamsError", "malformedparams"),
        ("Timeout", "timeout"),
        ("Error", "error"),
        ("SignIn::", "other"),
        ("Not a class", "other"),
        ("", ""),
    ],
)
def test_a_class_is_named_without_its_namespace_and_its_ending(said: str, name: str) -> None:
    assert class_name(said) == name
