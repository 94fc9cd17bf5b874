"""`python -m tests.fuzz.http SCHEMATHESIS`: does the HTTP interface do what ``/openapi.json`` says, whatever is sent?

A server with the views of a recorded outage runs in this process; Schemathesis, in one of its own, makes requests of
its description, valid ones and others, and holds the answers against it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import structlog

from tests.fuzz.served import served
from tests.streams.http.serving import TOKEN

_CRITICAL = 50
_SETTINGS = Path(__file__).with_name("schemathesis.toml")


async def _run(schemathesis: str, arguments: list[str]) -> int:
    async with served() as one:
        command = (
            *(schemathesis, "--config-file", str(_SETTINGS), "run", f"{one.url}/openapi.json"),
            *("--no-color", "--continue-on-failure", "--generation-database", "none"),
            *("--header", f"Authorization: Bearer {TOKEN}"),
            *arguments,
        )
        process = await asyncio.create_subprocess_exec(*command)
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()


def main() -> int:
    """Run Schemathesis to its end; its exit status is ours."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.http", description=__doc__)
    parser.add_argument("schemathesis", help="the program")
    given, rest = parser.parse_known_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_CRITICAL))
    return asyncio.run(_run(given.schemathesis, rest))


if __name__ == "__main__":
    sys.exit(main())
