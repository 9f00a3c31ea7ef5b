"""Idempotency-Keys that are old enough are forgotten; what they made stays."""

from msgspec.structs import replace

from reservesvc.domain.outcomes import Booked, KeyReused
from reservesvc.domain.project import Project, Resource
from reservesvc.ports import Idempotency
from tests.bookings.conftest import OpenStore
from tests.builders import a_booking, a_claim, at

DAY_MS = 24 * 3_600_000
OLD_MS = 1_000
KEY = Idempotency("d1", "f1")
OTHER_BODY = Idempotency("d1", "f2")
EVERY = -60_000
"""an age that even what was made just now has reached"""


async def book(store: OpenStore, hour: int, key: Idempotency, created_ms: int) -> Booked:
    """Book an hour with a key, and insist on it."""
    booking = replace(a_booking(a_claim(hour, hour + 1)), created_ms=created_ms)
    outcome = await store.book(booking, 0, key)
    assert isinstance(outcome, Booked)
    return outcome


async def test_a_young_key_is_kept(store: OpenStore) -> None:
    """Within a day it answers with its booking and refuses another body."""
    made = await book(store, 10, KEY, created_ms=at(0))
    assert at(0) > OLD_MS
    young_ms = 100 * 366 * DAY_MS
    assert await store.forget_keys(young_ms, 10) == 0
    assert await store.booking_by_key("d1") == (made.booking, "f1")
    assert await store.book(a_booking(a_claim(11, 12)), 0, OTHER_BODY) == KeyReused()


async def test_an_old_key_of_a_booking_is_forgotten(store: OpenStore) -> None:
    """The booking stays as it was; the key may make another."""
    made = await book(store, 10, KEY, created_ms=OLD_MS)
    assert await store.forget_keys(DAY_MS, 10) == 1
    assert await store.booking_by_key("d1") is None
    assert await store.booking(made.booking.id) == made.booking
    again = await book(store, 11, OTHER_BODY, created_ms=OLD_MS)
    assert again.booking.id != made.booking.id


async def test_keys_of_settings_are_forgotten(store: OpenStore) -> None:
    """Those of projects and resources; both stay."""
    project = Project(id="p-1", name="Salon", slug="salon")
    resource = Resource(id="room-9", name="Room")
    await store.create_project(project, KEY)
    await store.create_resource(resource, Idempotency("d2", "f1"))
    assert await store.forget_keys(DAY_MS, 10) == 0
    assert await store.forget_keys(EVERY, 10) == 2
    assert await store.project("p-1") is not None
    assert await store.resource("room-9") is not None
    other = replace(project, id="p-2", slug="other")
    assert await store.create_project(other, OTHER_BODY) is not None
    assert await store.project("p-2") is not None


async def test_a_few_are_forgotten_at_a_time(store: OpenStore) -> None:
    """No more than asked for, until none is left."""
    for number in range(5):
        await book(store, number, Idempotency(f"d{number}", "f"), created_ms=OLD_MS)
    counts = [await store.forget_keys(DAY_MS, 2) for _ in range(4)]
    assert counts == [2, 2, 1, 0]


async def test_what_blocks_can_be_read_without_raising_the_fence(store: OpenStore) -> None:
    """It is the snapshot that a resync would take, under the fence as it stands."""
    await book(store, 10, KEY, created_ms=at(0))
    snapshot = await store.snapshot("room-1", 0)
    assert await store.blocking("room-1", 0) == snapshot
    assert await store.blocking("room-1", 0) == snapshot
    assert (await store.blocking("nowhere", 0)).bookings == []
