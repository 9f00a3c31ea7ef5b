"""Rows of the fault matrix that need a fault at one exact step of one server."""

import asyncio

import pytest

from tests.faults.conftest import Holds
from tests.faults.history import Op, Slot
from tests.faults.trial import Trial, slot_of, trial

HAND_OFF = (
    "before unsettle_reservation",
    "after unsettle_reservation",
    "after book",
    "after settle_booked",
)
COLD_HAND_OFF = ("after resync_begin", "after snapshot", "after resync_install")
DIRECT = ("before reserve", "after reserve", "after unsettle_reservation", "after book")
CANCEL = ("after unsettle_booking", "after change_state", "after settle_freed")
STEPS = (
    [("hand_off", step) for step in HAND_OFF]
    + [("cold hand_off", step) for step in COLD_HAND_OFF]
    + [("book", step) for step in DIRECT]
    + [("cancel", step) for step in CANCEL]
)
BENT, PLAIN = 0, 1


async def prepare(made: Trial, verb: str, slot: Slot) -> Op:
    """Do what comes before `verb`, on the plain server."""
    client = made.client
    held = await client.reserve(slot, 60, server=PLAIN)
    if verb == "cancel":
        return await client.hand_off(held, server=PLAIN)
    if verb == "book":
        return await client.release(held, server=PLAIN)
    if verb == "cold hand_off":
        async with made.cluster.redis_client() as redis:
            await redis.delete(f"fence:{{{slot.resource_id}}}")
    return held


async def carry_out(made: Trial, verb: str, slot: Slot, before: Op, server: int) -> Op:
    """Ask `server` for `verb`; asked again it is the same request."""
    client = made.client
    if verb == "cancel":
        return await client.cancel(before, server=server)
    if verb == "book":
        return await client.book(slot, slot.resource_id, server=server, key=slot.resource_id)
    return await client.hand_off(before, server=server)


async def test_killed_between_any_two_steps(holds: Holds) -> None:
    """Whoever asks the other server next gets what was asked for, once, and keeps it."""
    choice = [slot_of(f"step-{number}") for number in range(len(STEPS))]
    async with trial(bent=["kill before reserve"]) as made:
        bent = made.cluster.servers[BENT]
        for (verb, step), slot in zip(STEPS, choice, strict=True):
            before = await prepare(made, verb, slot)
            bent.close()
            bent.bent = f"kill {step}"
            await made.cluster.restart(bent)
            # Asked nothing but this, for the first to come to the step dies.
            window = made.begin(step, freezes=True)
            lost = await carry_out(made, verb, slot, before, BENT)
            assert lost.status == 0, f"{verb} never came to the step {step}"
            assert await bent.ended() == -9
            made.end(window)
            repeat = await carry_out(made, verb, slot, before, PLAIN)
            assert repeat.granted, repeat
        bent.bent = ""
        await made.cluster.restart(bent)
        await holds(made, choice)


async def paused_across_the_grace(made: Trial, *, rival_books: bool) -> tuple[Op, Op]:
    """Pause a hand-off after `unsettle` until its slot was given away; return both claims."""
    slot, bent = slot_of("room-1"), made.cluster.servers[BENT]
    held = await made.client.reserve(slot, 1, server=PLAIN)
    window = made.begin("paused", freezes=True)
    handing_off = asyncio.create_task(made.client.hand_off(held, server=BENT))
    await bent.paused_itself()
    await asyncio.sleep(made.cluster.terms.grace_s + 0.2)
    rival = await made.client.reserve(slot, 5, server=PLAIN)
    assert rival.granted, rival
    if rival_books:
        await made.client.hand_off(rival, server=PLAIN)
    bent.resume()
    late = await handing_off
    made.end(window)
    return late, rival


@pytest.mark.parametrize("rival_books", [True, False])
async def test_paused_across_deadline_and_grace(holds: Holds, *, rival_books: bool) -> None:
    """A server that wakes up after its slot was given away books nothing."""
    async with trial(bent=["pause after unsettle_reservation"]) as made:
        late, rival = await paused_across_the_grace(made, rival_books=rival_books)
        assert not late.granted, late
        booked = await made.client.hand_off(rival, server=PLAIN)
        assert booked.status == (200 if rival_books else 201)
        await holds(made, [slot_of("room-1")])


@pytest.mark.parametrize(
    ("guards", "rival_books", "check"),
    [
        ("fence", False, "no_end_comes_early"),
        ("fence and guard", True, "never_two"),
    ],
)
async def test_without_its_guards_it_would_book(
    guards: str, check: str, *, rival_books: bool
) -> None:
    """The fence is what keeps it from booking, and behind that the store's own count."""
    async with trial(bent=[f"without {guards}; pause after unsettle_reservation"]) as made:
        _, rival = await paused_across_the_grace(made, rival_books=rival_books)
        await made.client.hand_off(rival, server=PLAIN)
        found = await made.judge([slot_of("room-1")], waiting_s=0)
    assert any(one.startswith(f"{check}: ") for one in found), found


async def test_paused_before_it_settles(holds: Holds) -> None:
    """What was committed is booked for everybody, though nobody told Redis before it lapsed."""
    async with trial(bent=["pause before settle_booked"]) as made:
        slot, bent = slot_of("room-1"), made.cluster.servers[BENT]
        held = await made.client.reserve(slot, 1, server=PLAIN)
        window = made.begin("paused", freezes=True)
        handing_off = asyncio.create_task(made.client.hand_off(held, server=BENT))
        await bent.paused_itself()
        await asyncio.sleep(made.cluster.terms.grace_s + 0.2)
        rival = await made.client.reserve(slot, 1, server=PLAIN)
        bent.resume()
        await handing_off
        made.end(window)
        assert rival.code == "slot_unavailable"
        assert (await made.client.hand_off(held, server=PLAIN)).granted
        await holds(made, [slot])
