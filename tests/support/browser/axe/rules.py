"""Which rules of accessibility does a page break? As axe-core says.

It is kept here as npm has it (axe-core 4.14.1, ``axe.min.js``), under the licence beside it, and ships with nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.support.browser.chromium import Tab

__all__ = ["broken_rules"]

_TOLD = """axe.run(document, {resultTypes: ["violations"]}).then((told) => told.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`)))"""


@cache
def _axe() -> str:
    return Path(__file__).with_name("axe.min.js").read_text()


async def broken_rules(page: Tab) -> list[str]:
    """Return each rule that an element of the page breaks, with the element and what mends it; [] where all is well."""
    await page.value('document.readyState === "complete" || null')
    await page.run(_axe())
    broken: list[str] = await page.value(_TOLD)
    return broken
