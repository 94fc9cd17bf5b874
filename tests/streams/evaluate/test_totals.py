"""Contributions to the totals are replaced, so that whatever is read or written again counts once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from detectors.windows.facts import ON_TIME, FactRow
from streams.evaluate.totals import Totals
from streams.segments.codec import Tally
from streams.settings.policy_file import default_policy

POLICY = default_policy()
PROD = "prod"


def failures(count: int) -> list[FactRow]:
    leaf = ("ssoe", "idme", None)
    return [FactRow(0, ON_TIME, leaf, "callback", "failure", "007", count=count)] if count else []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), max_size=30))
def test_a_block_counts_with_what_it_held_last(written: list[tuple[int, int, int]]) -> None:
    totals = Totals(POLICY)
    for partition, block, count in written:
        totals.replace((partition, block, PROD), failures(count), PROD)
    last = {(partition, block): count for partition, block, count in written}
    assert sum(totals.events[PROD].values()) == sum(last.values())


def test_a_block_that_grows_slowly_counts_once_however_many_others_are_finished_meanwhile() -> None:
    totals = Totals(POLICY)
    for n in range(5_000):
        totals.replace((0, 1_000_000 + n, PROD), failures(1), PROD)
        totals.note(0, [Tally(1_000_000 + n, n, n, rejected={"not_json": 1})])
        if n % 100 == 0:
            totals.replace((1, 0, PROD), failures(1 + n // 100), PROD)
            totals.note(1, [Tally(0, 0, n, duplicates=n // 100, rejected={"empty": 1 + n // 100})])
    assert sum(totals.events[PROD].values()) == 5_000 + 50
    assert totals.rejected == Counter({"not_json": 5_000, "empty": 50})
    assert totals.duplicates == 49


def test_a_value_that_nobody_listed_has_a_label_of_its_own_up_to_the_bound() -> None:
    policy = POLICY.model_copy(update={"max_values": 2})
    totals = Totals(policy)
    for n in range(4):
        row = FactRow(0, ON_TIME, ("sis", f"new{n}", None), "callback", "success", "", count=5)
        totals.replace((0, n, PROD), [row], PROD)
    assert totals.events[PROD] == Counter(
        {("sis", "new0", "good"): 5, ("sis", "new1", "good"): 5, ("sis", "other", "good"): 10}
    )
    assert totals.unlisted[PROD] == Counter({"csp": 20})


def test_unlisted_values_are_counted_by_field_and_once_however_often_a_block_is_read() -> None:
    totals = Totals(POLICY)
    listed = FactRow(0, ON_TIME, ("sis", "idme", "vaweb"), "callback", "success", "", count=9)
    strange = FactRow(0, ON_TIME, ("okta", None, "portal"), "webauthn", "offered", "", count=2)
    for _ in range(3):
        totals.replace((0, 0, "qa"), [listed, strange], "other")
    assert totals.unlisted["other"] == Counter(env=11, step=2, outcome=2, auth_method=2, client_id=2)
    totals.replace((0, 0, "qa"), [listed], "other")
    assert +totals.unlisted["other"] == Counter(env=9)


def test_a_tally_is_replaced_by_one_that_reaches_further_and_by_no_other() -> None:
    totals = Totals(POLICY)
    for last, rejected, personal in ((4, 2, 1), (9, 5, 3), (4, 2, 1), (9, 5, 3)):
        totals.note(0, [Tally(0, 0, last, personal_fields=personal, rejected={"empty": rejected})])
    totals.note(0, [Tally(0, 6, 12, personal_fields=9, rejected={"empty": 9})])  # began inside the block
    assert (totals.rejected["empty"], totals.personal_fields) == (5, 3)
