"""Which credentials and addresses does each receiver need?"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from streams.settings.values import Group, HeaderSecret, HttpUrl

__all__ = ["DatadogSettings", "PagerDutySettings", "SlackSettings"]


def _routing_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9]{32}", value.get_secret_value(), re.ASCII):
        raise ValueError("must be the 32 letters and digits of an Events API v2 integration key")
    return value


def _site(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", value, re.ASCII):
        raise ValueError("must be a Datadog site such as datadoghq.com or ddog-gov.com")
    return value


class PagerDutySettings(Group):
    """``WATCHOFFICER_PAGERDUTY__...``. The webhook secret verifies the deliveries of PagerDuty's webhooks."""

    routing_key: Annotated[SecretStr, AfterValidator(_routing_key)] | None = None
    base_url: HttpUrl = "https://events.pagerduty.com"
    webhook_secret: HeaderSecret | None = None
    rest_token: HeaderSecret | None = None


class DatadogSettings(Group):
    """``WATCHOFFICER_DATADOG__...``. ``base_url`` replaces both hosts that follow from ``site``."""

    api_key: HeaderSecret | None = None
    app_key: HeaderSecret | None = None
    site: Annotated[str, AfterValidator(_site)] = "datadoghq.com"
    base_url: HttpUrl | None = None


class SlackSettings(Group):
    """``WATCHOFFICER_SLACK__...``. ``channel`` is an id (C0123456789) or a name."""

    token: HeaderSecret | None = None
    channel: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    base_url: HttpUrl = "https://slack.com/api/"
