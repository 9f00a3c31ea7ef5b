"""What every engine of the booking store must do with new meta and with deleting."""

import pytest
from msgspec.structs import replace

from reservesvc.domain.outcomes import Booked, Changed, Deleted, FenceMoved, NotFound, NotOpen
from reservesvc.domain.rescheduling import Fences, rescheduled
from reservesvc.domain.slot import Slot
from reservesvc.ports import Idempotency
from tests.bookings.builders import MINUTE_MS, NOON_MS, at, booking
from tests.bookings.conftest import OpenStore


async def test_meta_is_replaced_whole(store: OpenStore) -> None:
    """What is not sent again is gone; nothing else changes but the time."""
    before = booking(meta={"a": 1, "b": {"c": 2}}, updated_ms=1)
    await store.book(before, 0, None)
    changed = await store.set_meta(before.id, {"b": {"d": 3}})
    assert isinstance(changed, Changed)
    now = changed.booking
    assert now == replace(before, meta={"b": {"d": 3}}, updated_ms=now.updated_ms)
    assert now.updated_ms > before.updated_ms
    assert await store.booking(before.id) == now


async def test_meta_of_nothing_is_not_found(store: OpenStore) -> None:
    """A booking that is not there gets no meta."""
    assert await store.set_meta("nothing", {}) == NotFound(model="Booking", id="nothing")


@pytest.mark.parametrize("fence", [None, 0])
async def test_a_deleted_booking_is_gone(store: OpenStore, fence: int | None) -> None:
    """It is found in no way, and its slot can be booked; deleted again it is not found."""
    before = booking(state="completed")
    key = Idempotency("digest", "body")
    await store.book(before, 0, key)
    assert await store.delete_booking(before, fence) == Deleted()
    assert await store.booking(before.id) is None
    assert await store.booking_by_reservation(before.reservation_id) is None
    assert await store.booking_by_key("digest") is None
    assert await store.delete_booking(before, fence) == NotFound(model="Booking", id=before.id)
    assert isinstance(await store.book(booking(), 1, None), Booked)


async def test_a_booking_that_changed_is_not_deleted(store: OpenStore) -> None:
    """Who read it in another state or another slot has to look again."""
    before = at(0, 10)
    await store.book(before, 0, None)
    changed = await store.change_state(before, "completed", None, NOON_MS)
    assert isinstance(changed, Changed)
    assert await store.delete_booking(before, 0) == NotOpen(
        booking=changed.booking, open_actions=()
    )
    assert await store.booking(before.id) == changed.booking


async def test_a_moved_fence_deletes_nothing(store: OpenStore) -> None:
    """Deleting what keeps its slot frees it, so it needs the fence."""
    before = booking(state="completed")
    await store.book(before, 0, None)
    await store.snapshot("room-1", 0)
    assert await store.delete_booking(before, 0) == FenceMoved()
    assert await store.booking(before.id) == before


@pytest.mark.parametrize("room", ["room-1", "room-2"])
@pytest.mark.parametrize("ended", [False, True], ids=["fenced", "unfenced"])
async def test_a_late_hand_off_books_nothing_again(
    store: OpenStore, room: str, *, ended: bool
) -> None:
    """Its fence is moved where it was reserved, wherever the booking went before it was deleted."""
    before = at(0, 10)
    await store.book(before, 0, None)
    moved = rescheduled(before, Slot(room, NOON_MS, NOON_MS + MINUTE_MS))
    await store.reschedule(before, moved, Fences(left=0, taken=0), None)
    assert await store.delete_booking(moved, None if ended else 0) == Deleted()
    assert await store.book(before, 0, None) == FenceMoved()
    assert isinstance(await store.book(before, 1, None), Booked)


async def test_keys_that_rescheduled_it_go_with_it(store: OpenStore) -> None:
    """They have no answer left to give."""
    before = at(0, 10)
    await store.book(before, 0, None)
    after = rescheduled(before, Slot("room-1", NOON_MS, NOON_MS + MINUTE_MS))
    await store.reschedule(before, after, Fences(left=0, taken=0), Idempotency("digest", "body"))
    assert await store.delete_booking(after, 0) == Deleted()
    assert await store.changed_by_key("digest") is None
    assert await store.forget_keys(-(2**40), 10) == 0
