"""Which mutes, maintenances and corrections are there, and what became of each: as the incident log tells?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from detectors.instants import parse_instant
from detectors.process.actions import PATHS
from detectors.process.covers import Cover
from streams.http.responses import ApiError, json_response
from streams.records.jsonl import read_cover

__all__ = ["COVERS", "CoverPages", "CoverStates"]

#: Mutes, maintenances and corrections that are kept, the latest.
COVERS = 500
_KINDS = {PATHS["mute"]: "mute", PATHS["maintain"]: "maintenance", PATHS["correct"]: "correction"}


class CoverStates:
    """The mutes, maintenances and corrections of the lines of the incident log, by id."""

    def __init__(self) -> None:
        self._covers: dict[str, dict[str, Any]] = {}

    def note(self, line: Mapping[str, Any]) -> None:
        """Note a line: one says that a cover was set, began or ended. Others, and repeats, change nothing."""
        cover = line.get("cover")
        if line.get("type") != "notice" or not isinstance(cover, dict):
            return
        id_, what = str(cover["id"]), str(line["field"])
        known = self._covers.pop(id_, None)
        if known is not None and parse_instant(known["changed_at"]) > parse_instant(line["at"]):
            self._covers[id_] = known
            return
        state = {"began": "in force", "ended": "ended"}.get(what, "set")
        self._covers[id_] = {**cover, "state": state, "changed_at": line["at"], "said": line.get("text")}
        if len(self._covers) > COVERS:
            del self._covers[next(iter(self._covers))]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return the latest of a kind, in the order in which they changed."""
        return [one for one in self._covers.values() if one["kind"] == kind]

    def standing(self, kind: str) -> list[Cover]:
        """Return those of a kind that have not ended, in the order in which they changed."""
        found = []
        for one in self.all(kind):
            with contextlib.suppress(ValueError):  # of another version: it is listed as it is, and no more
                found += [read_cover(one)] if one["state"] != "ended" else []
        return found


class CoverPages:
    """Lists them over HTTP."""

    def __init__(self, states: CoverStates) -> None:
        self._states = states

    async def show(self, request: web.Request) -> web.Response:
        """List those of a kind; what they hid stands on each that has ended."""
        unknown = sorted(set(request.query) - {"env"})
        if unknown:
            raise ApiError(400, "bad_request", f"{unknown[0]} is no parameter: env is")
        path, env = request.match_info["covers"], request.query.get("env")
        found = [
            one
            for one in self._states.all(_KINDS[path])
            if env is None or str(one["scope"]).partition("/")[0] == env
        ]
        return json_response({path: found})
