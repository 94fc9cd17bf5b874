"""What does a Confluent-compatible schema registry say of an id? Asked over HTTP; it blocks."""

from __future__ import annotations

import ssl
import time
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from detectors.errors import WatchofficerError

__all__ = ["Registry", "RegistryAway"]

_PATIENCE = 10.0  # seconds for an answer
_MOST_BYTES = 1 << 20
_ACCEPT = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}


class RegistryAway(WatchofficerError):
    """A schema registry does not answer what it was asked. The message holds no secret.

    Args:
        url: of the registry.
        why: what it did instead.
    """

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the schema registry at {url} gives no schemas: {why}")


class Registry:
    """Asks a schema registry. Its certificate is checked by those of the system (``SSL_CERT_FILE`` names others).

    Args:
        url: where it is.
        username, password: the credentials; None for none.
    """

    def __init__(self, url: str, username: str | None = None, password: SecretStr | None = None) -> None:
        self._url = url
        self._auth = None
        if username is not None and password is not None:
            self._auth = httpx.BasicAuth(username, password.get_secret_value())
        # Certificates of the system are read once, and only where they are needed.
        self._verify = ssl.create_default_context() if url.startswith("https:") else False

    def schema(self, number: int) -> bytes | None:
        """Return what the registry says of a schema, JSON; None if it has no such schema. Waits for up to 10 s.

        Raises:
            RegistryAway: it does not answer, refuses, or says too much.
        """
        return self._asked(f"/schemas/ids/{number}")

    def version(self, subject: str, number: int) -> bytes | None:
        """Return what the registry says of a version of a subject, as ``schema`` does.

        Raises:
            RegistryAway: as ``schema``.
        """
        return self._asked(f"/subjects/{quote(subject, safe='')}/versions/{number}")

    def _asked(self, path: str) -> bytes | None:
        body, until = bytearray(), time.monotonic() + _PATIENCE
        try:
            with (
                httpx.Client(verify=self._verify, timeout=_PATIENCE, auth=self._auth) as client,
                client.stream("GET", f"{self._url}{path}", headers=_ACCEPT) as response,
            ):
                for part in response.iter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise RegistryAway(self._url, f"its answer is larger than {_MOST_BYTES:,} bytes")
                    if time.monotonic() > until:
                        raise RegistryAway(self._url, f"its answer took longer than {_PATIENCE:.0f} s")
        except (httpx.HTTPError, OSError) as error:
            raise RegistryAway(self._url, f"no answer: {type(error).__name__}") from None
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            why = (
                f"status {response.status_code}: check WATCHOFFICER_SCHEMA_REGISTRY__USERNAME and __PASSWORD"
            )
            raise RegistryAway(self._url, why)
        if response.status_code != httpx.codes.OK:
            raise RegistryAway(self._url, f"status {response.status_code}")
        return bytes(body)
