"""Failures without a person are the tries of one on a leaf, and a crowd where several leaves fail at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.detection.failing.failures import Failures
from detectors.instants import MINUTE, SECOND
from detectors.windows.facts import FactRow
from detectors.windows.people.crowd import flow_id_of
from tests.detectors.detection.failing.test_collapse import built
from tests.detectors.detection.simulated.traffic import START

IDME, LOGINGOV = ("sis", "idme", "vamobile"), ("sis", "logingov", "vamobile")
WEB = ("sis", "idme", "vaweb")
LAST = 600


def tries(seconds: Iterable[int], leaf: tuple[str, str, str]) -> list[FactRow]:
    """Return a failure of another flow of a leaf in each of the seconds."""
    return [
        FactRow(
            START + second * SECOND,
            0,
            leaf,
            "callback",
            "failure",
            "007",
            count=1,
            people=[flow_id_of(((second << 2) + (IDME, LOGINGOV, WEB).index(leaf)) << 20)],
        )
        for second in seconds
    ]


def people(rows: list[FactRow], path: str) -> int:
    """Return the people of a scope in the last ten minutes."""
    frame = built(rows, LAST - 1, LAST)
    failures, scope = Failures.of_sign_in(frame), frame.scopes.index(path)
    assert scope is not None
    return int(failures.people[failures.at(10 * MINUTE), -1, scope])


def test_who_fails_at_once_on_two_leaves_is_a_crowd_of_the_scope_around_them() -> None:
    rng = np.random.default_rng(1)
    seconds = np.sort(rng.choice(LAST - 10, 30, replace=False))
    # at most two of a leaf overlap, and three of both do again and again
    leaves = [IDME, LOGINGOV] * 15
    rows = [row for one, leaf in zip(seconds.tolist(), leaves, strict=True) for row in tries([one], leaf)]
    assert people(rows, "prod/sis/idme") <= 2
    assert people(rows, "prod/sis/logingov") <= 2
    assert people(rows, "prod/sis/*/vamobile") == people(rows, "prod") == 17


def test_the_tries_of_one_are_no_crowd_because_others_fail_beside_them() -> None:
    rows = tries(range(100, LAST - 10, 10), IDME) + tries([203], LOGINGOV)
    assert people(rows, "prod/sis/idme") == 2
    assert people(rows, "prod") == 3


def test_one_who_fails_elsewhere_makes_no_crowd_of_those_who_fail_on_one_provider() -> None:
    # by two clients of one provider, never three within 15 s; and one of another provider, between two of them
    rows = (
        tries(range(20, LAST - 10, 40), IDME) + tries(range(30, LAST - 10, 40), WEB) + tries([193], LOGINGOV)
    )
    assert people(rows, "prod/sis/idme") == 2
    assert people(rows, "prod") == 3
