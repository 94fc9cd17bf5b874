"""Runbooks: all that are named are there, in one shape, and show figures that can be no markup."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Common
from detectors.policy.runbooks import RUNBOOKS, is_url
from sinks.console.figures import NO_INCIDENT, figures
from sinks.console.runbook import SECTIONS, index_page, placeholders, runbook_page, title_of
from sinks.wording import Link
from streams.settings.policy_file import default_policy
from tests.sinks.samples import OPENED, incident

POLICY = default_policy()
FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "runbooks"
ALL = sorted(RUNBOOKS)
SHARES = {("prod/ssoe", 900_000): 0.12, ("prod/sis", 900_000): 0.99, ("prod/sis", 300_000): 0.98}


def success(scope: str, window: int) -> float | None:
    return SHARES.get((scope, window))


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_files_are_those_that_the_registry_names() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.md")) == ALL


def test_every_runbook_of_the_shipped_policy_is_one_and_every_one_is_for_something() -> None:
    assert {name for name in POLICY.runbooks.values() if not is_url(name)} == set(RUNBOOKS)


@pytest.mark.parametrize("name", ALL)
def test_a_runbook_has_the_one_shape_and_asks_for_figures_that_there_are(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(SECTIONS)
    assert re.findall(r"^# (.*)$", text, re.MULTILINE) == [title_of(name)]
    assert placeholders(name) <= figures(None, POLICY, success, OPENED).keys()
    assert all(body.strip() for body in re.split(r"^## .*$", text, flags=re.MULTILINE))
    linked = re.findall(r"\]\(([^)]*)\)", text)
    assert set(linked) <= {f"{other}.md" for other in ALL}


@pytest.mark.parametrize("name", ALL)
def test_a_page_has_no_placeholder_left_no_script_and_only_its_own_style(name: str) -> None:
    told = incident()
    page = runbook_page(name, figures(told, POLICY, success, OPENED), incident=told.id)
    text = page.body.decode()
    assert "{{" not in text
    assert NO_INCIDENT not in text
    tags = {tag for tag, _ in Tags(text).found}
    assert not tags & {"script", "img", "iframe", "form", "link", "object"}
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.content_security_policy
    assert page.content_security_policy.startswith("default-src 'none'; ")


def test_the_figures_of_an_incident_stand_in_the_text() -> None:
    told = incident(
        fail_over="Switch web sign-ins.", common=(Common(field="csp", value="idme", failing=9, failing_of=9),)
    )
    words = figures(told, POLICY, success, OPENED)
    text = runbook_page("ssoe", words, incident="prod-7").body.decode()
    assert "~9,400 people an hour (projected)" in text
    assert (
        "12% succeed on SSOe (must be below 40%) and 99% on SiS (must be above 50%), over 15m; both hold"
        in text
    )
    assert "The advice for this incident: Switch web sign-ins." in text
    assert "What works instead: SiS sign-in (98% succeed)." in text
    assert "9 of 9 failing people use idme" in text
    assert "Acknowledge by 23 Nov 2026 15:35 UTC. It is: not acknowledged." in text.replace("\n", " ")
    assert 'href="/runbooks/mpi?incident=prod-7"' in text


def test_without_an_incident_the_figures_of_sign_in_stand_and_the_others_say_so() -> None:
    words = figures(None, POLICY, success, OPENED)
    assert (words["ssoe_success"], words["people"], words["update_every"]) == ("12.0%", NO_INCIDENT, "30m")
    text = runbook_page(
        "ssoe", words, incident=None, choices={"prod-7": "SSOe sign-in is failing"}
    ).body.decode()
    assert '<a href="/runbooks/ssoe?incident=prod-7">prod-7: SSOe sign-in is failing</a>' in text
    assert "<dl>" not in text


def test_the_conditions_of_the_fail_over_say_what_does_not_hold_and_what_is_not_known() -> None:
    assert "do not hold" in figures(None, POLICY, lambda s, w: 0.9, OPENED)["fail_over_conditions"]
    assert "not known" in figures(None, POLICY, lambda s, w: None, OPENED)["fail_over_conditions"]


def test_what_works_instead_is_never_what_fails() -> None:
    failing = incident(scope="prod/*/idme")
    told = figures(failing, POLICY, lambda scope, window: 1.0, OPENED)["works"]
    assert told == "Login.gov on both sign-in methods (100% succeed)."
    assert figures(incident(scope="prod"), POLICY, lambda s, w: 1.0, OPENED)["works"].startswith("nothing")


@given(
    st.text(max_size=60)
    | st.sampled_from(["<script>x</script>", "[a](javascript:x)", "`<b>`", "</dl>", "{{people}}"]),
    st.sampled_from(ALL),
)
def test_what_an_incident_says_is_never_markup(words: str, name: str) -> None:
    plain = runbook_page(name, figures(incident(), POLICY, success, OPENED), incident="prod-7")
    told = incident(sentence=words, acknowledged_by=words, acknowledged_at=OPENED, fail_over=words or None)
    page = runbook_page(name, figures(told, POLICY, success, OPENED), incident="prod-7")
    elements = [tag for tag, _ in Tags(page.body.decode()).found]
    assert elements == [tag for tag, _ in Tags(plain.body.decode()).found]


def test_links_are_escaped_and_lead_to_web_addresses() -> None:
    links = [
        Link("datadog", 'A "title" <b>', 'https://d.example/?a=1&b="x"'),
        Link("runbook", "R", "https://r"),
    ]
    text = runbook_page(
        "idme", figures(None, POLICY, success, OPENED), incident=None, also=["ssoe"], links=links
    )
    hrefs = [attrs["href"] for tag, attrs in Tags(text.body.decode()).found if tag == "a"]
    assert 'https://d.example/?a=1&b="x"' in hrefs
    assert "/runbooks/ssoe" in hrefs
    assert "https://r" not in hrefs
    assert RUNBOOKS["idme"] in hrefs
    assert html.escape('A "title" <b>') in text.body.decode()


def test_the_list_has_each_runbook_once() -> None:
    text = index_page().body.decode()
    assert [text.count(f'href="/runbooks/{name}"') for name in ALL] == [1] * len(ALL)
