"""What HTTP requests bring: bodies of a bounded size, parameters, and the id under which a write is repeated.

All raise `ApiError` with what is wrong and how it should be.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from streams.http.responses import ApiError
from streams.records.models import ID_LIMIT, complaints

__all__ = ["BODY_LIMIT", "flag", "input_id", "json_body", "number", "parsed", "raw_body"]

#: The largest body of a person's request, bytes.
BODY_LIMIT = 64 * 1024
_PATIENCE = 10.0  # seconds for a body to arrive

ModelT = TypeVar("ModelT", bound=BaseModel)


async def raw_body(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    """The body as it was sent, of ``limit`` bytes at most."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ApiError(415, "unsupported_media_type", "bodies are taken uncompressed")
    too_large = ApiError(413, "request_entity_too_large", f"a body has at most {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.content.iter_any():
                body += part
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise ApiError(408, "request_timeout", "the body did not arrive in time") from None
    return bytes(body)


async def json_body(request: web.Request) -> bytes:
    """The body, declared as JSON unless it is empty: no form of another page can do that."""
    body = await raw_body(request)
    if body and request.content_type != "application/json":
        raise ApiError(415, "unsupported_media_type", "a body is application/json")
    return body


def parsed(model: type[ModelT], body: bytes) -> ModelT:
    """The body as ``model``; an empty one stands for an empty object."""
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise ApiError(400, "bad_request", complaints(error)) from None


def input_id(request: web.Request) -> str:
    """The client's ``Idempotency-Key``, under which it may send the same again; without one a new id."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return str(uuid.uuid4())
    if not 1 <= len(given) <= ID_LIMIT or not given.isascii() or not given.isprintable():
        raise ApiError(400, "bad_request", f"Idempotency-Key has 1 to {ID_LIMIT} printable ASCII characters")
    return given


def number(text: str | None, name: str, *, default: int, most: int) -> int:
    """A parameter from 1 to ``most``."""
    if text is None:
        return default
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text) or int(text) > most:
        raise ApiError(400, "bad_request", f"{name} is a number from 1 to {most}")
    return int(text)


def flag(text: str | None, name: str) -> bool:
    """A parameter that is ``true`` or ``false``, the default."""
    if text not in (None, "true", "false"):
        raise ApiError(400, "bad_request", f"{name} is true or false")
    return text == "true"
