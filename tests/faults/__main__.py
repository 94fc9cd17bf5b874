"""The campaign of faults as a command: ``make test-faults KILLS=200 [SEED=S] [BROKER=kafka|embedded]``."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.faults.campaign.campaign import campaign
from tests.support.brokers import NoKafka

_FOLDER = Path(__file__).resolve().parents[2] / ".data" / "faults"


def main() -> int:
    """Run a campaign; 1 if it found anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many faults")
    parser.add_argument("--seed", type=int, default=None, help="reproduces the schedule")
    parser.add_argument("--broker", choices=("kafka", "embedded"), default="kafka")
    parser.add_argument("--folder", type=Path, default=None, help="for logs and figures; emptied first")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    folder = options.folder or _FOLDER / f"{options.broker}-{seed}"
    print(f"seed {seed}: {options.kills} faults on {options.broker}; logs in {folder}", flush=True)
    try:
        figures = campaign(seed, options.kills, options.broker, folder, lambda line: print(line, flush=True))
    except NoKafka as error:
        print(error, file=sys.stderr)
        return 2
    print(figures.words())
    for line in figures.complaints:
        print(line[:1500], file=sys.stderr)
    return 0 if figures.clean else 1


if __name__ == "__main__":
    sys.exit(main())
