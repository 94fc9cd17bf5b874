"""`watchofficer retire` on the command line: what is sent and printed, and the exit status."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main
from tests.streams.http.serving import TOKEN, Serving, serving


async def _retire(served: Serving, *arguments: str) -> Result:
    url = str(served.client.make_url("/"))
    return await asyncio.to_thread(CliRunner().invoke, main, ["retire", *arguments, "--url", url])


async def test_a_value_is_retired_by_the_running_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", TOKEN)
    async with serving() as served:
        result = await _retire(served, "csp", "MHV", "--by", "Ada", "--env", "staging")
    assert (result.exit_code, result.stderr) == (0, "")
    (value,) = served.submitted
    assert result.stdout.endswith(f"accepted: nobody will use csp mhv in staging (input {value.id})\n")
    assert (value.kind, value.axis, value.value, value.by) == ("retire", "csp", "mhv", "Ada")
    assert value.env == "staging"


@pytest.mark.parametrize(
    ("token", "axis", "said"),
    [
        (TOKEN, "colour", "refused: axis: is one of auth_method, csp, client_id"),
        ("another-token", "csp", "refused: "),
    ],
)
async def test_what_is_refused_is_status_2_and_says_why(
    monkeypatch: pytest.MonkeyPatch, token: str, axis: str, said: str
) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", token)
    async with serving() as served:
        result = await _retire(served, axis, "mhv")
    assert (result.exit_code, served.submitted) == (2, [])
    assert result.stderr.startswith(said)
    assert token not in result.stderr


def test_without_a_worker_it_is_status_2_and_one_line() -> None:
    result = CliRunner().invoke(main, ["retire", "csp", "mhv", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 2
    assert result.stderr.startswith("no worker answers at http://127.0.0.1:9")
    assert result.stderr.count("\n") == 1
