"""The flow over a real Redis and a real booking store: a SQLite file, or every engine there is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from reservesvc.bookings.settings import CachedSettings
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.bookings.conftest import ENGINES, Open
from tests.builders import IDS
from tests.servers import RedisServer


@pytest.fixture
async def servers(
    redis_server: RedisServer, redis: Redis, tmp_path: Path
) -> AsyncIterator[list[Stores]]:
    """Give the stores of two servers that share one Redis and one booking store."""
    await redis.ping()
    async with _two(
        redis_server, lambda: SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
    ) as both:
        yield both


@pytest.fixture(params=ENGINES)
async def servers_of_each_engine(
    request: pytest.FixtureRequest, redis_server: RedisServer, redis: Redis
) -> AsyncIterator[list[Stores]]:
    """Give the same on every engine of the booking store."""
    await redis.ping()
    async with ENGINES[request.param](request) as open_one, _two(redis_server, open_one) as both:
        yield both


@asynccontextmanager
async def _two(redis_server: RedisServer, open_one: Open) -> AsyncIterator[list[Stores]]:
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            pipeline = Pipeline(redis_server.url, deadline_s=2)
            stack.push_async_callback(pipeline.close)
            bookings = await open_one()
            stack.push_async_callback(bookings.close)
            reservations = RedisReservations(pipeline, Keys(), IDS, Times(patience_ms=50))
            opened.append(Stores(reservations, bookings, CachedSettings(bookings), IDS))
        yield opened


@pytest.fixture
def stores(servers: list[Stores]) -> Stores:
    """Give the stores of one server."""
    return servers[0]
