"""The functions in a PostgreSQL database, altered: as mutants, and with a gate to wait at."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.postgres import Databases

OPEN_GATE = "SELECT pg_advisory_unlock(1)"


async def altered(databases: Databases, database: str, name: str, old: str, new: str) -> None:
    """Replace a piece of a function's text in the database, wherever it stands."""
    sql = "SELECT pg_get_functiondef(to_regproc($1)::oid)"
    ((text,),) = await databases.rows(database, sql, name)
    assert old in text
    await databases.rows(database, text.replace(old, new))


async def until_waiting(databases: Databases, database: str, wanted: int) -> None:
    """Return once so many wait for the gate, ten seconds at most."""
    sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(10):
        while await databases.rows(database, sql) != [(wanted,)]:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def gate(
    databases: Databases, database: str, before: str = "INSERT INTO bookings ("
) -> AsyncIterator[asyncpg.Connection]:
    """Stop `book` where it would do `before`, until the connection is told `OPEN_GATE`."""
    passing = f"PERFORM pg_advisory_xact_lock_shared(1); {before}"
    await altered(databases, database, "book", before, passing)
    keeper = await asyncpg.connect(databases.of(database))
    await keeper.execute("SELECT pg_advisory_lock(1)")
    yield keeper
    await keeper.close()
