"""Banners by the shipped policy, or by changes to it."""

from __future__ import annotations

from typing import Any

from detectors.instants import MINUTE
from detectors.policy.policy import Policy
from detectors.policy.sections import MaintenanceWindow
from sinks.banner.banner import Banner
from sinks.banner.banner import banners as banners_by
from sinks.banner.keys import Visitor
from sinks.banner.statuses import known, statuses
from streams.settings.policy_file import default_policy
from tests.sinks.samples import OPENED

__all__ = ["CSPS", "POLICY", "T", "banners", "policy_with", "shown", "states", "window"]

T = OPENED + 10 * MINUTE
CSPS = ("idme", "logingov")
POLICY = default_policy()


def window(scope: str, start: int, end: int, description: str = "ISAM patching") -> MaintenanceWindow:
    return MaintenanceWindow.model_construct(scope=scope, start=start, end=end, description=description)


def policy_with(*windows: MaintenanceWindow) -> Policy:
    return POLICY.model_copy(update={"maintenance": windows})


def banners(
    env: str, given: Any, at: int, policy: Policy = POLICY, previous: Any = None
) -> dict[str, Banner]:
    return banners_by(policy, env, given, at, previous)


def states(*given: Any, at: int = T, policy: Policy = POLICY) -> dict[str, str]:
    """The keys that are not ok."""
    made = banners("prod", given, at, policy)
    return {key: banner.state for key, banner in made.items() if banner.state != "ok"}


def shown(
    made: dict[str, Banner], method: Any, now: int = T, policy: Policy = POLICY, client: str | None = None
) -> dict[str, str]:
    body = statuses(policy, known(made.values(), now, "prod"), Visitor(method, None, client))
    attributes = body["data"]["attributes"]
    return {entry["service_id"]: entry["status"] for entry in attributes["statuses"]}
