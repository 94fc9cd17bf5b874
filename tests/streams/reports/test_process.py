"""The process of an incident in numbers: what docs/process.md says is what the policy says."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from streams.cli.main import main
from streams.reports.process import TABLES, explain_policy
from streams.settings.policy_file import default_policy, read_policy

DOC = Path(__file__).resolve().parents[3] / "docs" / "process.md"
_TABLE = re.compile(r"<!-- policy explain: ([a-z-]+) -->\n\n(.*?)\n<!-- end -->", re.DOTALL)


def test_the_tables_of_the_document_are_those_that_the_command_prints() -> None:
    written = dict(_TABLE.findall(DOC.read_text()))
    assert written.keys() == TABLES.keys()
    for name, text in written.items():
        shown = CliRunner().invoke(main, ["policy", "explain", name])
        assert shown.exit_code == 0
        assert shown.output == f"### {name}\n\n{text}"


def test_all_tables_are_printed_without_a_name_and_a_wrong_name_is_refused() -> None:
    shown = CliRunner().invoke(main, ["policy", "explain"])
    assert re.findall(r"^### (.*)$", shown.output, re.MULTILINE) == list(TABLES)
    assert CliRunner().invoke(main, ["policy", "explain", "nothing"]).exit_code == 2


def test_the_tables_follow_the_policy() -> None:
    text = """
    severity: {severity_1_over: 2000, severity_2_over: 25}
    lifecycle: {response: {1: 30m}, update_every: 20m}
    objectives: {sis: {availability: 0.9995}}
    business_hours: {opens: 8h30m}
    routes: [{match: {env: prod, severity: [1, 2]}, receivers: [email:leadership]}]
    runbooks: {idme: "https://wiki.va.gov/id|me"}
    """
    tables = {name: one.markdown() for name, one in explain_policy(read_policy(text, "p.yaml")).items()}
    assert "| 1 | more than 2,000 | 30m |" in tables["severities"]
    assert "| 3 | up to 25, and every issue outside production |" in tables["severities"]
    assert "each 20m while" in tables["clocks"]
    assert "08:30 to 20:00" in tables["clocks"]
    assert "| SiS | 99.95% of" in tables["promises"]
    assert "| env prod, severity 1 or 2 | as the route says: email:leadership |" in tables["audiences"]
    assert "| ID.me | https://wiki.va.gov/id\\|me |" in tables["runbooks"]
    assert tables["priorities"] == explain_policy(default_policy())["priorities"].markdown()
