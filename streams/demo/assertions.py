"""What must happen in a scenario, and did it? Pure functions over the truth and the observations.

The assertions follow from the true outages (``Simulation.truth``) by the rules of the incident life cycle: who
is woken and how often, which receivers are notified, which banners appear, and that every incident ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from detectors.axes import contains, overlaps
from detectors.incidents import Incident
from detectors.instants import HOUR, SECOND, parse_instant
from detectors.policy.policy import Policy
from detectors.scopes import METHODS
from sinks.banner.keys import BannerKeys
from sinks.sandbox.pagerduty import SentWebhook
from sinks.sandbox.receiver import Received
from streams.demo.expectations import SLACK_ONLY, Expectation
from streams.demo.observations import Observations

__all__ = ["Assertion", "assertions"]

#: Event time (ms) within which a sudden, total outage at the busiest hour pages, from its first failing event.
_PAGES_WITHIN = 60 * SECOND
#: Time (ms) after the end of a cause in which an incident that opens is still attributed to the cause.
_FOUND_WITHIN = HOUR
#: Share of the people of the worst hour that a scrape must show: the window slides between two scrapes.
_SEEN_BETWEEN_SCRAPES = 0.9
_OVER = ("resolved", "closed")


@dataclass(frozen=True)
class Assertion:
    """An expected behaviour in words; ``broken`` says what happened instead, and is None if the assertion holds."""

    what: str
    broken: str | None = None


def assertions(causes: Sequence[Expectation], observations: Observations, policy: Policy) -> list[Assertion]:
    """All assertions about a scenario with these causes, each evaluated over the observations so far."""
    out: list[Assertion] = []
    for cause in causes:
        mine = _incidents_of(cause, observations)
        if cause.page is not None:
            out.append(_one_incident(cause, mine, observations))
        cases = [_case(cause, incident, observations, policy) for incident in mine]
        for what, judge in _required(cause):
            if cases:
                out.append(Assertion(what, next(filter(None, map(judge, cases)), None)))
            elif cause.page is not None:
                out.append(Assertion(what, "there is no such incident"))
        out += _banner_up(cause, observations, policy)
    return out + _nothing_else(causes, observations, policy) + _in_the_end(observations)


def _incidents_of(cause: Expectation, observations: Observations) -> list[Incident]:
    """The incidents of a cause, without those that were merged into another incident."""
    return [
        incident
        for incident in observations.incidents
        if incident.scope == cause.scope
        and not (incident.resolved_reason or "").startswith("merged")
        and cause.start <= incident.opened_at < cause.end + _FOUND_WITHIN
    ]


def _one_incident(cause: Expectation, mine: Sequence[Incident], observations: Observations) -> Assertion:
    wanted = " or ".join(str(one) for one in cause.severities)
    what = f"{cause.scope} is one incident, of severity {wanted} at its worst"
    if len(mine) != 1:
        listed = ", ".join(f"{i.id} on {i.scope}" for i in observations.incidents)
        return Assertion(what, f"it is {len(mine)}; there are {listed}" if listed else "there is no incident")
    if mine[0].peak_severity not in cause.severities:
        return Assertion(what, f"{mine[0].id} reached severity {mine[0].peak_severity}")
    if mine[0].epoch and cause.steady:
        return Assertion(what, f"{mine[0].id} was opened {mine[0].epoch + 1} times")
    return Assertion(what)


@dataclass(frozen=True)
class _Case:
    """An incident of a cause, the dedup keys of its epochs, and the requests to PagerDuty with these keys."""

    cause: Expectation
    incident: Incident
    keys: tuple[str, ...]
    sent: tuple[Received, ...]
    observations: Observations


#: Returns why a case fails an assertion, or None if the assertion holds.
_Judge = Callable[[_Case], str | None]


def _case(cause: Expectation, incident: Incident, observations: Observations, policy: Policy) -> _Case:
    keys = _keys(incident, policy)
    sent = [r for r in observations.pagerduty if _belongs(str(r.body.get("dedup_key")), keys)]
    return _Case(cause, incident, tuple(keys), tuple(sent), observations)


def _required(cause: Expectation) -> Iterator[tuple[str, _Judge]]:
    """The assertions about an incident of the cause: each in words, with the function that evaluates it."""
    scope = cause.scope
    if cause.page:
        yield f"{scope} wakes somebody once", _woken_once
        if cause.kind == "outage" and cause.share == 1.0 and cause.steady and cause.severity == 1:
            yield f"{scope} pages within {_PAGES_WITHIN // SECOND} s of event time", _in_time
        yield f"{scope} is acknowledged through PagerDuty's signed webhook", _acknowledged
    if cause.env == "prod" and cause.kind not in SLACK_ONLY:
        yield f"{scope} is resolved in PagerDuty", _resolved_in_pagerduty
    yield f"{scope} has a message and a thread in Slack", _thread
    if cause.kind not in SLACK_ONLY:
        yield f"{scope} opens an event in Datadog, and closes it", _datadog_event
        if cause.env == "prod" and cause.severities == (1,):
            yield f"{scope} is declared in Datadog, and resolved there", _datadog_incident
        yield f"{scope} shows on /metrics, severity and people", _on_metrics
    yield f"{scope} is resolved", _resolved


# -- PagerDuty ------------------------------------------------------------------------------------------------


def _keys(incident: Incident, policy: Policy) -> list[str]:
    """The dedup keys of an incident's epochs."""
    return [f"{policy.notify.dedup_prefix}:{incident.id}:{epoch}" for epoch in range(incident.epoch + 1)]


def _belongs(key: str, keys: Iterable[str]) -> bool:
    """Whether ``key`` is one of ``keys``, or a linked key of one: ``...:s1``."""
    return any(key == base or key.startswith(f"{base}:s") for base in keys)


def _woken_once(case: _Case) -> str | None:
    wakings = Counter(w.dedup_key for w in case.observations.woken if _belongs(w.dedup_key, case.keys))
    if not wakings:
        return "nobody was woken"
    for key, times in wakings.items():
        if times > 1:
            return f"woken {times} times at {key}"
        base, linked, level = key.rpartition(":s")
        if linked and not _may_wake_again(base, key, level, case):
            return f"woken again at {key}, though the page at {base} was heard"
    return None


def _may_wake_again(base: str, key: str, level: str, case: _Case) -> bool:
    """Whether a rise of severity may wake somebody again: to severity 1 after an acknowledgement, or if no page
    was sent before."""
    first = next(r for r in case.sent if r.body["dedup_key"] == key)
    before = case.sent[: case.sent.index(first)]
    levels = [r.body["payload"]["severity"] for r in before if r.body["event_action"] == "trigger"]
    if all(one == "warning" for one in levels):
        return True
    acknowledged = [webhook.at for webhook in _acknowledgements(case) if webhook.dedup_key == base]
    return level == "1" and any(at <= first.at for at in acknowledged)


def _acknowledgements(case: _Case) -> list[SentWebhook]:
    return [
        webhook
        for webhook in case.observations.webhooks
        if webhook.event_type == "incident.acknowledged" and _belongs(webhook.dedup_key, case.keys)
    ]


def _in_time(case: _Case) -> str | None:
    pages = [
        parse_instant(request.body["payload"]["timestamp"])
        for request in case.sent
        if request.body["event_action"] == "trigger" and request.body["payload"]["severity"] != "warning"
    ]
    if not pages:
        return "it did not page"
    late = min(pages) - case.cause.start
    return None if late <= _PAGES_WITHIN else f"it paged after {late / SECOND:.0f} s"


def _acknowledged(case: _Case) -> str | None:
    sent = _acknowledgements(case)
    if not sent:
        return "PagerDuty sent no such webhook"
    answers = [webhook.statuses[-1] if webhook.statuses else 0 for webhook in sent]
    if 202 not in answers:
        return f"the webhook was answered {answers[-1]}"
    incident = case.incident
    if incident.acknowledged_at is None or not (incident.acknowledged_by or "").startswith("PagerDuty"):
        return f"the incident says that {incident.acknowledged_by or 'nobody'} has it"
    return None


def _resolved_in_pagerduty(case: _Case) -> str | None:
    refused = [str(request.status) for request in case.sent if request.status != 202]
    if refused:
        return f"PagerDuty refused requests: {', '.join(refused)}"
    if not case.sent:
        return "PagerDuty never heard of it"
    standing = [
        key for key, status in case.observations.alerts if _belongs(key, case.keys) and status != "resolved"
    ]
    if standing:
        return f"{', '.join(standing)} is not"
    last = case.sent[-1].body["event_action"]
    return None if last == "resolve" else f"the last it was sent is {last}"


# -- Datadog, Slack -------------------------------------------------------------------------------------------


def _datadog_event(case: _Case) -> str | None:
    said = [
        event["attributes"]["status"]
        for event in case.observations.datadog_events
        if event.get("aggregation_key") in case.keys
    ]
    if not said or said[0] not in ("error", "warn"):
        return "no event was opened"
    return None if said[-1] == "ok" else f"the last event says {said[-1]}"


def _datadog_incident(case: _Case) -> str | None:
    found = [
        attributes
        for attributes in case.observations.datadog_incidents
        if any(f"[{key}]" in str(attributes["title"]) for key in case.keys)
    ]
    if len(found) != len(case.keys):
        return f"{len(found)} were declared"
    states = [str(attributes["fields"]["state"]["value"]) for attributes in found]
    return None if set(states) == {"resolved"} else f"it is {', '.join(states)}"


def _thread(case: _Case) -> str | None:
    name = f"incident {case.incident.id}"
    messages = case.observations.slack
    roots = [m for m in messages if m.thread_ts is None and m.words.rstrip().endswith(name)]
    if len(roots) != len(case.keys):
        return f"there are {len(roots)} messages"
    replies = [message for message in messages if message.thread_ts == roots[-1].ts]
    if not any("Resolved" in reply.words for reply in replies):
        return f"none of {len(replies)} replies says that it is resolved"
    return None


# -- banner, metrics, API -------------------------------------------------------------------------------------


def _banner_up(cause: Expectation, observations: Observations, policy: Policy) -> list[Assertion]:
    if cause.banner is None:
        return []
    out = []
    for key in BannerKeys(policy).of_scope(cause.scope, cause.start):
        what = f"the banner {key} goes up ({cause.banner}), and comes down again"
        states = [change.state for change in observations.banners if change.key == key]
        if cause.banner not in states:
            out.append(Assertion(what, f"the topic says {', '.join(states) or 'nothing'}"))
        elif states[-1] != "ok":
            out.append(Assertion(what, f"it is still {states[-1]}"))
        else:
            out.append(Assertion(what, _never_shown(key, cause.banner, observations)))
    return out


def _never_shown(key: str, state: str, observations: Observations) -> str | None:
    """Why the front end's page failed to show ``state`` for a key, or None if the page showed it."""
    service = key.rpartition("/")[2]
    for method in _readers(key):
        if all(scrape.statuses.get(method, {}).get(service) != state for scrape in observations.scrapes):
            return f"/v0/backend_statuses?auth_method={method} never said so"
    return None


def _readers(key: str) -> tuple[str, ...]:
    """The sign-in methods whose users see the banner of this key."""
    method = key.split("/")[1]
    return (method,) if method in METHODS else METHODS


def _on_metrics(case: _Case) -> str | None:
    cause, scrapes = case.cause, case.observations.scrapes
    for method in METHODS:
        if not overlaps(cause.scope, f"{cause.env}/{method}"):
            continue
        labels = {"env": cause.env, "auth_method": method}
        levels = {scrape.value("watchofficer_incident_severity", **labels) for scrape in scrapes}
        if not levels.intersection(cause.severities):
            seen = ", ".join(sorted(map(str, levels)))
            return f"the severity of {method} was {seen or 'not there'}"
    env, _, method = cause.scope.partition("/")
    if cause.kind == "outage" and method in METHODS:
        labels = {"env": env, "auth_method": method}
        people = [scrape.value("watchofficer_users_impacted", **labels) or 0.0 for scrape in scrapes]
        if max(people, default=0.0) < _SEEN_BETWEEN_SCRAPES * cause.users:
            return f"it shows {max(people, default=0.0):.0f} people of {cause.users}"
    return None


# -- what must not happen -------------------------------------------------------------------------------------


def _nothing_else(
    causes: Sequence[Expectation], observations: Observations, policy: Policy
) -> list[Assertion]:
    explained = [i for cause in causes for i in _incidents_of(cause, observations)]
    others = [f"{i.id} on {i.scope}" for i in observations.incidents if i not in explained]
    no_more = Assertion("no other incident" if causes else "no incident", ", ".join(others) or None)

    waking = [i for cause in causes if cause.page is not False for i in _incidents_of(cause, observations)]
    keys = [key for incident in waking for key in _keys(incident, policy)]
    woken = [each.summary for each in observations.woken if not _belongs(each.dedup_key, keys)]
    wakes = any(cause.page is not False for cause in causes)
    sleep = Assertion(
        "nobody is woken for anything else" if wakes else "nobody is woken", "; ".join(woken) or None
    )
    notified = {
        str(request.body["dedup_key"])
        for request in observations.pagerduty
        if request.body["event_action"] == "trigger"
    }
    outside = sorted(key for key in notified if not key.startswith(f"{policy.notify.dedup_prefix}:prod-"))
    prod = Assertion("PagerDuty hears of prod alone", ", ".join(outside) or None)
    return [no_more, sleep, prod, *_banners_down(causes, observations, policy)]


def _banners_down(
    causes: Sequence[Expectation], observations: Observations, policy: Policy
) -> list[Assertion]:
    """No banner appears for a service without an outage; one assertion for each such method."""
    keys = BannerKeys(policy)
    may = {key for cause in causes for key in keys.of_scope(cause.scope, cause.start)}
    up: dict[str, str] = {}
    for change in observations.banners:
        if change.state != "ok" and change.key not in may and not _within(change.key, causes):
            up.setdefault(change.key, change.state)
    out = []
    for method in METHODS:
        if any(overlaps(cause.scope, f"prod/{method}") for cause in causes):
            continue
        shown = [f"{key}: {state}" for key, state in up.items() if _readers(key) == (method,)]
        reported = {
            f"{service} is {status}"
            for scrape in observations.scrapes
            for service, status in scrape.statuses.get(method, {}).items()
            if status != "active"
        }
        wrong = ", ".join([*shown, *sorted(reported)])
        out.append(Assertion(f"who signs in by {method} never sees a banner", wrong or None))
    rest = ", ".join(f"{key}: {state}" for key, state in up.items())
    out.append(Assertion("no other banner goes up" if may else "no banner goes up", rest or None))
    return out


def _within(key: str, causes: Sequence[Expectation]) -> bool:
    """Whether the key is of a narrower scope within a cause's scope, where an incident may begin."""
    return key.rpartition("/")[2] != "mvi" and any(contains(cause.scope, key) for cause in causes)


# -- the end --------------------------------------------------------------------------------------------------


def _resolved(case: _Case) -> str | None:
    return None if case.incident.state in _OVER else f"it is {case.incident.state}"


def _in_the_end(observations: Observations) -> list[Assertion]:
    calm = "in the end /metrics shows no incident, and nothing that was dead or rejected"
    if not observations.scrapes:
        return [Assertion(calm, "/metrics never answered")]
    last = observations.scrapes[-1]
    wrong = [
        f"{name} is {total:.0f}"
        for name, labels in (
            ("watchofficer_incident_severity", {}),
            ("watchofficer_incidents_open", {}),
            ("watchofficer_sink_deliveries_total", {"outcome": "dead"}),
            ("watchofficer_events_rejected_total", {}),
        )
        if (total := last.total(name, **labels))
    ]
    if not last.total("watchofficer_login_events_total"):
        wrong.append("watchofficer_login_events_total is 0")
    return [Assertion(calm, ", ".join(wrong) or None)]
