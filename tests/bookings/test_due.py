"""What every engine of the booking store must do with timers, and with slots claimed late."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.moves import Asked
from reservesvc.domain.outcomes import Booked, Changed, FenceMoved, NotOpen, Overdue, Taken
from tests.bookings.builders import MINUTE_MS, NOON_MS, at, booking, resource
from tests.bookings.conftest import OpenStore

BY_ITSELF = Asked(by_itself=True)
LONG_AGO_MS = 1_500_000_000_000
HOUR_MS = 60 * MINUTE_MS


def ended(number: int, **fields: Any) -> Booking:
    """Return a booking whose hour after its end is over."""
    start_ms = LONG_AGO_MS + number * HOUR_MS
    return booking(start_ms=start_ms, end_ms=start_ms + HOUR_MS, **fields)


def unpaid(timeout_ms: int = 0, **fields: Any) -> Booking:
    """Return a booking that waits for its payment; with the graph's own timeout if 0."""
    timeout = {"time": timeout_ms // 1000, "unit": "seconds"}
    settings = {"timeout": timeout} if timeout_ms else {}
    return booking(graph="instant_payment", state="tentative", settings=settings, **fields)


async def made(store: OpenStore, draft: Booking) -> Booking:
    """Book it, and insist on it."""
    outcome = await store.book(draft, 0, None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def test_a_timeout_is_counted_on_the_stores_clock(store: OpenStore) -> None:
    """Five minutes, or what was asked for, from the commit; whatever the draft's own times say."""
    first = await made(store, at(0, 10))
    changed = await store.change_state(first, "completed", None, None)
    assert isinstance(changed, Changed)
    now_ms = changed.booking.updated_ms
    ordinary = await made(store, unpaid(resource_id="room-2"))
    short = await made(store, unpaid(90_000, resource_id="room-3"))
    assert ordinary.due_ms is not None
    assert short.due_ms is not None
    assert now_ms + 5 * MINUTE_MS <= ordinary.due_ms < now_ms + 6 * MINUTE_MS
    assert now_ms + 90_000 <= short.due_ms < now_ms + 120_000
    assert await store.booking(short.id) == short


async def test_a_state_has_its_own_timer(store: OpenStore) -> None:
    """Paid, the booking no longer times out, but completes; completed, nothing is due."""
    first = await made(store, unpaid())
    paid = await store.change_state(first, "paid", None, None)
    assert isinstance(paid, Changed)
    assert paid.booking.due_ms == first.end_ms + HOUR_MS
    done = await store.change_state(paid.booking, "completed", None, None)
    assert isinstance(done, Changed)
    assert done.booking.due_ms is None


async def test_what_is_due_is_found_in_order(store: OpenStore, other_store: OpenStore) -> None:
    """A page at a time, the oldest first; what is not due, or has no timer, is not found."""
    drafts = [await made(store, ended(number)) for number in (3, 1, 2)]
    await made(store, booking())
    await made(store, ended(9, settings={OPT_OUT: {"enabled": False}}))
    in_order = [drafts[1], drafts[2], drafts[0]]
    assert await other_store.due(2, None) == in_order[:2]
    assert await other_store.due(2, in_order[1]) == in_order[2:]
    assert await other_store.due(2, in_order[2]) == []


OPT_OUT = "auto_complete_one_hour_after_booking_ends"


async def test_bookings_due_at_the_same_instant_are_each_found(store: OpenStore) -> None:
    """Pages that end amid them leave none out."""
    drafts = [await made(store, ended(1, resource_id=f"room-{n}")) for n in range(5)]
    found: list[Booking] = []
    while page := await store.due(2, found[-1] if found else None):
        found += page
    assert found == sorted(drafts, key=lambda each: each.id)


async def test_a_due_move_happens_once(store: OpenStore, other_store: OpenStore) -> None:
    """Ten servers find it at once: one makes it."""
    late = await made(store, ended(1))
    answers = await asyncio.gather(
        *(
            (store, other_store)[n % 2].change_state(late, "completed", None, None, BY_ITSELF)
            for n in range(10)
        )
    )
    assert sum(isinstance(answer, Changed) for answer in answers) == 1
    assert await store.due(10, None) == []


async def test_a_due_move_goes_first(store: OpenStore) -> None:
    """Another one is told so, and changes nothing; the same one by hand is made."""
    late = await made(store, ended(1))
    assert await store.change_state(late, "cancelled", 0, None) == Overdue(booking=late)
    assert await store.booking(late.id) == late
    assert isinstance(await store.change_state(late, "completed", None, None), Changed)


async def test_a_move_that_is_no_longer_due_is_not_made(store: OpenStore) -> None:
    """What was found due, and is not when its turn comes, stays."""
    first = await made(store, booking())
    answer = await store.change_state(first, "completed", None, None, BY_ITSELF)
    assert answer == NotOpen(booking=first, open_actions=())
    assert await store.booking(first.id) == first


async def test_inputs_are_kept_beside_earlier_ones(store: OpenStore) -> None:
    """Each action has its own."""
    first = await made(store, unpaid())
    paid = await store.change_state(first, "paid", None, None, Asked(inputs={"pay": {"by": "x"}}))
    assert isinstance(paid, Changed)
    asked = Asked(inputs={"complete": {"a": 1}})
    done = await store.change_state(paid.booking, "completed", None, None, asked)
    assert isinstance(done, Changed)
    assert done.booking.inputs == {"pay": {"by": "x"}, "complete": {"a": 1}}
    assert await store.booking(first.id) == done.booking


# A slot that is claimed late: confirm_decline, booked directly.


def tentative(start_min: int, end_min: int, **fields: Any) -> Booking:
    """Return a tentative booking that does not block."""
    return at(start_min, end_min, graph="confirm_decline", state="tentative", **fields)


async def test_a_slot_is_claimed_if_it_is_free(store: OpenStore) -> None:
    """From then on it blocks; another that waited for the slot has come too late."""
    first, second = await made(store, tentative(0, 10)), await made(store, tentative(5, 15))
    confirmed = await store.change_state(first, "confirmed", 0, NOON_MS)
    assert isinstance(confirmed, Changed)
    assert await store.change_state(second, "confirmed", 0, NOON_MS) == Taken(by="booked")
    assert await store.booking(second.id) == second
    assert await store.book(at(0, 10), 0, None) == Taken(by="booked")
    assert [one.booking_id for one in (await store.snapshot("room-1", 0)).bookings] == [first.id]


async def test_of_many_claims_at_once_one_is_granted(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Twenty tentative bookings and twenty new ones of the same slot: one blocks in the end."""
    waiting = [await made(store, tentative(0, 10)) for _ in range(20)]
    servers = (store, other_store)
    answers = await asyncio.gather(
        *(servers[n % 2].change_state(one, "confirmed", 0, None) for n, one in enumerate(waiting)),
        *(servers[n % 2].book(at(0, 10), 0, None) for n in range(20)),
    )
    assert sum(isinstance(answer, Changed | Booked) for answer in answers) == 1
    assert len((await store.snapshot("room-1", 0)).bookings) == 1


@pytest.mark.parametrize("capacity", [2, 3])
async def test_a_claim_is_counted_against_the_capacity(store: OpenStore, capacity: int) -> None:
    """As many as there are units."""
    await store.create_resource(resource("room-1", capacity=capacity), None)
    waiting = [await made(store, tentative(0, 10)) for _ in range(4)]
    answers = [await store.change_state(one, "confirmed", 0, None) for one in waiting]
    assert [isinstance(answer, Changed) for answer in answers] == [
        number < capacity for number in range(4)
    ]


async def test_a_claim_under_a_moved_fence_changes_nothing(store: OpenStore) -> None:
    """It was prepared before a resync, which may have given the slot away."""
    first = await made(store, tentative(0, 10))
    await store.snapshot("room-1", 0)
    assert await store.change_state(first, "confirmed", 0, None) == FenceMoved()
    assert await store.booking(first.id) == first


async def test_a_claim_needs_a_fence(store: OpenStore) -> None:
    """Nobody may take a slot without its entry in the index."""
    first = await made(store, tentative(0, 10))
    with pytest.raises(ValueError, match="needs the fence"):
        await store.change_state(first, "confirmed", None, None)


async def test_a_long_claim_is_found_from_its_far_end(store: OpenStore) -> None:
    """What was claimed late is looked back for as far as what was booked at once."""
    long_one = await made(store, tentative(0, 30 * 24 * 60))
    await store.change_state(long_one, "confirmed", 0, None)
    last_day = at(29 * 1440, 29 * 1440 + 10)
    assert await store.book(last_day, 0, None) == Taken(by="booked")
    listed = (await store.snapshot("room-1", last_day.start_ms)).bookings
    assert [one.booking_id for one in listed] == [long_one.id]


async def test_a_double_booking_is_confirmed_without_room(store: OpenStore) -> None:
    """It is counted nowhere, then as before."""
    await made(store, at(0, 10))
    double = await made(store, tentative(0, 10, double=True))
    assert isinstance(await store.change_state(double, "confirmed", 0, None), Changed)


async def test_a_seat_cannot_be_taken_again(store: OpenStore) -> None:
    """Nobody counts seats as states change; no graph asks for it."""
    owner = booking(graph="group_owner", state="tentative", settings={"max_seats": 1})
    await made(store, owner)
    left = booking(graph="group_customer", state="cancelled_by_customer", owner_booking_id=owner.id)
    assert isinstance(await store.take_seat(left, None), Booked)
    found = await store.booking(left.id)
    assert found is not None
    with pytest.raises(ValueError, match="take a seat again"):
        await store.change_state(replace(found), "confirmed", None, None)
