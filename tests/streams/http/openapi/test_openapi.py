"""The OpenAPI document: current, valid, complete, and true of what is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from detectors.process.actions import OF_INCIDENTS
from streams.http.openapi.document import openapi, paths_of
from tests.streams.http.serving import Serving, an_incident
from tests.streams.http.test_reading import sli

FILE = Path(__file__).resolve().parents[4] / "deploy" / "openapi.json"
DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


async def test_what_is_served_is_what_is_checked_in(served: Serving) -> None:
    async with served.client.get("/openapi.json") as response:
        assert response.content_type == "application/json"
        assert await response.text() == FILE.read_text(encoding="utf-8"), "run python -m streams.http.openapi"


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_validator_finds_what_is_not_valid() -> None:
    head = {key: DOCUMENT[key] for key in ("openapi", "info")}
    broken = {**head, "paths": {"/a/{id}": {"get": {"summary": "no responses, no parameter"}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


async def test_every_route_is_described(served: Serving) -> None:
    served_ones = {
        (route.method.lower(), path)
        for route in served.client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
        for path in paths_of(_pattern(route.resource.get_info()))
    }
    described = {
        (method, path): of for path, methods in DOCUMENT["paths"].items() for method, of in methods.items()
    }
    assert set(described) == served_ones
    assert [key for key, of in described.items() if not of["summary"]] == []


def _pattern(info: Any) -> str:
    """The path of a resource, with alternatives of words written out as in its route."""
    if "path" in info:
        return str(info["path"])
    found = str(info["formatter"])
    for name, index in info["pattern"].groupindex.items():
        del index
        of = info["pattern"].pattern.partition(f"(?P<{name}>")[2].partition(")")[0]
        found = found.replace(f"{{{name}}}", f"{{{name}:{of}}}" if "|" in of else f"{{{name}}}")
    return found.replace("\\-", "-")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a", ["/a"]),
        ("/a/{id}", ["/a/{id}"]),
        ("/a/{id:.+}", ["/a/{id}"]),
        ("/{b:x|y-z}/{id}/end", ["/x/{id}/end", "/y-z/{id}/end"]),
    ],
)
def test_a_pattern_of_words_stands_for_a_path_each(path: str, found: list[str]) -> None:
    assert paths_of(path) == found


def test_a_route_that_nobody_has_described_says_what_its_handler_does() -> None:
    def handler() -> None:
        """Show the stars.

        All of them.
        """

    assert openapi([("GET", "/stars", handler)])["paths"]["/stars"]["get"]["summary"] == "Show the stars"


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/readyz", "/readyz"),
        ("/api/v1/health", "/api/v1/health"),
        ("/api/v1/inputs-health", "/api/v1/inputs-health"),
        ("/api/v1/slis?history=true", "/api/v1/slis"),
        ("/api/v1/slis?history=perhaps", "/api/v1/slis"),
        ("/api/v1/incidents", "/api/v1/incidents"),
        ("/api/v1/incidents/prod-17", "/api/v1/incidents/{id}"),
        ("/api/v1/incidents/prod-99", "/api/v1/incidents/{id}"),
        ("/api/v1/mutes", "/api/v1/mutes"),
        ("/api/v1/inputs/unknown", "/api/v1/inputs/{id}"),
        ("/v0/backend_statuses", "/v0/backend_statuses"),
        ("/v0/backend_statuses?csp=nobody", "/v0/backend_statuses"),
    ],
)
async def test_an_answer_is_what_the_document_says(served: Serving, path: str, template: str) -> None:
    incident = an_incident()
    served.feed(incident)
    served.feed_banner(incident)
    served.views.apply("sli", b"k", sli())
    async with served.client.get(path) as response:
        said = DOCUMENT["paths"][template]["get"]["responses"][str(response.status)]
        validator(said["content"][response.content_type]["schema"]).validate(await response.json())


@pytest.mark.parametrize("word", OF_INCIDENTS)
async def test_a_body_is_taken_only_as_the_document_says(served: Serving, word: str) -> None:
    served.feed(an_incident())
    path = f"/api/v1/incidents/prod-17/{word}"
    schema = DOCUMENT["paths"]["/api/v1/incidents/{id}/" + word]["post"]["requestBody"]["content"]
    taken = schema["application/json"]["schema"]
    judge = validator(taken)
    example: dict[str, Any] = {
        "text": "a text",
        "role": "liaison",
        "who": "Grace",
        "stage": "triage",
        "item": "1",
        "link": "https://example.test/1",
    }
    full = {name: of for name, of in example.items() if name in taken["properties"]} | {"by": "Ada"}
    bodies: list[dict[str, Any]] = [
        full,
        {**full, "nonsense": 1},
        *({k: v for k, v in full.items() if k != name} for name in full),
    ]
    for body in bodies:
        status, _ = await served.post(path, body, Authorization="Bearer a-token-of-the-test")
        needs_either = word == "follow-up" and not body.keys() & {
            "text",
            "item",
        }  # beyond a schema's "required"
        assert (status == 202) == (judge.is_valid(body) and not needs_either), (body, status)
