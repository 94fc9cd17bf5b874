"""What says who a person is, and the ids, codes and values that only look a little like it."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.events.somebody import says_who, spelt
from tests.support.depth import examples

PERSONAL = (
    *("ada@example.org", "536-22-0000", "536220000", "1012667145V762142", "id 536220000."),
    *("555-867-5309", "(555) 867-5309", "1-555-867-5309", "+15558675309", "555.867.5309", "555 867 5309"),
    *("198.51.100.77", "10.0.0.1", "2001:db8::beef:77", "fe80:0:0:0:1:2:3:4", "fe80::1"),
)
OTHERS = (
    *("prod", "007", "sis", "authorize_sso", "loa3", "h:1", "1.2.3", "2026-11-23", "2026-11-23 15:04:05"),
    *("12345678", "123456789012", "urn:gov:gsa:ac:classes:sp:passwordprotectedtransport:duo", "net::http"),
    *("urn:oasis:names:tc:saml:2.0:ac:classes", "http://idmanagement.gov/ns/assurance/loa/3", "a-1-2-3"),
)


@pytest.mark.parametrize("text", PERSONAL)
def test_what_says_who_a_person_is_has_no_spelling(text: str) -> None:
    assert says_who(text)
    assert spelt(text) == spelt(text.upper()) == "other"


@pytest.mark.parametrize("text", OTHERS)
def test_ids_codes_and_values_say_of_nobody(text: str) -> None:
    assert not says_who(text)


@settings(max_examples=examples(100))
@given(st.uuids(version=4), st.binary(min_size=32, max_size=32))
def test_what_is_hexadecimal_is_an_id(name: uuid.UUID, digest: bytes) -> None:
    assert spelt(str(name)) == str(name)
    assert not says_who(digest.hex()) or digest.hex().isdigit()


@settings(max_examples=examples(100))
@given(
    st.sampled_from(PERSONAL), st.sampled_from(["", " ", "<", "user="]), st.sampled_from(["", " ", ">", ","])
)
def test_it_is_found_within_a_text(text: str, before: str, behind: str) -> None:
    assert says_who(f"{before}{text}{behind}")
