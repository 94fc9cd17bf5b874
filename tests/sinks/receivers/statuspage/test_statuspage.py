"""The status page shows incidents under an approved title, moves components, and is told each change once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.banner.keys import BannerKeys
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.statuspage.client import Statuspage
from sinks.receivers.statuspage.config import StatuspageSettings
from sinks.receivers.statuspage.wording import components_of, render
from sinks.sandbox.statuspage import StatuspageSandbox
from streams.settings.policy_file import default_policy
from streams.settings.settings import SettingsError, read_settings
from tests.sinks.samples import NAMES, OPENED, RunningTime, command, commands, incident

COMPONENTS = {"prod/ssoe": "cssoe", "prod/sis": "csis", "prod/ssoe/idme": "cidme", "prod/sis/idme": "cidme"}
TITLE = "Trouble signing in"
ACTIONS = ("open", "update", "resolve")


@dataclass
class House:
    """A page, our client for it, and the receipts that it gave."""

    page: StatuspageSandbox
    client: Statuspage
    receipts: dict[str, dict[str, str]] = field(default_factory=dict)

    async def send(self, said: Command, *, remember: bool = True) -> Answer:
        def known(sink: str) -> Mapping[str, str]:
            return self.receipts.get(f"{sink} {said.dedup_key}", {})

        answer = await self.client.send(said, known)
        if isinstance(answer, Delivered) and remember:
            kept = self.receipts.setdefault(f"{said.sink} {said.dedup_key}", {})
            kept.update(answer.receipt)
        return answer


@pytest.fixture
async def house(http: httpx.AsyncClient) -> AsyncIterator[House]:
    time = RunningTime()
    page = StatuspageSandbox(
        clock=time.clock, sleep=time.sleep, api_key="k", page="page1", components=set(COMPONENTS.values())
    )
    await page.start()
    client = Statuspage(
        http,
        api_key=SecretStr("k"),
        page="page1",
        title=TITLE,
        components=COMPONENTS,
        keys=BannerKeys(default_policy()).of_scope,
        base_url=page.url,
        names=NAMES,
    )
    yield House(page, client)
    await page.stop()


def said(action: str, kind: str = "opened", key: str = "prod-7", **about: object) -> Command:
    return command(
        "statuspage",
        action,
        kind=kind,
        id=f"{key}:{kind}:{action}",
        dedup_key=f"watchofficer:{key}:0",
        incident=incident(id=key, **about),
    )


def now_of(page: StatuspageSandbox) -> tuple[str, str, dict[str, str]]:
    (shown,) = page.incidents.values()
    return shown.status, shown.impact, {c: s for c, s in page.components.items() if s != "operational"}


async def test_an_outage_from_opening_to_end_on_the_page(house: House) -> None:
    page = house.page
    assert isinstance(await house.send(said("open")), Delivered)
    assert now_of(page) == ("investigating", "critical", {"cssoe": "major_outage"})
    await house.send(said("update", "severity", severity=2))
    assert now_of(page) == ("investigating", "major", {"cssoe": "partial_outage"})
    await house.send(said("update", "declared", severity=2, declared_at=OPENED))
    await house.send(said("update", "recovering", severity=2, declared_at=OPENED, state="recovering"))
    await house.send(said("resolve", "resolved", state="resolved", resolved_at=OPENED))
    assert now_of(page) == ("resolved", "critical", {})
    (shown,) = page.incidents.values()
    assert shown.name == TITLE
    assert shown.updates == [
        "Some people cannot sign in (SSOe sign-in). We are looking into it.",
        "Some people cannot sign in (SSOe sign-in). We know of it and work on it.",
        "Signing in works again (SSOe sign-in). We keep watching.",
        "The problem with SSOe sign-in is over.",
    ]  # a change of figures or severity alone reaches no subscriber


async def test_after_a_lost_answer_the_incident_is_found_and_not_made_again(house: House) -> None:
    house.page.cut(1, path="/v1/pages/page1/incidents")  # the list
    assert isinstance(await house.send(said("open")), Retry)
    await house.send(said("open"), remember=False)
    assert isinstance(await house.send(said("open"), remember=False), Delivered)
    assert isinstance(await house.send(said("update", "severity", severity=2)), Delivered)
    assert len(house.page.incidents) == 1
    assert now_of(house.page)[1] == "major"


async def test_a_component_stays_down_for_the_other_incident(house: House) -> None:
    await house.send(said("open", key="prod-7"))
    await house.send(said("open", key="prod-8", severity=3))
    assert house.page.components["cssoe"] == "major_outage"
    await house.send(said("resolve", "resolved", key="prod-7", state="resolved", resolved_at=OPENED))
    assert house.page.components["cssoe"] == "degraded_performance"
    await house.send(
        said("resolve", "resolved", key="prod-8", severity=3, state="resolved", resolved_at=OPENED)
    )
    assert set(house.page.components.values()) == {"operational"}


async def test_an_incident_that_moves_leaves_its_component_in_order(house: House) -> None:
    await house.send(said("open"))
    await house.send(said("update", "scope", scope="prod/*/idme"))
    assert now_of(house.page)[2] == {"cidme": "major_outage"}
    await house.send(said("update", "scope", scope="prod"))
    assert now_of(house.page)[2] == {"cssoe": "major_outage", "csis": "major_outage"}


async def test_what_affects_no_component_is_not_shown(house: House) -> None:
    assert isinstance(await house.send(said("open", scope="staging/ssoe", env="staging")), Delivered)
    assert isinstance(await house.send(said("open", scope="prod/*/*/vamobile")), Delivered)
    assert house.page.incidents == {}
    assert house.page.requests == []


async def test_an_end_without_a_beginning_is_refused(house: House) -> None:
    answer = await house.send(said("resolve", "resolved", state="resolved"))
    assert isinstance(answer, Refused)
    assert house.page.incidents == {}


@pytest.mark.parametrize("method", ["list", "create"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(420, Retry), (429, Retry), (500, Retry), (503, Retry), (401, Refused), (422, Refused), (302, Refused)],
)
async def test_what_an_answer_means(house: House, method: str, status: int, outcome: type[object]) -> None:
    path = "/v1/pages/page1/incidents/unresolved" if method == "list" else "/"
    if method == "create":
        house.page.fail(1, status=200, body=b"[]", path=path)
    house.page.fail(1, status=status, path="/")
    answer = await house.send(said("open"))
    assert isinstance(answer, outcome)
    assert not isinstance(answer, Retry) or answer.throttled == (status in (420, 429))


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'[{"name": "x"}]'])
async def test_a_page_of_somebody_else_is_no_list(house: House, body: bytes) -> None:
    house.page.fail(1, status=200, body=body)
    answer = await house.send(said("open"))
    assert isinstance(answer, Retry)
    assert answer.kind == "unexpected"


@given(commands("statuspage", ACTIONS))
def test_the_public_reads_no_figure_and_no_words_of_others(drawn: Command) -> None:
    body = render(
        drawn,
        title=TITLE,
        components=components_of(drawn.incident, ["c1"]),
        own={},
        says=True,
        names=NAMES,
    )["incident"]
    texts: Sequence[str] = [body["body"], body.get("name", "")]
    assert body.get("name", TITLE) == TITLE
    assert not any(note.text in text for note in drawn.incident.notes if len(note.text) > 3 for text in texts)
    assert body["status"] in ("investigating", "identified", "monitoring", "resolved")
    assert str(drawn.incident.users_impacted) not in texts[0] or drawn.incident.users_impacted < 10


def test_settings_need_a_headline_and_components_that_can_be() -> None:
    base = {
        "WATCHOFFICER_STATUSPAGE__API_KEY": "k",
        "WATCHOFFICER_STATUSPAGE__PAGE": "page1",
        "WATCHOFFICER_STATUSPAGE__COMPONENTS": "prod/ssoe=c1, prod/sis/idme=c2",
    }
    assert read_settings(base).sinks() == frozenset()
    assert read_settings({**base, "WATCHOFFICER_STATUSPAGE__HEADLINE": TITLE}).sinks() == {"statuspage"}
    with pytest.raises(SettingsError, match="ids of components"):
        read_settings({**base, "WATCHOFFICER_STATUSPAGE__COMPONENTS": "prod/ssoe:c1"})


def test_of_changes_that_wait_the_last_one_is_enough() -> None:
    opened, change, over = said("open"), said("update", "severity"), said("resolve", "resolved")
    assert StatuspageSettings.overtaken(change, [over]) == "superseded"
    assert StatuspageSettings.overtaken(opened, [change, over]) is None
