"""Rows that an earlier version wrote: before the schema was brought up to date, or beside it.

An earlier version knows of no timers. Its rows are found with their timer not worked out.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from reservesvc.bookings import postgres_schema, sqlite_schema
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.domain.booking import NOT_WORKED_OUT
from reservesvc.domain.outcomes import Changed
from reservesvc.ports import BookingStore
from tests.bookings.builders import NOON_MS
from tests.postgres import Databases

HOUR_MS = 3_600_000
SQLITE_SINCE, POSTGRES_SINCE = 3, 4
"""the version of each schema that brought them"""
COLUMNS = (
    "id, reservation_id, entry_id, resource_id, project_id, graph, state, start_ms, end_ms, "
    "quantity, what, place, description, customers, meta, created_ms, updated_ms, blocks"
)
"""what version 1 inserts, literally"""


def row(name: str, start_ms: int, state: str = "confirmed") -> tuple[Any, ...]:
    """Return the values of a booking as version 1 inserts them."""
    slot = (start_ms, start_ms + HOUR_MS, 1)
    return (
        *(name, f"room-1.{name}", name, "room-1", None, "instant", state, *slot),
        *("Cut", "Here", "Short", "[]", "{}", 5, 6, state == "confirmed"),
    )


LATER, LONG_AGO, CANCELLED = row("later", NOON_MS), row("ago", HOUR_MS), row("gone", 0, "cancelled")
ROWS = (LATER, LONG_AGO, CANCELLED)


def insert_sqlite(
    path: Path, steps: Sequence[sqlite_schema.Step], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Take the steps, then insert the rows as version 1 does."""
    with closing(sqlite3.connect(path)) as connection:
        for step in steps:
            connection.executescript(f"{step.script}; PRAGMA user_version = {step.version}")
        marks = ", ".join("?" * len(LATER))
        sql = f"INSERT INTO bookings ({COLUMNS}) VALUES ({marks})"  # noqa: S608  our own names
        connection.executemany(sql, rows)
        connection.commit()


async def insert_postgres(
    url: str, steps: Sequence[postgres_schema.Step], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Take the steps, then insert the rows as version 1 does."""
    connection = await asyncpg.connect(url)
    for step in steps:
        await connection.execute(step.script)
        await connection.execute("INSERT INTO schema_version VALUES ($1)", step.version)
    marks = ", ".join(f"${number + 1}" for number in range(len(LATER) + 1))
    sql = f"INSERT INTO bookings ({COLUMNS}, exclusive) VALUES ({marks})"  # noqa: S608  as above
    await connection.executemany(sql, [(*values, True) for values in rows])
    await connection.close()


async def check(store: BookingStore) -> None:
    """Check that the rows of the earlier version are what they were, and get their timers."""
    found = await store.due(10, None)
    assert {booking.id: booking.due_ms for booking in found} == dict.fromkeys(
        ("later", "ago", "gone"), NOT_WORKED_OUT
    )
    later = await store.booking("later")
    assert later is not None
    assert (later.state, later.from_reservation, later.inputs, later.settings) == (
        "confirmed",
        False,
        {},
        {},
    )
    assert not later.is_due(NOON_MS * 2)
    await store.reckon_due([booking.id for booking in found])
    assert [(booking.id, booking.due_ms) for booking in await store.due(10, None)] == [
        ("ago", 3 * HOUR_MS)
    ]
    later, gone = await store.booking("later"), await store.booking("gone")
    assert later is not None
    assert gone is not None
    assert (later.due_ms, gone.due_ms) == (NOON_MS + 2 * HOUR_MS, None)
    assert isinstance(await store.change_state(later, "cancelled", 0, None), Changed)


@pytest.mark.parametrize("beside", [False, True], ids=["before", "beside"])
async def test_rows_of_an_earlier_version_in_sqlite(tmp_path: Path, *, beside: bool) -> None:
    """Written before the upgrade, or after it by a server that was not upgraded."""
    path = tmp_path / "bookings.sqlite"
    steps = [s for s in sqlite_schema.STEPS if beside or s.version < SQLITE_SINCE]
    insert_sqlite(path, steps, ROWS)
    store = await SqliteBookingStore.open(path)
    await check(store)
    await store.close()


@pytest.mark.parametrize("beside", [False, True], ids=["before", "beside"])
async def test_rows_of_an_earlier_version_in_postgres(
    databases: Databases, *, beside: bool
) -> None:
    """Written before the upgrade, or after it by a server that was not upgraded."""
    async with databases.empty() as name:
        url = databases.of(name)
        steps = [s for s in postgres_schema.STEPS if beside or s.version < POSTGRES_SINCE]
        await insert_postgres(url, steps, ROWS)
        await postgres_schema.migrate(url)
        store = await PostgresBookingStore.open(url)
        await check(store)
        await store.close()


BOOK_3 = [
    "id",
    "reservation_id",
    "entry_id",
    "resource_id",
    "project_id",
    "graph",
    "state",
    "start_ms",
    "end_ms",
    "quantity",
    "what",
    "place",
    "description",
    "customers",
    "meta",
    "created_ms",
    "updated_ms",
    "participants",
    "settings",
    "owner_booking_id",
    "double",
    "blocks",
    "key_digest",
    "key_fingerprint",
    "fence",
    "is_again",
    "is_together",
]
"""what servers of version 3 of the PostgreSQL schema call `book` with"""


async def test_a_server_of_an_earlier_version_goes_on_booking(
    databases: Databases, database: str
) -> None:
    """Its call means what it did, and gets the answer it knows."""
    given = ("[]", "{}", None, False, True, None, None, 0, False, False)
    names = ", ".join(f"{name} => ${number}" for number, name in enumerate(BOOK_3, 1))
    sql = f"SELECT book({names})"
    ((word,),) = await databases.rows(database, sql, *LATER[:-1], *given)
    assert word == "booked"
    store = await PostgresBookingStore.open(databases.of(database))
    (found,) = await store.due(10, None)
    assert (found.id, found.due_ms) == ("later", NOT_WORKED_OUT)
    await store.close()
