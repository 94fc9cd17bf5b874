"""The table of all figures: benchmarks are run and survived, and the pages say what the results say."""

from __future__ import annotations

import importlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import table
from benchmarks.reporting.figures import Figure, Goal, figure, read, write
from benchmarks.table import BEGIN, BENCHMARKS, END, Benchmark, NoPlace, measure, page, put, render, section

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "speed"


def good() -> Figure:
    return figure(
        "ingest",
        "Durable ingest",
        "events/s",
        [200_000, 210_000, 190_000],
        goal=Goal("at least", 0.65, "ratio"),
        compared_with="getmany",
        ceilings=[300_000, 300_000, 300_000],
        note="mixed events",
    )


def bad() -> Figure:
    return figure("peers_memory", "Memory", "MB", [412.0], goal=Goal("at most", 300))


def plain() -> Figure:
    points = {"people": [(1.0, 2.0), (10.0, 2.1)]}
    return figure("growth_ingest", "Growth", "µs/event", [2.0], points=points, note="constant")


# -- running --------------------------------------------------------------------------------------------------


BENCHMARK = """
import sys
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--results") + 1])
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose modules the processes of the table find."""
    folder = tmp_path / "made_up"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return folder


def test_a_benchmark_that_fails_is_reported_and_the_others_go_on(
    package: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    for one in (good(), bad(), plain()):
        write(one, kept)
    text = (kept / "ingest.json").read_text().replace("Durable ingest", "Measured anew")
    (package / "ingest.py").write_text(
        BENCHMARK + f"(folder / 'ingest.json').write_text({text!r}); print('said', sys.argv[3:])"
    )
    (package / "peers.py").write_text(BENCHMARK + "raise SystemExit('there is no broker')")
    (package / "two_workers.py").write_text(BENCHMARK + "raise ValueError('wrong')")
    (package / "event_to_page.py").write_text(BENCHMARK + "print('nothing comes of it')")
    (package / "growth.py").write_text(BENCHMARK + "import time; time.sleep(600)")
    names = ("ingest", "peers", "two_workers", "event_to_page", "growth")
    chosen = [Benchmark(name, 2 if name == "growth" else 60, ("--events", "9")) for name in names]
    failed = measure(chosen, kept, ["--runs", "2"], package="made_up")
    assert failed == {
        "peers": "there is no broker",
        "two_workers": "ValueError: wrong",
        "event_to_page": "it wrote no figures",
        "growth": "it took longer than 2 s",
    }
    assert [one.title for one in read(kept)] == ["Measured anew"]
    out = capfd.readouterr().out
    assert "said ['--events', '9', '--runs', '2']" in out
    assert "peers FAILED: there is no broker" in out


def test_every_benchmark_can_be_run_and_has_names_of_its_own() -> None:
    for one in BENCHMARKS:
        module = f"benchmarks.{one.module}"
        if (ROOT / "benchmarks" / one.module).is_dir():
            module += ".__main__"
        assert callable(importlib.import_module(module).main)
    prefixes = [one.module for one in BENCHMARKS]
    assert not [(a, b) for a in prefixes for b in prefixes if a != b and a.startswith(b)]


def test_all_benchmarks_together_end_within_an_hour() -> None:
    assert sum(one.limit for one in BENCHMARKS) < 3_600


# -- the pages ------------------------------------------------------------------------------------------------


def test_the_readme_shows_what_has_a_goal_and_whether_it_is_met() -> None:
    text = section([plain(), bad(), good()], {"two_workers": "no room"})
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| Durable ingest | 200,000 events/s | getmany: 300,000 events/s | 0.67 | ratio ≥ 0.65 | yes |",
        "| Memory | 412 MB |  |  | ≤ 300 MB | **no** |",
    ]
    assert "* `benchmarks/two_workers.py` could not be measured: no room" in text


def test_the_page_shows_all_figures_with_spread_and_notes_by_benchmark() -> None:
    text = page([plain(), bad(), good()], {})
    assert "| 200,000 events/s (190,000 to 210,000, 3 runs) |" in text
    assert "* Durable ingest: mixed events." in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## benchmarks/ingest.py",
        "## benchmarks/peers/__main__.py",
        "## benchmarks/growth.py",
    ]
    assert "growth.svg" in text


def test_nothing_but_the_place_between_the_markers_is_replaced() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put(put(text, "new"), "newer") == f"before\n{BEGIN}\nnewer\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_readme_without_a_place_is_left_alone(text: str) -> None:
    with pytest.raises(NoPlace):
        put(text, "new")


def test_rendering_makes_all_of_the_results_and_again_the_same(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"# It\n\n{BEGIN}\n{END}\n")
    folder = tmp_path / "docs" / "speed"
    for one in (good(), bad(), plain()):
        write(one, folder)
    (folder / "failed.txt").write_text("peers: no room: none\n")
    render(tmp_path)
    made = {path: path.read_text() for path in tmp_path.rglob("*.*")}
    assert {path.name for path in made} >= {"README.md", "speed.md", "goals.svg", "growth.svg"}
    for name in ("goals", "growth"):
        ElementTree.fromstring(made[folder / f"{name}.svg"])
    assert made[tmp_path / "README.md"].startswith("# It\n")
    assert "could not be measured: no room: none" in made[tmp_path / "docs" / "speed.md"]
    render(tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*.*")} == made


def test_without_results_the_readme_says_so() -> None:
    assert "Nothing has been measured yet" in section([], {})


def test_readme_and_page_are_what_the_results_in_the_repository_say(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text())
    folder = tmp_path / "docs" / "speed"
    folder.mkdir(parents=True)
    for file in [*FOLDER.glob("*.json"), *FOLDER.glob("*.txt")]:
        (folder / file.name).write_bytes(file.read_bytes())
    render(tmp_path)
    for path in ("README.md", "docs/speed.md", "docs/speed/goals.svg"):
        assert (tmp_path / path).read_text() == (ROOT / path).read_text()


def test_a_run_that_measures_nothing_writes_the_pages_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text(f"{BEGIN}\n{END}\n")
    write(bad(), tmp_path / "docs" / "speed")
    monkeypatch.setattr(table, "ROOT", tmp_path)
    monkeypatch.setattr(table, "FOLDER", tmp_path / "docs" / "speed")
    assert table.main(["--render"]) == 0
    assert "goal not met: Memory" in capsys.readouterr().out
    assert "412 MB" in (tmp_path / "README.md").read_text()
