"""What PostgreSQL looks at: what overlaps a slot, whatever the planner knows of the table."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from reservesvc.bookings import postgres_search
from reservesvc.domain.booking import BookingQuery
from tests.postgres import Databases

MANY = 500
HOUR_MS = 3_600_000
_INSERT = """
    INSERT INTO bookings (
        id, reservation_id, entry_id, resource_id, graph, state, start_ms, end_ms, quantity, what,
        place, description, customers, meta, created_ms, updated_ms, blocks, exclusive
    )
    SELECT hour, hour, hour, 'room', 'instant', 'confirmed', hour * 3600000::bigint,
        (hour + 1) * 3600000::bigint, 1, '', '', '', '[]', '{}', 0, 0, true, true
    FROM generate_series($1::integer, $2::integer) AS hour
"""
_FITS = "SELECT fits('room', $1, $1::bigint + 3600000, 1, 1, 3600000)"
_READ = """
    SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'bookings'
"""


@pytest.fixture
async def session(databases: Databases, database: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to a booking store whose table nobody analyzes unasked."""
    connection = await asyncpg.connect(databases.of(database))
    await connection.execute("ALTER TABLE bookings SET (autovacuum_enabled = false)")
    yield connection
    await connection.close()


async def rows_read(session: asyncpg.Connection, hour: int) -> int:
    """Return how many bookings are read to tell whether an hour is free; it is."""
    async with session.transaction():
        before = await session.fetchval(_READ) or 0
        assert await session.fetchval(_FITS, hour * HOUR_MS)
        found: int = await session.fetchval(_READ) - before
    return found


async def test_a_new_table(session: asyncpg.Connection) -> None:
    """Nobody has analyzed it: what the planner takes it for is a guess."""
    await session.execute(_INSERT, 1, MANY)
    assert await rows_read(session, MANY + 1) == 0


async def test_a_table_that_has_grown(session: asyncpg.Connection) -> None:
    """It was small as it was analyzed, and as this session made its plan."""
    await session.execute(_INSERT, 1, 3)
    await session.execute("ANALYZE bookings")
    for _ in range(10):
        await rows_read(session, MANY + 1)
    await session.execute(_INSERT, 4, MANY)
    assert await rows_read(session, MANY + 1) == 0


class _Explaining:
    """A session that says how it would find a page of a list."""

    def __init__(self, session: asyncpg.Connection) -> None:
        self._session = session
        self.plan = ""

    async def fetchrow(self, _query: str, *_values: object) -> tuple[int]:
        """Count nothing."""
        return (0,)

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Explain, and find nothing."""
        rows = await self._session.fetch(f"EXPLAIN {query}", *values)
        self.plan = "\n".join(row[0] for row in rows)
        return []


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (BookingQuery(order_by="start"), "bookings_start"),
        (BookingQuery(order_by="created_at"), "bookings_created"),
        (BookingQuery(search=(("resource.id", "room-7"),)), "bookings_resource"),
        (BookingQuery(search=(("project.id", "p"),)), "bookings_project"),
    ],
)
async def test_lists_have_their_indexes(
    session: asyncpg.Connection, query: BookingQuery, index: str
) -> None:
    """A page of few is found without going through all there are."""
    await session.execute(_INSERT, 1, MANY)
    await session.execute("UPDATE bookings SET resource_id = 'room-' || id, project_id = id")
    await session.execute("ANALYZE bookings")
    explaining = _Explaining(session)
    await postgres_search.matching(explaining, query)  # type: ignore[arg-type]  # reads only
    assert f"using {index} on bookings" in explaining.plan
