"""A booking store that servers of schema version 1 filled: brought up to date, it is all there.

`version_1/` has what the code of that time wrote, on each engine; its slots are moved to the tests'
day, for bookings that have ended complete by themselves.
"""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest

from reservesvc.bookings import postgres_schema, sqlite_schema
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.booking import Booking, BookingQuery
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Deleted,
    FenceMoved,
    KeyReused,
    Rescheduled,
    Taken,
)
from reservesvc.domain.project import BookingDefaults, Project
from reservesvc.domain.rescheduling import Fences, rescheduled
from reservesvc.domain.slot import Slot
from reservesvc.ports import Idempotency
from tests.bookings.builders import NOON_MS, at, project, resource
from tests.bookings.conftest import PATIENT, OpenStore
from tests.postgres import Databases

ROWS = Path(__file__).parent / "version_1"
HOUR_MS = 3_600_000
WRITTEN_NOON_MS = 1_900_000_000_000
_OF_ITS_DAY = re.compile(r"\b(?:1899|1900)\d{9}\b")
FENCE, TABLE_FENCE = 2, 1
STATES = {
    "booking-1": "confirmed",
    "booking-2": "cancelled",
    "booking-3": "completed",
    "booking-4": "cancelled_by_customer",
    "booking-5": "confirmed",
    "booking-6": "confirmed",
}


def rows(engine: str) -> str:
    """Return what the code of that time wrote, with its slots on the tests' day."""
    moved_ms = NOON_MS - WRITTEN_NOON_MS
    written = (ROWS / f"{engine}.sql").read_text()
    return _OF_ITS_DAY.sub(lambda found: str(int(found[0]) + moved_ms), written)


@asynccontextmanager
async def _sqlite(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    path = request.getfixturevalue("tmp_path") / "bookings.sqlite"
    first = sqlite_schema.STEPS[0]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{first.script}; PRAGMA user_version = 1")
        connection.executescript(rows("sqlite"))
    yield await SqliteBookingStore.open(path)


@asynccontextmanager
async def _postgres(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    databases: Databases = request.getfixturevalue("databases")
    async with databases.empty() as name:
        url = databases.of(name)
        connection = await asyncpg.connect(url)
        await connection.execute(postgres_schema.STEPS[0].script)
        await connection.execute("INSERT INTO schema_version VALUES (1)")
        await connection.execute(rows("postgres"))
        await connection.close()
        await postgres_schema.migrate(url)
        yield await PostgresBookingStore.open(url, patience=PATIENT)


_ENGINES = {"sqlite": _sqlite, "postgres": _postgres}


@pytest.fixture(params=_ENGINES)
async def migrated(request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    """Open a store of version 1 that was just brought up to date."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_ENGINES[request.param](request))
        stack.push_async_callback(store.close)
        yield store


async def booking(store: OpenStore, booking_id: str) -> Booking:
    """Return the booking, which is there."""
    found = await store.booking(booking_id)
    assert found is not None
    return found


async def test_every_booking_is_as_it_was(migrated: OpenStore) -> None:
    """In its state, in its slot, with all that was sent; what is new has its default."""
    found, total = await migrated.bookings(BookingQuery(order_by="created_at", descending=False))
    assert {each.id: each.state for each in found} == STATES
    assert total == len(STATES)
    blocking = ["booking-1", "booking-3", "booking-5", "booking-6"]
    assert [each.id for each in found if each.blocks] == blocking
    first = found[0]
    assert first == Booking(
        id="booking-1",
        reservation_id="room-1.01M00000000000000000000001",
        entry_id="01M00000000000000000000001",
        resource_id="room-1",
        project_id="project-1",
        graph="instant",
        state="confirmed",
        start_ms=NOON_MS,
        end_ms=NOON_MS + HOUR_MS,
        quantity=1,
        what="Haircut",
        where="Main Street 1",
        description="Short, please",
        customers=[{"id": "customer-1", "name": "Zoë", "email": "zoe@example.com"}],
        meta={"note": "first"},
        created_ms=NOON_MS - HOUR_MS + 1,
        updated_ms=NOON_MS - HOUR_MS + 1,
        due_ms=0,
    )
    assert await migrated.booking_by_reservation(first.reservation_id) == first


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (("project.id", "project-1"), ["booking-1"]),
        (("state", "completed"), ["booking-3"]),
        (("customer.email", "zoe@example.com"), list(STATES)),
        (("meta.note", "first"), ["booking-1"]),
    ],
)
async def test_every_booking_is_found(
    migrated: OpenStore, search: tuple[str, str], found: list[str]
) -> None:
    """By all that bookings are searched by."""
    query = BookingQuery(search=(search,), order_by="created_at", descending=False)
    assert [each.id for each in (await migrated.bookings(query))[0]] == found


async def test_a_taken_slot_is_refused(migrated: OpenStore) -> None:
    """The fences go on, the longest booking is known, and what was cancelled is free."""
    for resource_id, fence in (("room-1", FENCE), ("table", TABLE_FENCE), ("hall", 0)):
        assert (await migrated.blocking(resource_id, 0)).fence == fence
    inside_the_first, inside_the_longest = at(30, 90), at(600, 660)
    assert await migrated.book(inside_the_first, FENCE - 1, None) == FenceMoved()
    assert await migrated.book(inside_the_first, FENCE, None) == Taken(by="booked")
    assert await migrated.book(inside_the_longest, FENCE, None) == Taken(by="booked")
    assert isinstance(await migrated.book(at(60, 120), FENCE, None), Booked)


async def test_a_capacity_is_kept(migrated: OpenStore) -> None:
    """Of three units two are booked: one more can be, and no other."""
    third, fourth = at(0, 60, resource_id="table"), at(0, 60, resource_id="table")
    assert isinstance(await migrated.book(third, TABLE_FENCE, None), Booked)
    assert await migrated.book(fourth, TABLE_FENCE, None) == Taken(by="booked")


async def test_projects_and_resources_are_as_they_were(migrated: OpenStore) -> None:
    """Those of the first documents too, and servers see no change of them."""
    salon, bare = (await migrated.projects(10, 0))[0]
    assert salon == Project(
        id="project-1",
        name="Salon Zoë",
        slug="salon",
        reservation_time=120,
        booking=BookingDefaults(what="Haircut", where="Main Street 1"),
        meta={"colour": "red"},
        created_ms=1_790_000_000_000,
        updated_ms=1_790_000_000_000,
    )
    assert (bare.id, bare.name, bare.slug, bare.resources) == ("project-2", "Bare", "bare", ())
    assert await migrated.project_by_slug("salon") == await migrated.project("project-1") == salon
    room, table = (await migrated.resources(10, 0))[0]
    assert (room.id, room.name, room.capacity) == ("room-1", "Room 1", 1)
    assert (table.capacity, table.timezone, table.email) == (
        3,
        "Europe/Berlin",
        "table@example.com",
    )
    assert table.meta == {"seats": "3"}
    assert await migrated.settings_version() == 5


async def test_keys_are_known(migrated: OpenStore) -> None:
    """A repeat gets what the key made, and another body is refused."""
    made = await booking(migrated, "booking-1")
    assert await migrated.booking_by_key("key-of-booking") == (made, "body-3")
    again = at(120, 180, resource_id="hall")
    for body, outcome in (("body-3", Booked(booking=made, repeated=True)), ("else", KeyReused())):
        assert await migrated.book(again, 0, Idempotency("key-of-booking", body)) == outcome
    salon, table = await migrated.project("project-1"), await migrated.resource("table")
    key_of_project, key_of_table = "key-of-project", "key-of-resource"
    draft, other = project("new"), resource("new")
    assert await migrated.create_project(draft, Idempotency(key_of_project, "body-1")) == salon
    assert await migrated.create_project(draft, Idempotency(key_of_project, "x")) == KeyReused()
    assert await migrated.create_resource(other, Idempotency(key_of_table, "body-2")) == table
    assert await migrated.create_resource(other, Idempotency(key_of_table, "x")) == KeyReused()


async def test_timers_are_worked_out(migrated: OpenStore) -> None:
    """Each booking is found once, and completes an hour after its end if it still can."""
    found = await migrated.due(10, None)
    assert {each.id for each in found} == set(STATES)
    await migrated.reckon_due([each.id for each in found])
    assert await migrated.due(10, None) == []
    due_ms = {each: (await booking(migrated, each)).due_ms for each in STATES}
    assert {each: due for each, due in due_ms.items() if due is not None} == {
        "booking-1": NOON_MS + 2 * HOUR_MS,
        "booking-5": NOON_MS + 3 * HOUR_MS,
        "booking-6": NOON_MS + 2 * HOUR_MS,
    }


async def test_bookings_go_on(migrated: OpenStore) -> None:
    """They are cancelled, rescheduled, noted upon and deleted as any other."""
    first, fifth = await booking(migrated, "booking-1"), await booking(migrated, "booking-5")
    cancelled = await migrated.change_state(first, "cancelled", FENCE, NOON_MS)
    assert isinstance(cancelled, Changed)
    assert isinstance(await migrated.book(at(0, 60), FENCE, None), Booked)
    after = rescheduled(fifth, Slot("table", NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS))
    fences = Fences(left=TABLE_FENCE, taken=TABLE_FENCE)
    moved = await migrated.reschedule(fifth, after, fences, Idempotency("key-of-move", "body-4"))
    assert moved == Rescheduled(booking=after)
    noted = await migrated.set_meta("booking-5", {"note": "new"})
    assert isinstance(noted, Changed)
    assert (noted.booking.entry_id, noted.booking.meta) == (after.entry_id, {"note": "new"})
    third = await booking(migrated, "booking-3")
    assert await migrated.delete_booking(third, FENCE) == Deleted()
    assert isinstance(await migrated.book(at(600, 660), FENCE + 1, None), Booked)
