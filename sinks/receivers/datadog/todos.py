"""Which todos has an incident in Datadog? Its follow-ups: each once, completed once it is done.

Todos have no key of ours, so those that stand are read first, and recognised by their content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from detectors.incidents import Incident
from detectors.instants import format_instant
from sinks.wording import one_line, truncate

__all__ = ["Todo", "missing_todos", "path_of_todos"]

_CONTENT_LIMIT = 500


class Todo(NamedTuple):
    """A request about one todo: it is made, or completed. ``documented`` is the status by which Datadog has done so."""

    method: Literal["POST", "PATCH"]
    path: str
    body: dict[str, Any]
    documented: int


def path_of_todos(incident_id: str) -> str:
    """Where the todos of one of Datadog's incidents are."""
    return f"/api/v2/incidents/{incident_id}/relationships/todos"


def missing_todos(incident: Incident, incident_id: str, listed: Mapping[str, Any]) -> list[Todo]:
    """The requests that bring todos up to date with an incident's follow-ups; those of people stay as they are.

    Args:
        incident: has the follow-ups.
        incident_id: of Datadog's incident.
        listed: Datadog's answer to a request for its todos.

    Raises:
        KeyError, TypeError, AttributeError: that is no such answer.
    """
    standing = {one["attributes"]["content"]: one for one in listed["data"]}
    path = path_of_todos(incident_id)
    asked = []
    for task in incident.process.follow_ups:
        content = truncate(one_line(task.text + (f" {task.link}" if task.link else "")), _CONTENT_LIMIT)
        attributes: dict[str, Any] = {"assignees": [], "content": content}
        if task.done_at is not None:
            attributes["completed"] = format_instant(task.done_at)
        known = standing.get(content) or standing.get(truncate(one_line(task.text), _CONTENT_LIMIT))
        body = {"data": {"type": "incident_todos", "attributes": attributes}}
        if known is None:
            asked.append(Todo("POST", path, body, 201))
        elif _differs(known["attributes"], attributes):
            attributes["assignees"] = known["attributes"].get("assignees") or []
            asked.append(Todo("PATCH", f"{path}/{known['id']}", body, 200))
    return asked


def _differs(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a todo lacks a link, or is not completed though its follow-up is done."""
    undone = "completed" in wanted and not known.get("completed")
    return known["content"] != wanted["content"] or undone
