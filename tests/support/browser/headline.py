"""Does the console's headline say what the API says, at each moment for which a page is open?"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.support.browser.chromium import Tab

__all__ = ["Comparison", "compare", "differs", "disagreements", "find_disagreements"]

#: How long the headline may say what the API has said before, ms; and how often at least, as a busy machine is slow.
LATE, _LOOKS = 1_500, 3
#: The API is asked before and after the headline is read: what it said meanwhile is known where both answers are equal.
_COMPARE = """
window.compared = [];
(async function look() {
    const ask = async () => {
        const answer = await fetch("/api/v1/incidents?env=prod").then((one) => one.json()).catch(() => null);
        return answer && answer.incidents.filter((one) => !["resolved", "closed"].includes(one.state)).map((one) =>
            ({id: one.id, severity: one.severity, people: one.users_impacted, by: one.acknowledged_by}));
    };
    const before = await ask();
    const line = document.querySelector("#headline");
    const read = {at: performance.now(), words: line.textContent, severity: line.dataset.severity,
        link: line.querySelector("a")?.getAttribute("href") ?? null};
    compared.push({...read, before, after: await ask()});
    setTimeout(look, 100);
})();
"""
_PEOPLE = re.compile(r"([\d,]+) (?:people|person)")


class Comparison(NamedTuple):
    """How the headline and the API compared.

    Attributes:
        looks: how often both were read.
        settled: of these, how often the API said the same before and after the headline was read.
        disagreements: each time at which the headline said what the API had not said of late, in words.
    """

    looks: int
    settled: int
    disagreements: list[str]


async def compare(page: Tab) -> None:
    """Begin to compare, some times a second, in an overview that is open and stays so."""
    await page.run(_COMPARE)
    await page.value("compared.length || null")  # what is said before anything changes


async def disagreements(page: Tab) -> Comparison:
    """Return how an overview in which ``compare`` was called has compared since."""
    return find_disagreements(await page.value("compared"))


def find_disagreements(seen: Sequence[dict[str, Any]]) -> Comparison:
    """Return how what was read compares.

    Args:
        seen: what was read, the oldest first: of the headline ``at`` (ms), ``words``, ``severity`` and ``link``; of
            the API ``before`` and ``after``, the open incidents, the most urgent first, or None without an answer.
    """
    settled, found = 0, []
    for n, now in enumerate(seen):
        if now["after"] is None or now["before"] != now["after"]:
            continue
        settled += 1
        first = min(n - _LOOKS, bisect_left(seen, now["at"] - LATE, key=lambda one: float(one["at"])))
        said = [one[when] for one in seen[max(0, first) : n + 1] for when in ("before", "after")]
        if all(differs(now, each) for each in said if each is not None):
            what = f"{differs(now, now['after'])}: {now['words']!r}, API: {now['after']}"
            found.append(f"{now['at'] / 1000:.1f} s: {what}")
    return Comparison(len(seen), settled, found)


def differs(headline: dict[str, Any], incidents: list[dict[str, Any]]) -> str:
    """Return in what a headline differs from the open incidents, the most urgent first; "" where it does not."""
    if not incidents:
        return "" if headline["severity"] in ("0", "unknown") and headline["link"] is None else "none is open"
    first = incidents[0]
    if headline["link"] != f"/incidents/{first['id']}":
        return "another incident comes first"
    severity = f"Severity {first['severity']}."
    if headline["severity"] != str(first["severity"]) or severity not in headline["words"]:
        return "another severity"
    people = _PEOPLE.search(headline["words"])
    if people is None or abs(int(people[1].replace(",", "")) - first["people"]) > 0.051 * first["people"]:
        return "other people"
    if first["by"] is None and "Nobody has it yet." not in headline["words"]:
        return "nobody has it"
    if first["by"] is not None and f"{first['by']} has it" not in headline["words"]:
        return "somebody has it"
    more = len(incidents) - 1
    return "" if not more or f"And {more} more" in headline["words"] else "there are more"
