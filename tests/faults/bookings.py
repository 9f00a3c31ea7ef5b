"""A booking store as those see it who break it: where it is, what is in it, what goes wrong."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest

from tests.faults.history import Slot, Stored
from tests.faults.process import in_background
from tests.pgbouncer import PgBouncer
from tests.postgres import PostgresServer, why_none

COLUMNS = "id, reservation_id, resource_id, start_ms, end_ms, quantity, blocks, what"
SELECT = f"SELECT {COLUMNS} FROM bookings"  # noqa: S608 - our own column names


class Bookings(ABC):
    """A booking store of its own, for the servers of one cluster.

    Up inside `async with`.
    """

    port: int | None = None
    """of the server, where the store is one that lines lead to"""

    async def __aenter__(self) -> Self:
        """Make it."""
        return self

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Remove it."""

    @abstractmethod
    def url(self, port: int | None = None) -> str:
        """Return where it is, perhaps through another port."""

    @abstractmethod
    async def rows(self) -> list[Stored]:
        """Return every booking, after a look at whether the store is sound."""

    @abstractmethod
    def locked(self) -> AbstractAsyncContextManager[None]:
        """Keep the store to ourselves meanwhile: nothing can be written."""


class SqliteFile(Bookings):
    """A file in a directory of its own, which the servers of one machine share."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-db-"))
        self.path = self.directory / "bookings.sqlite3"

    async def __aexit__(self, *_: object) -> None:
        """Remove it."""
        shutil.rmtree(self.directory)

    def url(self, port: int | None = None) -> str:
        """Return where it is."""
        assert port is None, "no line leads to a file"
        return f"sqlite:///{self.path}"

    async def rows(self) -> list[Stored]:
        """Return every booking of a file that is whole."""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return [stored(row) for row in connection.execute(SELECT)]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock that the servers take in turns."""
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR)
        try:
            while not _locks(descriptor):
                await asyncio.sleep(0.001)
            yield
        finally:
            os.close(descriptor)


class PostgresDatabase(Bookings):
    """A database on a server of its own, which any number of machines may share."""

    def __init__(self) -> None:
        self.server = PostgresServer()
        self.port = self.server.port
        self._database = ""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the server and make the database."""
        await in_background(self._start)
        migrated = self.server.databases.migrated()
        # It is not dropped: all of the server goes.
        self._database = await migrated.__aenter__()
        return self

    def _start(self) -> None:
        self._stack.enter_context(self.server)

    async def __aexit__(self, *_: object) -> None:
        """Kill the server and remove its files."""
        await self._stack.aclose()

    def url(self, port: int | None = None) -> str:
        """Return where it is, perhaps through another port."""
        return self.server.databases.of(self._database, port)

    async def rows(self) -> list[Stored]:
        """Return every booking; no deadlock was logged."""
        assert "deadlock detected" not in self.server.log()
        return [stored(row) for row in await self.server.databases.rows(self._database, SELECT)]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the tables that have to be written."""
        connection = await asyncpg.connect(self.url())
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE resource_fences, bookings IN EXCLUSIVE MODE")
                yield
        finally:
            await connection.close()


class PooledDatabase(PostgresDatabase):
    """The same behind a PgBouncer, which can be killed while the database goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.pooler = PgBouncer(self.server.port)
        self.port = self.pooler.port

    def _start(self) -> None:
        super()._start()
        self._stack.enter_context(self.pooler)

    def url(self, port: int | None = None) -> str:
        """Return where it is, through the pooler or a line to it."""
        return super().url(port or self.port)


ENGINES: dict[str, type[Bookings]] = {"sqlite": SqliteFile, "postgres": PostgresDatabase}


def made_of(engine: str) -> Bookings:
    """Return a booking store of this engine; skip the test where there can be none."""
    need(engine)
    return ENGINES[engine]()


def need(engine: str) -> None:
    """Skip the test where there can be no store of this engine, but not in CI."""
    reason = why_none() if engine == "postgres" else None
    if reason is not None and not os.environ.get("CI"):
        pytest.skip(reason)


def stored(row: Iterable[Any]) -> Stored:
    """Return the booking that a row is."""
    booking_id, reservation_id, resource_id, start_ms, end_ms, quantity, blocks, what = row
    return Stored(
        id=str(booking_id),
        reservation_id=reservation_id,
        slot=Slot(resource_id, start_ms, end_ms),
        quantity=quantity,
        blocks=bool(blocks),
        what=what,
    )


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
