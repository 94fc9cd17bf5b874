"""A schema registry on this machine, schemas, and records that are written by them."""

from __future__ import annotations

import io
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fastavro import parse_schema, schemaless_writer

__all__ = ["MAPPING", "SIGN_IN", "RegistryServer", "framed", "registry", "sign_in"]

_WHO = {"type": "record", "name": "Who", "fields": [{"name": "icn", "type": "string"}]}
#: Ids of people stand in a union, times have a logical type, an error's code is optional, as producers write them.
SIGN_IN: dict[str, Any] = {
    "type": "record",
    "name": "SignIn",
    "namespace": "gov.va.identity",
    "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["OK", "FAILED", "LOOKED"]}},
        {"name": "who", "type": ["null", _WHO]},
        {"name": "code", "type": ["null", "string"], "default": None},
        {"name": "took", "type": "double"},
        {"name": "trace", "type": "bytes"},
    ],
}  # fmt: skip
MAPPING = """
name: avro-sign-ins
topic: sign-ins
format: avro
skip: {looked: kind == 'LOOKED'}
fields:
  occurred_at: {path: at, unit: ms}
  env: {const: prod}
  auth_method: {const: sis}
  step: {const: callback}
  outcome: {path: kind, table: {OK: success, FAILED: failure}}
  user_hash: {path: who.icn, hash: person}
  error_code: {path: code}
  duration_ms: {path: took}
  flow_id: {path: trace, hash: flow}
"""


def sign_in(at: int, kind: str = "OK", **more: Any) -> dict[str, Any]:
    """A value of ``SIGN_IN``; ``at`` in ms."""
    return {
        "at": at,
        "kind": kind,
        "who": {"icn": "kim"},
        "code": None,
        "took": 12.5,
        "trace": b"t-1",
        **more,
    }


def framed(number: int, value: Any, schema: Any = None) -> bytes:
    """A record: five bytes, and a value in Avro."""
    stream = io.BytesIO()
    schemaless_writer(stream, parse_schema(SIGN_IN if schema is None else schema), value)
    return b"\0" + number.to_bytes(4) + stream.getvalue()


class RegistryServer:
    """What a registry on this machine answers.

    Attributes:
        schemas: id -> its answer.
        versions: path of a version of a subject -> its answer.
        versions_status: of the next answers for versions.
        status: of the next answers; 200: as the schemas say.
        asked: ids, in order.
        credentials: NAME:PASSWORD that it asks for; "" for none.
        url: where it is.
    """

    def __init__(self) -> None:
        self.schemas: dict[int, bytes] = {}
        self.versions: dict[str, bytes] = {}
        self.status = self.versions_status = 200
        self.asked: list[int] = []
        self.credentials = self.url = ""

    def put(self, number: int, schema: Any, **more: Any) -> None:
        """Register a schema."""
        self.schemas[number] = json.dumps({"schema": json.dumps(schema), **more}).encode()

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        if path.startswith("/subjects/"):
            if self.versions_status != 200:
                return self.versions_status, b"{}"
            return (200, self.versions[path]) if path in self.versions else (404, b'{"error_code": 40402}')
        number = int(path.removeprefix("/schemas/ids/"))
        self.asked.append(number)
        if self.credentials and authorization != f"Basic {b64encode(self.credentials.encode()).decode()}":
            return 401, b"{}"
        if self.status != 200:
            return self.status, b"{}"
        return (200, self.schemas[number]) if number in self.schemas else (404, b'{"error_code": 40403}')


@contextmanager
def registry() -> Iterator[RegistryServer]:
    """A registry that serves meanwhile."""
    says = RegistryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = says.answer(self.path, self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        says.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield says
        finally:
            server.shutdown()
            serving.join()
