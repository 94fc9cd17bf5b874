"""Which further fields has an incident in Datadog? Those of the team's organisation, as its settings map them.

User-defined fields have names and types of their own in each organisation. So a setting names each field, its type, and
where its value comes from: a constant, or something that is known of the incident.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from detectors.incidents import Incident
from sinks.wording import ScopeNames, capitalised, truncate

__all__ = ["SOURCES", "FieldRule", "field_rules", "fields_of"]

#: What a field may come ``from``, beside the axes of the policy.
SOURCES = (
    *("priority", "severity", "monitor", "acknowledged", "acknowledged_by", "sub_service"),
    *("detection_method", "people", "scope", "incident"),
)
_LISTS = ("multiselect", "textarray", "metrictag", "autocomplete")
_MOST = 30
_VALUE_LIMIT = 500


class FieldRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field: its type in Datadog, and its value, or what it comes from.

    Attributes:
        type: dropdown and textbox hold one value, the others a list.
        value: a constant.
        source: one of ``SOURCES``, or an axis of the policy, whose value the incident's scope names.
        table: what stands for a value of the source; one that is not listed leaves the field alone.
    """

    type: Literal["dropdown", "textbox", "multiselect", "textarray", "metrictag", "autocomplete"]
    value: str | list[str] | None = None
    source: str | None = msgspec.field(name="from", default=None)
    table: dict[str, str | list[str]] | None = None


def field_rules(text: str) -> dict[str, FieldRule]:
    """The rules that a setting holds, by the field's name in Datadog.

    Raises:
        ValueError: it is no such JSON object.
    """
    try:
        rules = msgspec.json.decode(text, type=dict[str, FieldRule])
    except ValueError as error:
        raise ValueError(f'must be a JSON object, {{"NAME": {{"type": "dropdown", ...}}}}: {error}') from None
    if len(rules) > _MOST:
        raise ValueError(f"names more than {_MOST} fields")
    for name, rule in rules.items():
        if name in ("severity", "state"):
            raise ValueError(f"names {name}, which follows the incident anyway")
        if (rule.value is None) == (rule.source is None):
            raise ValueError("gives a field neither or both of value and from")
    return rules


def fields_of(
    rules: Iterable[tuple[str, FieldRule]], incident: Incident, names: ScopeNames
) -> dict[str, Any]:
    """The fields of an incident, as Datadog takes them; a field without a value is left alone."""
    known = _known(incident, names)
    found = {}
    for name, rule in rules:
        value: str | list[str] | None = rule.value if rule.source is None else known.get(rule.source)
        if rule.table is not None and isinstance(value, str):
            value = rule.table.get(value)
        if not value:
            continue
        values = [truncate(one, _VALUE_LIMIT) for one in ([value] if isinstance(value, str) else value)]
        found[name] = {"type": rule.type, "value": values if rule.type in _LISTS else ", ".join(values)}
    return found


def _known(incident: Incident, names: ScopeNames) -> dict[str, str | list[str]]:
    return {
        **names.named(incident.scope),
        "priority": incident.priority,
        "severity": str(incident.severity),
        "monitor": list(incident.causes),
        "acknowledged": "yes" if incident.acknowledged_at is not None else "no",
        "acknowledged_by": incident.acknowledged_by or "",
        "sub_service": capitalised(names.words(incident.scope)),
        # Datadog's own words.
        "detection_method": "employee" if "reported" in incident.causes else "monitor",
        "people": str(incident.peak_users_impacted),
        "scope": incident.scope,
        "incident": incident.id,
    }
