"""The names of the topics are fields, so a misspelt one is an error to a type checker and to Python."""

from __future__ import annotations

import pytest

from streams.kafka.topics import Topics


def test_a_topic_is_named_with_the_prefix_and_there_is_no_other() -> None:
    topics = Topics("team.")
    assert topics.login_events == "team.login-events"
    assert topics.login_events in topics.all()
    with pytest.raises(AttributeError):
        topics.login_event  # type: ignore[attr-defined]  # noqa: B018


def test_a_topic_cannot_be_renamed_and_belongs_to_its_prefix() -> None:
    with pytest.raises(AttributeError):
        Topics().sli = "another"  # type: ignore[misc]
    assert Topics("a.") == Topics("a.") != Topics("b.")
    assert len(Topics().all()) == 17
