"""What is booked on many resources within a time, in every engine, and which are registered."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reservesvc.bookings import postgres_slots, sqlite_slots
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.outcomes import Booked
from tests.bookings.builders import NOON_MS, at, resource
from tests.bookings.conftest import OpenStore
from tests.postgres import Databases

ROOMS = [f"room-{number}" for number in range(5)]
MINUTE_MS = 60_000
HOURS = (NOON_MS, NOON_MS + 120 * MINUTE_MS)


async def booked(store: OpenStore, start_min: int, end_min: int, room: str) -> str:
    """Book and return the id of the entry."""
    outcome = await store.book(at(start_min, end_min, resource_id=room), 0, None)
    assert isinstance(outcome, Booked)
    return outcome.booking.entry_id


async def found(store: OpenStore, rooms: list[str]) -> set[str]:
    """Return the ids of the entries that block the rooms from noon to two."""
    entries = await store.blocking_between(rooms, *HOURS)
    assert all(each.resource_id == room for room, some in entries.items() for each in some)
    return {each.id for some in entries.values() for each in some}


async def test_only_what_overlaps_the_time(store: OpenStore) -> None:
    """A long booking that began before is found; what only touches the time is not."""
    expected = {
        await booked(store, -600, 10, ROOMS[0]),
        await booked(store, 30, 40, ROOMS[0]),
        await booked(store, 110, 300, ROOMS[1]),
    }
    for start_min, end_min, room in ((-60, 0, ROOMS[1]), (120, 180, ROOMS[2])):
        await booked(store, start_min, end_min, room)
    await booked(store, 30, 40, "room-of-nobody")
    assert await found(store, ROOMS) == expected


async def test_an_entry_says_what_it_uses(store: OpenStore) -> None:
    """Resource, id, start, end and quantity."""
    await store.create_resource(resource(ROOMS[0], capacity=3), None)
    booking = at(30, 40, resource_id=ROOMS[0], quantity=2)
    assert isinstance(await store.book(booking, 0, None), Booked)
    assert await store.blocking_between(ROOMS, *HOURS) == {ROOMS[0]: [booking.entry]}


async def test_what_was_cancelled_does_not_block(store: OpenStore) -> None:
    """Only states that keep the slot count."""
    booking = at(30, 40, resource_id=ROOMS[0])
    await store.book(booking, 0, None)
    await store.change_state(booking, "cancelled", 0, None)
    assert await found(store, ROOMS) == set()


@pytest.mark.parametrize("rooms", [[], ["room-of-nobody"], ["'; DROP TABLE bookings; --", '"[]']])
async def test_rooms_without_bookings(store: OpenStore, rooms: list[str]) -> None:
    """Nothing, whatever they are called."""
    await booked(store, 30, 40, ROOMS[0])
    assert await found(store, rooms) == set()


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(ROOMS), st.integers(-9, 15), st.integers(1, 9))))
async def test_any_bookings(store: OpenStore, wishes: list[tuple[str, int, int]]) -> None:
    """What is found is what a look at each booking would find."""
    before = await found(store, ROOMS)
    made = []
    for room, start, length in wishes:
        booking = at(start * 10, (start + length) * 10, resource_id=room)
        if isinstance(await store.book(booking, 0, None), Booked):
            made.append(booking.entry)
    expected = [each for each in made if each.start_ms < HOURS[1] and each.end_ms > HOURS[0]]
    assert await found(store, ROOMS) == before | {each.id for each in expected}


async def test_registered_resources(store: OpenStore) -> None:
    """Those there are, of many that are asked for."""
    await store.create_resource(resource("a"), None)
    await store.create_resource(resource("b", capacity=2), None)
    registered = await store.registered(["b", "x", "a", "'"])
    assert {(each.id, each.capacity) for each in registered} == {("a", 1), ("b", 2)}
    assert await store.registered([]) == []


async def test_postgres_looks_each_resource_up(databases: Databases, database: str) -> None:
    """By resource and start, also where most bookings began long before: the store may grow."""
    await databases.rows(database, _MANY_OLD)
    await databases.rows(database, "ANALYZE bookings")
    sql = f"EXPLAIN {postgres_slots._BLOCKING_BETWEEN}"
    plan = " ".join(row[0] for row in await databases.rows(database, sql, ROOMS, *HOURS))
    assert "Index Scan using bookings_blocking" in plan
    assert re.search(r"Index Cond: \(\(resource_id = [^&]*start_ms > [^&]*start_ms < ", plan)


def test_sqlite_looks_each_resource_up(tmp_path: Path) -> None:
    """By resource and start, not through all bookings."""
    asyncio.run(_made(tmp_path / "bookings.sqlite"))
    with closing(sqlite3.connect(tmp_path / "bookings.sqlite")) as connection:
        sql = f"EXPLAIN QUERY PLAN {sqlite_slots._BLOCKING_BETWEEN}"
        plan = " ".join(str(row) for row in connection.execute(sql, ("[]", 0, 10, 0)))
    assert "bookings_blocking (resource_id=? AND start_ms>? AND start_ms<?)" in plan


async def _made(path: Path) -> None:
    await (await SqliteBookingStore.open(path)).close()


_MANY_OLD = """
    INSERT INTO bookings (
        id, reservation_id, entry_id, resource_id, graph, state, start_ms, end_ms, quantity, what,
        place, description, customers, meta, created_ms, updated_ms, blocks, exclusive
    )
    SELECT room || '.' || hour, room || '.' || hour, hour, 'room-' || room, 'instant', 'confirmed',
        hour * 3600000::bigint, (hour + 1) * 3600000::bigint, 1, '', '', '', '[]', '{}', 0, 0,
        true, true
    FROM generate_series(0, 49) AS room, generate_series(1, 40) AS hour
"""
