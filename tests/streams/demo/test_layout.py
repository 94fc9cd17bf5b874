"""The live picture: what it says, in terminals of any size."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from detectors.instants import MINUTE, parse_instant
from streams.demo.layout import Method, ScreenState, layout, sparkline
from streams.demo.screen import LiveScreen, PlainScreen, screen_for
from streams.demo.timeline import HEADER, Entry

NOW = parse_instant("2026-11-23T15:20:00Z")
WALL = parse_instant("2026-11-23T18:00:00Z")
ENTRIES = [
    Entry(NOW - 10 * MINUTE, WALL + 5_000, "watch", "detected: prod-1 on prod/ssoe", "opened"),
    Entry(NOW - 10 * MINUTE, WALL + 5_200, "pagerduty", "paged (critical): SSOe sign-in is failing", "page"),
]
SCENE = ScreenState(
    title="watchofficer demo: ssoe_outage at 60 times real time",
    description="Every ssoe callback fails, at once.",
    status="playing",
    now=NOW,
    judged=NOW - 2 * MINUTE,
    wall=20_000,
    began=WALL,
    methods=[
        Method("ssoe", "SSOe", [1.0, 0.999, 0.5, 0.0217], [0, 10, 400, 1204], "critical"),
        Method("sis", "SiS", [1.0, None, 0.9987], [0, 0, 3], "ok"),
    ],
    incidents=[(1, "SSOe sign-in is failing", "prod-1, open, 1,204 people in the last hour")],
    entries=ENTRIES,
    places={"metrics": "http://127.0.0.1:20000/metrics", "Slack": "http://127.0.0.1:30000/"},
)


def drawn(state: ScreenState, width: int = 120, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, force_terminal=False)
    console.print(layout(state, width, height))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    return str(written).splitlines()


def line_with(text: str, lines: list[str]) -> str:
    return next(line for line in lines if text in line)


def test_it_shows_each_methods_success_people_and_banner() -> None:
    lines = drawn(SCENE)
    ssoe, sis = line_with("SSOe  ", lines), line_with("SiS  ", lines)
    assert all(text in ssoe for text in ("2.17%", "1,204", "critical", "█"))
    assert all(text in sis for text in ("99.87%", " 3 ", "ok"))


def test_it_shows_the_open_incident_with_its_severity_and_the_times() -> None:
    text = "\n".join(drawn(SCENE))
    assert "SEV 1  SSOe sign-in is failing" in text
    assert "prod-1, open, 1,204 people in the last hour" in text
    assert "2026-11-23 15:20:00 UTC" in text
    assert "judged up to 15:18:00" in text


def test_it_says_so_when_no_incident_is_open_and_when_nothing_is_known_yet() -> None:
    empty = replace(
        SCENE, incidents=[], judged=None, methods=[Method("ssoe", "SSOe", [], [], "ok")], entries=[]
    )
    text = "\n".join(drawn(empty))
    assert "no open incident" in text
    assert "judged up to nothing yet" in text


def test_it_shows_the_latest_of_the_timeline_under_its_header() -> None:
    many = [replace(ENTRIES[0], what=f"line {i}") for i in range(100)]
    lines = drawn(replace(SCENE, entries=many), height=30)
    assert HEADER in lines
    assert "line 99" in "\n".join(lines)
    assert "line 0" not in "\n".join(lines)


def test_an_url_is_never_cut() -> None:
    text = drawn(SCENE, width=50)
    assert any(line.endswith("http://127.0.0.1:20000/metrics") for line in text)
    assert any(line.endswith("http://127.0.0.1:30000/") for line in text)


@given(
    st.integers(20, 250),
    st.integers(5, 80),
    st.integers(0, 60),
    st.integers(0, 5),
    st.lists(st.none() | st.floats(0, 1), max_size=400),
    st.lists(st.integers(0, 10**7), max_size=400),
)
def test_it_fits_any_terminal_that_can_hold_its_least(
    width: int,
    height: int,
    entries: int,
    incidents: int,
    success: list[float | None],
    people: list[int],
) -> None:
    state = replace(
        SCENE,
        entries=ENTRIES[:1] * entries,
        incidents=list(SCENE.incidents) * incidents,
        methods=[Method(name, name, success, people, "ok") for name in ("ssoe", "sis")],
    )
    lines = drawn(state, width, height)
    least = 26
    assert len(lines) <= max(height, least)
    if width >= 80:
        assert all(len(line.rstrip()) <= width for line in lines)


# -- sparklines ---------------------------------------------------------------------------------------------------


def test_a_sparkline_keeps_the_worst_of_what_a_column_stands_for() -> None:
    values = [1.0] * 40
    values[21] = 0.0
    assert sparkline(values, 10, 1.0, min) == "█████▁████"
    assert sparkline([0, 0, 9, 0, 0, 0], 3, 9, max) == "▁█▁"


def test_a_sparkline_is_flush_right_and_blank_where_nothing_is_known() -> None:
    assert sparkline([1.0, None, 0.0], 6, 1.0, min) == "   █ ▁"
    assert sparkline([], 4, 1.0, min) == "    "
    assert sparkline([1.0], 0, 1.0, min) == ""


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=500), st.integers(0, 60), st.floats(0, 1e9))
def test_a_sparkline_is_as_wide_as_asked(values: list[float | None], width: int, top: float) -> None:
    assert len(sparkline(values, width, top, max)) == width


# -- screens ------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_every_line_is_written_once_when_it_happens() -> None:
    out = io.StringIO()
    screen = screen_for(out)
    assert isinstance(screen, PlainScreen)
    screen.show(replace(SCENE, entries=ENTRIES[:1]))
    first = out.getvalue()
    assert "http://127.0.0.1:20000/metrics" in first
    assert HEADER in first
    assert first.endswith("detected: prod-1 on prod/ssoe\n")
    screen.show(SCENE)
    screen.show(SCENE)
    screen.close()
    assert out.getvalue().removeprefix(first) == ENTRIES[1].line(WALL) + "\n"


def test_plain_lines_hold_no_control_characters() -> None:
    out = io.StringIO()
    screen = PlainScreen(out)
    screen.show(SCENE)
    screen.close()
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_picture_gives_way_to_the_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    screen = screen_for(out)
    assert isinstance(screen, LiveScreen)
    screen.show(SCENE)
    shown = out.getvalue()
    assert "\x1b[?25l" in shown  # the cursor is hidden ...
    screen.close()
    screen.close()
    left = out.getvalue().removeprefix(shown)
    assert "\x1b[?25h" in left  # ... and comes back
    assert left.rpartition("\x1b")[2].count("paged (critical)") == 1


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert isinstance(screen_for(Terminal()), PlainScreen)
