"""PagerDuty's maintenance windows are maintenance here: announced once, ended when they are moved or taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import IncidentInput
from detectors.instants import DAY, HOUR, MINUTE, format_instant
from detectors.lifecycle.conduct.covering import Covers, cover
from detectors.process.covers import Cover
from sinks.receivers.pagerduty.config import PagerDutySettings
from streams.http.pagerduty.maintenance import Window, inputs_of, windows_in
from streams.settings.policy_file import default_policy
from tests.sinks.samples import OPENED
from tests.streams.http.pagerduty.polled import Polled, polled

SCOPES = {"PSSOE": "prod/ssoe", "PALL": "prod"}


def window(name: str, start: int, end: int, *services: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "maintenance_window",
        "start_time": format_instant(start),
        "end_time": format_instant(end),
        "description": "ISAM patching",
        "services": [{"id": one, "type": "service_reference"} for one in services],
        "created_by": {"id": "PU", "type": "user_reference", "summary": "Ada Byron"},
        **more,
    }


def applied(covers: Covers, value: IncidentInput, at: int) -> None:
    """What the evaluation makes of an input, which must not refuse it."""
    said = cover(covers, value, at, default_policy())
    assert not isinstance(said, str), said


@dataclass
class House(Polled):
    """PagerDuty with windows, a poll of it, and the maintenance that came of it."""

    covers: Covers = field(default_factory=Covers)

    async def minute(self) -> list[tuple[str, str | None, int | None, int | None, str | None]]:
        """Poll a minute later: the inputs, which then apply."""
        await self.after(MINUTE)
        for value in self.made:
            applied(self.covers, value, self.time.now)
        return [(one.kind, one.scope, one.since, one.until, one.item) for one in self.made]


@pytest.fixture(name="house")
async def house_(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    async with polled(House, lambda incident: incident.startswith("prod-"), SCOPES) as house:
        monkeypatch.setattr(house.views.covers, "standing", lambda kind: list(house.covers.standing))
        yield house


async def test_a_window_is_announced_once_and_ends_when_it_is_moved_or_taken_back(house: House) -> None:
    start, end = OPENED + 5 * DAY, OPENED + 5 * DAY + 2 * HOUR
    windows = house.pagerduty.rest.windows
    windows += [window("PW1", start, end, "PSSOE", "POTHER"), window("PW2", start, end, "POTHER")]
    assert await house.minute() == [("maintain", "prod/ssoe", start, end, None)]
    (first,) = house.covers.standing
    assert (first.by, first.text) == ("PagerDuty: Ada Byron", "PagerDuty maintenance PW1: ISAM patching")
    assert first.counts  # it was announced in time
    assert await house.minute() == []
    windows[0] = window("PW1", start + HOUR, end + HOUR, "PSSOE")
    assert await house.minute() == [
        ("unmute", None, None, None, first.id),
        ("maintain", "prod/ssoe", start + HOUR, end + HOUR, None),
    ]
    (moved,) = house.covers.standing
    windows[0] = window("PW1", start, end, "PSSOE")  # and back
    assert [kind for kind, *_ in await house.minute()] == ["unmute", "maintain"]
    (back,) = house.covers.standing
    assert (back.start, back.end) == (start, end)
    assert back.id not in (first.id, moved.id)
    windows.clear()
    assert await house.minute() == [("unmute", None, None, None, back.id)]
    assert house.covers.standing == []
    assert await house.minute() == []


async def test_what_a_person_ended_here_is_not_announced_again_nor_theirs_ended(house: House) -> None:
    start, end = OPENED + HOUR, OPENED + 2 * HOUR
    house.pagerduty.rest.windows += [window("PW1", start, end, "PALL")]
    await house.minute()
    (announced,) = house.covers.standing
    theirs = IncidentInput(
        id="t", env="prod", kind="maintain", scope="prod/sis", since=start, until=end, text="ours"
    )
    applied(house.covers, theirs, house.time.now)
    ended = IncidentInput(id="e", env="prod", kind="unmute", item=announced.id, by="Grace")
    applied(house.covers, ended, house.time.now)
    assert await house.minute() == []
    assert [one.text for one in house.covers.standing] == ["ours"]


async def test_an_answer_without_windows_ends_no_maintenance(house: House) -> None:
    house.pagerduty.rest.windows += [window("PW1", OPENED + HOUR, OPENED + 2 * HOUR, "PSSOE")]
    assert len(await house.minute()) == 1
    for body in (b"{}", b'{"maintenance_windows": null}', b"<html>"):
        house.pagerduty.fail(status=200, path="/maintenance_windows", body=body)
        assert await house.minute() == []
    house.pagerduty.fail(status=503, path="/maintenance_windows")
    assert await house.minute() == []
    assert len(house.covers.standing) == 1


async def test_all_pages_of_windows_are_read(house: House) -> None:
    start = OPENED + HOUR
    house.pagerduty.rest.windows += [window(f"PX{n}", start, start + HOUR, "POTHER") for n in range(150)]
    house.pagerduty.rest.windows += [window("PW1", start, start + HOUR, "PSSOE")]
    assert [scope for _, scope, *_ in await house.minute()] == ["prod/ssoe"]


@pytest.mark.parametrize(
    "broken",
    [
        {"start_time": "soon"}, {"end_time": None}, {"services": None}, {"services": [5]}, {"id": "a:b"},
        {"end_time": format_instant(OPENED)}, {"end_time": format_instant(OPENED + 30 * DAY)},
    ],
)  # fmt: skip
def test_a_window_of_another_form_is_passed_by(broken: dict[str, Any]) -> None:
    good = window("PW1", OPENED + HOUR, OPENED + 2 * HOUR, "PSSOE")
    assert len(list(windows_in([good, {**good, **broken}, 5, None], SCOPES))) == 1


SPANS = st.tuples(st.integers(1, 50), st.integers(1, 20)).map(
    lambda pair: (OPENED + pair[0] * HOUR, OPENED + (pair[0] + pair[1]) * HOUR)
)


@given(
    st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from(["PA", "PB", "PC"]), st.sampled_from(["prod", "prod/ssoe"])), SPANS
        ),
        max_size=6,
    )
)
def test_maintenance_here_is_that_of_pagerduty_after_each_round(
    rounds: list[dict[tuple[str, str], tuple[int, int]]],
) -> None:
    covers = Covers()
    for planned in rounds:
        windows = [Window(name, scope, *span, "why", "Ada") for (name, scope), span in planned.items()]
        for value in inputs_of(windows, list(covers.standing), SCOPES, OPENED):
            applied(covers, value, OPENED)
        found = {
            (one.text.split()[2].rstrip(":"), one.scope): (one.start, one.end) for one in covers.standing
        }
        assert found == planned
        assert list(inputs_of(windows, list[Cover](covers.standing), SCOPES, OPENED)) == []


@pytest.mark.parametrize("text", ["", "PSSOE", "PSSOE=", "=prod", "pssoe=prod", "PSSOE=Prod"])
def test_services_are_given_scopes(text: str) -> None:
    with pytest.raises(ValueError, match="ids of services with scopes"):
        PagerDutySettings.model_validate({"services": text})
    found = PagerDutySettings.model_validate({"services": "PSSOE=prod/ssoe, PALL=prod"})
    assert found.scopes() == SCOPES
    assert PagerDutySettings().scopes() == {}
