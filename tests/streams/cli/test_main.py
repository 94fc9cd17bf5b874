"""What does the command line load before it knows which command runs?"""

import os
import subprocess
import sys

SHOWN = """
import os, sys
import streams.cli.main
print(os.environ["OPENBLAS_NUM_THREADS"], *sorted({"numpy", "msgspec", "aiokafka"} & set(sys.modules)))
"""


def shown(**env: str) -> str:
    without = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], env=without | env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_help_loads_neither_numpy_nor_kafka_and_numpy_will_run_on_one_thread() -> None:
    assert shown() == "1"


def test_a_number_of_threads_that_the_user_has_set_is_kept() -> None:
    assert shown(OPENBLAS_NUM_THREADS="4") == "4"
