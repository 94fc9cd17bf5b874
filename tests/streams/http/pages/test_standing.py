"""How the watch gets on, in the words of the console: why it is blind, as far as the reader's environment goes."""

from __future__ import annotations

import pytest

from streams.http.pages.incident_view import standing_of
from streams.watchdog.report import Report, ReportedObstacle, Stalls


def blind(*sentences: str) -> Report:
    obstacles = tuple(
        ReportedObstacle(
            why="lag", key=one, since=0, age_seconds=70.0, sentence=one, remedy="Restart it.", blind=True
        )
        for one in sentences
    )
    told = "; ".join(sentences)
    return Report(
        at=0, parts={}, stalled={}, blind={"lag": f"{told}."}, obstacles=obstacles, evaluated={}, positions={},
        loop=Stalls(last_beat_seconds=None, longest_seconds=0.0), broker_clock_ahead_seconds=0.0,
        oldest_unsent_seconds={}, told={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("prod", "The watch is blind (lag): prod is 78 s behind. And 2 more reasons."),
        ("qa", "The watch is blind (lag): dev is 63 s behind. And 2 more reasons."),
    ],
)
def test_one_reason_is_told_that_of_the_environment_if_there_is_one(env: str, words: str) -> None:
    report = blind("dev is 63 s behind", "prod is 78 s behind.", "staging is 63 s behind")
    standing = standing_of(report, env, ready=True)
    assert (standing.state, standing.words, standing.brief) == ("blind", words, "The watch is blind (lag)")
    assert standing.is_stale


def test_a_watch_that_says_that_it_is_blind_tells_why_though_the_reason_is_gone() -> None:
    report = blind("prod is 78 s behind")
    over = Report(**{name: getattr(report, name) for name in report.__struct_fields__} | {"obstacles": ()})
    assert standing_of(over, "prod", ready=True).words == "The watch is blind (lag): prod is 78 s behind."
