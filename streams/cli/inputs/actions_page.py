"""Which acts are there, by every door? ``python -m streams.cli.inputs.actions_page`` writes ``docs/actions.md``.

A test compares the page with the one that is checked in.
"""

from __future__ import annotations

from pathlib import Path

from detectors.process.actions import ACTIONS, PATHS, Action
from detectors.process.vocabulary import InputKind
from streams.records.words import usage

__all__ = ["PAGE", "render"]

_COMMANDS: dict[InputKind, str] = {
    "report": "report-failure",
    "mute": "mute add",
    "maintain": "maintenance add",
    "correct": "correction add",
    "unmute": "mute end",
}
#: Commands that are written in another way than the table says.
_WRITTEN = {"deploy": "SERVICE VERSION [--scope] [--at] [--id] [--text]"}
PAGE = Path("docs", "actions.md")
_INTRODUCTION = """# What people can do

Every act is an input on the topic `incident-inputs`. It has one word at the command line and in Slack, and one
path over HTTP. HTTP answers 202 once the broker has the input; `GET /api/v1/inputs/{id}` says what became of
it. An act that is repeated under the same `Idempotency-Key` applies once.

* The command line sends to a worker's HTTP interface (`--url`, `WATCHOFFICER_API_TOKEN`, `--by` names who
  asks). Times are RFC 3339, `now`, or a duration from now such as `2h`.
* In Slack the words of a text need no quotation marks. Roles are `respond` for all acts
  (`WATCHOFFICER_SLACK__ROLES`).
* *Late* acts apply for 90 days after an incident has closed, until it is completed: at most 20 incidents are
  kept for that: the newest 8, then those that were declared before others.
* Roles, estimates, follow-ups, checks and the like are told as notes are: at once, but once a minute at most,
  the others joined. An update goes to every receiver that hears of the incident; the next is taken a minute
  later, and the routine one is due `lifecycle.update_every` (30 min) after it.
* A mute keeps everything but Slack's message back: nobody is woken, and no other receiver hears of it, while clocks,
  declaration, banner and log go on. Maintenance marks incidents and wakes nobody; the SLA does not count it if it was
  announced three business days ahead, four hours a month at most. It may recur by a rule of RFC 5545
  (`--recurs "FREQ=WEEKLY;BYDAY=SU"`), on the wall clock of the policy's time zone, until somebody ends it. What either
  hid is listed when it ends, and what still fails then wakes somebody. A correction takes a span of the last 40
  days out of the SLA account; the account says how many failures each reason has left out.
* `declare` may name states and territories (two-letter codes, `AR,TX`): the sign-in page tells who lives there
  ([banner.md](banner.md#for-some-states-alone)). Of an incident that is declared already it says for which states.
* `deploy` is for the last step of a CI job (`POST /api/v1/deploys`: `item` is the service, `value` the version,
  `since` when; `scope` is `prod` if none is said). It is told within seven days, changes no verdict and tells
  nobody: it is a mark on the console's charts, and stands on the timeline, in `explain` and in the post-mortem of
  an incident whose first failure is at most an hour later. The console keeps the last 500.
* `complete` is for the commander: whoever acknowledged first, unless somebody else is assigned. The incident
  must be over, its post-mortem linked, and each follow-up linked or done.

This page is made from one table (`detectors/process/actions.py`) by `python -m
streams.cli.inputs.actions_page`.

| act | what it does | command | Slack | HTTP | late |
|---|---|---|---|---|---|
"""


def render() -> str:
    """Return the page."""
    return _INTRODUCTION + "".join(f"{_row(one)}\n" for one in ACTIONS)


def _row(action: Action) -> str:
    match action.about:
        case "incident":
            target, path = "INCIDENT", f"/api/v1/incidents/{{id}}/{action.word}"
        case "scope":
            target, path = "SCOPE", f"/api/v1/{PATHS[action.kind]}"
        case "cover":
            target, path = "ID", "/api/v1/{mutes,maintenance,corrections}/{id}/end"
        case _:
            target, path = "AXIS", f"/api/v1/{action.word}"
    command = _COMMANDS.get(action.kind, action.word)
    words = f"{target} {usage(action)}".strip()
    given = _WRITTEN.get(action.kind) or _at_the_command_line(action, target)
    typed = f"`watchofficer {command} {given}`"
    late = "yes" if action.late else ""
    slack = f"`/watch {action.word} {words}`"
    return f"| {action.kind.replace('_', '-')} | {action.does} | {typed} | {slack} | `POST {path}` | {late} |"


def _at_the_command_line(action: Action, target: str) -> str:
    needs = [field for field in action.needs if field not in ("text", "axis") and action.about != "cover"]
    words = [target, *(field.upper() for field in needs)]
    words += ["[UNTIL]"] if "until" in action.may else []
    words += ["--text T"] if "text" in action.needs else []
    words += [f"[--{'at' if field == 'since' else field}]" for field in action.may if field != "until"]
    return " ".join(word for word in words if word)


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
