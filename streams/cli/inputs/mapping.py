"""`watchofficer map`, and `--mapping` of other commands: which mapping is meant, and what became of the records?"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator

import click
import msgspec

from streams.events.decode import decode
from streams.events.lacking import Sampled
from streams.events.validation import Rejection
from streams.mappings.account import Account
from streams.mappings.inputs import PLAIN, Input, read_inputs
from streams.mappings.mapping import FIXED_KEY, RecordMapping
from streams.mappings.schemas.store import Schemas, schemas_of
from streams.mappings.shipped import load_mapping
from streams.mappings.suggest import suggest
from streams.replay.entries import Begin, Mark
from streams.replay.sources import partitions
from streams.settings.policy_file import default_policy
from streams.settings.settings import PREFIX, read_settings

__all__ = [
    "account_words",
    "inputs_of",
    "map_command",
    "mapped_lines",
    "mapping_of",
    "named_schemas",
    "suggest_command",
]

#: Shapes of records that no rule knows, and reasons, of which each is shown.
_SHOWN = 10


def mapping_of(name: str, *, live: bool = False) -> RecordMapping:
    """Return the mapping of a name or file, with the hash key of the settings.

    Args:
        name: of a mapping that ships, or a file.
        live: whether its events go onto a topic, for which there must be a key.

    Raises:
        PolicyError: there is no such mapping, or it cannot be used.
        SettingsError: a setting cannot be used.
        UsageError: there is no key though ``live``.
    """
    return load_mapping(name, _key(live=live), named_schemas(at_once=not live))


def inputs_of(names: tuple[str, ...]) -> tuple[Input, ...]:
    """Return the inputs that options name, each ``NAME|FILE[=TOPIC]``; none for no names.

    Raises:
        PolicyError, SettingsError: as ``mapping_of``.
    """
    return read_inputs(names, PLAIN, _key(live=False), named_schemas(at_once=True)) if names else ()


def named_schemas(*, at_once: bool) -> Schemas | None:
    """Return the schemas that the settings name; None for none.

    Args:
        at_once: whether a registry is asked as soon as a record needs a schema.

    Raises:
        SettingsError: a setting cannot be used.
    """
    named = {k: v for k, v in os.environ.items() if k.startswith(f"{PREFIX}SCHEMA_REGISTRY")}
    return schemas_of(read_settings(named).schema_registry, at_once=at_once)


def _key(*, live: bool) -> bytes:
    key = read_settings({k: v for k, v in os.environ.items() if k.startswith(f"{PREFIX}HASH_KEY")}).hash_key
    if key is None and live:
        raise click.UsageError(
            f"{PREFIX}HASH_KEY must be set, so that raw ids become hashes that nobody can undo: openssl rand -hex 32"
        )
    if key is None:
        print(
            f"{PREFIX}HASH_KEY is not set: hashes of raw ids are made with a key that is no secret",
            file=sys.stderr,
        )
    return FIXED_KEY if key is None else key.get_secret_value().encode()


def account_words(name: str, one: Account) -> str:
    """What became of the records of a mapping, or of several, in a few lines."""
    lines = [f"mapping {name}: {one.events:,} events of {one.records:,} records"]
    lines += _counted("skipped by rule", one.skipped)
    lines += _counted("could not be read", one.unreadable)
    lines += _counted("no rule knows", one.shapes)
    return "\n".join(lines)


def _counted(title: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        shown = "; ".join(f"{name} ({count:,})" for name, count in counts.most_common(_SHOWN))
        yield f"  {title}: {shown}"


def map_command(name: str, files: tuple[str, ...], *, form: str) -> int:
    """Show what becomes of each record, and a table of fields.

    The exit status is 1 if no event came of any record, and 2 if there was no record.

    Raises:
        PolicyError: the mapping cannot be used.
        SourceError: a file cannot be read.
    """
    mapping, rejected, number, sampled = mapping_of(name), 0, 0, Sampled()
    for entries in partitions(files):
        for entry in entries:
            if isinstance(entry, Mark | Begin):
                continue
            mapped = mapping.map(entry[1], f"{mapping.topic}/0/{number}")
            for event in mapped.events:
                found = decode(event)
                why = f"rejected: {found.reason}: {found.detail}" if isinstance(found, Rejection) else ""
                rejected += bool(why)
                if not isinstance(found, Rejection):
                    sampled.note(found)
                _print(
                    form, number, {"event": msgspec.Raw(event), "rejected": why or None}, event.decode(), why
                )
            for rule, shape in mapped.skipped:
                words = f"skipped by {rule}" + (f": {shape}" if shape else "")
                _print(form, number, {"skipped": rule, "shape": shape or None}, words, "")
            if mapped.unreadable is not None:
                words = f"rejected: {mapped.unreadable}"
                _print(form, number, {"rejected": mapped.unreadable}, words, "")
            number += 1
    print(account_words(mapping.name, mapping.account), file=sys.stderr)
    if rejected:
        print(f"  rejected as no valid event: {rejected:,}", file=sys.stderr)
    if mapping.account.events and (missing := mapping.never_found()):
        print(f"  never found: {', '.join(missing)}", file=sys.stderr)
    for lack in sampled.lacks(default_policy()):
        print(f"  {lack}", file=sys.stderr)
    if not mapping.account.records:
        print("What to do: give records as the producer writes them, one in each line.", file=sys.stderr)
        return 2
    return 0 if mapping.account.events > rejected else 1


def _print(form: str, number: int, told: dict[str, object], words: str, further: str) -> None:
    if form == "json":
        click.echo(msgspec.json.encode({"record": number, **told}))
    else:
        click.echo(f"{number + 1}: {words}" + (f"  <- {further}" if further else ""))


def suggest_command(files: tuple[str, ...]) -> int:
    """Print a mapping that samples suggest; the exit status: 1 if the samples hold no JSON objects.

    Raises:
        SourceError: a file cannot be read.
    """
    values = (
        entry[1] for entries in partitions(files) for entry in entries if not isinstance(entry, Mark | Begin)
    )
    text = suggest(value for value in values if value is not None)
    if text is None:
        print(
            "the samples hold no JSON objects: write the pattern of a line by hand (docs/sources.md)",
            file=sys.stderr,
        )
        return 1
    click.echo(text, nl=False)
    return 0


def mapped_lines(lines: Iterator[bytes], mapping: RecordMapping) -> Iterator[bytes]:
    """Yield the events of a producer's own lines; what cannot be read is left out, and counted."""
    for number, line in enumerate(lines):
        yield from mapping.map(line, f"{mapping.topic}/0/{number}").events
