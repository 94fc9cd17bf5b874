"""Why does Kafka not let this worker in, in words, and what is to be done about it?

aiokafka says of whatever goes wrong on the way to a broker that it was "unable to bootstrap". So the way is gone again,
step by step: name, connection, TLS, SASL.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiokafka.errors as kafka_errors
from aiokafka.conn import create_conn

from streams.settings.settings import read_settings

__all__ = ["Diagnosis", "diagnose", "explain", "words_of"]

_KNOCK_SECONDS = 5.0
_SETTING = "WATCHOFFICER_BROKER"
_SECURITY = "WATCHOFFICER_BROKER_SECURITY__"
#: The arguments of aiokafka's clients that a single connection takes as well.
_OF_A_CONNECTION = (
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
)
# OpenSSL's numbers of X509_V_ERR_…
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)
_DENIED = (
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
)
_AWAY = (kafka_errors.KafkaConnectionError, kafka_errors.KafkaTimeoutError)
_WRONG_NAME_OR_PASSWORD = (
    kafka_errors.AuthenticationFailedError,
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.IllegalSaslStateError,
)


class Diagnosis(NamedTuple):
    """What is wrong with Kafka.

    Attributes:
        sentence: what is wrong, for a person who was just woken.
        remedy: what to do.
    """

    sentence: str
    remedy: str


async def diagnose(kafka: Mapping[str, Any], error: BaseException) -> Diagnosis:
    """Find out why a client of Kafka failed.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        error: what the client raised.
    """
    if isinstance(error, _DENIED):
        return _without_a_right(error, kafka)
    found: Diagnosis | None = None
    for address in _addresses(kafka):
        host, port = _parted(address)
        try:
            async with asyncio.timeout(_KNOCK_SECONDS):
                connection = await create_conn(
                    host, port, **{name: kafka[name] for name in _OF_A_CONNECTION if name in kafka}
                )
        except Exception as refusal:
            found = found or explain(refusal, address, kafka)
        else:
            connection.close()
            return Diagnosis(
                f"the Kafka broker {address} answers, but its cluster does not: {_words(error)}",
                "see whether the addresses that the brokers advertise can be reached from here, and whether the"
                f" listener asks for a name and password ({_SECURITY}PROTOCOL)",
            )
    return found or Diagnosis(f"no Kafka broker is configured: {_words(error)}", f"set {_SETTING}")


def words_of(error: Exception) -> str:
    """Say why a command has no answer of Kafka, and what to do: it asks the broker of the settings once more.

    Args:
        error: what the command met; of one that is no failure to reach a broker the own words are returned.
    """
    if not isinstance(error, (OSError, *_AWAY, *_DENIED, *_WRONG_NAME_OR_PASSWORD)):
        return str(error)
    found = asyncio.run(diagnose(read_settings(os.environ).kafka_client_kwargs(), error))
    return f"{found.sentence}. What to do: {found.remedy}"


def explain(error: BaseException, address: str, kafka: Mapping[str, Any]) -> Diagnosis:
    """Say in words what went wrong with one connection.

    Args:
        error: what the connection raised.
        address: ``host:port``.
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
    """
    broker = f"the Kafka broker {address}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, broker)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, broker)
    if isinstance(error, socket.gaierror):
        return Diagnosis(
            f"the name of {broker} is not known to DNS", f"correct {_SETTING}, or the DNS of this machine"
        )
    if isinstance(error, ConnectionRefusedError):
        return Diagnosis(
            f"nothing listens on {address}, where the Kafka broker should be",
            f"start the broker, or correct {_SETTING}",
        )
    if isinstance(error, (kafka_errors.UnsupportedSaslMechanismError, *_WRONG_NAME_OR_PASSWORD)):
        return _of_sasl(error, broker, kafka)
    if isinstance(error, TimeoutError):
        return Diagnosis(
            f"{broker} has not answered within {_KNOCK_SECONDS:.0f} s",
            f"see whether it runs and is not overloaded, and whether a firewall stands between; the protocol"
            f" {kafka.get('security_protocol', 'PLAINTEXT')} must be that of the listener",
        )
    if isinstance(error, ConnectionError | EOFError | kafka_errors.KafkaConnectionError):
        protocol = kafka.get("security_protocol", "PLAINTEXT")
        return Diagnosis(
            f"{broker} closes the connection at once: {_words(error)}",
            f"see whether its listener speaks {protocol} ({_SECURITY}PROTOCOL)",
        )
    return Diagnosis(f"{broker} does not answer: {_words(error)}", f"see the broker's log, and {_SETTING}")


def _of_sasl(error: BaseException, broker: str, kafka: Mapping[str, Any]) -> Diagnosis:
    if isinstance(error, kafka_errors.UnsupportedSaslMechanismError):
        return Diagnosis(
            f"{broker} does not offer the SASL mechanism {kafka.get('sasl_mechanism')}",
            f"set {_SECURITY}MECHANISM to one that the broker offers, or let the broker offer this one",
        )
    if kafka.get("sasl_mechanism") == "OAUTHBEARER":
        return _of_token(error, broker)
    who = kafka.get("sasl_plain_username")
    named = "" if who is None else f" (user {who})"
    return Diagnosis(
        f"{broker} refuses the name and password of this worker{named}",
        f"correct {_SECURITY}USERNAME and {_SECURITY}PASSWORD, or the password that the broker knows",
    )


def _of_token(error: BaseException, broker: str) -> Diagnosis:
    if isinstance(error, kafka_errors.AuthenticationFailedError):  # ours: there is none that could be shown
        return Diagnosis(
            f"this worker has no token for {broker}: {_words(error)}",
            f"correct the file of {_SECURITY}TOKEN_FILE, or what {_SECURITY}TOKEN_URL, USERNAME and PASSWORD say",
        )
    return Diagnosis(
        f"{broker} refuses the token of this worker",
        "see whether the token has expired, whether the clock of this machine is right, and whether the broker trusts"
        f" who has issued it ({_SECURITY}TOKEN_FILE or TOKEN_URL)",
    )


def _of_certificate(error: ssl.SSLCertVerificationError, broker: str) -> Diagnosis:
    if error.verify_code == _EXPIRED:
        return Diagnosis(f"the certificate of {broker} has expired", "renew the certificate of the broker")
    if error.verify_code == _NOT_YET_VALID:
        return Diagnosis(
            f"the certificate of {broker} is not valid yet",
            "see whether the clock of this machine is right, and the certificate of the broker",
        )
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return Diagnosis(
            f"the certificate of {broker} is by an authority that this worker does not trust",
            f"set {_SECURITY}CA_FILE to the certificate of the authority",
        )
    if error.verify_code in _OTHER_NAME:
        return Diagnosis(
            f"the certificate of {broker} is for another host: {error.verify_message}",
            f"use in {_SETTING} a name that the certificate has, or give the broker a certificate for this name",
        )
    return Diagnosis(
        f"the certificate of {broker} cannot be trusted: {error.verify_message}",
        "renew the certificate of the broker",
    )


def _of_tls(error: ssl.SSLError, broker: str) -> Diagnosis:
    reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    if ("alert" in reason and "certificate" in reason) or "unknown ca" in reason:
        return Diagnosis(
            f"{broker} does not accept the certificate of this worker: {reason}",
            f"correct {_SECURITY}CERT_FILE and {_SECURITY}KEY_FILE",
        )
    return Diagnosis(
        f"{broker} does not speak TLS as this worker does: {reason}",
        f"see whether its listener has TLS ({_SECURITY}PROTOCOL)",
    )


def _without_a_right(error: BaseException, kafka: Mapping[str, Any]) -> Diagnosis:
    kind = "group" if isinstance(error, kafka_errors.GroupAuthorizationFailedError) else "topic"
    who = kafka.get("sasl_plain_username", "ANONYMOUS")
    return Diagnosis(
        f"Kafka denies this worker a right on a {kind}: {_words(error)}",
        f"kafka-acls.sh --list --principal User:{who} shows what it may do",
    )


def _addresses(kafka: Mapping[str, Any]) -> list[str]:
    servers = kafka.get("bootstrap_servers", "")
    listed = servers.split(",") if isinstance(servers, str) else servers
    return [server.strip() for server in listed if server.strip()]


def _parted(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
