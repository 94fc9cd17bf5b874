"""Which JSON Schemas describe the records, for programs that write or read topics without this code?

``python -m streams.records.json_schemas`` writes one file for each schema. A test compares these files with those that
are checked in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from streams.events.login_event import FORBIDDEN, LoginEvent
from streams.events.validation import MAX_BYTES, MAX_DEPTH

__all__ = ["FOLDER", "SCHEMAS", "Schema", "login_event_schema", "render", "write"]

Schema = dict[str, Any]

#: The folder in which the schemas are checked in.
FOLDER = Path("deploy", "schemas")


def login_event_schema() -> Schema:
    """Return the JSON Schema (2020-12) of records that may be sent to ``login-events``.

    The schema accepts what ``events.decode`` accepts. Rules that JSON Schema cannot express are in its description.
    """
    _, components = msgspec.json.schema_components([LoginEvent])
    schema: Schema = components["LoginEvent"]
    fields: Schema = schema["properties"]
    fields["schema_version"]["type"] = "integer"
    for name in FORBIDDEN:
        fields[name] = {
            "description": "Never send this: it says who a person is. The event counts, this is dropped.",
            "deprecated": True,
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:watchofficer:login-event:1",
        "title": "Login event, version 1",
        "description": (
            "One step of one person's way through sign-in, as the server saw it: one JSON object in each "
            "record. Null is the same as absent, fields not named here are ignored, and of duplicate keys "
            "the last one counts. Beyond what a schema can say: at most "
            f"{MAX_BYTES} bytes of UTF-8, nested at most {MAX_DEPTH} deep, no escaped lone surrogates; "
            "schema_version is written 1, not 1.0; 29 February is a day of leap years only."
        ),
        "type": schema["type"],
        "required": schema["required"],
        "properties": fields,
    }


#: File name without its ending -> function that builds the schema.
SCHEMAS: dict[str, Callable[[], Schema]] = {"login-event": login_event_schema}


def render(schema: Schema) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write every schema into ``folder``, which is created if necessary; return the files, in order.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in SCHEMAS.items():
        file = folder / f"{name}.schema.json"
        file.write_text(render(schema()), encoding="utf-8")
        files.append(file)
    return files


if __name__ == "__main__":
    for written in write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(written)
