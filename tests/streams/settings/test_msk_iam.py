"""Tokens for Amazon MSK: signed as AWS asks for, anew before they expire, and without a secret in logs and errors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from aiokafka.errors import AuthenticationFailedError

from streams.settings.msk_iam import MskIam
from streams.settings.settings import read_settings

REGION, KEY_ID, KEY, SESSION = "us-gov-west-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/EXAMPLEKEY", "session/+token=="
LIFE = 900  # seconds, the longest that MSK takes


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Fixed credentials, and no other source of any: nothing is asked over a network."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)
    return monkeypatch


def claims(token: str) -> dict[str, str]:
    """Return the parameters of the request in a token."""
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    assert (url.scheme, url.netloc, url.path) == ("https", f"kafka.{REGION}.amazonaws.com", "/")
    return dict(parse_qsl(url.query))


def signature(said: dict[str, str]) -> str:
    """Sign the request by the published rules (Signature Version 4)."""
    day, scope = said["X-Amz-Date"][:8], said["X-Amz-Credential"].split("/", 1)[1]
    signed = {name: said[name] for name in said if name not in ("X-Amz-Signature", "User-Agent")}
    query = "&".join(f"{quote(name, safe='')}={quote(signed[name], safe='')}" for name in sorted(signed))
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:kafka.{REGION}.amazonaws.com\n\nhost\n{nothing}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{KEY}".encode()
    for part in (day, REGION, "kafka-cluster", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{said['X-Amz-Date']}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()


async def test_a_token_is_signed_as_aws_asks_for_and_replaced_before_it_expires(
    credentials: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    now = [0.0]
    provider = MskIam(REGION, monotonic=lambda: now[0])
    first = await provider.token()
    said = claims(first)
    assert said["Action"] == "kafka-cluster:Connect"
    assert said["X-Amz-Credential"].split("/")[0] == KEY_ID
    assert said["X-Amz-Security-Token"] == SESSION
    assert said["X-Amz-Expires"] == str(LIFE)
    signed_at = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - signed_at).total_seconds()) < 60
    assert said["X-Amz-Signature"] == signature(said)

    credentials.setenv("AWS_ACCESS_KEY_ID", "AKIDROTATED")
    now[0] = 0.7 * LIFE
    assert await provider.token() == first
    now[0] = 0.85 * LIFE
    assert claims(await provider.token())["X-Amz-Credential"].startswith("AKIDROTATED/")
    assert not [secret for secret in (KEY, SESSION, first) if secret in caplog.text]


async def test_without_credentials_the_error_says_what_to_give(credentials: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        credentials.delenv(name)
    with pytest.raises(AuthenticationFailedError, match="give the process a role, or AWS_ACCESS_KEY_ID"):
        await MskIam(REGION).token()
    credentials.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    credentials.setenv("AWS_SESSION_TOKEN", SESSION)
    with pytest.raises(AuthenticationFailedError) as caught:
        await MskIam(REGION).token()
    assert SESSION not in str(caught.value)


async def test_the_setting_of_a_region_gives_such_tokens_to_clients(credentials: pytest.MonkeyPatch) -> None:
    prefix = "WATCHOFFICER_BROKER_SECURITY__"
    settings = read_settings(
        {
            "WATCHOFFICER_BROKER": "b-1.watch.example:9098",
            prefix + "PROTOCOL": "SASL_SSL",
            prefix + "MECHANISM": "OAUTHBEARER",
            prefix + "AWS_REGION": REGION,
        }
    )
    kwargs = settings.kafka_client_kwargs()
    assert kwargs["sasl_mechanism"] == "OAUTHBEARER"
    assert claims(await kwargs["sasl_oauth_token_provider"].token())["Action"] == "kafka-cluster:Connect"
