"""Servers that lack a guard are found out: each mutant breaks the promise the guard is for.

What each is put through is put through the plain server as well, which keeps every promise.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.checks import SLACK_S
from tests.faults.history import Slot
from tests.faults.mutants import MUTANTS
from tests.faults.trial import Trial, slot_of, trial

LONGEST_S = 3
"""no reservation made here lasts longer"""
GIVEN_UP_S = 1
"""when the store has given up as well, after the deadline"""
Act = Callable[[Trial, Slot], Awaitable[object]]


async def crowd(made: Trial, slot: Slot) -> None:
    """Many want the slot at once."""
    await asyncio.gather(*(made.client.reserve(slot, 2) for _ in range(20)))


async def live_on(made: Trial, slot: Slot) -> None:
    """A reservation is looked at when most of its time is over."""
    held = await made.client.reserve(slot, 1)
    await asyncio.sleep(0.7)
    await made.client.read(held)


async def try_again(made: Trial, slot: Slot) -> None:
    """A hand-off fails, for the booking store is locked, and is repeated."""
    await made.client.book(slot_of(slot.resource_id, 20), "a warm index")
    held = await made.client.reserve(slot, 3)
    async with made.fault("locked"), made.cluster.bookings.locked():
        await made.client.hand_off(held)
        await asyncio.sleep(GIVEN_UP_S)
    await made.client.hand_off(held)


async def repeat(made: Trial, slot: Slot) -> None:
    """A claim is repeated under its key."""
    for _ in range(2):
        await made.client.reserve(slot, 2, key=f"key of {slot.resource_id}")


async def fill_a_cart(made: Trial, slot: Slot) -> None:
    """A cart cannot have its second slot; somebody else then wants the first."""
    later = slot_of(slot.resource_id, 15)
    await made.client.reserve(later, LONGEST_S)
    await made.client.batch([slot, later], LONGEST_S, cart=True)
    await asyncio.sleep(2 * SLACK_S)  # what the checks allow for between two requests
    await made.client.reserve(slot, 2)


async def ask_for_each(made: Trial, slot: Slot) -> None:
    """Two slots are wanted at once, each for itself, under one key."""
    wanted = [slot, slot_of(slot.resource_id, 15)]
    await made.client.batch(wanted, 2, cart=False, key=f"each of {slot.resource_id}")


async def hand_off(made: Trial, slot: Slot) -> None:
    """A reservation is handed off; what becomes of its slot is for the judges."""
    await made.client.hand_off(await made.client.reserve(slot, 2))


FOUND_BY: dict[str, tuple[Act, str]] = {
    "an atomic claim": (crowd, "no_two_certain_grants"),
    "the full TTL": (live_on, "no_end_comes_early"),
    "keeping the key until the commit": (try_again, "no_end_comes_early"),
    "keys": (repeat, "once"),
    "giving back": (fill_a_cart, "refusals_have_a_cause"),
    "a key for each item": (ask_for_each, "once"),
    "commit": (hand_off, "no_booking_lost"),
    "settling": (hand_off, "slots_are_judged_rightly"),
}
"""what a mutant is put through, and the check that finds it"""
ELSEWHERE = {"fence", "fence and guard", "a log that never raises", "supervision"}
"""what takes two servers, one of them paused: `test_steps`; or a log without a reader: `test_log`;
or background work that fails: `test_background`"""


def test_every_mutant_is_put_to_the_test() -> None:
    """No mutant is there without a test that finds it."""
    assert FOUND_BY.keys() | ELSEWHERE == MUTANTS.keys()


@pytest.mark.parametrize("name", FOUND_BY)
async def test_a_mutant_is_found(name: str) -> None:
    """The check that is there for the guard sees that it is missing."""
    act, check = FOUND_BY[name]
    async with trial(servers=1, bent=[f"without {name}"]) as made:
        slot = slot_of("room-1")
        await act(made, slot)
        found = await made.judge([slot], waiting_s=0)
    assert any(one.startswith(f"{check}: ") for one in found), found


async def test_the_plain_server_is_cleared() -> None:
    """Put through all of it, it breaks no promise."""
    async with trial(servers=1) as made:
        acts = {act for act, _ in FOUND_BY.values()}
        choice = [slot_of(act.__name__) for act in acts]
        for act, slot in zip(acts, choice, strict=True):
            await act(made, slot)
        assert await made.judge(choice, waiting_s=LONGEST_S) == []
