"""How is a soak started? ``make soak MINUTES=30 RATE=1000 [BROKER=kafka|embedded]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.soak.soak import soak
from tests.support.brokers import NoKafka

_FOLDER = Path(__file__).resolve().parents[2] / ".data" / "soak"


def main() -> int:
    """Run a worker under steady load; 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long")
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    parser.add_argument("--broker", choices=("kafka", "embedded"), default="kafka")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="for the log and the figures")
    options = parser.parse_args()
    try:
        figures = soak(
            options.minutes,
            options.rate,
            options.broker,
            options.folder,
            lambda line: print(line, flush=True),
        )
    except NoKafka as error:
        print(error, file=sys.stderr)
        return 2
    print(figures.words())
    return 1 if figures.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
