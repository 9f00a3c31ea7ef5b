"""What every engine of the booking store must do to put a booking into another slot."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    FenceMoved,
    KeyReused,
    NotFound,
    NotOpen,
    Rescheduled,
    Taken,
)
from reservesvc.domain.rescheduling import Fences, rescheduled
from reservesvc.domain.slot import Slot
from reservesvc.ports import Idempotency
from tests.bookings.builders import MINUTE_MS, NOON_MS, at, resource
from tests.bookings.conftest import OpenStore

NONE = Fences(left=0, taken=0)
KEY = Idempotency("digest", "body")


def to(before: Booking, start_min: int, end_min: int, resource_id: str = "room-1") -> Booking:
    """Return the booking as it is in another slot, a little later."""
    start_ms, end_ms = NOON_MS + start_min * MINUTE_MS, NOON_MS + end_min * MINUTE_MS
    after = rescheduled(before, Slot(resource_id, start_ms, end_ms))
    return replace(after, updated_ms=NOON_MS)


async def stands(store: OpenStore, booking: Booking) -> bool:
    """Book, and tell whether it was let in."""
    return isinstance(await store.book(booking, 0, None), Booked)


async def test_a_booking_changes_its_slot_and_nothing_else(store: OpenStore) -> None:
    """The old slot can be booked, the new one cannot; the index gets the new entry."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = to(before, 30, 40)
    assert await store.reschedule(before, after, NONE, None) == Rescheduled(booking=after)
    assert await store.booking(before.id) == after
    assert await store.booking_by_reservation(before.reservation_id) == after
    assert await stands(store, at(0, 10))
    assert not await stands(store, at(35, 45))
    entries = [one.entry for one in (await store.snapshot("room-1", 0)).bookings]
    assert after.entry in entries
    assert before.entry not in entries


@pytest.mark.parametrize(("start_min", "end_min"), [(5, 15), (-5, 5), (2, 8), (-5, 15)])
async def test_a_booking_is_not_in_its_own_way(
    store: OpenStore, start_min: int, end_min: int
) -> None:
    """It may go to a slot that overlaps its own, on either side, inside or around."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = to(before, start_min, end_min)
    assert await store.reschedule(before, after, NONE, None) == Rescheduled(booking=after)


async def test_a_taken_slot_changes_nothing(store: OpenStore) -> None:
    """Where others are, also in a part of the slot, the booking stays where it is."""
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.book(at(12, 20), 0, None)
    assert await store.reschedule(before, to(before, 5, 15), NONE, None) == Taken(by="booked")
    assert await store.booking(before.id) == before


async def test_only_one_unit_is_ones_own(store: OpenStore) -> None:
    """Of two bookings alike, the other one counts."""
    await store.create_resource(resource("room-1", capacity=2), None)
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.book(at(0, 10), 0, None)
    await store.book(at(10, 20), 0, None)
    await store.book(at(10, 20), 0, None)
    assert isinstance(await store.reschedule(before, to(before, 1, 10), NONE, None), Rescheduled)
    again = await store.booking(before.id)
    assert again is not None
    assert await store.reschedule(again, to(again, 5, 15), NONE, None) == Taken(by="booked")


async def test_it_can_go_to_another_resource(store: OpenStore) -> None:
    """With the capacity that holds there."""
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.book(at(0, 10, resource_id="room-2"), 0, None)
    after = to(before, 0, 10, "room-2")
    assert await store.reschedule(before, after, NONE, None) == Taken(by="booked")
    await store.create_resource(resource("room-2", capacity=2), None)
    assert await store.reschedule(before, after, NONE, None) == Rescheduled(booking=after)
    assert await stands(store, at(0, 10))
    assert len((await store.snapshot("room-2", 0)).bookings) == 2


@pytest.mark.parametrize("resource_id", ["room-1", "room-2"])
async def test_a_moved_fence_of_either_resource_changes_nothing(
    store: OpenStore, resource_id: str
) -> None:
    """Who decided on an old index starts again."""
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.snapshot(resource_id, 0)
    assert await store.reschedule(before, to(before, 0, 10, "room-2"), NONE, None) == FenceMoved()
    assert await store.booking(before.id) == before


async def test_a_repeat_is_the_same_booking(store: OpenStore) -> None:
    """Whatever the fence is by then."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = to(before, 30, 40)
    await store.reschedule(before, after, NONE, None)
    await store.snapshot("room-1", 0)
    again = await store.reschedule(before, after, NONE, None)
    assert again == Rescheduled(booking=after, repeated=True)


async def test_who_read_an_older_booking_changes_nothing(store: OpenStore) -> None:
    """Of two who send it elsewhere the second learns where it is; so after a cancel."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = to(before, 30, 40)
    await store.reschedule(before, after, NONE, None)
    late = await store.reschedule(before, to(before, 60, 70), NONE, None)
    assert late == NotOpen(booking=after, open_actions=())
    cancelled = await store.change_state(after, "cancelled", 0, NOON_MS)
    assert isinstance(cancelled, Changed)
    too_late = await store.reschedule(after, to(after, 60, 70), NONE, None)
    assert too_late == NotOpen(booking=cancelled.booking, open_actions=())


async def test_who_read_an_older_booking_frees_nothing(store: OpenStore) -> None:
    """An action that was decided on before it was rescheduled has to look again."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = to(before, 30, 40)
    await store.reschedule(before, after, NONE, None)
    late = await store.change_state(before, "cancelled", 0, NOON_MS)
    assert late == NotOpen(booking=after, open_actions=())
    assert await store.booking(before.id) == after


async def test_what_is_not_there_cannot_be_rescheduled(store: OpenStore) -> None:
    """A booking nobody made is not found."""
    gone = at(0, 10)
    answer = await store.reschedule(gone, to(gone, 5, 6), NONE, None)
    assert answer == NotFound(model="Booking", id=gone.id)


async def test_a_key_reschedules_once(store: OpenStore) -> None:
    """Repeated it answers with the booking as it is now; another body is refused."""
    before = at(0, 10)
    await store.book(before, 0, None)
    assert await store.changed_by_key("digest") is None
    first, second = to(before, 30, 40), to(before, 60, 70)
    await store.reschedule(before, first, NONE, KEY)
    assert await store.changed_by_key("digest") == (first, "body")
    repeat = await store.reschedule(first, second, NONE, KEY)
    assert repeat == Rescheduled(booking=first, repeated=True)
    other = await store.reschedule(first, second, NONE, Idempotency("digest", "other"))
    assert other == KeyReused()
    assert await store.booking(before.id) == first


async def test_a_refused_request_keeps_no_key(store: OpenStore) -> None:
    """The key can be used for another slot."""
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.book(at(30, 40), 0, None)
    assert await store.reschedule(before, to(before, 30, 40), NONE, KEY) == Taken(by="booked")
    assert await store.changed_by_key("digest") is None


async def test_its_key_is_forgotten_as_others_are(store: OpenStore) -> None:
    """A young one is kept, an old one goes, and the booking stays."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = replace(to(before, 30, 40), updated_ms=time.time_ns() // 1_000_000)
    await store.reschedule(before, after, NONE, KEY)
    assert await store.forget_keys(24 * 60 * MINUTE_MS, 10) == 0
    assert await store.changed_by_key("digest") is not None
    assert await store.forget_keys(-(100 * 366 * 24 * 60 * MINUTE_MS), 10) == 1
    assert await store.changed_by_key("digest") is None
    assert await store.booking(before.id) == after


async def test_a_double_booking_stays_outside(store: OpenStore) -> None:
    """It goes wherever it is sent, and is counted nowhere there."""
    before = at(0, 10, double=True)
    await store.book(before, 0, None)
    await store.book(at(30, 40), 0, None)
    after = to(before, 30, 40)
    assert await store.reschedule(before, after, NONE, None) == Rescheduled(booking=after)
    assert await stands(store, at(0, 10))


async def test_a_long_one_is_found_from_its_far_end(store: OpenStore) -> None:
    """How far back to look for what blocks follows what a reschedule made longer."""
    before = at(0, 10)
    await store.book(before, 0, None)
    await store.reschedule(before, to(before, 0, 5000), NONE, None)
    assert not await stands(store, at(4990, 4995))


async def test_one_slot_has_one_winner(store: OpenStore, other_store: OpenStore) -> None:
    """Twenty bookings sent to one slot at once, from two servers: one gets it."""
    bookings = [at(100 * number, 100 * number + 10) for number in range(1, 21)]
    for one in bookings:
        await store.book(one, 0, None)
    answers = await asyncio.gather(
        *(
            (store, other_store)[number % 2].reschedule(one, to(one, 0, 10), NONE, None)
            for number, one in enumerate(bookings)
        )
    )
    assert sum(isinstance(answer, Rescheduled) for answer in answers) == 1
    assert answers.count(Taken(by="booked")) == 19


async def test_those_who_cross_do_not_wait_for_each_other(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Ten from room 1 to room 2 and ten the other way, at once: all arrive."""
    rooms = ("room-1", "room-2")
    bookings = [at(20 * n, 20 * n + 10, resource_id=rooms[n % 2]) for n in range(20)]
    for one in bookings:
        await store.book(one, 0, None)
    answers = await asyncio.gather(
        *(
            (store, other_store)[n % 2].reschedule(
                one, to(one, 20 * n, 20 * n + 10, rooms[1 - n % 2]), NONE, None
            )
            for n, one in enumerate(bookings)
        )
    )
    assert all(isinstance(answer, Rescheduled) for answer in answers)
