"""What is distributed: the same bytes from the same files, and whole where nothing else of the project is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EPOCH = "1700000000"

pytestmark = [pytest.mark.package, pytest.mark.timeout(360)]


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("WATCHOFFICER_", "PYTHON"))
    }
    done = subprocess.run(command, cwd=cwd, env=own | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-3_000:]}{done.stderr[-3_000:]}"
    return done.stdout


def build(source: Path, *only: str, umask: int = 0o022) -> dict[str, bytes]:
    """Build in a folder; the content of each file by name."""
    before = os.umask(umask)
    try:
        run(sys.executable, "-m", "hatchling", "build", *only, cwd=source, SOURCE_DATE_EPOCH=EPOCH)
    finally:
        os.umask(before)
    return {file.name: file.read_bytes() for file in (source / "dist").iterdir()}


def copy(target: Path) -> Path:
    """The files of the project, as a clone has them."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    shutil.copyfile(ROOT / ".gitignore", target / ".gitignore")
    return target


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copy(tmp_path_factory.mktemp("one"))
    build(source)
    return source / "dist"


def test_the_same_files_give_the_same_bytes_wherever_and_whenever_they_are_built(
    built: Path, tmp_path: Path
) -> None:
    first = {file.name: file.read_bytes() for file in built.iterdir()}
    other = copy(tmp_path / "elsewhere")
    for file in other.rglob("*.py"):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    again = build(other, umask=0o027)
    assert sorted(first) == sorted(again)
    assert len(first) == 2
    differing = [name for name, content in first.items() if content != again[name]]
    assert not differing


def test_the_source_distribution_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    (wheel,) = built.glob("*.whl")
    assert build(source, "-t", "wheel")[wheel.name] == wheel.read_bytes()


def test_the_installed_wheel_runs_the_demo_where_nothing_else_of_the_project_is(
    built: Path, tmp_path: Path
) -> None:
    (wheel,) = built.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    venv.create(tmp_path / "venv", with_pip=False)
    # The dependencies are those of this environment, without what is installed in place there.
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=tmp_path).strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--quiet",
        wheel,
        cwd=tmp_path,
    )
    said = run(python, "-c", "import streams; print(streams.__file__)", cwd=tmp_path)
    assert Path(said.strip()).is_relative_to(site)
    watchofficer = tmp_path / "venv" / "bin" / "watchofficer"
    assert "replay" in run(watchofficer, "--help", cwd=tmp_path)
    assert "keycloak" in run(watchofficer, "map", "--list", cwd=tmp_path)
    assert run(watchofficer, "demo", "--once", cwd=tmp_path)
