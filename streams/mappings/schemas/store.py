"""Which schemas are known here, by their ids, and from where: a registry, or a folder that holds what one would say?"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from streams.mappings.schemas.avro import UnusableSchema, avro_decoder
from streams.mappings.schemas.registry import Registry
from streams.settings.schema_registry import SchemaRegistry
from streams.settings.settings import PREFIX, SettingsError, SettingsProblem

__all__ = ["Schemas", "schemas_of"]

_MOST = 1_000  # schemas, those that do not exist among them
_MOST_BYTES = 1 << 20  # of a schema
#: A schema that did not exist is asked for again after so long, seconds.
_ABSENT_FOR = 60.0
#: The name of a file with the version of a subject, without its ending: sign-ins-value@3.
_OF_SUBJECT = re.compile(r"(.+)@([0-9]{1,9})")
_MOST_OTHERS = 32  # schemas that one refers to, at any remove
_FRAME = 5  # bytes before a record: 0, and the id

#: How bytes become a value, or why they do not.
_Known = Callable[[bytes], Any] | str
#: What a registry says of a version of a subject.
_Version = Callable[[tuple[str, int]], bytes | None]


class _Reference(msgspec.Struct):
    """A schema whose types another one names."""

    subject: str
    version: int


class _Schema(msgspec.Struct):
    """The answer of a registry to the question for a schema."""

    schema: str
    type: str = msgspec.field(name="schemaType", default="AVRO")
    references: list[_Reference] | None = None


class Schemas:
    """The schemas that are known.

    Args:
        registry: answers for schemas that are not known; None: what is known is all.
        at_once: ``decode`` asks the registry itself, and waits. A loop that must not wait lets ``learn`` do so before.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        at_once: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._at_once = at_once
        self._monotonic = monotonic
        self._known: dict[int, _Known] = {}
        self._versions: dict[tuple[str, int], bytes] = {}  # of a folder
        self._absent: dict[int, float] = {}  # id -> when the registry said that it does not exist

    def add(self, number: int, answer: bytes) -> None:
        """Note what a registry says of a schema: JSON with ``schema``; what is no such thing is noted as unusable."""
        version = self._versions.get if self._registry is None else self._version
        self._known[number] = _known(answer, version)

    def add_version(self, subject: str, number: int, answer: bytes) -> None:
        """Note what a registry says of a version of a subject, to which schemas that are added later may refer."""
        self._versions[subject, number] = answer

    def _version(self, place: tuple[str, int]) -> bytes | None:
        assert self._registry is not None
        return self._registry.version(*place)

    def missing(self, records: Iterable[bytes | None]) -> frozenset[int]:
        """Return the ids that records name and of which the registry must be asked before the records are decoded."""
        if self._registry is None:
            return frozenset()
        named = {
            int.from_bytes(one[1:_FRAME]) for one in records if one and one[0] == 0 and len(one) >= _FRAME
        }
        unknown = {number for number in named if number not in self._known and not self._recently(number)}
        if not unknown or len(self._known) + self._still_absent() < _MOST:
            return frozenset(unknown)
        return frozenset()

    def learn(self, numbers: Iterable[int]) -> None:
        """Ask the registry for schemas, one after the other, and wait for its answers. Safe to run in a thread.

        Raises:
            RegistryAway: it does not answer; the schemas that it gave before stay known.
        """
        if self._registry is None:
            return
        self._absent = {number: at for number, at in self._absent.items() if self._recently(number)}
        for number in sorted(numbers):
            if len(self._known) + len(self._absent) >= _MOST:
                return
            answer = self._registry.schema(number)
            if answer is None:
                self._absent[number] = self._monotonic()
            else:
                self.add(number, answer)

    def decode(self, value: bytes) -> Any:
        """Return the value of a record: a byte 0, the id of its schema in four bytes, and the value in Avro.

        Raises:
            ValueError: it is no such record, or its schema is not known; the message quotes nothing of the record.
            RegistryAway: the registry is asked at once, and does not answer.
        """
        if len(value) < _FRAME or value[0]:
            raise ValueError("does not begin with the five bytes of a schema registry")
        number = int.from_bytes(value[1:_FRAME])
        if self._at_once and self.missing((value,)):
            self.learn((number,))
        known = self._known.get(number)
        if known is None:
            raise ValueError(f"names a schema that {self._where} does not have")
        if isinstance(known, str):
            raise ValueError(known)
        return known(value[_FRAME:])

    @property
    def _where(self) -> str:
        return "the folder of schemas" if self._registry is None else "the registry"

    def _recently(self, number: int) -> bool:
        at = self._absent.get(number)
        return at is not None and self._monotonic() - at < _ABSENT_FOR

    def _still_absent(self) -> int:
        return sum(self._recently(number) for number in list(self._absent))


def _known(answer: bytes, version: _Version) -> _Known:
    try:
        found = _read(answer)
        return avro_decoder(found.schema, _named_by(found, version, set()))
    except UnusableSchema as error:
        return str(error)


def _read(answer: bytes) -> _Schema:
    try:
        found = msgspec.json.decode(answer, type=_Schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableSchema("its schema is not as a registry gives it: JSON with the key schema") from None
    if found.type != "AVRO":
        raise UnusableSchema("its schema is not one of Avro")
    return found


def _named_by(schema: _Schema, version: _Version, seen: set[tuple[str, int]]) -> list[str]:
    """Return the texts of the schemas that one refers to, each behind those that it refers to itself.

    Raises:
        UnusableSchema: one does not exist or is of no use, or there are too many.
        RegistryAway: the registry does not answer.
    """
    texts: list[str] = []
    for one in schema.references or ():
        place = one.subject, one.version
        if place in seen:
            continue
        seen.add(place)
        if len(seen) > _MOST_OTHERS:
            raise UnusableSchema(f"its schema refers to more than {_MOST_OTHERS} others")
        answer = version(place)
        if answer is None:
            raise UnusableSchema("its schema refers to one that does not exist")
        other = _read(answer)
        texts += [*_named_by(other, version, seen), other.schema]
    return texts


def schemas_of(settings: SchemaRegistry, *, at_once: bool) -> Schemas | None:
    """Return the schemas that settings name; None where they name none.

    Args:
        settings: name a registry or a folder, which is read now.
        at_once: whether ``decode`` may wait for the registry.

    Raises:
        SettingsError: the folder cannot be read, or holds what is no schema or too much.
    """
    try:
        return _named(settings, at_once=at_once)
    except (OSError, ValueError) as error:
        raise SettingsError((SettingsProblem(f"{PREFIX}SCHEMA_REGISTRY__FOLDER", str(error)),)) from None


def _named(settings: SchemaRegistry, *, at_once: bool) -> Schemas | None:
    if settings.url is not None:
        return Schemas(Registry(settings.url, settings.username, settings.password), at_once=at_once)
    if settings.folder is None:
        return None
    found = Schemas()
    files = sorted(one for one in settings.folder.iterdir() if one.suffix in (".avsc", ".json"))
    if len(files) > _MOST:
        raise ValueError(f"{settings.folder} holds more than {_MOST:,} schemas")
    of_subjects = {file: found_in for file in files if (found_in := _OF_SUBJECT.fullmatch(file.stem))}
    for file, (subject, number) in ((file, found_in.groups()) for file, found_in in of_subjects.items()):
        found.add_version(subject, int(number), _answer_in(file))
    for file in (one for one in files if one not in of_subjects):
        if not (file.stem.isascii() and file.stem.isdigit()):
            raise ValueError(f"{file} must be named by the id of its schema, as 7{file.suffix}")
        found.add(int(file.stem), _answer_in(file))
    return found


def _answer_in(file: Path) -> bytes:
    with file.open("rb") as stream:
        text = stream.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError(f"{file} is larger than {_MOST_BYTES:,} bytes")
    if file.suffix == ".json":
        return text
    return msgspec.json.encode({"schema": text.decode("utf-8", "replace")})
