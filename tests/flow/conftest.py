"""The flow over a real Redis and a real SQLite file."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from reservesvc.bookings.settings import CachedSettings
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.builders import IDS
from tests.servers import RedisServer


@pytest.fixture
async def servers(
    redis_server: RedisServer, redis: Redis, tmp_path: Path
) -> AsyncIterator[list[Stores]]:
    """Give the stores of two servers that share one Redis and one booking store."""
    await redis.ping()
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            pipeline = Pipeline(redis_server.url, deadline_s=2)
            stack.push_async_callback(pipeline.close)
            bookings = await SqliteBookingStore.open(tmp_path / "bookings.sqlite3")
            stack.push_async_callback(bookings.close)
            reservations = RedisReservations(pipeline, Keys(), IDS, Times(patience_ms=50))
            opened.append(Stores(reservations, bookings, CachedSettings(bookings), IDS))
        yield opened


@pytest.fixture
def stores(servers: list[Stores]) -> Stores:
    """Give the stores of one server."""
    return servers[0]
