"""The examples in deploy/policy/: tests of the policy that ships, and all of them pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli.test import run_tests
from streams.policy_tests.document import read_tests

pytestmark = pytest.mark.long

FOLDER = Path(__file__).parents[3] / "deploy" / "policy"
FILES = {file.name: read_tests(str(file)) for file in sorted(FOLDER.glob("*.yaml"))}
NAMES = [(name, test.name) for name, read in FILES.items() for test in read.file.tests]


@pytest.mark.parametrize(("file", "name"), NAMES, ids=[f"{file}: {name}" for file, name in NAMES])
def test_an_example_passes(file: str, name: str) -> None:
    (outcome,) = [one for one in run_tests(FILES[file], only=name) if one.name == name]
    assert outcome.passed, "\n".join(outcome.lines(verbose=True))


def test_every_notation_that_the_readme_names_is_read(tmp_path: Path) -> None:
    text = (FOLDER / "README.md").read_text()
    example = text[text.index("```yaml") + 7 :]
    example = example[: example.index("```")].replace("policy: ../my-policy.yaml", "policy: {}")
    (tmp_path / "example.yaml").write_text(example)
    (test,) = read_tests(str(tmp_path / "example.yaml")).file.tests
    assert test.name == "a total outage of a provider pages within 20 s"
