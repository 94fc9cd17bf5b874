"""Which of a failing run's faults does it take to fail? Found by delta debugging, and told as a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.audit import check_receivers
from tests.simulation.checks import check_verdicts
from tests.simulation.loop import Stuck
from tests.simulation.plan import Fault, Plan
from tests.simulation.run import Run

__all__ = ["as_test", "checked", "fewest", "reduced"]


def checked(plan: Plan) -> Run:
    """The plan's run, after all checks; ``wrong`` says what they found."""
    run = Run(plan)
    try:
        run.execute()
        check_verdicts(run)
        check_receivers(run)
    except Stuck:
        run.wrong.append("nothing moves any more")
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        run.wrong.append(f"the run or its checks broke off: {error!r}")
    return run


def reduced(plan: Plan, most: int = 200) -> Plan:
    """Return the plan with the fewest faults whose run still fails, found in at most ``most`` runs.

    A run with fewer faults draws the same times for each client until the first difference, so most of what is left
    out changes nothing of what is kept.
    """
    left = most

    def fails(faults: Sequence[Fault]) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and bool(checked(plan.with_faults(faults)).wrong)

    return plan.with_faults(fewest(plan.faults, fails))


def fewest(faults: Sequence[Fault], fails: Callable[[Sequence[Fault]], bool]) -> list[Fault]:
    """Faults of which none can be left out if it is still to fail (Zeller and Hildebrandt's ddmin, 2002)."""
    kept, parts = list(faults), 2
    if kept and fails([]):
        return []
    while len(kept) > 1:
        size = -(-len(kept) // parts)
        for begin in range(0, len(kept), size):
            rest = kept[:begin] + kept[begin + size :]
            if fails(rest):
                kept, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(kept):
                break
            parts = min(2 * parts, len(kept))
    return kept


def as_test(plan: Plan) -> str:
    """A test of the plan, ready to be kept."""
    faults = "".join(f"        {fault!r},\n" for fault in plan.faults)
    between = f"\n{faults}    " if faults else ""
    return (
        f"def test_seed_{plan.seed}() -> None:\n"
        f"    plan = Plan.drawn({plan.seed}).with_faults([{between}])\n"
        "    assert not checked(plan).wrong\n"
    )
