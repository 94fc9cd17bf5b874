"""Which commands and options does `watchofficer` have?

Each command imports its modules when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import click

from streams.cli.guidance.completion import completion
from streams.cli.guidance.examples import EXAMPLES
from streams.cli.guidance.group import Commands, show_examples
from streams.cli.inputs.acts import acts
from streams.cli.inputs.commands import (
    dead_letters,
    declare,
    deploy,
    doctor,
    health,
    map_,
    report_failure,
    retire,
    tail,
)
from streams.cli.inputs.covers import covers
from streams.cli.parameters import (
    PORT,
    Duration,
    Instant,
    Rebase,
    StartAt,
    errors_in_a_line,
    json_option,
    mapping_option,
    policy_of,
    policy_option,
    sort_option,
)
from streams.cli.reporting.commands import incidents, policy, report, slo, status_page

__all__ = ["main"]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 done; 1 done, and the answer is no (lint found an error, health a failure); 2 not done.",
)
@click.version_option(package_name="watchofficer", message="%(prog)s %(version)s")
def main() -> None:
    """Detect outages of sign-in from login events, and notify the people who can repair them."""
    import logging

    # What a client of Kafka logs where no log is set up: a command that fails says itself what is wrong.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())


@main.command()
@click.argument("events", nargs=-1)
@policy_option
@click.option(
    "--policies",
    metavar="topic:NAME|FILE",
    help="Judge each T by the policy that was in force there: the topic policy, or a dump of it.",
)
@click.option(
    "--compare", "compared_file", type=click.Path(), help="Compare with the verdicts of this policy file."
)
@click.option(
    "--truth", "truth_file", type=click.Path(), help="Score the verdicts against these labelled episodes."
)
@click.option(
    "--history", "history_file", type=click.Path(), help="Read earlier records of sli-history from this file."
)
@click.option(
    "--history-out", type=click.Path(), help="Write the five-minute records of this run to this file."
)
@click.option(
    "--mapping",
    "mapping_names",
    metavar="NAME|FILE[=TOPIC]",
    multiple=True,
    help="EVENTS are a producer's own records, of which this mapping makes login events (docs/sources.md). "
    "Several: each makes those of its topic.",
)
@click.option(
    "--log-out", type=click.Path(), help="Write the lines of the incident log of this run to this file."
)
@click.option(
    "--inputs", "inputs_file", type=click.Path(), help="Read records of incident-inputs from this file."
)
@click.option("--sli-every", type=Duration(), help="Print SLIs at every multiple of this duration.")
@click.option(
    "--write-facts",
    type=click.Path(),
    help="Record the facts of the events in this file, so that --facts can judge them again.",
)
@click.option(
    "--facts",
    "facts_file",
    type=click.Path(),
    help="Judge the facts that --write-facts has recorded in this file, instead of EVENTS.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="Processes: with 2 one judges prod, and the other reads the files and judges the other environments.",
)
@click.option("--partitioned", is_flag=True, help="Treat each file as a separate partition.")
@sort_option
@click.option(
    "--now", type=Instant(), default="now", help="The present, used for lines without a Kafka timestamp."
)
@click.option("--format", "form", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
@json_option("jsonl")
@errors_in_a_line
def replay(**options: Any) -> None:
    """Evaluate EVENTS as a worker would, and print the verdicts.

    EVENTS are files, - for standard input, or topic:NAME[@FROM..TO] of WATCHOFFICER_BROKER. Files may be
    dumps of kcat -J, and compressed (.gz, .zst). The exit status is 2 if nothing was judged: no event was
    accepted, or nearly all were late.
    """
    from streams.cli.replay import replay_command
    from streams.cli.replaying.runs import given_in

    given = given_in(options)
    policy_file = options.pop("policy_file")
    if policy_file and options["policies"]:
        raise click.UsageError(
            "--policy and --policies exclude each other: the second brings its own policies"
        )
    policy = policy_of(policy_file)
    other = options.pop("compared_file")
    sys.exit(replay_command(given, policy, compared=policy_of(other) if other else None, **options))


@main.command()
@click.option("--scenario", required=True, help="Name of the scenario; list prints all names.")
@click.option(
    "--world",
    type=click.Choice(["today", "2024"]),
    help="Methods, providers, clients and their shares: those of today (sis in the main, web and mobile; ssoe"
    " fading), or those of 2024 (ssoe on the web, sis in the mobile app). Default: that of the scenario.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--start", type=Instant(), help="Begin at this instant. Default: the scenario's hour of today.")
@click.option("--duration", type=Duration(), help="Duration. Default: that of the scenario.")
@click.option("--rate", type=float, help="Sign-ins per second at the peak of a weekday.")
@click.option(
    "--out",
    default="-",
    show_default=True,
    help="Write the events to this file (.gz and .zst are compressed).",
)
@click.option(
    "--truth", type=click.Path(), help="Write the true outages, and what needs a notice, to this file."
)
@click.option(
    "--history",
    "history_file",
    type=click.Path(),
    help="Write the history of the two weeks before to this file: by method, provider and client, sign-in and"
    " sessions apart, in the world of today; by scope in that of 2024.",
)
@errors_in_a_line
def simulate(**options: Any) -> None:
    """Generate the login events of a scenario. Equal seeds give equal events."""
    from streams.cli.simulate import simulate_command

    sys.exit(simulate_command(**options))


@main.command()
@click.argument("events", nargs=-1, required=True)
@click.option(
    "--speed", type=float, help="Pace by occurred_at, at this multiple of real time. Default: no pacing."
)
@click.option("--topic", help="Topic. Default: login-events.")
@mapping_option
@click.option(
    "--rebase",
    type=Rebase(),
    help="Shift all times so that the first event happens at this instant (or now).",
)
@errors_in_a_line
def produce(events: tuple[str, ...], **options: Any) -> None:
    """Send EVENTS (as for replay) to a topic of WATCHOFFICER_BROKER."""
    from streams.cli.produce import produce_command

    sys.exit(produce_command(events, **options))


@main.command()
@click.option(
    "--role",
    type=click.Choice(["all", "ingest", "evaluate", "sinks", "guard"]),
    default="all",
    show_default=True,
    help="Which parts run here. A guard notices when no worker evaluates any more (docs/blindness.md).",
)
@click.option("--port", type=PORT, help="Port of HTTP. Default: WATCHOFFICER_PORT.")
@click.option(
    "--from", "start", type=StartAt(), help="Where the first start begins: earliest, latest, or an instant."
)
@policy_option
@click.option("--trust-producer-clocks", is_flag=True, help="Accept an input topic without LogAppendTime.")
@click.option(
    "--verbose", is_flag=True, help="Log, too, how the libraries beneath start and join their groups."
)
@click.option(
    "--policy-force",
    is_flag=True,
    help="Put the policy of the file in force though another one was recorded since the file was written.",
)
@errors_in_a_line
def run(**options: Any) -> None:
    """Run a worker on the Kafka of WATCHOFFICER_BROKER."""
    # It asks a worker to look at its policy, which it reads in any case, and asks a guard nothing: it ends neither.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if options["role"] == "guard":
        from streams.cli.guard import guard_command

        sys.exit(guard_command(**{name: options[name] for name in ("port", "policy_file", "verbose")}))
    from streams.runtime.gc_tuning import tune_gc

    tune_gc()  # imports create hundreds of thousands of objects, and a restart millions
    from streams.cli.run import run_command

    sys.exit(run_command(**options))


@main.command()
@click.option("--scenario", default="ssoe_outage", show_default=True)
@click.option(
    "--speed", type=float, default=60.0, show_default=True, help="How many times faster than real time."
)
@click.option("--port", type=PORT, help="Port of HTTP. Default: a free port.")
@click.option(
    "--once", is_flag=True, help="Exit when the scenario's incidents are over, and print what happened."
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--events", multiple=True, help="Play the events of this file instead of a scenario (several).")
@click.option("--mapping", metavar="NAME|FILE", help="They are a producer's own records, of this mapping.")
@errors_in_a_line
def demo(**options: Any) -> None:
    """Run a scenario, or your own recording, through a whole deployment on this machine.

    The deployment has an embedded broker and sandbox receivers, and leaves no files.
    """
    from streams.cli.demo import demo_command

    sys.exit(demo_command(**options))


@main.command()
@click.argument("scenario")
@click.option("--live", is_flag=True, help="People answer it, in real time, also where no receiver is set.")
@click.option(
    "--speed", type=float, help="How many times faster than real time: 60; live, until it begins: 10."
)
@click.option("--port", type=PORT, help="Port of HTTP. Default: a free port.")
@click.option("--seed", type=int, default=1, show_default=True)
@policy_option
@errors_in_a_line
def exercise(**options: Any) -> None:
    """Play SCENARIO as an exercise, and score how it is answered.

    Receivers and broker are those of WATCHOFFICER_EXERCISE_..., never those of the watch. Without any, simulated people
    answer on this machine alone.
    """
    from streams.cli.demo import exercise_command

    policy = policy_of(options.pop("policy_file"))
    sys.exit(exercise_command(policy=policy, **options))


@main.command()
@click.argument("policies", metavar="POLICY...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
@click.option("--now", type=Instant(), default="now", help="The present, used by rules about dates.")
@click.option(
    "--peak",
    type=click.IntRange(1),
    help="Sign-ins in the busiest hour (12000); also say how soon each kind of trouble is then seen.",
)
@click.option("--rules", is_flag=True, help="Print all rules.")
@json_option("jsonl")
@errors_in_a_line
def lint(policies: tuple[str, ...], rules: bool, form: str, **options: Any) -> None:
    """Find errors in POLICY files, and rules that can never take effect (- for standard input)."""
    from streams.cli.lint import lint_command, rules_command

    if not policies and not rules:
        raise click.UsageError("Missing argument 'POLICY...'.")
    sys.exit(rules_command(form) if rules else lint_command(policies, form=form, **options))


@main.command()
@click.argument("tests", metavar="TESTS...", nargs=-1, required=True)
@click.option("--policy", "policy_file", type=click.Path(), help="Policy file for tests that name none.")
@click.option("--only", metavar="WORDS", help="Run only tests with these words in their names.")
@click.option("--timeline", "verbose", is_flag=True, help="Print the timeline of tests that pass, too.")
@click.option("--junit", "junit_file", type=click.Path(), help="Write JUnit XML to this file.")
@json_option("jsonl")
@errors_in_a_line
def test(tests: tuple[str, ...], policy_file: str | None, **options: Any) -> None:
    """Run TESTS of a policy.

    TESTS are YAML files with input series and expected results (deploy/policy/README.md).
    """
    from streams.cli.test import test_command

    sys.exit(test_command(tests, policy=policy_of(policy_file) if policy_file else None, **options))


@main.command()
@click.argument("incident")
@click.argument("events", metavar="[EVENTS...]", nargs=-1)
@click.option(
    "--log",
    "log_files",
    type=click.Path(),
    multiple=True,
    help="Read this file of the incident log instead of EVENTS.",
)
@policy_option
@click.option(
    "--history", "history_file", type=click.Path(), help="Read earlier records of sli-history from this file."
)
@click.option(
    "--inputs", "inputs_file", type=click.Path(), help="Read records of incident-inputs from this file."
)
@click.option("--partitioned", is_flag=True, help="Treat each file as a separate partition.")
@sort_option
@click.option(
    "--now", type=Instant(), default="now", help="The present, used for lines without a Kafka timestamp."
)
@json_option()
@errors_in_a_line
def explain(incident: str, events: tuple[str, ...], policy_file: str | None, **options: Any) -> None:
    """Explain an INCIDENT: from a replay of EVENTS, or from the log of WATCHOFFICER_BROKER."""
    from streams.cli.reporting.explain import explain_command

    if events and options["log_files"]:
        raise click.UsageError("Either EVENTS or --log.")
    sys.exit(explain_command(incident, events, policy_of(policy_file), **options))


for _command in (
    *acts,
    *covers,
    declare,
    deploy,
    doctor,
    health,
    report_failure,
    retire,
    map_,
    tail,
    report,
    incidents,
    policy,
    slo,
    status_page,
    dead_letters,
    completion,
):
    main.add_command(_command)
show_examples(main, EXAMPLES)
