"""From when on does an incident set a banner, and until when does the banner stand?"""

from __future__ import annotations

from detectors.confidence import wilson_lower
from detectors.incidents import Incident
from detectors.policy.policy import Policy

__all__ = ["SURE", "stands", "surely_fails"]

#: z of the one-sided lower bound of the share that fails: 95 %.
SURE = 1.645
#: Where the finding itself says that so many fail, failures that do not count against the service count here.
_COLLAPSED = 0.5
#: What these detectors find leaves no failures that could be counted.
_WITHOUT_FAILURES = frozenset({"silence", "funnel", "declared", "shortfall"})


def stands(incident: Incident, shown: bool, at: int, policy: Policy) -> bool:
    """Whether an incident that is not resolved sets the banners of its scope.

    It does from the moment on at which surely at least ``banner.min_failing_ratio`` fail, until it recovers and all but
    that share succeed over five minutes.

    Args:
        incident: open, acknowledged or recovering.
        shown: whether it has set the banner until now.
        at: ms since the epoch.
    """
    limit = policy.banner.min_failing_ratio
    succeed = incident.counts_now.success_ratio if incident.counts_now is not None else None
    recovered = incident.state == "recovering" and succeed is not None and succeed >= 1.0 - limit
    return not recovered and (shown or surely_fails(incident, at, limit))


def surely_fails(incident: Incident, at: int, limit: float) -> bool:
    """Whether surely at least the share ``limit`` of sign-ins fail: of people in five minutes, or since it began.

    Of an incident that is younger than the five minutes as many of the successes count as fall into its time. Failing
    sessions are no failing sign-ins. Where success has collapsed, failures by codes of the person's own act count too.
    """
    if incident.failing_ratio < limit:
        return False
    counts = incident.counts_now
    if counts is None or not _WITHOUT_FAILURES.isdisjoint(incident.causes):
        return True
    within = min(1.0, max(at - incident.first_bad_at, 0) / counts.window)
    left_out = counts.excluded if incident.failing_ratio >= _COLLAPSED else 0
    failed = min(counts.bad, counts.users_impacted) + left_out * within
    return bool(wilson_lower(failed, failed + counts.good * within, SURE) >= limit)
