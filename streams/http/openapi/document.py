"""How is the HTTP interface described for programs? As an OpenAPI document, made from the table of routes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from streams.http.access.local import is_public
from streams.http.openapi.operations import OPERATIONS, PARAMETERS, SCHEMAS, Operation, Schema
from streams.records.asyncapi import SCHEMAS as RECORDS

__all__ = ["Row", "openapi", "paths_of", "render"]

#: Method, path in the form of aiohttp, handler.
Row = tuple[str, str, object]

_PATTERN = re.compile(r"\{(\w+):([^{}]+)\}")
_OF_RECORDS = {"Incident": "incident", "Sli": "sli"}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "an act that is repeated under the same key applies once",
    "schema": {"type": "string", "pattern": "^[ -~]{1,128}$"},
}
#: As RFC 9110 calls what Python before 3.13 calls otherwise: the document is the same on each.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
_ABOUT = (
    "Everything is answered from memory, so that every worker answers for all. A write is answered 202 once the broker"
    ' has it. Errors are JSON, `{"error": {"code", "message"}}`.'
)


def paths_of(path: str) -> list[str]:
    """Return the paths of OpenAPI that a path of aiohttp stands for: one for each word of a pattern of words.

    ``/a/{b:x|y}/{c}`` stands for ``/a/x/{c}`` and ``/a/y/{c}``; of other patterns the name remains.
    """
    found = _PATTERN.search(path)
    if found is None:
        return [path]
    name, pattern = found.groups()
    words = pattern.split("|") if re.fullmatch(r"[a-z|-]+", pattern) else [f"{{{name}}}"]
    return [one for word in words for one in paths_of(path.replace(found[0], word, 1))]


def openapi(table: Iterable[Row]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a table of routes.

    A route that `operations` does not have is described by the first line of its handler's docstring.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method, pattern, handler in table:
        for path in paths_of(pattern):
            operation = OPERATIONS.get((method, path)) or Operation("Pages", _first_line(handler))
            paths.setdefault(path, {})[method.lower()] = _described(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "watchofficer",
            "version": version("watchofficer"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "a worker"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "WATCHOFFICER_API_TOKENS; without one, only this machine is answered",
                }
            },
        },
    }


def render(document: Mapping[str, Any]) -> str:
    """Return the text of the document, as it is served and checked in."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _first_line(handler: object) -> str:
    return (getattr(handler, "__doc__", None) or "").partition("\n")[0].rstrip(".")


def _described(method: str, path: str, operation: Operation) -> dict[str, Any]:
    writes = method == "POST" and not is_public(path)
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PARAMETERS.get(name, name),
            "schema": {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [_query(name, schema) for name, schema in operation.parameters.items()]
    if writes:
        parameters.append(_IDEMPOTENCY)
    if operation.signed is not None:
        parameters.append(
            {"name": operation.signed, "in": "header", "required": True, "schema": {"type": "string"}}
        )
    return {
        "operationId": _id(method, path),
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _body(operation)} if operation.body is not None else {}),
        "responses": _responses(operation),
        **({} if is_public(path) else {"security": [{"token": []}, {}]}),
    }


def _query(name: str, schema: Schema) -> dict[str, Any]:
    kept = {key: of for key, of in schema.items() if key != "description"}
    said = {"description": schema["description"]} if "description" in schema else {}
    return {"name": name, "in": "query", **said, "schema": kept}


def _body(operation: Operation) -> dict[str, Any]:
    body = operation.body or {}
    return {
        "required": "required" in body or "anyOf" in body,
        "content": {"application/json": {"schema": body}},
    }


def _responses(operation: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": _phrase(operation.status)}
    if operation.content_type:
        good["content"] = {operation.content_type: {"schema": operation.answer or {"type": "string"}}}
    error: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    if operation.error_pages:
        error["text/html"] = {"schema": {"type": "string"}}
    errors = {
        str(status): {"description": _phrase(status), "content": error}
        for status in (*sorted(set(operation.errors)), 500)
    }
    return {str(operation.status): good, **errors}


def _phrase(status: int) -> str:
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def _id(method: str, path: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", path.lower()).strip("_")
    return f"{method.lower()}_{words or 'console'}"


def _schemas() -> dict[str, Any]:
    """Return the shared schemas, with the parts of records beside them as OpenAPI wants them.

    A record is answered as it was written. So a field that has a default may be missing:
    an older build did not know it.
    """
    found: dict[str, Any] = {}
    for name, record in _OF_RECORDS.items():
        schema = RECORDS[record]()
        parts = schema.pop("$defs", {})
        for key in ("$schema", "$id"):
            schema.pop(key, None)
        found[name] = schema
        found |= parts
    return {name: _moved(_of_any_build(schema)) for name, schema in found.items()} | SCHEMAS


def _of_any_build(schema: Any) -> Any:
    """Return the schema of an object without the requirement of fields that have a default."""
    has = schema.get("properties", {})
    required = [
        name for name in schema.get("required", ()) if not has.get(name, {}).keys() & {"default", "readOnly"}
    ]
    return (
        {**schema, "required": required} if required else {k: v for k, v in schema.items() if k != "required"}
    )


def _moved(value: Any) -> Any:
    """Lead references to parts of a schema to where the parts stand now."""
    if isinstance(value, dict):
        return {
            key: item.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref" and isinstance(item, str)
            else _moved(item)
            for key, item in value.items()
        }
    return [_moved(item) for item in value] if isinstance(value, list) else value
