"""What the public is told, and what it is never told."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given

from detectors.incidents import Common, Incident, Note, Page
from detectors.instants import DAY, HOUR, MINUTE
from detectors.process.record import FollowUp, Process, Said
from sinks.banner.public import feed, markup
from sinks.banner.public.content import PublicStatus, public_status
from sinks.banner.statuses import known
from tests.sinks.banner.making import POLICY, T, banners, policy_with, window
from tests.sinks.samples import OPENED, incident, incidents

ATOM = "{http://www.w3.org/2005/Atom}"


def told(*given: Incident, now: int = T, policy: Any = POLICY, **more: Any) -> PublicStatus:
    made = banners("prod", given, T, policy)
    fields: dict[str, Any] = {"is_known": True, "updates": {}, "planned": (), "days": {}} | more
    return public_status(policy, known(made.values(), now, "prod"), given, **fields)


def page(status: PublicStatus) -> str:
    return markup.render(status, time_zone=POLICY.time_zone, objective=0.999).decode()


def read(status: PublicStatus) -> str:
    return page(status) + feed.render(status).decode()


def states(status: PublicStatus) -> dict[str, str | None]:
    return {f"{one.name}/{part.name}": part.state for one in status.components for part in one.all()}


def test_who_uses_a_method_that_fails_sees_it_at_each_of_its_providers() -> None:
    assert states(told(incident(scope="prod/ssoe"))) == {
        "SiS/SiS": "ok",
        "SiS/ID.me": "ok",
        "SiS/Login.gov": "ok",
        "SSOe/SSOe": "critical",
        "SSOe/ID.me": "critical",
        "SSOe/Login.gov": "critical",
    }


def test_a_provider_fails_on_each_method_and_a_client_beside_them() -> None:
    found = states(told(incident(scope="prod/*/idme"), incident(id="prod-8", scope="prod/sis/*/vamobile")))
    assert {name for name, state in found.items() if state != "ok"} == {
        "SiS/ID.me",
        "SSOe/ID.me",
        "SiS/SiS sign-in by VA mobile app",
    }


def test_an_outage_is_told_in_sentences_the_latest_first_with_what_a_person_marked_public() -> None:
    about = incident(
        state="recovering",
        acknowledged_at=OPENED + MINUTE,
        acknowledged_by="Ada",
        recovering_at=OPENED + 9 * MINUTE,
    )
    updates = [
        Said(OPENED + 2 * MINUTE, "Ada", "IAM restarts ISAM.", False),
        Said(OPENED + 3 * MINUTE, "Ada", "Use SiS: https://va.gov", True),
    ]
    (one,) = told(about, updates={"prod-7": updates}).incidents
    assert (one.title, one.status, one.began_at) == ("SSOe sign-in", "monitoring", OPENED)
    assert [(at - OPENED) // MINUTE for at, _ in one.entries] == [9, 3, 1, 0]
    assert [text for _, text in one.entries] == [
        "Signing in works again (SSOe sign-in). We keep watching.",
        "Use SiS: https[:]//va.gov",
        "We know of it and work on it.",
        "Some people cannot sign in (SSOe sign-in). We are looking into it.",
    ]


SECRET = "VERTRAULICH"


def filled(**changes: Any) -> Incident:
    """An incident in which everything that people, errors and receivers say holds a word that none may read."""
    said = {
        "sentence": SECRET,
        "acknowledged_at": OPENED + 1,
        "acknowledged_by": SECRET,
        "declared_at": OPENED + 2,
        "declared_by": SECRET,
        "fail_over": SECRET,
        "common": (Common(field="error_code", value=SECRET, failing=9, failing_of=9),),
        "notes": (Note(OPENED, SECRET, SECRET, SECRET),),
        "links": {SECRET: f"https://example.org/{SECRET}"},
        "pages": (Page(SECRET, "critical", SECRET),),
        "routed": (SECRET,),
        "policy_hash": SECRET,
        "process": Process(
            roles={"commander": SECRET},
            said=Said(OPENED, SECRET, SECRET, False),
            follow_ups=(FollowUp(OPENED, SECRET, SECRET, SECRET),),
            completed_by=SECRET,
        ),
    }
    return incident(**said | changes)


def test_the_public_reads_nothing_that_people_errors_and_receivers_said() -> None:
    updates = {"prod-7": [Said(OPENED, SECRET, SECRET, False), Said(OPENED, SECRET, "We are on it.", True)]}
    text = read(told(filled(), updates=updates))
    assert "We are on it." in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"muted_since": OPENED, "muted_until": T + HOUR},
        {"in_maintenance": True},
        {"env": "staging", "scope": "staging/ssoe"},
        {"state": "resolved"},
        {"state": "closed"},
        {"failing_ratio": 0.01, "counts_now": None},
        {"scope": "prod/ssoe/mhv"},
    ],
)
def test_what_is_kept_quiet_is_over_has_no_banner_or_is_no_production_is_not_told(
    changes: dict[str, Any],
) -> None:
    assert told(filled(**changes)).incidents == ()


def test_an_outage_is_told_no_more_once_its_banner_is_ok() -> None:
    about = incident(state="recovering", counts_now=None)
    fine = banners("prod", (), T)
    status = public_status(
        POLICY, known(fine.values(), T, "prod"), [about], is_known=True, updates={}, planned=(), days={}
    )
    assert status.incidents == ()


@given(incidents())
def test_any_incident_makes_a_page_and_a_feed_that_hold(about: Incident) -> None:
    updates = {about.id: [Said(about.opened_at, note.by, note.text, True) for note in about.notes]}
    status = told(about, updates=updates)
    text = page(status)
    assert not re.search(
        r"<(?!/?(html|head|meta|title|link|style|body|main|header|h[1-3]|p|time|section|article|ol|li|div|b|span|svg|rect|footer|a)\b|!doctype)",
        text,
    )
    assert 'href="http' not in text
    entries = Xml.fromstring(feed.render(status)).findall(f"{ATOM}entry")
    assert len(entries) == len(status.incidents)


def test_maintenance_ahead_is_told_without_the_words_of_who_announced_it() -> None:
    policy = policy_with(window("prod/ssoe", T + DAY, T + DAY + HOUR), window("prod/sis", T - DAY, T - HOUR))
    spans = [("prod/sis", T + HOUR, T + 2 * HOUR), ("staging", T, T + HOUR)]
    status = told(policy=policy, planned=spans)
    assert [(one.title, one.start - T) for one in status.planned] == [
        ("SiS sign-in", HOUR),
        ("SSOe sign-in", DAY),
    ]
    text = read(status)
    assert "ISAM patching" not in text
    assert text.count("<h2>Maintenance</h2>") == 1


def test_what_the_watch_does_not_know_is_not_said_to_work() -> None:
    about = incident()
    for status in (told(about, is_known=False), told(about, now=T + HOUR)):
        text = page(status)
        assert "We do not know at the moment whether signing in works" in text
        assert 'class="ok"' not in text
    assert "Nothing has been measured yet" in page(
        public_status(POLICY, known((), T, "prod"), (), is_known=True, updates={}, planned=(), days={})
    )


def test_a_day_that_missed_the_promise_is_never_rounded_up_to_it() -> None:
    days = {("ssoe", ""): [("2026-11-21", None), ("2026-11-22", 0.99999), ("2026-11-23", 0.5)]}
    text = page(told(days=days))
    assert "2 days known, 1 of them below 99.9%; the worst 50.00 %" in text
    assert re.findall(r'<rect class="(\w+)"[^>]*><title>([^<]+)', text) == [
        ("none", "2026-11-21: not known"),
        ("ok", "2026-11-22: 99.99 %"),
        ("critical", "2026-11-23: 50.00 %"),
    ]


def test_an_entry_of_the_feed_keeps_its_id_and_becomes_newer() -> None:
    def entry(about: Incident) -> tuple[str | None, str | None]:
        found = Xml.fromstring(feed.render(told(about))).find(f"{ATOM}entry")
        assert found is not None
        return found.findtext(f"{ATOM}id"), found.findtext(f"{ATOM}updated")

    first, later = entry(incident()), entry(incident(acknowledged_at=OPENED + MINUTE))
    assert first == ("urn:watchofficer:status:prod-7:0", "2026-11-23T15:05:00Z")
    assert later == (first[0], "2026-11-23T15:06:00Z")
