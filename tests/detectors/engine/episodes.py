"""Which traffic do tests of the engine draw? Rows of facts with outages, enough for incidents and quick to judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from hypothesis import strategies as st

from detectors.incidents import IncidentInput
from detectors.instants import SECOND
from detectors.policy.policy import Policy
from detectors.scopes import CSPS, METHODS, STEPS
from detectors.windows.facts import ON_TIME, FactRow
from streams.settings.policy_file import read_policy
from tests.support.facts import leaf_position
from tests.support.oracle import NOON

__all__ = ["ENV", "POLICY", "STEP", "Episode", "episodes", "inputs", "instants", "rows_of"]

Kind = Literal["acknowledge", "unacknowledge", "note", "declare", "resolve", "report"]
_KINDS: tuple[Kind, ...] = get_args(Kind)


ENV = "prod"
STEP = 5 * SECOND
#: The shipped policy with shortened waits, so that the whole life of an incident fits into minutes.
POLICY: Policy = read_policy(
    """
step: 5s
retention: 1h
sli_every: 5s
severity: {dwell: 60s, severity_1_over: 60, severity_2_over: 20}
lifecycle: {recovering_after: 10s, recover_for: 60s, reopen_within: 2m, faded_after: 10m, update_every: 2m,
  scope_change_every: 30s, warning_waits: 5s, resolve_grace: 30s}
""",
    "a short life",
)


@dataclass(frozen=True)
class Episode:
    """An interval of traffic: seconds, probabilities per second of success and failure, place, share of late rows."""

    seconds: int
    good: float
    bad: float
    method: str
    csp: str | None
    late: float
    seed: int


def episodes(most: int = 6) -> st.SearchStrategy[list[Episode]]:
    """Draw consecutive episodes of healthy traffic, outages, near-silence and silence."""
    one = st.builds(
        Episode,
        st.sampled_from([1, 20, 60, 200, 300]),
        st.sampled_from([0.0, 0.05, 0.5]),
        st.sampled_from([0.0, 0.0, 0.3, 0.9]),
        st.sampled_from(METHODS),
        st.sampled_from([None, *CSPS[:2]]),
        st.sampled_from([0.0, 0.0, 0.2]),
        st.integers(0, 1000),
    )
    silence = st.builds(
        Episode,
        st.sampled_from([300, 1_000, 3_700, 6_000]),
        st.just(0.0),
        st.just(0.0),
        st.just("ssoe"),
        st.none(),
        st.just(0.0),
        st.just(0),
    )
    return st.lists(st.one_of(one, one, one, silence), min_size=1, max_size=most)


def rows_of(some: Sequence[Episode], start: int = NOON) -> list[FactRow]:
    """Return the rows of consecutive episodes from ``start`` (ms) on, in the order in which they count."""
    out: list[FactRow] = []
    at = start
    for number, episode in enumerate(some):
        chance = random.Random(f"{episode.seed}/{number}")
        of_client = random.Random(f"client {episode.seed}/{number}")
        for second in range(at, at + episode.seconds * SECOND, SECOND):
            for outcome, rate in (("success", episode.good), ("failure", episode.bad)):
                if chance.random() >= rate:
                    continue
                pane = second - second % STEP
                client = (
                    "vamobile" if of_client.random() < (0.9 if outcome == "failure" else 0.3) else "vaweb"
                )
                leaf = (episode.method, episode.csp, client)
                late = chance.random() < episode.late
                delay = chance.choice([1, 2, 10, 100, 600]) * STEP
                people = [chance.randrange(200)] if outcome == "failure" else []
                step = chance.choice(["callback", "callback", "token"])
                first = pane + STEP + delay if late else ON_TIME
                if late and episode.seed % 3 == 0:  # the clock is ahead instead
                    first = pane - delay
                code = "007" if people else ""
                row = FactRow(pane, first, leaf, step, outcome, code, "", 1, 1, [0, 0], people)
                out += [row, FactRow(pane, first, leaf, "new", "started", "", "", 1)]
        at += episode.seconds * SECOND
    out.sort(
        key=lambda row: (row.counts_from(STEP), row.pane, leaf_position(row.leaf), STEPS.index(row.step))
    )
    return out


def instants(start: int, end: int) -> st.SearchStrategy[int]:
    """Draw a T from ``start`` to ``end``, ms."""
    return st.integers(start // STEP, end // STEP).map(lambda n: n * STEP)


@st.composite
def inputs(draw: st.DrawFn, end: int, start: int = NOON) -> list[tuple[int, IncidentInput]]:
    """Draw incident inputs, each with its T, in order; some are repeated, and some are for unknown incidents."""
    out = []
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(_KINDS))
        scoped = kind == "report" or (kind == "declare" and draw(st.booleans()))
        incident_input = IncidentInput(
            id=f"w{draw(st.sampled_from([number, 0]))}",
            env=ENV,
            kind=kind,
            incident=None if scoped else f"{ENV}-{draw(st.integers(1, 3))}",
            scope=draw(st.sampled_from([ENV, f"{ENV}/ssoe", "prod/*/idme"])) if scoped else None,
            by="Ada",
            text="words",
        )
        out.append((draw(instants(start, end)), incident_input))
    return sorted(out, key=lambda pair: pair[0])
