"""The hash of a policy depends on its content, not on how it is written."""

from __future__ import annotations

import json
import string

from hypothesis import given
from hypothesis import strategies as st

from streams.settings.policy_file import default_policy, read_policy


def test_is_twelve_hexadecimal_digits() -> None:
    digest = default_policy().hash
    assert len(digest) == 12
    assert set(digest) <= set(string.hexdigits.lower())


def test_spelling_comments_and_order_do_not_change_it() -> None:
    one = read_policy("step: 1s\nseverity:\n  severity_2_over: 25 # ours\n  dwell: 900s\n", "a.yaml")
    other = read_policy('severity: {dwell: "15m", severity_2_over: 25}', "b.yaml")
    assert one.hash == other.hash != default_policy().hash


def test_any_other_value_changes_it() -> None:
    hashes = {
        read_policy(text, "p").hash
        for text in (
            "{}",
            "retention: 3h",
            "codes: {'005': {counts: bad}}",
            "lifecycle: {response: {1: 30m}}",
            "runbooks: {prod/sis: https://wiki/sis}",
        )
    }
    assert len(hashes) == 5


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "retention": st.integers(3600, 86400).map("{}s".format),
            "dedup_ids": st.integers(0, 10_000_000),
            "severity": st.fixed_dictionaries(
                {"severity_1_over": st.integers(501, 5000), "severity_2_over": st.integers(0, 500)}
            ),
            "codes": st.dictionaries(
                st.text("0123456789", min_size=3, max_size=3),
                st.fixed_dictionaries(
                    {"means": st.just("x"), "counts": st.sampled_from(["bad", "excluded"])}
                ),
                max_size=3,
            ),
            "silence": st.fixed_dictionaries(
                {
                    "windows": st.lists(
                        st.integers(1, 3600).map("{}s".format), min_size=1, max_size=3, unique=True
                    )
                }
            ),
            "notify": st.fixed_dictionaries({"dedup_prefix": st.text("abc.-_", min_size=1, max_size=48)}),
        },
    )
)
def test_the_canonical_form_is_itself_a_policy_with_the_same_content(sections: dict[str, object]) -> None:
    policy = read_policy(json.dumps(sections), "p.yaml")
    again = read_policy(policy.canonical(), "canonical.json")
    assert again == policy
    assert again.hash == policy.hash
