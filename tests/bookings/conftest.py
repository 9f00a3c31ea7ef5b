"""Engines of the booking store, and stores to test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest

from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.ports import BookingStore


class OpenStore(BookingStore, Protocol):
    """A booking store with what its owner needs of it."""

    async def ping(self) -> None:
        """Check that it can be written."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


Open = Callable[[], Awaitable[OpenStore]]
Engine = Callable[[Path], Awaitable[OpenStore]]


async def _open_sqlite(directory: Path) -> SqliteBookingStore:
    return await SqliteBookingStore.open(directory / "bookings.sqlite", busy_s=20)


ENGINES: dict[str, Engine] = {"sqlite": _open_sqlite}


@pytest.fixture(params=ENGINES)
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Open stores that share one set of data; closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one() -> OpenStore:
            opened = await ENGINES[request.param](tmp_path)
            stack.push_async_callback(opened.close)
            return opened

        yield open_one


@pytest.fixture
async def store(open_store: Open) -> OpenStore:
    """Open an empty store."""
    return await open_store()


@pytest.fixture
async def other_store(open_store: Open) -> OpenStore:
    """Open the same data once more, as another server would."""
    return await open_store()
