"""Engines of the booking store, and stores to test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_database import Patience
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.ports import BookingStore
from tests.postgres import Databases

PATIENT = Patience.within(deadline_s=40)
"""For tests that ask whether, not how fast"""


class OpenStore(BookingStore, Protocol):
    """A booking store with what its owner needs of it."""

    async def ping(self) -> None:
        """Check that it can be written."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


Open = Callable[[], Awaitable[OpenStore]]
Engine = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Open]]


@asynccontextmanager
async def _sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    directory: Path = request.getfixturevalue("tmp_path")
    yield lambda: SqliteBookingStore.open(directory / "bookings.sqlite", busy_s=20)


@asynccontextmanager
async def _postgres(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    databases: Databases = request.getfixturevalue("databases")
    async with databases.migrated() as database:
        url = databases.of(database)
        yield lambda: PostgresBookingStore.open(url, patience=PATIENT)


ENGINES: dict[str, Engine] = {"sqlite": _sqlite, "postgres": _postgres}


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """Make an empty booking store on PostgreSQL and give the name of its database."""
    async with databases.migrated() as name:
        yield name


@pytest.fixture(params=ENGINES)
async def open_store(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Open stores that share one set of data; closed when the test ends."""
    async with ENGINES[request.param](request) as open_one, AsyncExitStack() as stack:

        async def opened() -> OpenStore:
            store = await open_one()
            stack.push_async_callback(store.close)
            return store

        yield opened


@pytest.fixture
async def store(open_store: Open) -> OpenStore:
    """Open an empty store."""
    return await open_store()


@pytest.fixture
async def other_store(open_store: Open) -> OpenStore:
    """Open the same data once more, as another server would."""
    return await open_store()
