"""How brokers that ask for TLS or SASL are reached, by aiokafka and by Faust alike."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import AuthenticationFailedError

from streams.settings.settings import Settings, SettingsError, read_settings

PREFIX = "WATCHOFFICER_BROKER_SECURITY__"


def environ(**security: str) -> dict[str, str]:
    return {"WATCHOFFICER_BROKER": "kafka-1:9093,kafka-2:9093"} | {
        PREFIX + name.upper(): value for name, value in security.items()
    }


def read(**security: str) -> Settings:
    return read_settings(environ(**security))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem, key.pem and locked.pem (the key, encrypted)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command, to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=watch"]
    make += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    lock = [openssl, "rsa", "-aes128", "-passout", "pass:hunter2"]
    lock += ["-in", str(folder / "key.pem"), "-out", str(folder / "locked.pem")]
    for command in (make, lock):
        subprocess.run(command, check=True, capture_output=True)
    return folder


def test_plaintext_needs_no_more_than_the_brokers() -> None:
    settings = read()
    assert settings.kafka_client_kwargs() == {
        "bootstrap_servers": ["kafka-1:9093", "kafka-2:9093"],
        "security_protocol": "PLAINTEXT",
    }
    assert settings.faust_broker_urls() == ["kafka://kafka-1:9093", "kafka://kafka-2:9093"]
    assert settings.faust_broker_credentials() is None


def test_without_a_broker_there_is_no_client() -> None:
    for ask in (Settings().kafka_client_kwargs, Settings().faust_broker_urls):
        with pytest.raises(
            SettingsError, match="WATCHOFFICER_BROKER: must be set, for instance to kafka-1:9092"
        ):
            ask()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sasl_gives_name_and_password(mechanism: str) -> None:
    settings = read(protocol="SASL_SSL", mechanism=mechanism, username="watch", password="hunter2")
    kwargs = settings.kafka_client_kwargs()
    assert kwargs["security_protocol"] == "SASL_SSL"
    assert kwargs["sasl_mechanism"] == mechanism
    assert (kwargs["sasl_plain_username"], kwargs["sasl_plain_password"]) == ("watch", "hunter2")
    assert kwargs["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert kwargs["ssl_context"].check_hostname


async def test_oauthbearer_reads_the_token_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    settings = read(protocol="SASL_PLAINTEXT", mechanism="OAUTHBEARER", token_file=str(file))
    provider = settings.kafka_client_kwargs()["sasl_oauth_token_provider"]
    assert await provider.token() == "first"
    file.write_text("second\n")
    assert await provider.token() == "second"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "it cannot be read: No such file or directory"),
        (b" \n", "it must hold one word, and is empty"),
        (b"hunter2 hunter2", "it must hold one word, and has more"),
        (b"hunter2\xff", "it is not UTF-8 text"),
    ],
)
async def test_a_file_without_a_token_fails_the_connection_and_says_so(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    settings = read(protocol="SASL_PLAINTEXT", mechanism="OAUTHBEARER", token_file=str(file))
    provider = settings.kafka_client_kwargs()["sasl_oauth_token_provider"]
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(AuthenticationFailedError) as caught:
        await provider.token()
    assert str(caught.value).endswith(f"{file} gives no token for Kafka: {says}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("security", "said"),
    [
        ({"protocol": "SASL_SSL"}, "MECHANISM: must be set for SASL_SSL, for instance to SCRAM-SHA-512"),
        ({"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u"}, "PASSWORD: must be set for PLAIN"),
        ({"protocol": "SASL_SSL", "mechanism": "PLAIN", "password": "p"}, "USERNAME: must be set for PLAIN"),
        (
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER"},
            "MECHANISM: OAUTHBEARER is not supported unless a file holds the token",
        ),
        (
            {
                "protocol": "SASL_SSL",
                "mechanism": "OAUTHBEARER",
                "token_url": "https://idp/t",
                "username": "u",
            },
            "PASSWORD: must be set for the token URL",
        ),
        (
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_url": "http://idp.example.org/t"},
            "TOKEN_URL: ",
        ),
        (
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "aws_region": "Ohio"},
            "AWS_REGION: ",
        ),
        (
            {"protocol": "SASL_PLAINTEXT", "mechanism": "OAUTHBEARER", "aws_region": "us-gov-west-1"},
            "AWS_REGION: is for Amazon MSK, which takes IAM over TLS alone",
        ),
        (
            {
                "protocol": "SASL_SSL",
                "mechanism": "OAUTHBEARER",
                "aws_region": "us-gov-west-1",
                "token_file": __file__,
            },
            "AWS_REGION: must not be set beside the token file",
        ),
        ({"username": "u"}, "USERNAME: is for SASL, which PLAINTEXT has not"),
        ({"password": "p"}, "PASSWORD: is for SASL, which PLAINTEXT has not"),
        ({"protocol": "SSL", "mechanism": "PLAIN"}, "MECHANISM: is for SASL, which SSL has not"),
        ({"ca_file": __file__}, "CA_FILE: is for TLS, which PLAINTEXT has not"),
        (
            {"protocol": "SSL", "cert_file": __file__},
            "KEY_FILE: must be set: a certificate and its key go",
        ),
        (
            {"protocol": "SSL", "key_file": __file__},
            "CERT_FILE: must be set: a certificate and its key go",
        ),
        (
            {"protocol": "SSL", "ca_file": "/nope/ca"},
            "CA_FILE: names a file that cannot be read: No such file",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_rather_than_ignored(
    security: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**security)
    assert [str(problem)[: len(PREFIX + said)] for problem in caught.value.problems] == [PREFIX + said]


def test_gssapi_is_refused_where_its_package_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="MECHANISM: GSSAPI needs the package gssapi"):
        read(protocol="SASL_SSL", mechanism="GSSAPI")


def test_tls_shows_our_certificate_and_trusts_the_given_authority(certificates: Path) -> None:
    settings = read(
        protocol="SSL",
        ca_file=str(certificates / "cert.pem"),
        cert_file=str(certificates / "cert.pem"),
        key_file=str(certificates / "key.pem"),
    )
    context = settings.kafka_client_kwargs()["ssl_context"]
    assert [dict(entry[0] for entry in authority["subject"]) for authority in context.get_ca_certs()] == [
        {"commonName": "watch"}
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca_file": "key.pem"}, "CA_FILE: holds no certificate in PEM form"),
        ({"cert_file": "key.pem", "key_file": "key.pem"}, "CERT_FILE: and the key file hold no certificate"),
        (
            {"cert_file": "cert.pem", "key_file": "locked.pem"},
            "KEY_FILE: is encrypted; a key without a passphrase",
        ),
    ],
)
def test_a_file_that_holds_no_certificate_is_named(
    certificates: Path, files: dict[str, str], said: str
) -> None:
    settings = read(protocol="SSL", **{name: str(certificates / file) for name, file in files.items()})
    for ask in (settings.kafka_client_kwargs, settings.faust_broker_credentials):
        with pytest.raises(SettingsError) as caught:
            ask()
        assert str(caught.value).startswith(PREFIX + said)


def secured(tmp_path: Path) -> list[Settings]:
    (tmp_path / "token").write_text("t")
    name = {"username": "watch", "password": "hunter2"}
    token = {"mechanism": "OAUTHBEARER", "token_file": str(tmp_path / "token")}
    return [
        read(protocol="SSL"),
        read(protocol="SASL_PLAINTEXT", mechanism="PLAIN", **name),
        read(protocol="SASL_SSL", mechanism="SCRAM-SHA-512", **name),
        read(protocol="SASL_PLAINTEXT", **token),
        read(protocol="SASL_SSL", **token),
    ]


def test_faust_connects_as_aiokafka_does(tmp_path: Path) -> None:
    from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

    for settings in secured(tmp_path):
        ours = settings.kafka_client_kwargs()
        theirs = dict(credentials_to_aiokafka_auth(settings.faust_broker_credentials()))
        assert "hunter2" not in repr(settings.faust_broker_credentials())
        assert comparable(theirs) == comparable(ours | {"bootstrap_servers": None})


def comparable(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Contexts and token providers compare by identity: their types are what can agree."""
    return {
        name: type(value).__name__ if name in ("ssl_context", "sasl_oauth_token_provider") else value
        for name, value in kwargs.items()
        if value is not None
    }
