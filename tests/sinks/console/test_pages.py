"""What do the pages of the console say, and can any text on them become markup?"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Counts, Incident, Note
from detectors.instants import HOUR, MINUTE
from detectors.process.record import Check, FollowUp, Process
from sinks.console.charts import Mark, Sample, Span, budget_chart, people_chart, success_chart
from sinks.console.conduct import PageState
from sinks.console.heat import Cell, HeatRow, HeatView, heat_map, heat_over_time
from sinks.console.history import Filter, HistoryView, history_page, matching
from sinks.console.incident import Deadline, IncidentView, deadline_words, incident_page
from sinks.console.overview import (
    MethodView,
    Notice,
    OpenIncident,
    OverviewView,
    headline_words,
    overview_page,
)
from sinks.console.shell import ASSETS, ConsolePage, Standing, asset
from sinks.console.timeline import Finding, Happening, Message
from sinks.html import Html, tag
from sinks.wording import UNNAMED, Link
from tests.sinks.samples import incident

OK, BLIND = (
    Standing("ok", "Evaluated up to 2 s ago"),
    Standing("blind", "The watch is blind (broker): it is away"),
)
SPAN = Span(0, HOUR)
COUNTS = {"window": 5 * MINUTE, "good": 1, "bad": 9}
VOID = {"br", "img", "input", "link", "meta"}
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Notes the elements, and each that is not closed, or closed though it is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attrs)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: ConsolePage | Html) -> Reader:
    reader = Reader()
    reader.feed(page if isinstance(page, Html) else page.body.decode())
    reader.close()
    assert reader.open == []
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    return reader


def of(one: Incident, **known: object) -> IncidentView:
    begin = one.first_bad_at - 10 * MINUTE
    values = {"incident": one, "now": one.updated_at, "names": UNNAMED, "standing": OK}
    return IncidentView(**values | {"span": Span(begin, one.updated_at)} | known)  # type: ignore[arg-type]


def method(**known: object) -> MethodView:
    values = {
        "name": "SSOe", "success": 0.4, "good": 40, "bad": 60, "people": 900, "objective": 0.999, "budget": 0.5,
        "budget_gone": None, "burned": (), "month": SPAN, "samples": (), "banner": "critical",
    }  # fmt: skip
    return MethodView(**values | known)  # type: ignore[arg-type]


def overview(*incidents: Incident, **known: object) -> OverviewView:
    now = max((one.updated_at for one in incidents), default=HOUR)
    values = {
        "env": "prod", "envs": ("prod", "dev"), "now": now, "range": "1h", "names": UNNAMED, "standing": OK,
        "reached": now, "incidents": [OpenIncident(one) for one in incidents], "past": (), "methods": [method()],
        "thresholds": [(1, 2000), (2, 500)], "heat": HeatView("prod", ("*",), ("*",), ("*",), {}), "notices": (),
        "health": {"Ingest": "ok"}, "obstacles": (),
    }  # fmt: skip
    return OverviewView(**values | known)  # type: ignore[arg-type]


@given(st.text(), st.text(max_size=20))
def test_no_text_becomes_markup(text: str, value: str) -> None:
    element = tag("p", text, [tag("b", value)], title=value, data_what=text)
    if "\x00" not in text + value:
        (name, attributes), inner = read(element).elements[0], read(element).elements[1:]
        assert (name, [one for one, _ in inner]) == ("p", ["b"])
        assert len(attributes) == 2
    assert element.count("<") == 4


def test_what_people_and_receivers_say_stays_text_on_every_page() -> None:
    one = incident(
        sentence=EVIL,
        acknowledged_by=EVIL,
        notes=(Note(1, EVIL, EVIL),),
        links={"evil": "https://watch.example/"},
        process=Process(
            roles={"commander": EVIL},
            follow_ups=(FollowUp(1, EVIL, EVIL, "https://watch.example/1"),),
            checklist=(Check("monitors", EVIL),),
        ),
    )
    finding = Finding(detector=EVIL, scope="prod/ssoe", sentence=EVIL, numbers={EVIL: EVIL})
    view = of(
        one,
        happenings=[Happening(kind="opened", at=one.opened_at, reason=EVIL, by=EVIL, findings=(finding,))],
        messages=[Message(at=one.opened_at, sink=EVIL, action=EVIL, outcome="dead", reason=EVIL)],
        pages=[PageState("critical", "refused", 1, EVIL)],
        links=[Link("evil", EVIL, "https://watch.example/")],
        similar=[one],
        draft=EVIL,
    )
    pages = [
        incident_page(view),
        overview_page(
            overview(one, notices=[Notice(1, EVIL)], health={EVIL: EVIL}, obstacles=[(EVIL, EVIL)])
        ),
        history_page(
            HistoryView(
                filter=Filter(words=EVIL),
                found=[one],
                known=1,
                envs=[EVIL],
                names=UNNAMED,
                standing=OK,
                now=1,
            )
        ),
    ]
    for page in pages:
        reader = read(page)
        assert [name for name, _ in reader.elements].count("script") == 1
        assert not [name for name, _ in reader.elements if name == "img"]
        assert not [key for _, attributes in reader.elements for key in attributes if key.startswith("on")]
        assert not [name for name, attributes in reader.elements if "style" in attributes or name == "style"]


def test_pages_run_their_own_script_and_load_nothing_else() -> None:
    page = overview_page(overview())
    policy = dict(part.split(" ", 1) for part in page.content_security_policy.split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == (
        "'none'",
        "'self'",
        "'self'",
    )
    loaded = [
        attributes.get("src") or attributes.get("href")
        for name, attributes in read(page).elements
        if name in ("script", "link")
    ]
    assert all(re.fullmatch(r"/assets/console\.(css|js|svg)\?v=[0-9a-f]{12}", str(path)) for path in loaded)
    script = asset("console.js").decode()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Storage|cookie", script
    )
    assert sum(len(asset(name)) for name in ASSETS) < 40_000


def test_the_headline_says_what_fails_since_when_for_how_many_and_who_has_it() -> None:
    one = incident(acknowledged_at=None, acknowledged_by=None, state="open")
    severity, words = headline_words(overview(one))
    assert severity == one.severity
    for part in (f"Severity {one.severity}.", "is failing since", "people", "Nobody has it yet."):
        assert part in words
    taken = msgspec.structs.replace(one, acknowledged_at=one.opened_at, acknowledged_by="Ada")
    assert "Ada has it since" in headline_words(overview(taken, one))[1]
    assert headline_words(overview(taken, one))[1].endswith("And 1 more open incident.")
    assert headline_words(overview()) == (0, "People can sign in. No open incident.")


def test_a_blind_watch_keeps_its_headline_and_says_how_old_it_is() -> None:
    one = incident(state="open")
    view = overview(one, standing=BLIND, reached=one.updated_at - 5 * MINUTE)
    html = overview_page(view).body.decode()
    assert headline_words(view)[1] in read(overview_page(view)).text
    assert "As it stood 5 min ago" in html
    assert 'class="headline stale"' in html


@pytest.mark.parametrize(
    ("stopped", "now", "state", "words"),
    [
        (None, 0, "running", "A response is due in 1 h, at 01:00 UTC"),
        (None, 55 * MINUTE, "near", "A response is due in 5 min, at 01:00 UTC"),
        (None, 90 * MINUTE, "over", "A response is 30 min overdue (since 01:00 UTC)"),
        (50 * MINUTE, 0, "met", "A response was due at 01:00 UTC: met with 10 min to spare"),
        (70 * MINUTE, 0, "over", "A response was due at 01:00 UTC: 10 min late"),
    ],
)
def test_a_deadline_runs_down_and_is_met_or_not(
    stopped: int | None, now: int, state: str, words: str
) -> None:
    assert deadline_words(Deadline("response", HOUR, stopped), now) == (state, words)


@pytest.mark.parametrize(
    ("basis", "began", "share"),
    [("observed", 6 * MINUTE, "90%"), ("observed", 2 * MINUTE, "70%"), ("estimated", 6 * MINUTE, "70%")],
)
def test_the_head_tells_the_share_of_late_where_all_of_it_belongs_to_the_incident(
    basis: str, began: int, share: str
) -> None:
    counts = Counts(
        at=HOUR, window=5 * MINUTE, good=1, bad=9, excluded=0, started=9, slow=0, timed=9, users_impacted=8
    )
    one = incident(state="open", basis=basis, first_bad_at=HOUR - began, failing_ratio=0.7, counts_now=counts)
    assert f"; {share} of sign-ins fail." in read(incident_page(of(one))).text


def test_the_timeline_has_what_happened_in_the_order_in_which_it_happened() -> None:
    one = incident(first_bad_at=MINUTE, opened_at=2 * MINUTE)
    view = of(
        one,
        happenings=[
            Happening(kind="opened", at=2 * MINUTE, reason="it fails", scope="prod/ssoe"),
            Happening(
                kind="note", at=9 * MINUTE, happened_at=3 * MINUTE, reason="a", by="Ada", counts=COUNTS
            ),
            Happening(kind="note", at=9 * MINUTE, reason="of the same second", by="Ada", counts=COUNTS),
            Happening(kind="acknowledged", at=5 * MINUTE, by="Ada"),
        ],
        messages=[
            Message(at=4 * MINUTE, sink="pagerduty", action="trigger", outcome="dead", reason="no such key"),
            Message(at=4 * MINUTE, sink="slack", action="update", outcome="delivered"),
        ],
    )
    text = read(incident_page(view)).text
    told = ["The first sign-in failed", "Opened:", "Note by Ada", "PagerDuty refused", "Acknowledged by Ada"]
    places = [text.index(words) for words in told]
    assert places == sorted(places)
    assert "by an edit of its message" not in text
    assert "told at" in text


def test_an_incident_offers_the_acts_that_its_state_allows() -> None:
    def offered(one: Incident) -> set[str]:
        elements = read(incident_page(of(one))).elements
        paths = [str(attributes["data-path"]) for _, attributes in elements if "data-path" in attributes]
        return {path.rpartition("/")[2] for path in paths}

    one = incident(state="open", acknowledged_at=None, declared_at=None, process=Process())
    assert {"ack", "note", "update", "declare", "resolve", "assign", "stage", "eta", "mutes"} <= offered(one)
    assert "unack" not in offered(one)
    taken = msgspec.structs.replace(one, state="acknowledged", acknowledged_at=1, declared_at=1)
    assert "ack" not in offered(taken)
    closed = msgspec.structs.replace(one, state="closed", resolved_at=2)
    assert offered(closed) == {"note", "assign", "stage", "follow-up", "post-mortem", "complete"}


@pytest.mark.parametrize(("env", "is_offered"), [("prod", True), ("staging", False)])
def test_of_an_outage_that_is_declared_somebody_says_for_which_states(env: str, is_offered: bool) -> None:
    one = incident(env=env, state="open", declared_at=1, process=Process(states=("AR", "TX")))
    page = read(incident_page(of(one)))
    buttons = [found for _, found in page.elements if str(found.get("id")).startswith("act-declare")]
    assert [found["data-needs"] for found in buttons] == ["states"] * is_offered
    assert [found["data-proposed"] for found in buttons] == ['{"states":"AR, TX"}'] * is_offered
    assert "People in AR, TX" in page.text


def test_observed_people_stand_apart_from_what_is_projected() -> None:
    counts = Counts(
        at=HOUR, window=5 * MINUTE, good=1, bad=3, excluded=0, started=4, slow=0, timed=4, users_impacted=88
    )
    one = incident(basis="projected", users_impacted=4010, counts_now=counts)
    text = read(incident_page(of(one, thresholds=[(1, 2000), (2, 500)]))).text
    assert "Projected, an hour4,010" in text
    assert "Counted, last minutes88 in 5 min" in text
    assert "1 above 2,000, 2 above 500" in text


@given(
    st.lists(
        st.tuples(
            st.integers(-HOUR, 2 * HOUR), st.none() | st.floats(0, 1), st.none() | st.integers(0, 10**7)
        )
    ),
    st.lists(st.tuples(st.integers(-HOUR, 2 * HOUR), st.integers(0, HOUR))),
)
def test_whatever_was_measured_is_drawn_within_the_chart(
    measured: list[tuple[int, float | None, int | None]], marked: list[tuple[int, int]]
) -> None:
    samples = [Sample(*one) for one in sorted(measured, key=lambda one: one[0])]
    marks = [Mark(start, start + lasts, "a mark", 1) for start, lasts in marked]
    for chart in (
        success_chart(samples, SPAN, 0.999, marks, title="success"),
        people_chart(samples, SPAN, [(1, 2000), (2, 500)], marks, title="people"),
    ):
        places = re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", chart)
        assert all(0 <= float(x) <= 400 and 0 <= float(y) <= 160 for x, y in places)
        assert "nan" not in chart
        assert len(chart) < 30_000
        read(chart)


@given(st.lists(st.tuples(st.integers(0, HOUR), st.floats(-50, 1)), max_size=30))
def test_a_budget_however_overspent_is_drawn_within_its_chart(left: list[tuple[int, float]]) -> None:
    chart = budget_chart(sorted(left), SPAN, title="budget")
    places = re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", chart)
    assert all(0 <= float(x) <= 400 and 0 <= float(y) <= 160 for x, y in places)
    assert (">spent</text>" in chart) == any(share < 0 for _, share in left)
    read(chart)


def test_a_chart_says_the_worst_of_what_it_draws_in_one_column() -> None:
    samples = [Sample(0, 0.99, 1), Sample(1000, 0.2, 700), Sample(2000, 1.0, 3)]
    assert "20.0% succeed" in success_chart(samples, SPAN, None, title="success")
    assert "700 people" in people_chart(samples, SPAN, [], title="people")


@given(
    st.lists(
        st.tuples(st.integers(-HOUR, 2 * HOUR), st.none() | st.floats(0, 1), st.none(), st.integers(0, 100)),
        max_size=60,
    )
)
def test_whatever_was_measured_is_drawn_within_the_heat_over_time(
    measured: list[tuple[int, float | None, None, int]],
) -> None:
    row = HeatRow("ssoe", "*", "*", [Sample(*one) for one in measured])
    drawn = heat_over_time([row], SPAN, UNNAMED)
    counted = [one for one in row.samples if one.success is not None and one.completed >= 20]
    seen = [one for one in counted if SPAN.start <= one.at <= SPAN.end]
    failing = [one.success for one in seen if one.success is not None and one.success < 0.98]
    assert ("has had twenty" in drawn) == (not seen)
    assert ('class="bar"' in drawn) == bool(failing)
    places = [
        tuple(float(one[name] or "") for name in ("x", "width", "y", "height"))
        for element, one in read(drawn).elements
        if element == "rect"
    ]
    assert all(
        x >= 250 and x + width <= 960 and y >= 0 and y + height <= 20 for x, width, y, height in places
    )


def test_the_heat_map_says_where_it_fails_in_words_and_figures() -> None:
    cells = {
        ("ssoe", "idme", "*"): Cell(10, 90),
        ("ssoe", "*", "*"): Cell(999, 1),
        ("sis", "*", "vaweb"): Cell(2, 0),
    }
    view = HeatView("prod", ("*", "ssoe", "sis"), ("*", "idme"), ("*", "vaweb"), cells)
    marks = [
        (attributes["data-is"], attributes["title"])
        for name, attributes in read(heat_map(view, UNNAMED)).elements
        if name == "td" and attributes["data-is"] != "none"
    ]
    assert sorted(marks) == [("fails", "fails"), ("few", "too few to say"), ("well", "succeed")]
    assert "▼ 10.0 %" in heat_map(view, UNNAMED)


def test_history_finds_incidents_by_words_state_and_severity() -> None:
    one = incident(
        id="prod-1", state="closed", opened_at=0, acknowledged_at=2 * MINUTE, resolved_at=30 * MINUTE
    )
    other = msgspec.structs.replace(
        one,
        id="dev-2",
        env="dev",
        scope="dev/sis",
        opened_at=HOUR,
        state="open",
        resolved_at=None,
        peak_severity=3,
    )
    known = [one, other]
    assert matching(known, Filter(), UNNAMED) == [other, one]
    assert matching(known, Filter(words="sis dev-2"), UNNAMED) == [other]
    assert (
        matching(known, Filter(env="prod"), UNNAMED)
        == matching(known, Filter(state="closed"), UNNAMED)
        == [one]
    )
    assert matching(known, Filter(severity=3), UNNAMED) == [other]
    view = HistoryView(
        filter=Filter(), found=[one], known=2, envs=["prod"], names=UNNAMED, standing=OK, now=2 * HOUR
    )
    text = read(history_page(view)).text
    assert "To acknowledge (MTTA): mean 2 min, median 2 min, of 1" in text
    assert "to resolve (MTTR): mean 30 min, median 30 min, of 1" in text
