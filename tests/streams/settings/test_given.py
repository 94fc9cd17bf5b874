"""What is given for a setting is read without what its file brings along, and slips are refused or told."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings.settings import read_settings
from tests.streams.settings.test_settings import ROUTING_KEY, SECRETS, WITH_SASL, WITHIN, problems


def test_an_unknown_variable_is_a_warning_that_names_what_was_meant_and_shows_no_value() -> None:
    settings = read_settings(
        {
            "WATCHOFFICER_PAGERDUTY__ROUTINGKEY": "hunter2",
            "WATCHOFFICER_SLACK_TOKEN": "hunter2",
            "WATCHOFFICER_PORT_FILE": "/etc/port",
            "WATCHOFFICER_PAGERDUTY": '{"routing_key": "hunter2"}',
            "WATCHOFFICER_COLOUR": "hunter2",
            "WATCHOFFICER_DOUBTS": "hunter2",
            "WATCHOFFICER_KAFKA_BROKERS": "hunter2",
            "WATCHOFFICER_PORT_6066_TCP": "hunter2",
            "WATCHOFICER_BROKER": "hunter2",
            "watchofficer_broker": "hunter2",
            "WATCH_INTERVAL": "hunter2",
        }
    )
    assert settings.sinks() == frozenset()
    said = dict(sentence.split(" is not a setting") for sentence in settings.doubts)
    meant = "; did you mean WATCHOFFICER_PAGERDUTY__ROUTING_KEY?"
    assert said["WATCHOFFICER_PAGERDUTY__ROUTINGKEY"] == meant
    assert said["WATCHOFFICER_SLACK_TOKEN"] == "; did you mean WATCHOFFICER_SLACK__TOKEN?"
    assert said["WATCHOFFICER_COLOUR"] == ""
    assert said["WATCHOFFICER_KAFKA_BROKERS"] == "; did you mean WATCHOFFICER_BROKER?"
    assert (
        said["WATCHOFFICER_PORT_FILE"] == ": only a secret may stand in a file; set WATCHOFFICER_PORT itself"
    )
    assert "enableServiceLinks" in said["WATCHOFFICER_PORT_6066_TCP"]
    assert said["WATCHOFICER_BROKER"] == said["watchofficer_broker"] == "; did you mean WATCHOFFICER_BROKER?"
    assert "WATCH_INTERVAL" not in said
    assert len(settings.doubts) == len(said) == 10
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "name", ["BROKER", "INPUTS", "BANNER_ORIGINS", "EMAIL__TO", "ALERTMANAGER__URLS", "PAGERDUTY__SERVICES"]
)
def test_a_list_that_names_nothing_is_refused(name: str) -> None:
    (line,) = problems({f"WATCHOFFICER_{name}": " , "})
    assert line.startswith(f"WATCHOFFICER_{name}: must be ")


def test_what_a_file_of_variables_brings_along_is_no_part_of_a_value(tmp_path: Path) -> None:
    plain = {
        "BROKER": "kafka-1:9092",
        "TOPIC_PREFIX": "a.",
        "PORT": "80",
        "LOG_FORMAT": "json",
        "POLICY": "p.yaml",
    }
    secrets = {"SLACK__TOKEN": "xoxb-hunter2", "PAGERDUTY__ROUTING_KEY": ROUTING_KEY}
    clean = read_settings({f"WATCHOFFICER_{name}": value for name, value in (plain | secrets).items()})
    brought = {f"WATCHOFFICER_{name}": f" {value}\t\r" for name, value in plain.items()}
    brought |= {f"WATCHOFFICER_{name}": f"{value}\r\n" for name, value in secrets.items()}
    assert read_settings(brought) == clean
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbfxoxb-hunter2\r\n")  # as some editors write UTF-8
    del brought["WATCHOFFICER_SLACK__TOKEN"]
    assert read_settings(brought | {"WATCHOFFICER_SLACK__TOKEN_FILE": f"{file}\r"}) == clean


@pytest.mark.parametrize("mark", ["'", '"'])
@pytest.mark.parametrize("name", ["BROKER", "INPUTS", "POLICY", "SLACK__CHANNEL", "API_TOKEN_FILE"])
def test_a_value_in_quotation_marks_is_refused(name: str, mark: str) -> None:
    assert problems({f"WATCHOFFICER_{name}": f"{mark}kafka-1{mark}"}) == [
        f"WATCHOFFICER_{name}: stands in quotation marks, which are part of the value here: leave them out"
    ]


def test_a_secret_that_looks_as_if_more_were_taken_for_it_is_used_and_told(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" hunter2 hunter2\n")
    settings = read_settings(
        {"WATCHOFFICER_API_TOKEN": "'hunter2'", "WATCHOFFICER_WEBHOOK__PASSWORD_FILE": str(file)}
        | {"WATCHOFFICER_WEBHOOK__USER": "watch", "WATCHOFFICER_WEBHOOK__URL": "https://hook.test"}
    )
    assert {"'hunter2'", " hunter2 hunter2"} <= set(settings.secrets())
    assert settings.doubts == (
        "WATCHOFFICER_API_TOKEN holds a secret in quotation marks, which are taken as part of it",
        "WATCHOFFICER_WEBHOOK__PASSWORD_FILE holds a secret that begins or ends with a blank,"
        " which is taken as part of it",
    )


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_may_come_from_a_file_without_the_line_break_at_its_end(tmp_path: Path, ending: str) -> None:
    for name, secret in SECRETS.items():
        file = tmp_path / name
        file.write_bytes((secret + ending).encode())
    settings = read_settings(WITH_SASL | {f"{name}_FILE": str(tmp_path / name) for name in SECRETS})
    assert set(settings.secrets()) == set(SECRETS.values()) | WITHIN
    assert settings == read_settings(WITH_SASL | SECRETS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n", "which is empty"),
        (b"\xff\xfe", "which is not UTF-8 text"),
        (b"x" * 70_000, "which is too large to be a secret"),
        (b"two words", "whose content must be one word of printable ASCII characters"),
        ("token".encode("utf-16"), "which is not UTF-8 text"),
    ],
)
def test_an_error_of_a_secret_file_names_variable_and_path_but_not_the_content(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    assert problems({"WATCHOFFICER_API_TOKEN_FILE": str(file)}) == [
        f"WATCHOFFICER_API_TOKEN_FILE: names {file}, {said}"
    ]


def test_an_absent_secret_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    lines = problems(
        {
            "WATCHOFFICER_API_TOKEN_FILE": str(tmp_path / "absent"),
            "WATCHOFFICER_SLACK__TOKEN_FILE": str(tmp_path),
        }
    )
    assert lines[0].endswith("absent, which cannot be read: No such file or directory")
    assert lines[1].endswith(f"{tmp_path}, which cannot be read: Is a directory")
