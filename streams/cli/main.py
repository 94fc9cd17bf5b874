"""The command line. Each command imports what it needs when it runs, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from detectors.policy.policy import Policy

__all__ = ["main"]

#: Exit statuses: done; findings (lint, test, doctor, demo --once); wrong usage or bad input.
DONE, FINDINGS, USAGE = 0, 1, 2


class Instant(click.ParamType):
    """An RFC 3339 instant, or ``now``; ms since the epoch."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """ms since the epoch."""
        if isinstance(value, int):
            return value
        from detectors.instants import parse_instant

        if value == "now":
            from streams.runtime.clocks import RealClock

            return RealClock()()
        try:
            return parse_instant(value)
        except ValueError:
            self.fail("not an instant such as 2026-11-23T15:00:00Z", param, ctx)


class Rebase(click.ParamType):
    """``now``, which is when the first event is sent, or an instant."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """As ``produce_command.Rebase``."""
        return "now" if value == "now" else Instant().convert(value, param, ctx)


class Duration(click.ParamType):
    """A duration such as ``90s`` or ``1h30m``; ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """ms."""
        if isinstance(value, int):
            return value
        from detectors.instants import parse_duration

        try:
            millis = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if millis <= 0:
            self.fail("must be longer than nothing", param, ctx)
        return millis


class StartAt(click.ParamType):
    """``earliest``, ``latest`` or an instant."""

    name = "start"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        """As ``ingest.Start``."""
        if value in ("earliest", "latest"):
            return str(value)
        return Instant().convert(value, param, ctx)


def _errors_in_a_line(command: Callable[..., None]) -> Callable[..., None]:
    """What the user can mend is said in lines of its own, with exit status 2."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:
            # the reader of our output has gone (`| head`): that is no failure
            sys.stderr.close()
            sys.exit(DONE)
        except Exception as error:
            from detectors.policy.source import PolicyError
            from streams.replay.entries import SourceError

            if not isinstance(error, PolicyError | SourceError):
                raise
            click.echo(str(error), err=True)
            sys.exit(USAGE)

    return run


def _policy(file: str | None) -> Policy:
    from pathlib import Path

    from streams.settings.policy_file import default_policy, load_policy

    return load_policy(Path(file)) if file else default_policy()


_policy_option = click.option(
    "--policy", "policy_file", type=click.Path(), help="A policy file instead of the one that ships."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="watchofficer", message="%(prog)s %(version)s")
def main() -> None:
    """Watch over sign-in: who cannot get in, by which method and why; and the right person out of bed once."""


@main.command()
@click.argument("events", nargs=-1, required=True)
@_policy_option
@click.option("--compare", "compared_file", type=click.Path(), help="Another policy: what it would change.")
@click.option("--truth", "truth_file", type=click.Path(), help="Labelled episodes to be scored against.")
@click.option("--history", "history_file", type=click.Path(), help="Records of sli-history from before.")
@click.option("--history-out", type=click.Path(), help="Write the five-minute records of this run here.")
@click.option("--inputs", "inputs_file", type=click.Path(), help="Records of incident-inputs.")
@click.option("--sli-every", type=Duration(), help="Give out SLIs at every multiple of this.")
@click.option("--partitioned", is_flag=True, help="Each file is a partition of its own.")
@click.option(
    "--now", type=Instant(), default="now", help="The present, for lines without a Kafka timestamp."
)
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
@_errors_in_a_line
def replay(events: tuple[str, ...], **options: Any) -> None:
    """Judge EVENTS (files, - for standard input; .gz and .zst are unpacked; dumps of kcat -J) as if live."""
    from streams.cli.replay import replay_command

    policy = _policy(options.pop("policy_file"))
    other = options.pop("compared_file")
    sys.exit(replay_command(events, policy, compared=_policy(other) if other else None, **options))


@main.command()
@click.option("--scenario", required=True, help="Its name; --scenario list shows all.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--start", type=Instant(), help="When it begins; by default at the scenario's hour of today.")
@click.option("--duration", type=Duration(), help="How long; by default the scenario's.")
@click.option("--rate", type=float, help="Sign-ins a second at the weekday's peak.")
@click.option("--out", default="-", show_default=True, help="File for the events (.gz, .zst are packed).")
@click.option("--truth", type=click.Path(), help="File for what really happened.")
@click.option("--history", "history_file", type=click.Path(), help="File for the two weeks before.")
@_errors_in_a_line
def simulate(**options: Any) -> None:
    """Make login events of a scenario, the same for the same seed."""
    from streams.cli.simulate import simulate_command

    sys.exit(simulate_command(**options))


@main.command()
@click.argument("events", nargs=-1, required=True)
@click.option(
    "--speed", type=float, help="So many times real time, by occurred_at; as fast as possible without."
)
@click.option("--topic", help="The topic; login-events by default.")
@click.option("--rebase", type=Rebase(), help="Shift all times so that the first event is then (now).")
@_errors_in_a_line
def produce(events: tuple[str, ...], **options: Any) -> None:
    """Put EVENTS (as of replay) onto a topic of WATCHOFFICER_BROKER."""
    from streams.cli.produce import produce_command

    sys.exit(produce_command(events, **options))


@main.command()
@click.option(
    "--role", type=click.Choice(["all", "ingest", "evaluate", "sinks"]), default="all", show_default=True
)
@click.option("--port", type=int, help="Of HTTP; WATCHOFFICER_PORT by default.")
@click.option(
    "--from", "start", type=StartAt(), help="Where to begin on a first start: earliest, latest, an instant."
)
@_policy_option
@click.option("--trust-producer-clocks", is_flag=True, help="Take a topic without LogAppendTime.")
@_errors_in_a_line
def run(**options: Any) -> None:
    """Run the pipeline against the Kafka of WATCHOFFICER_BROKER."""
    from streams.runtime.gc_tuning import calm_collector

    calm_collector()  # imports make objects by the hundred thousand, and a restart by the million
    from streams.cli.run import run_command

    sys.exit(run_command(**options))


@main.command()
@click.option("--scenario", default="ssoe_outage", show_default=True)
@click.option(
    "--speed", type=float, default=60.0, show_default=True, help="How many times faster than real time."
)
@click.option("--port", type=int, help="Of HTTP; a free one by default.")
@click.option(
    "--once", is_flag=True, help="End when the scenario's incidents are over, and say what happened."
)
@click.option("--seed", type=int, default=1, show_default=True)
@_errors_in_a_line
def demo(**options: Any) -> None:
    """Play an outage through the whole pipeline on this machine, with an embedded broker and sandbox receivers."""
    from streams.cli.demo import demo_command

    sys.exit(demo_command(**options))


@main.command()
@click.argument("policies", metavar="POLICY...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
@click.option("--now", type=Instant(), default="now", help="The present, for what has a date.")
@click.option(
    "--peak",
    type=click.IntRange(1),
    default=12_000,
    show_default=True,
    help="Sign-ins an hour at the busiest.",
)
@click.option("--rules", is_flag=True, help="List the rules.")
@_errors_in_a_line
def lint(policies: tuple[str, ...], rules: bool, **options: Any) -> None:
    """Find in POLICY files what is wrong, and what can never do what it is there for (- for standard input)."""
    from streams.cli.lint import lint_command, rules_command

    if not policies and not rules:
        raise click.UsageError("Missing argument 'POLICY...'.")
    sys.exit(rules_command() if rules else lint_command(policies, **options))


@main.command()
@click.argument("tests", metavar="TESTS...", nargs=-1, required=True)
@click.option("--policy", "policy_file", type=click.Path(), help="For tests that name none.")
@click.option("--only", metavar="WORDS", help="Only the tests with these words in their names.")
@click.option("--timeline", "verbose", is_flag=True, help="Say what happened in tests that pass, too.")
@click.option("--junit", "junit_file", type=click.Path(), help="Write JUnit XML here.")
@_errors_in_a_line
def test(tests: tuple[str, ...], policy_file: str | None, **options: Any) -> None:
    """Run TESTS of a policy: YAML files of input series and what must come of them (deploy/policy/README.md)."""
    from streams.cli.test import test_command

    sys.exit(test_command(tests, policy=_policy(policy_file) if policy_file else None, **options))


@main.command()
@click.argument("incident")
@click.argument("events", metavar="[EVENTS...]", nargs=-1)
@click.option(
    "--log",
    "log_files",
    type=click.Path(),
    multiple=True,
    help="A file of the incident log, instead of EVENTS.",
)
@_policy_option
@click.option("--history", "history_file", type=click.Path(), help="Records of sli-history from before.")
@click.option("--inputs", "inputs_file", type=click.Path(), help="Records of incident-inputs.")
@click.option("--partitioned", is_flag=True, help="Each file is a partition of its own.")
@click.option(
    "--now", type=Instant(), default="now", help="The present, for lines without a Kafka timestamp."
)
@_errors_in_a_line
def explain(incident: str, events: tuple[str, ...], policy_file: str | None, **options: Any) -> None:
    """Tell why there was an INCIDENT: from a replay of EVENTS, else from the log of WATCHOFFICER_BROKER."""
    from streams.cli.explain import explain_command

    if events and options["log_files"]:
        raise click.UsageError("Either EVENTS or --log.")
    sys.exit(explain_command(incident, events, _policy(policy_file), **options))
