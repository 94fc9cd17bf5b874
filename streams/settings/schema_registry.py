"""Where are the schemas of records that only name theirs?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from detectors.policy.types import Fault
from sinks.configuration import Group, HttpUrl, Secret, UserPath

__all__ = ["SchemaRegistry"]


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError(
            "must be a folder of schemas, each a file that is named by its id, as 7.avsc or 7.json"
        )
    return value


class SchemaRegistry(Group):
    """``WATCHOFFICER_SCHEMA_REGISTRY__...``: for mappings of the format ``avro``.

    Attributes:
        url: of a Confluent-compatible schema registry.
        username, password: the credentials for it, if it asks for any.
        folder: holds the schemas instead, ``ID.avsc`` or, as a registry answers, ``ID.json``.
    """

    url: HttpUrl | None = None
    username: str | None = None
    password: Secret | None = None
    folder: Annotated[UserPath, AfterValidator(_folder)] | None = None

    def faults(self) -> Iterator[Fault]:
        if self.url is not None and self.folder is not None:
            yield Fault(("folder",), "must not be set beside the URL: which one counts?")
        if (self.username is None) != (self.password is None):
            missing = "username" if self.username is None else "password"
            yield Fault((missing,), "must be set: a user name and a password go together")
        elif self.username is not None and self.url is None:
            yield Fault(("url",), "must be set: the user name and the password are for a registry")
