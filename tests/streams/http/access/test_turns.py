"""The turns of requests: one begins in each round of the event loop, and no route waits for the queue of another."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.http.access.turns import Turns
from tests.support.depth import examples


async def _begun(routes: list[str], cancelled: frozenset[int] = frozenset()) -> list[int]:
    """The numbers of requests in the order in which they begin, if all of them come in one round."""
    turns, began = Turns(), []

    async def ask(number: int) -> None:
        await turns.take(routes[number])
        began.append(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(len(routes))]
    await asyncio.sleep(0)
    for number in cancelled:
        tasks[number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return began


async def test_a_probe_does_not_wait_for_a_flood_of_another_route() -> None:
    began = await _begun([*["/api/v1/slis"] * 400, "/readyz"])
    assert began.index(400) <= 2


async def test_between_two_that_begin_the_loop_goes_round() -> None:
    turns, rounds, seen = Turns(), 0, []

    async def ask() -> None:
        await turns.take("/")
        seen.append(rounds)

    tasks = [asyncio.create_task(ask()) for _ in range(20)]
    while not all(one.done() for one in tasks):
        rounds += 1
        await asyncio.sleep(0)
    assert len(set(seen)) == len(seen)


async def test_who_comes_alone_does_not_wait() -> None:
    turns = Turns()
    for _ in range(3):
        asking = turns.take("/readyz")
        try:
            asking.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("it waits")
        await asyncio.sleep(0)


@settings(max_examples=examples(60))
@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_all_begin_but_the_cancelled_and_each_route_in_its_order(
    routes: list[str], data: st.DataObject
) -> None:
    numbers = st.integers(1, len(routes) - 1) if len(routes) > 1 else st.nothing()
    cancelled = data.draw(st.frozensets(numbers))
    began = asyncio.run(_begun(routes, cancelled))
    assert sorted(began) == sorted(set(range(len(routes))) - cancelled)
    for route in "abc":
        of_route = [number for number in began if routes[number] == route]
        assert of_route == sorted(of_route)
    # Nobody begins after more than one request of each other route: the first came alone.
    left = [number for number in began if number != 0]
    for place, number in enumerate(left):
        ahead = sum(1 for other in left if routes[other] == routes[number] and other < number)
        assert place <= (ahead + 1) * len(set(routes)) - 1
