"""Servers to send requests to: over stubs where the point is HTTP, over real stores otherwise."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession, web
from redis.asyncio import Redis

from reservesvc.api.application import runner
from reservesvc.api.handlers import Application
from reservesvc.bookings.settings import CachedSettings
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.ids import RandomIds
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.api.client import Http, application
from tests.api.stubs import Stubs
from tests.servers import RedisServer

Serve = Callable[[Application], Awaitable[Http]]
Start = Callable[..., Awaitable[Http]]


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    """Log as structlog does by itself, whatever a test configures."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers that stop when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(app: Application) -> Http:
            server = runner(app)
            stack.push_async_callback(server.cleanup)
            await server.setup()
            await web.TCPSite(server, "127.0.0.1", 0).start()
            session = await stack.enter_async_context(ClientSession())
            return Http(session, server.addresses[0][1])

        yield start


@pytest.fixture
def stubs() -> Stubs:
    """Neighbours of the flow to give lines to."""
    return Stubs()


@pytest.fixture
def start(serve: Serve, stubs: Stubs) -> Start:
    """Start a server over the stubs, with settings of the test's own."""

    async def start_one(**settings: Any) -> Http:
        return await serve(application(stubs.stores, **settings))

    return start_one


@pytest.fixture
async def http(start: Start) -> Http:
    """Start a server over the stubs; it asks for no key."""
    return await start()


@pytest.fixture
async def stores(redis: Redis, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Stores]:
    """Open stores on a real Redis, emptied, and a new SQLite file."""
    del redis
    ids = RandomIds()
    pipeline = Pipeline(redis_server.url, deadline_s=2)
    bookings = await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
    reservations = RedisReservations(pipeline, Keys(), ids, Times())
    yield Stores(reservations, bookings, CachedSettings(bookings), ids)
    await bookings.close()
    await pipeline.close()


@pytest.fixture
async def service(serve: Serve, stores: Stores) -> Http:
    """Start a server over the real stores; it asks for no key."""
    return await serve(application(stores))
