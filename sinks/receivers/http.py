"""How is a request made to a receiver over HTTP? Every failure is a return value, and no text holds a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx
from pydantic import SecretStr

from sinks.receivers.answers import Refused, Retry, classify, without_secrets
from sinks.wording import one_line, truncate

__all__ = ["call"]


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    secrets: Iterable[SecretStr] = (),
) -> httpx.Response | Retry | Refused:
    """Make one HTTP request; every failure is a return value.

    No returned text holds a secret: an exception is reported by its type alone, because the text of some
    exceptions repeats header values, and secrets that a receiver echoes are replaced by ``***``.
    """
    try:
        response = await http.request(
            method,
            url,
            content=body,
            headers={"Content-Type": "application/json", **(headers or {})},
            params=params,
        )
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        return Refused(f"the request cannot be made with these settings: {type(error).__name__}")
    except httpx.TimeoutException as error:
        return Retry(None, f"no answer in time: {type(error).__name__}")
    except httpx.HTTPError as error:
        return Retry(None, f"no answer: {type(error).__name__}")
    return classify(response.status_code, response.headers, _said(response, secrets)) or response


def _said(response: httpx.Response, secrets: Iterable[SecretStr]) -> str:
    return "" if response.is_success else truncate(one_line(without_secrets(response.text, secrets)), 300)
