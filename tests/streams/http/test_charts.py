"""A receiver that has no token fetches the chart of an outage at its signed address, and at no other."""

from __future__ import annotations

import json

import pytest

from detectors.incidents import Command
from detectors.instants import MINUTE
from detectors.policy.policy import Policy
from streams.http.charts import VALID
from streams.settings.policy_file import default_policy
from tests.sinks.samples import command
from tests.streams.http.serving import NOW, Serving, an_incident, serving

KEY = "a key of thirty-two bytes, of a test"
PNG = b"\x89PNG"


def public() -> Policy:
    values = json.loads(default_policy().canonical())
    values["notify"]["console_url"] = "https://watch.example/"
    return Policy.model_validate(values)


def fed(served: Serving) -> Command:
    """A command of an incident whose hour is known."""
    for ago in range(30):
        served.views.traces.add("prod/ssoe", NOW - 2 * ago * MINUTE, success=0.03, people=90)
    about = an_incident()
    served.feed(about)
    return command("slack", "post", incident=about, at=NOW)


async def test_the_signed_address_alone_admits() -> None:
    async with serving(bind="0.0.0.0", policy=public(), chart_key=KEY) as served:
        url = served.charts.url(fed(served))
        assert url is not None
        assert url.startswith("https://watch.example/charts/prod-17/")
        path = url.removeprefix("https://watch.example")
        async with served.client.get(path) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")
            assert "immutable" in answer.headers["Cache-Control"]
            body = await answer.read()
        assert body.startswith(PNG)
        assert body == await served.charts.picture(fed(served))
        last = "0" if path[-5] != "0" else "1"
        for wrong in (
            path.replace("prod-17", "prod-18"),
            path.replace(str(NOW), str(NOW - MINUTE)),
            path.replace(str(NOW + VALID), str(NOW + 2 * VALID)),
            f"{path[:-5]}{last}.png",
            path.replace(str(NOW), "soon"),
        ):
            async with served.client.get(wrong) as answer:
                assert answer.status == 404, wrong
        async with served.client.get("/api/v1/incidents") as answer:
            assert answer.status == 401  # nothing else is open


async def test_an_address_ends_after_three_days() -> None:
    async with serving(policy=public(), chart_key=KEY) as served:
        fed(served)
        path = served.charts.path("prod-17", NOW)
        served.now = NOW + VALID
        async with served.client.get(path) as answer:
            assert answer.status == 410


async def test_an_hour_of_which_nothing_is_known_has_no_chart() -> None:
    async with serving(policy=public(), chart_key=KEY) as served:
        fed(served)
        long_ago = command("slack", "post", incident=an_incident(), at=NOW - 600 * MINUTE)
        assert served.charts.url(long_ago) is None
        assert await served.charts.picture(long_ago) is None
        async with served.client.get(served.charts.path("prod-17", NOW - 600 * MINUTE)) as answer:
            assert answer.status == 404


async def test_a_chart_whose_last_minutes_are_not_known_yet_is_not_kept() -> None:
    async with serving(policy=public(), chart_key=KEY) as served:
        fed(served)
        async with served.client.get(served.charts.path("prod-17", NOW + 10 * MINUTE)) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize(("policy", "key"), [(public(), None), (None, KEY)])
async def test_without_a_key_or_a_console_that_others_reach_charts_have_no_address(
    policy: Policy | None, key: str | None
) -> None:
    async with serving(policy=policy, chart_key=key) as served:
        said = fed(served)
        assert served.charts.url(said) is None
        picture = await served.charts.picture(said)  # which mails bring along
        assert picture is not None
        assert picture.startswith(PNG)
        async with served.client.get(f"/charts/prod-17/{NOW}/{NOW + VALID}/{'0' * 32}.png") as answer:
            assert answer.status == 404
