"""The audit of known weaknesses: what it finds, and that no answer is never taken for a good one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from streams.kafka.embedded_broker import free_port
from tests.supply.audit import KNOWN_TO_BE_WEAK, CouldNotAsk, main, weaknesses

ADVISORIES = {one: ["GHSA-old"] for one in KNOWN_TO_BE_WEAK}
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> httpx.Client:
    return httpx.Client(base_url="http://osv.invalid", transport=httpx.MockTransport(answer))


def database(known: dict[tuple[str, str], list[str]], page: int = 1000) -> Answer:
    """A database of some advisories that answers as OSV documents, so many ids a page."""

    def answer(request: httpx.Request) -> httpx.Response:
        results: list[dict[str, Any]] = []
        for query in json.loads(request.content)["queries"]:
            assert query["package"]["ecosystem"] == "PyPI"
            ids = known.get((query["package"]["name"], query["version"]), [])
            begin = int(query.get("page_token", 0))
            some = {
                "vulns": [
                    {"id": one, "modified": "2026-01-01T00:00:00Z"} for one in ids[begin : begin + page]
                ]
            }
            more = {"next_page_token": str(begin + page)} if begin + page < len(ids) else {}
            results.append((some if some["vulns"] else {}) | more)
        return httpx.Response(200, json={"results": results})

    return answer


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_the_advisories_of_each_version_are_found_on_all_pages(page: int) -> None:
    known = ADVISORIES | {("one", "1.0"): ["GHSA-1", "GHSA-2", "GHSA-3"], ("two", "1.0"): ["GHSA-4"]}
    with client(database(known, page)) as http:
        found = weaknesses([("one", "1.0"), ("two", "2.0"), ("three", "1.0")], http)
    assert found == {("one", "1.0"): ["GHSA-1", "GHSA-2", "GHSA-3"]}


def test_more_packages_than_one_request_takes_are_all_asked_for() -> None:
    many = [(f"package-{number}", "1.0") for number in range(1_100)]
    with client(database(ADVISORIES | {one: ["GHSA-1"] for one in many})) as http:
        assert weaknesses(many, http).keys() == set(many)


def raises(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("nothing in 30 s", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        raises,
        database({}),  # a mirror that knows nothing
        database({one: ["GHSA-old"] for one in KNOWN_TO_BE_WEAK[1:]}),  # a part of the database
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(302, headers={"location": "/login"}),
        lambda _: httpx.Response(200, text="<html>Sign in to the proxy</html>"),
        lambda _: httpx.Response(200, json={}),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(200, json={"results": {}}),
        lambda _: httpx.Response(200, json={"results": []}),
        lambda _: httpx.Response(200, json={"results": [None] * 4}),
        lambda _: httpx.Response(200, json={"results": [{"vulns": [{"name": "x"}]}] * 4}),
        lambda _: httpx.Response(
            200, json={"results": [{"vulns": [{"id": "x"}], "next_page_token": "1"}] * 4}
        ),
    ],
)
def test_an_answer_that_shows_nothing_is_no_audit(answer: Answer) -> None:
    with client(answer) as http, pytest.raises(CouldNotAsk):
        weaknesses([("one", "1.0")], http)


def test_a_database_that_cannot_be_reached_fails_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--url", f"http://127.0.0.1:{free_port()}"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Not audited" in said.err
    assert "--url" in said.err
