"""Does the console's headline say what the API says, at each moment for which a page is open?"""

from __future__ import annotations

import re
from typing import Any

from tests.support.browser.chromium import Tab

__all__ = ["compare", "differs", "disagreements"]

#: How long the headline may say what the API has said before, ms.
LATE = 5_000
_COMPARE = """
window.compared = [];
(async function look() {
    const answer = await fetch("/api/v1/incidents?env=prod").then((one) => one.json()).catch(() => null);
    const line = document.querySelector("#headline");
    const open = answer && answer.incidents.filter((one) => !["resolved", "closed"].includes(one.state)).map((one) =>
        ({id: one.id, severity: one.severity, people: one.users_impacted, by: one.acknowledged_by}));
    compared.push({at: performance.now(), open, words: line.textContent, severity: line.dataset.severity,
        link: line.querySelector("a")?.getAttribute("href") ?? null});
    setTimeout(look, 100);
})();
"""
_PEOPLE = re.compile(r"([\d,]+) (?:people|person)")


async def compare(page: Tab) -> None:
    """Begin to compare, ten times a second, in an overview that is open and stays so."""
    await page.run(_COMPARE)
    await page.value("compared.length || null")  # what is said before anything changes


async def disagreements(page: Tab) -> tuple[int, list[str]]:
    """Return how often both were compared, and each time at which the headline said what the API had not of late."""
    seen: list[dict[str, Any]] = await page.value("compared")
    found = []
    for n, now in enumerate(seen):
        said = [
            one["open"] for one in seen[: n + 1] if one["at"] >= now["at"] - LATE and one["open"] is not None
        ]
        if said and all(differs(now, each) for each in said):
            found.append(
                f"{now['at'] / 1000:.1f} s: {differs(now, said[-1])}: {now['words']!r}, API: {said[-1]}"
            )
    return len(seen), found


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
