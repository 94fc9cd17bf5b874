"""Which receivers are there? Each is one field here: its name in settings and metrics, and its settings."""

from __future__ import annotations

from collections.abc import Iterator

from sinks.configuration import Group
from sinks.receivers.contract import ReceiverSettings
from sinks.receivers.datadog.config import DatadogSettings
from sinks.receivers.pagerduty.config import PagerDutySettings
from sinks.receivers.slack.config import SlackSettings

__all__ = ["Receivers", "kind_of"]


class Receivers(Group):
    """The settings of all receivers."""

    pagerduty: PagerDutySettings = PagerDutySettings()
    datadog: DatadogSettings = DatadogSettings()
    slack: SlackSettings = SlackSettings()

    def receivers(self) -> Iterator[tuple[str, ReceiverSettings]]:
        """The name and the settings of each receiver, also of one that is off."""
        for name in Receivers.model_fields:
            yield name, getattr(self, name)


def kind_of(name: str) -> type[ReceiverSettings] | None:
    """The class of a receiver's settings, which knows its pace and its rules; None for a name that is no receiver's."""
    field = Receivers.model_fields.get(name)
    kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, ReceiverSettings) else None
