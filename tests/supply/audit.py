"""Is a weakness known of any package that is pinned? ``make audit`` asks the database OSV, and fails without an answer.

A database that is unreachable, empty, or replaced by a mirror that knows nothing says of each package what it says of a
sound one: nothing. So each request holds versions whose weaknesses have been public for years: where the answer does
not name these, it is worth nothing, and the audit ends with 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.supply.lock import ROOT, read_lock

__all__ = ["KNOWN_TO_BE_WEAK", "OSV", "CouldNotAsk", "main", "weaknesses"]

OSV = "https://api.osv.dev"
#: Packages of this project's locks in versions with advisories since 2018 to 2023.
KNOWN_TO_BE_WEAK = (("aiohttp", "3.8.0"), ("pyyaml", "5.3"), ("requests", "2.19.0"))
_TIMEOUT_SECONDS = 30.0
_PAGES = 10  # of one answer; a page has up to a thousand advisories
_AT_ONCE = 500  # OSV takes a thousand

Package = tuple[str, str]  # normalised name, version


class CouldNotAsk(Exception):
    """The database did not answer, or not in a way that can be trusted."""


def weaknesses(packages: Iterable[Package], client: httpx.Client) -> dict[Package, list[str]]:
    """The ids of advisories that OSV knows of each package; packages without any are left out.

    Args:
        packages: names and versions as pinned.
        client: its base URL is the database's.

    Raises:
        CouldNotAsk: no answer, one of another form, or one that does not know of weaknesses known for years.
    """
    asked = list(packages)
    found: dict[Package, list[str]] = {}
    for begin in range(0, len(asked), _AT_ONCE):
        some = asked[begin : begin + _AT_ONCE]
        answers = _ask([*KNOWN_TO_BE_WEAK, *some], client)
        if unknown := [one for one in KNOWN_TO_BE_WEAK if not answers[one]]:
            names = ", ".join(f"{name} {version}" for name, version in unknown)
            raise CouldNotAsk(f"it knows no weakness of {names}, which have been public for years")
        found |= {one: answers[one] for one in some if answers[one]}
    return found


def _ask(packages: Sequence[Package], client: httpx.Client) -> dict[Package, list[str]]:
    ids: dict[Package, list[str]] = {one: [] for one in packages}
    pages: dict[Package, str] = dict.fromkeys(packages, "")
    for _ in range(_PAGES):
        queries = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
            | ({"page_token": page} if page else {})
            for (name, version), page in pages.items()
        ]
        results = _post({"queries": queries}, client)
        if len(results) != len(pages):
            raise CouldNotAsk(f"it answered {len(results)} of {len(pages)} questions")
        more: dict[Package, str] = {}
        for one, result in zip(pages, results, strict=True):
            try:
                ids[one] += [str(advisory["id"]) for advisory in result.get("vulns", ())]
                page = str(result.get("next_page_token") or "")
            except (AttributeError, KeyError, TypeError) as error:
                raise CouldNotAsk(f"its answer on {one[0]} is not of OSV's form") from error
            if page:
                more[one] = page
        if not more:
            return ids
        pages = more
    raise CouldNotAsk(f"its answer has more than {_PAGES} pages")


def _post(body: dict[str, object], client: httpx.Client) -> list[Any]:
    try:
        answer = client.post("/v1/querybatch", json=body)
        answer.raise_for_status()
        results = answer.json()["results"]
    except httpx.HTTPError as error:
        raise CouldNotAsk(f"{type(error).__name__}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CouldNotAsk("its answer is not of OSV's form") from error
    if not isinstance(results, list):
        raise CouldNotAsk("its answer is not of OSV's form")
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is known; 0 if nothing is, 1 if something is, 2 if the database could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply.audit", description=__doc__)
    parser.add_argument("--url", default=OSV, help="of a database that answers as OSV does")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements-dev.lock")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="ID",
        help="an advisory that does not concern this use",
    )
    options = parser.parse_args(arguments)
    pins = {(pin.name, pin.version) for pin in read_lock(options.lock)}
    try:
        with httpx.Client(base_url=options.url, timeout=_TIMEOUT_SECONDS) as client:
            found = weaknesses(sorted(pins), client)
    except CouldNotAsk as why:
        print(
            f"Not audited: {options.url} could not be asked: {why}. Nothing is known of the {len(pins)} packages;"
            " run this where the database can be reached, or name another with --url.",
            file=sys.stderr,
        )
        return 2
    left = {one: [name for name in ids if name not in options.accept] for one, ids in found.items()}
    left = {one: ids for one, ids in left.items() if ids}
    for (name, version), ids in left.items():
        print(f"{name} {version}: {', '.join(ids)}")
    print(f"{len(pins)} packages of {options.lock.name} asked for, {len(left)} with known weaknesses")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
