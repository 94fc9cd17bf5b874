"""Which packages had no release in two years, and that no answer is never taken for a release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.supply import alive
from tests.supply.alive import ACCEPTED, CouldNotAsk, last_releases, verdict

NOW = datetime(2026, 12, 1, tzinfo=UTC)
PYPI = {"registry": "an index"}


def test_the_last_release_is_when_the_last_file_of_the_newest_version_was_uploaded() -> None:
    lock: dict[str, Any] = {
        "package": [
            {"name": "watchofficer", "source": {"editable": "."}},
            {"name": "one", "source": PYPI, "sdist": {"upload-time": "2024-01-01T00:00:00Z"}},
            {
                "name": "two",
                "source": PYPI,
                "sdist": {},
                "wheels": [
                    {"upload-time": "2025-01-02T00:00:00.5Z"},
                    {"upload-time": "2025-01-01T00:00:00Z"},
                ],
            },
        ]
    }
    assert last_releases(lock) == {
        "one": datetime(2024, 1, 1, tzinfo=UTC),
        "two": datetime(2025, 1, 2, microsecond=500_000, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    "lock",
    [
        {},
        {"package": [{"name": "watchofficer", "source": {"editable": "."}}]},
        {"package": [{"name": "one", "source": PYPI, "wheels": [{"url": "a mirror without times"}]}]},
    ],
)
def test_an_index_that_does_not_say_when_is_no_answer(lock: dict[str, Any]) -> None:
    with pytest.raises(CouldNotAsk):
        last_releases(lock)


def test_without_uv_nothing_is_said_to_be_alive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.argv", ["alive"])
    assert alive.main() == 2
    assert "uv is not installed" in capsys.readouterr().err


def test_a_package_quiet_for_two_years_is_named_and_has_to_be_accepted() -> None:
    accepted = dict.fromkeys(ACCEPTED, NOW - timedelta(days=800))
    recent = {"busy": NOW - timedelta(days=729)}
    lines, good = verdict(accepted | recent, NOW)
    assert good
    assert len(lines) == len(ACCEPTED)
    lines, good = verdict(accepted | recent | {"asleep": NOW - timedelta(days=900)}, NOW)
    assert not good
    assert lines[0] == "asleep: 2024-06-14, NOT ACCEPTED"


def test_a_package_that_is_accepted_and_not_quiet_any_more_is_named() -> None:
    name = min(ACCEPTED)
    lines, good = verdict({name: NOW}, NOW)
    assert good
    assert f"{name}: accepted as quiet, and is not any more" in lines
