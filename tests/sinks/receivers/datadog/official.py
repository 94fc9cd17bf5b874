"""Would Datadog's own client send this body? Checked against its models, without any network."""

from __future__ import annotations

from typing import Any

from datadog_api_client.configuration import Configuration
from datadog_api_client.model_utils import OpenApiModel, UnparsedObject, validate_and_convert_types
from datadog_api_client.v2.model.event_create_request_payload import EventCreateRequestPayload
from datadog_api_client.v2.model.incident_create_request import IncidentCreateRequest
from datadog_api_client.v2.model.incident_todo_create_request import IncidentTodoCreateRequest
from datadog_api_client.v2.model.incident_update_request import IncidentUpdateRequest

__all__ = ["ID", "check_with_the_official_model"]

ID = "11111111-2222-4333-8444-555555555555"
MODELS: dict[str, Any] = {
    "event": EventCreateRequestPayload,
    "incident_create": IncidentCreateRequest,
    "incident_update": IncidentUpdateRequest,
    "incident_resolve": IncidentUpdateRequest,
    "todo": IncidentTodoCreateRequest,
}


def check_with_the_official_model(action: str, body: dict[str, Any]) -> None:
    """Fail unless the official client understands all of a body."""
    model = validate_and_convert_types(body, (MODELS[action],), ["body"], True, True, Configuration())
    assert _unparsed(model, "body") == []


def _unparsed(value: Any, place: str) -> list[str]:
    """The places that the official client would not have understood."""
    if isinstance(value, UnparsedObject):
        return [place]
    if isinstance(value, OpenApiModel):
        inner = vars(value)
        found = [
            part for name, each in inner["_data_store"].items() for part in _unparsed(each, f"{place}.{name}")
        ]
        found += [part for each in inner.get("_composed_instances", ()) for part in _unparsed(each, place)]
        return found or ([place] if inner.get("_unparsed") else [])
    if isinstance(value, dict):
        return [part for name, each in value.items() for part in _unparsed(each, f"{place}.{name}")]
    if isinstance(value, list | tuple):
        return [part for each in value for part in _unparsed(each, place)]
    return []
