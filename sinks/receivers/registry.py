"""Which receivers are there? Each is one field here: its name in settings and metrics, and its settings."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.configuration import Group
from sinks.receivers.alertmanager.config import AlertmanagerSettings
from sinks.receivers.contract import ReceiverSettings
from sinks.receivers.datadog.config import DatadogSettings
from sinks.receivers.email.config import EmailSettings
from sinks.receivers.pagerduty.config import PagerDutySettings
from sinks.receivers.slack.config import SlackSettings
from sinks.receivers.statuspage.config import StatuspageSettings
from sinks.receivers.teams.config import TeamsSettings
from sinks.receivers.webhook.config import WebhookSettings

__all__ = ["Receivers", "kind_of"]


class Receivers(Group):
    """The settings of all receivers."""

    pagerduty: PagerDutySettings = PagerDutySettings()
    datadog: DatadogSettings = DatadogSettings()
    slack: SlackSettings = SlackSettings()
    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    teams: TeamsSettings = TeamsSettings()
    statuspage: StatuspageSettings = StatuspageSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()

    def receivers(self) -> Iterator[tuple[str, ReceiverSettings]]:
        """The name and the settings of each receiver, also of one that is off, and of each with a name of its own."""
        for name in Receivers.model_fields:
            settings: ReceiverSettings = getattr(self, name)
            yield name, settings
            yield from ((f"{name}:{one}", further) for one, further in settings.named().items())


def kind_of(name: str) -> type[ReceiverSettings] | None:
    """The class of a receiver's settings, which knows its pace and its rules; None for a name that is no receiver's."""
    field = Receivers.model_fields.get(name.partition(":")[0])
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, ReceiverSettings) else None
