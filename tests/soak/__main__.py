"""How is a soak started? ``make soak MINUTES=30 RATE=2000 [BROKER=kafka|embedded] [BEFORE=COMMIT]``."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from tests.soak.soak import Run, soak
from tests.support.brokers import NoKafka
from tests.support.processes import ROOT
from tests.upgrade.build import checked_out

_FOLDER = Path(__file__).resolve().parents[2] / ".data" / "soak"


def main() -> int:
    """Run two workers under load amid what befalls them; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--broker", choices=("kafka", "embedded"), default="kafka")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="for the log and the figures")
    parser.add_argument(
        "--before", help="a commit of the build that this one replaces; this one itself by default"
    )
    options = parser.parse_args()
    try:
        with checked_out(options.before) if options.before else nullcontext(ROOT) as before:
            figures = soak(
                Run(options.minutes, options.rate, options.broker, before, options.folder),
                lambda line: print(line, flush=True),
            )
    except NoKafka as error:
        print(error, file=sys.stderr)
        return 2
    print(figures.words())
    return 1 if figures.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
