"""What does a webhook need, and which of its messages is pointless? None is: its receiver follows the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, SecretStr, TypeAdapter, ValidationError

from sinks.configuration import Secret, SecretUrl
from sinks.receivers.answers import SinkClient
from sinks.receivers.contract import Means, Pace, ReceiverSettings
from sinks.receivers.named import by_name
from sinks.receivers.webhook.signing import key_of
from sinks.receivers.webhook.wording import Template

__all__ = ["WebhookSettings"]


def _signing(value: SecretStr) -> SecretStr:
    secrets = value.get_secret_value().replace(",", " ").split()
    if not secrets:
        raise ValueError("must be one secret, or several with spaces while one is replaced")
    for secret in secrets:
        key_of(secret)
    return value


def _endpoints(value: SecretStr) -> SecretStr:
    for one in by_name(value.get_secret_value()).values():
        if not isinstance(one, dict) or not all(isinstance(text, str) for text in one.values()):
            raise ValueError(
                'must give each name an object such as {"url": "https://...", "secrets": "whsec_..."}'
            )
        unknown = one.keys() - {"url", "secrets", "template", "user", "password"}
        if unknown or "url" not in one:
            raise ValueError("must give each name a url, and may give secrets, template, user, password")
        try:
            WebhookSettings(**one)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            context = first.get("ctx", {})
            raise ValueError(f"{first['loc'][0]} of a name {context.get('error', first['msg'])}") from None
    return value


class WebhookSettings(ReceiverSettings):
    """``WATCHOFFICER_WEBHOOK__...``. The address is a secret: many hold a token.

    ``secrets`` are Standard Webhooks secrets, the newest first. ``endpoints`` is a JSON object of further addresses,
    each a receiver of its own: ``{"servicenow": {"url": "https://…", "template": "servicenow", "user": "…",
    "password": "…"}}`` is ``webhook:servicenow`` in the policy's routes.
    """

    url: SecretUrl | None = None
    secrets: Annotated[SecretStr, AfterValidator(_signing)] | None = None
    template: Template = "incident"
    user: str | None = None
    password: Secret | None = None
    endpoints: Annotated[SecretStr, AfterValidator(_endpoints)] | None = None

    title: ClassVar[str] = "Webhook"
    needed: ClassVar[tuple[str, ...]] = ("url",)
    lacking: ClassVar[tuple[str, tuple[str, ...]] | None] = ("webhooks are not signed", ("secrets",))
    pace: ClassVar[Pace] = Pace(per_minute=120, burst=20, concurrency=4)

    def client(self, means: Means) -> SinkClient:
        """The client of one address."""
        from sinks.receivers.webhook.client import Webhook  # reading settings needs no HTTP

        assert self.url is not None
        given = self.secrets.get_secret_value().replace(",", " ").split() if self.secrets else []
        return Webhook(
            means.http,
            url=self.url,
            secrets=[SecretStr(secret) for secret in given],
            template=self.template,
            user=self.user,
            password=self.password,
            document=means.document,
            names=means.names,
            clock=means.clock,
        )

    def named(self) -> Mapping[str, Self]:
        """The further addresses, by name."""
        if self.endpoints is None:
            return {}
        fields = by_name(self.endpoints.get_secret_value())
        return {name: TypeAdapter(type(self)).validate_python(one) for name, one in fields.items()}
