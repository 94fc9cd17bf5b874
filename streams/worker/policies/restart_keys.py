"""Which keys of a policy does ingest use, so that a reload cannot change them and the next start of a worker does?"""

from __future__ import annotations

from detectors.policy.policy import Policy

__all__ = ["RESTART_KEYS", "restart_changes"]

#: What ingest, its clocks and the layout of facts go by. Which blocks were folded by which values must not depend on
#: when each worker has noticed a file.
RESTART_KEYS = (
    "step",
    "watermark_delay",
    "retention",
    "dedup_ids",
    "dedup_horizon",
    "idle_after",
    "skew_after",
    "blind_after",
    "future_limit",
    "past_limit",
    "axes",
    "breakdowns",
    "aliases",
    "envs",
    "max_envs",
)


def restart_changes(before: Policy, after: Policy) -> list[str]:
    """The keys whose values differ between two policies, and that a running worker cannot change."""
    changed = [key for key in RESTART_KEYS if getattr(before, key) != getattr(after, key)]
    if before.thresholds != after.thresholds:
        changed.append("objectives.*.latency_threshold_ms")
    return changed
