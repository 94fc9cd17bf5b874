"""Whatever keeps Kafka from letting this worker in is told apart, in words that say what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import aiokafka.errors as kafka_errors
import pytest

from streams.kafka.diagnosis import diagnose, explain
from streams.settings.kept_token import no_token

KAFKA: dict[str, Any] = {
    "bootstrap_servers": "kafka.test:9093",
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "watch",
    "sasl_plain_password": "not-to-be-said",
}


def certificate(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "sentence", "remedy"),
    [
        (socket.gaierror(-2, "Name or service not known"), "not known to DNS", "WATCHOFFICER_BROKER"),
        (ConnectionRefusedError(), "nothing listens on kafka.test:9093", "start the broker"),
        (TimeoutError(), "has not answered within 5 s", "firewall"),
        (certificate(10), "has expired", "renew"),
        (certificate(9), "not valid yet", "clock"),
        (certificate(19), "does not trust", "CA_FILE"),
        (
            certificate(62, "Hostname mismatch"),
            "is for another host: Hostname mismatch",
            "WATCHOFFICER_BROKER",
        ),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "does not speak TLS", "PROTOCOL"),
        (kafka_errors.SaslAuthenticationFailed("no"), "refuses the name and password", "PASSWORD"),
        (kafka_errors.UnsupportedSaslMechanismError(), "SASL mechanism PLAIN", "MECHANISM"),
        (ConnectionResetError(), "closes the connection at once", "PROTOCOL"),
        (ValueError("strange"), "does not answer: strange", "log"),
    ],
)
def test_each_obstacle_on_the_way_to_a_broker_has_its_own_words(
    error: BaseException, sentence: str, remedy: str
) -> None:
    found = explain(error, "kafka.test:9093", KAFKA)
    assert sentence in found.sentence
    assert "kafka.test:9093" in found.sentence
    assert remedy in found.remedy
    assert "not-to-be-said" not in found.sentence + found.remedy


@pytest.mark.parametrize(
    ("error", "sentence", "remedy"),
    [
        (
            no_token("/run/token", "it is empty"),
            "/run/token gives no token for Kafka: it is empty",
            "TOKEN_FILE",
        ),
        (kafka_errors.SaslAuthenticationFailed("no"), "refuses the token of this worker", "has expired"),
    ],
)
def test_a_token_is_not_taken_for_a_name_and_a_password(
    error: BaseException, sentence: str, remedy: str
) -> None:
    found = explain(error, "kafka.test:9093", KAFKA | {"sasl_mechanism": "OAUTHBEARER"})
    assert sentence in found.sentence
    assert "kafka.test:9093" in found.sentence
    assert remedy in found.remedy
    assert "the name and password" not in found.sentence


async def test_the_way_to_the_broker_is_gone_again_to_find_where_it_ends() -> None:
    failed = kafka_errors.KafkaConnectionError("Unable to bootstrap from [...]")
    refused = await diagnose({"bootstrap_servers": "127.0.0.1:1"}, failed)
    assert refused.sentence == "nothing listens on 127.0.0.1:1, where the Kafka broker should be"

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        closed = await diagnose({"bootstrap_servers": ["127.0.0.1:1", f"127.0.0.1:{port}"]}, failed)
    assert closed.sentence == refused.sentence


async def test_a_denied_right_is_not_taken_for_a_broken_way() -> None:
    found = await diagnose(KAFKA, kafka_errors.TopicAuthorizationFailedError("login-events"))
    assert "denies this worker a right on a topic" in found.sentence
    assert "User:watch" in found.remedy
