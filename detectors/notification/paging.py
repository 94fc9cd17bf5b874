"""Which PagerDuty alert, if any, does a change of an incident trigger?

The life cycle asks this once per change and keeps the answer with the incident (``Incident.pages``) and the
transition (``Transition.page``), from which the commands for receivers follow. So exactly the alerts that were
triggered are resolved in the end.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from detectors.incidents import Incident, Page, TransitionKind
from detectors.policy.policy import Policy
from detectors.urgency import is_lasting_slowness, is_serious

__all__ = ["LEVELS", "dedup_key", "is_breach", "may_page", "page_of", "with_page"]

#: How often an epoch pages again after people have resolved it while it fails.
AGAIN_AT_MOST = 3

Level = Literal["critical", "error", "warning"]

#: PagerDuty's level for an SLA severity. Critical and error page; a warning has low urgency.
LEVELS: dict[int, Level] = {1: "critical", 2: "error", 3: "warning"}


def dedup_key(incident: Incident, policy: Policy) -> str:
    """Return the receivers' key for an incident and epoch.

    It begins as the policy said when the incident opened: by another key receivers would not find what they have open.
    """
    return f"{incident.key_prefix or policy.notify.dedup_prefix}:{incident.id}:{incident.epoch}"


def may_page(incident: Incident) -> bool:
    """Whether PagerDuty may be notified of an incident: in prod, not kept quiet, serious or long slow."""
    wakes = is_serious(incident) or is_lasting_slowness(incident)
    return incident.env == "prod" and not incident.is_hidden and wakes


def page_of(
    kind: TransitionKind,
    from_severity: int | None,
    incident: Incident,
    policy: Policy,
    *,
    rose: bool = False,
) -> Page | None:
    """The alert that a change triggers, and the level it is triggered with; None for no alert.

    * An opening of severity 1 or 2 pages at once, a severity 3 when its page is due.
    * A rise is a trigger at the key that was used last, which wakes nobody who is already at it. It takes a
      key of its own (``...:s1``), which wakes again, where the rise would otherwise go unheard: to severity 1
      after an acknowledgement, or from a level that does not page, or after a person has resolved its alerts.
      A level that the alert has already is no trigger.
    * Slowness that has lasted until it is declared pages as severity 2 does, whatever its severity.
    * An incident that still fails some time after a person has resolved it pages at a key of its own
      (``...:r1``), ``AGAIN_AT_MOST`` times an epoch.
    * A response time that is over without an acknowledgement pages whoever comes next, once an epoch, at a key of its
      own (``...:breach``), while the incident fails and nobody has said that it is resolved.
    * A report of a person outside business hours (``urgent``) pages at any severity: it wakes somebody.

    Args:
        kind: what happened.
        from_severity: before it; None when the incident opened.
        incident: after it, but with the pages from before it.
        rose: whether its severity rose while maintenance or a mute hid it.
    """
    if not may_page(incident):
        return None
    level = LEVELS[incident.severity]
    slow = is_lasting_slowness(incident)
    if level == "warning" and (slow or "urgent" in incident.causes):
        level = "error"
    base = dedup_key(incident, policy)
    if kind == "still_failing":
        return _paged_again(incident, base, level)
    if kind == "breach":
        return _breached(incident, Page(f"{base}:breach", level))
    begins = kind in ("opened", "reopened", "cause") or (kind == "declared" and slow)
    if kind in ("page_due", "uncovered") and incident.pages:
        return _worse_than_paged(incident, base, level)
    if kind in ("page_due", "uncovered") or (begins and level != "warning"):
        heard = incident.pages or (incident.state != "open" and not rose)
        return None if heard else Page(base, level)
    if kind != "severity" or from_severity is None or incident.severity >= from_severity:
        return None
    acknowledged = incident.acknowledged_at is not None
    if not incident.pages:
        unheard = acknowledged
    else:
        only_warned = all(page.level == "warning" for page in incident.pages)
        all_closed = all(page.closed_at is not None for page in incident.pages)
        unheard = only_warned or (acknowledged and incident.severity == 1) or all_closed
    key = next((page.dedup_key for page in reversed(incident.pages) if not is_breach(page)), base)
    page = Page(f"{base}:s{incident.severity}" if unheard else key, level)
    # A level that comes and goes, as a projection may, is triggered once: the alert is open, at this level.
    return page if set(with_page(incident.pages, page)) != set(incident.pages) else None


def with_page(pages: tuple[Page, ...], page: Page) -> tuple[Page, ...]:
    """The pages of an epoch after one more trigger: each key once, with the highest level sent."""
    ranks = list(LEVELS.values())
    # The key's alert is open again: what was known of the one before it is not true of it.
    kept = tuple(old for old in pages if old.dedup_key != page.dedup_key)
    same = [old for old in pages if old.dedup_key == page.dedup_key]
    level = min((one.level for one in (page, *same)), key=ranks.index)
    still = [old for old in same if old.closed_at is None]
    return (*kept, replace(still[0], level=level) if still else replace(page, level=level))


def _breached(incident: Incident, page: Page) -> Page | None:
    """The page of a response time that is over, of an incident that was paged, once."""
    waits = incident.state == "open" and incident.said_resolved_at is None
    return page if waits and incident.pages and not any(map(is_breach, incident.pages)) else None


def is_breach(page: Page) -> bool:
    """Whether a page was sent because a response time was over."""
    return page.dedup_key.endswith(":breach")


def _worse_than_paged(incident: Incident, base: str, level: Level) -> Page | None:
    """The alert of an incident that became worse while maintenance or a mute hid it."""
    ranks = list(LEVELS.values())
    worse = all(ranks.index(level) < ranks.index(one.level) for one in incident.pages)
    return Page(f"{base}:s{incident.severity}", level) if worse else None


def _paged_again(incident: Incident, base: str, level: Level) -> Page | None:
    before = sum(page.dedup_key.startswith(f"{base}:r") for page in incident.pages)
    return Page(f"{base}:r{before + 1}", level) if before < AGAIN_AT_MOST else None
