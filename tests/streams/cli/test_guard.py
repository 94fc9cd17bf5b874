"""Is a guard small, and does it import no Faust?"""

from __future__ import annotations

import subprocess
import sys


def test_a_guard_imports_neither_faust_nor_what_evaluates() -> None:
    program = """
import sys
import streams.cli.main, streams.cli.guard
heavy = ["faust", "mode", "scipy", "uvloop", "detectors.engine"]
heavy += ["streams.evaluate", "streams.ingest", "streams.dispatch"]
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
