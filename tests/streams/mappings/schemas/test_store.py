"""Schemas come from a registry, each asked for once, or from a folder; and what does not come is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from streams.cli.main import main
from streams.mappings.schemas.registry import Registry, RegistryAway
from streams.mappings.schemas.store import Schemas, schemas_of
from streams.settings.schema_registry import SchemaRegistry
from streams.settings.settings import SettingsError, read_settings
from tests.streams.mappings.schemas.records import (
    MAPPING,
    SIGN_IN,
    RegistryServer,
    framed,
    registry,
    sign_in,
)

NOON = 1_790_000_000_123
URL, FOLDER = "WATCHOFFICER_SCHEMA_REGISTRY__URL", "WATCHOFFICER_SCHEMA_REGISTRY__FOLDER"


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry() as says:
        says.put(7, SIGN_IN)
        yield says


def test_a_schema_is_asked_for_once(server: RegistryServer) -> None:
    schemas = Schemas(Registry(server.url))
    records = [framed(7, sign_in(NOON)), None, b"", b"{}", framed(7, sign_in(NOON, "FAILED"))]
    assert schemas.missing(records) == {7}
    schemas.learn(schemas.missing(records))
    assert schemas.missing(records) == frozenset()
    assert schemas.decode(records[0] or b"")["at"] == NOON
    assert server.asked == [7]


def test_one_that_does_not_exist_is_asked_for_again_after_a_while(server: RegistryServer) -> None:
    now = [0.0]
    schemas = Schemas(Registry(server.url), monotonic=lambda: now[0])
    record = framed(8, sign_in(NOON))
    schemas.learn(schemas.missing([record]))
    assert schemas.missing([record]) == frozenset()
    with pytest.raises(ValueError, match="a schema that the registry does not have"):
        schemas.decode(record)
    server.put(8, SIGN_IN)
    now[0] = 61.0
    schemas.learn(schemas.missing([record]))
    assert schemas.decode(record)["at"] == NOON
    assert server.asked == [8, 8]


def test_what_records_name_is_bounded(monkeypatch: pytest.MonkeyPatch, server: RegistryServer) -> None:
    monkeypatch.setattr("streams.mappings.schemas.store._MOST", 3)
    schemas = Schemas(Registry(server.url))
    records = [b"\0" + number.to_bytes(4) for number in range(100, 110)]
    schemas.learn(schemas.missing(records))
    assert server.asked == [100, 101, 102]
    assert schemas.missing(records) == frozenset()


def test_a_registry_that_gives_none_is_told_without_the_password(server: RegistryServer) -> None:
    server.credentials = "watch:hunter2"
    assert Registry(server.url, "watch", SecretStr("hunter2")).schema(7) == server.schemas[7]
    with pytest.raises(
        RegistryAway, match="status 401: check WATCHOFFICER_SCHEMA_REGISTRY__USERNAME"
    ) as away:
        Registry(server.url, "watch", SecretStr("hunter3")).schema(7)
    assert "hunter" not in str(away.value)
    server.credentials, server.status = "", 500
    with pytest.raises(RegistryAway, match="status 500"):
        Registry(server.url).schema(7)
    server.status, server.schemas[7] = 200, b"x" * ((1 << 20) + 1)
    with pytest.raises(RegistryAway, match="larger than"):
        Registry(server.url).schema(7)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"<html>", "not as a registry gives it"),
        (b'{"schema": 3}', "not as a registry gives it"),
        (b'{"schema": "{}", "schemaType": "PROTOBUF"}', "not one of Avro"),
        (b'{"schema": "{}", "references": [{}]}', "not as a registry gives it"),
        (b'{"schema": "{}", "references": [{"subject": "s", "version": 1}]}', "one that does not exist"),
        (b'{"schema": "{}"}', "no schema of Avro"),
    ],
)
def test_records_of_a_schema_that_is_of_no_use_are_set_aside(answer: bytes, why: str) -> None:
    schemas = Schemas()
    schemas.add(7, answer)
    with pytest.raises(ValueError, match=why):
        schemas.decode(framed(7, sign_in(NOON)))


def test_a_folder_holds_schemas_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "7.avsc").write_text(json.dumps(SIGN_IN))
    (tmp_path / "8.json").write_text(json.dumps({"schema": json.dumps(SIGN_IN)}))
    schemas = schemas_of(SchemaRegistry(folder=tmp_path), at_once=True)
    assert schemas is not None
    assert [schemas.decode(framed(number, sign_in(NOON)))["at"] for number in (7, 8)] == [NOON, NOON]
    (tmp_path / "sign-in.avsc").write_text("{}")
    with pytest.raises(SettingsError, match="must be named by the id of its schema, as 7"):
        schemas_of(SchemaRegistry(folder=tmp_path), at_once=True)


WHO = {
    "type": "record",
    "name": "gov.Who",
    "fields": [{"name": "icn", "type": "string"}, {"name": "by", "type": "gov.By"}],
}
BY = {"type": "enum", "name": "gov.By", "symbols": ["IDME", "LOGIN"]}
NESTED = {
    "type": "record",
    "name": "gov.SignIn",
    "fields": [{"name": "who", "type": "gov.Who"}, {"name": "old", "type": ["null", "gov.By"]}],
}


def refers(schema: object, *subjects: str) -> bytes:
    """The answer of a registry for a schema that refers to the first versions of subjects."""
    named = [{"name": one, "subject": one, "version": 1} for one in subjects]
    return json.dumps({"schema": json.dumps(schema), "references": named}).encode()


def test_a_schema_that_refers_to_others_reads_what_was_written_by_all_of_them(
    server: RegistryServer, tmp_path: Path
) -> None:
    who, by = "gov/who", "by"  # a subject may be any text
    server.schemas[7] = refers(NESTED, who, by)
    server.versions["/subjects/gov%2Fwho/versions/1"] = refers(WHO, by)
    server.versions["/subjects/by/versions/1"] = refers(BY)
    whole = json.loads(json.dumps(NESTED))
    whole["fields"][0]["type"] = json.loads(json.dumps(WHO))
    whole["fields"][0]["type"]["fields"][1]["type"] = BY
    value = {"who": {"icn": "kim", "by": "LOGIN"}, "old": "IDME"}
    record = framed(7, value, whole)
    schemas = Schemas(Registry(server.url))
    schemas.learn(schemas.missing([record]))
    assert schemas.decode(record) == value

    (tmp_path / "7.json").write_bytes(refers(NESTED, "who", by))
    (tmp_path / "who@1.json").write_bytes(refers(WHO, by))
    (tmp_path / "by@1.avsc").write_text(json.dumps(BY))
    held = schemas_of(SchemaRegistry(folder=tmp_path), at_once=True)
    assert held is not None
    assert held.decode(record) == value


def test_schemas_that_refer_to_each_other_or_to_too_many_are_of_no_use(server: RegistryServer) -> None:
    server.schemas[7] = refers(NESTED, "a")
    server.versions["/subjects/a/versions/1"] = refers(WHO, "b")
    holds_who = {"type": "record", "name": "gov.By", "fields": [{"name": "who", "type": "gov.Who"}]}
    server.versions["/subjects/b/versions/1"] = refers(holds_who, "a")
    server.schemas[8] = refers(NESTED, *(f"s{n}" for n in range(33)))
    server.versions |= {f"/subjects/s{n}/versions/1": refers("string") for n in range(33)}
    schemas = Schemas(Registry(server.url))
    schemas.learn({7, 8})
    for number, why in ((7, "names a type that it does not define"), (8, "more than 32 others")):
        with pytest.raises(ValueError, match=why):
            schemas.decode(framed(number, "x", "string"))


def test_a_registry_that_goes_away_between_a_schema_and_what_it_refers_to_is_asked_again(
    server: RegistryServer,
) -> None:
    server.schemas[7] = refers(
        {"type": "record", "name": "R", "fields": [{"name": "by", "type": "gov.By"}]}, "by"
    )
    server.versions["/subjects/by/versions/1"] = refers(BY)
    record = framed(
        7, {"by": "IDME"}, {"type": "record", "name": "R", "fields": [{"name": "by", "type": BY}]}
    )
    schemas = Schemas(Registry(server.url))
    server.versions_status = 503
    with pytest.raises(RegistryAway):
        schemas.learn(schemas.missing([record]))
    server.versions_status = 200
    schemas.learn(schemas.missing([record]))
    assert schemas.decode(record) == {"by": "IDME"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"URL": "http://registry", "FOLDER": "."}, "must not be set beside the URL"),
        ({"URL": "http://registry", "USERNAME": "watch"}, "PASSWORD: must be set"),
        ({"USERNAME": "watch", "PASSWORD": "hunter2"}, "URL: must be set"),
        ({"FOLDER": "/no/such"}, "must be a folder of schemas"),
    ],
)
def test_settings_that_make_no_sense_are_told(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings({f"WATCHOFFICER_SCHEMA_REGISTRY__{name}": value for name, value in given.items()})
    assert "hunter2" not in str(refused.value)


def ran(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(arguments))


def test_map_reads_a_dump_by_a_registry_as_by_a_folder(tmp_path: Path, server: RegistryServer) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "7.avsc").write_text(json.dumps(SIGN_IN))
    records = [framed(7, sign_in(NOON)), framed(7, sign_in(NOON + 1, "LOOKED")), framed(9, sign_in(NOON))]
    with (tmp_path / "dump.jsonl").open("w", encoding="utf-8", errors="surrogateescape") as dump:
        for offset, record in enumerate(records):
            payload = record.decode("utf-8", "surrogateescape")
            line = {"topic": "sign-ins", "partition": 0, "offset": offset, "ts": NOON, "payload": payload}
            print(json.dumps(line, ensure_ascii=False), file=dump)
    arguments = "map", str(tmp_path / "m.yaml"), str(tmp_path / "dump.jsonl")
    by_registry = ran(*arguments, **{URL: server.url})
    by_folder = ran(*arguments, **{FOLDER: str(tmp_path)})
    assert (by_registry.exit_code, by_folder.exit_code) == (0, 0), by_registry.output
    assert by_registry.stdout == by_folder.stdout.replace("folder of schemas", "registry")
    assert "skipped by looked" in by_registry.stdout
    assert "rejected: names a schema that the registry does not have" in by_registry.stdout
    assert server.asked == [7, 9]
    server.status = 503
    (tmp_path / "lines").write_bytes(records[0])
    away = ran(*arguments[:2], str(tmp_path / "lines"), **{URL: server.url})
    assert (away.exit_code, away.stdout) == (2, "")
    assert f"the schema registry at {server.url} gives no schemas: status 503" in away.stderr


def test_lint_names_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(MAPPING)
    found = ran("lint", str(file))
    assert found.exit_code == 1
    assert f"{file}:4:" in found.stdout
    assert f"set {URL} to a schema registry, or {FOLDER} to a folder" in found.stdout
    assert ran("lint", str(file), **{FOLDER: str(tmp_path)}).exit_code == 0
