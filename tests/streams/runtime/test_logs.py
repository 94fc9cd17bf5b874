"""Logs: one handler for everything, and no secret in any line."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog
from aiokafka.errors import TopicAuthorizationFailedError
from hypothesis import given
from hypothesis import strategies as st
from mode import Service
from pydantic import SecretStr

from streams.runtime.logs import MASK, configure_logs, masker
from streams.settings.settings import Settings

SECRET = "xoxb-hunter2"
FORMATS: tuple[Literal["console", "json"], ...] = ("console", "json")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level, httpx_level = list(root.handlers), root.level, logging.getLogger("httpx").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("httpx").setLevel(httpx_level)
    logging.captureWarnings(False)
    sys.excepthook = hook
    structlog.reset_defaults()


def configured(log_format: Literal["console", "json"], *secrets: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format, secrets=secrets or (SECRET,), stream=stream)
    return stream


def raise_with(secret: str) -> None:
    local = secret  # a traceback that shows locals would show it
    raise RuntimeError(f"401 for token {local}") from ValueError(local)


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_secret_is_masked_wherever_it_stands_in_an_event(log_format: Literal["console", "json"]) -> None:
    stream = configured(log_format)
    log = structlog.get_logger("watchofficer.sinks").bind(bound=SECRET)
    log.info(f"posting with {SECRET}", header=f"Bearer {SECRET}", nested={"deep": [SECRET, {SECRET: 1}]})
    log.warning("bytes", body=SECRET.encode(), raw=("a", SECRET), text=SecretStr(SECRET).get_secret_value())
    text = stream.getvalue()
    assert SECRET not in text
    assert "hunter2" not in text
    assert text.count(MASK) >= 7


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_secret_is_masked_in_the_text_of_an_exception_and_of_its_cause(
    log_format: Literal["console", "json"],
) -> None:
    stream = configured(log_format)
    try:
        raise_with(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("delivery failed")
        logging.getLogger("faust.agents").exception("agent crashed: %s", SECRET)
    text = stream.getvalue()
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert SECRET not in text


@pytest.mark.parametrize("log_format", FORMATS)
def test_lines_of_the_standard_library_go_the_same_way(log_format: Literal["console", "json"]) -> None:
    stream = configured(log_format)
    logging.getLogger("aiokafka.conn").warning("auth as %s failed", SECRET, extra={"token": SECRET})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"deprecated: {SECRET}", UserWarning, stacklevel=1)
    text = stream.getvalue()
    assert f"auth as {MASK} failed" in text
    assert f"deprecated: {MASK}" in text
    assert SECRET not in text


def test_a_line_that_cannot_be_formatted_shows_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured("json")
    logging.getLogger("aiokafka").warning("%d events", SECRET)
    shown = stream.getvalue() + "".join(capsys.readouterr())
    assert "a log line of aiokafka" in shown
    assert SECRET not in shown


def test_an_exception_that_nobody_caught_is_logged_with_its_secret_masked() -> None:
    stream = configured("json")
    try:
        raise_with(SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    line = json.loads(stream.getvalue())
    assert line["event"] == "uncaught exception"
    assert f"401 for token {MASK}" in line["exception"]


def test_every_secret_of_the_settings_is_masked() -> None:
    settings = Settings(
        broker_security={  # type: ignore[arg-type]
            "protocol": "SASL_PLAINTEXT",
            "mechanism": "PLAIN",
            "username": "watch",
            "password": "p\"a's s\\w\u00f6rd",
        },
        api_token=SecretStr("api-hunter2"),
        pagerduty={"routing_key": "R" * 32, "webhook_secret": "wh-hunter2"},  # type: ignore[arg-type]
    )
    stream = configured("json", *settings.secrets())
    for secret in settings.secrets():
        structlog.get_logger().info(
            "configured", value=secret, shown=repr(secret), body=json.dumps({"k": secret})
        )
    text = stream.getvalue()
    for line in map(json.loads, text.splitlines()):
        assert line["value"] == MASK
        assert line["shown"][1:-1] == MASK
        assert json.loads(line["body"]) == {"k": MASK}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30), st.sampled_from(FORMATS))
def test_whatever_a_secret_is_made_of_no_line_holds_it(
    secret: str, log_format: Literal["console", "json"]
) -> None:
    secret = f"\u2603{secret}"  # so that it is no part of what a line says anyway
    stream = configured(log_format, secret)
    structlog.get_logger().info(
        "sent", plain=secret, inside=f"<{secret}>", shown=repr(f"<{secret}>"), items=[secret]
    )
    text = stream.getvalue()
    assert secret not in text
    if log_format == "json":
        line = json.loads(text)
        assert (line["plain"], line["inside"], line["items"]) == (MASK, f"<{MASK}>", [MASK])
        assert line["shown"][1:-1] == f"<{MASK}>"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert masker(["abcd", "abcdefgh"])("abcdefgh abcd") == f"{MASK} {MASK}"


def test_without_secrets_nothing_is_masked() -> None:
    assert masker([])("as it is") == "as it is"
    assert masker([""])("as it is") == "as it is"


def test_json_lines_are_one_object_each_with_time_level_and_logger() -> None:
    stream = configured("json")
    structlog.get_logger("watchofficer.ingest").info("caught up", partition=3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "caught up", "level": "info", "logger": "watchofficer.ingest", "partition": 3}


def test_console_lines_are_not_coloured_where_nobody_sees_it() -> None:
    stream = configured("console")
    structlog.get_logger("watchofficer.ingest").info("caught up", partition=3)
    assert "caught up" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


def test_lines_below_the_level_and_each_request_of_httpx_are_left_out() -> None:
    stream = configured("json")
    structlog.get_logger().debug("detail")
    logging.getLogger("httpx").info("HTTP Request: POST")
    assert stream.getvalue() == ""


def test_the_last_configuration_counts() -> None:
    first = configured("json")
    second = configured("json")
    structlog.get_logger().info("hello")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def record_at(at: float, name: str, message: str, *arguments: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, None)
    record.created = at
    return record


@pytest.mark.parametrize("logger", ["aiokafka", "aiohttp.server"])
def test_what_a_library_says_over_and_over_is_said_once_in_ten_seconds_with_how_often(logger: str) -> None:
    stream = configured("json")
    (handler,) = logging.getLogger().handlers
    for tick in range(250):
        handler.handle(record_at(tick / 10, logger, "Unable connect to node with id %s: %s", 1, tick))
        handler.handle(record_at(tick / 10, "streams.ingest.service", "broker_unavailable"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines if line["logger"] == logger] == [
        "Unable connect to node with id 1: 0",
        "Unable connect to node with id 1: 100 (99 more of these since the last)",
        "Unable connect to node with id 1: 200 (99 more of these since the last)",
    ]
    assert sum(line["logger"] == "streams.ingest.service" for line in lines) == 250


def test_another_line_of_a_client_is_said_at_once() -> None:
    stream = configured("json")
    (handler,) = logging.getLogger().handlers
    handler.handle(record_at(0.0, "aiokafka", "Unable connect to node with id %s", 1))
    handler.handle(record_at(0.1, "aiokafka.consumer", "Unable connect to node with id %s", 1))
    handler.handle(record_at(0.1, "aiokafka", "Topic %s is gone", "t"))
    assert len(stream.getvalue().splitlines()) == 3


class Part(Service):
    """A service of this program's, as it has several: mode logs for it by the logger of its module."""


@pytest.mark.parametrize("verbose", [False, True])
async def test_that_a_service_starts_and_stops_is_said_where_it_is_asked_for(verbose: bool) -> None:
    stream = io.StringIO()
    configure_logs("console", stream=stream, verbose=verbose)
    part = Part()
    async with part:
        structlog.get_logger(__name__).info("a line of ours")
        part.log.warning("is late")
    said = stream.getvalue()
    assert ("Starting..." in said, "Stopping..." in said) == (verbose, verbose)
    assert "a line of ours" in said
    assert "[^Part]: is late" in said


@pytest.mark.parametrize("verbose", [False, True])
def test_what_a_broker_refuses_a_library_is_one_line_unless_all_is_asked_for(verbose: bool) -> None:
    stream = io.StringIO()
    configure_logs("console", stream=stream, verbose=verbose)
    try:
        raise TopicAuthorizationFailedError("incident-inputs")
    except TopicAuthorizationFailedError as error:
        logging.getLogger("faust.transport").exception("drain raised: %r", error)
        logging.getLogger("aiokafka").exception("failed")
        structlog.get_logger("watchofficer").error("ours", exc_info=error)
    lines = stream.getvalue().splitlines()
    assert sum(line == "Traceback (most recent call last):" for line in lines) == (3 if verbose else 1)
    if not verbose:
        assert "drain raised: TopicAuthorizationFailedError('incident-inputs')" in lines[0]
        assert "failed: TopicAuthorizationFailedError('incident-inputs')" in lines[1]
