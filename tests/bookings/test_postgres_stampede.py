"""PostgreSQL: a thousand at once, through the whole flow, over two servers and a real Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.settings import CachedSettings
from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.outcomes import Booked, Live, Reserved, Taken
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.bookings.builders import booking, resource
from tests.builders import IDS, a_wish
from tests.postgres import PostgresServer
from tests.servers import RedisServer

CALLERS = 1_000
LIMITS = Limits()
DEADLINE_S = 10.0
TROUBLE = ("deadlock detected", "ERROR:", "FATAL:", "PANIC:")


@pytest.fixture
async def servers(
    postgres_server: PostgresServer, redis_server: RedisServer, redis: Redis
) -> AsyncIterator[list[Stores]]:
    """Give the stores of two servers that share one Redis and one PostgreSQL."""
    await redis.ping()
    databases = postgres_server.databases
    async with databases.migrated() as database, AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            pipeline = Pipeline(redis_server.url, deadline_s=DEADLINE_S)
            stack.push_async_callback(pipeline.close)
            bookings = await PostgresBookingStore.open(databases.of(database))
            stack.push_async_callback(bookings.close)
            reservations = RedisReservations(pipeline, Keys(), IDS, Times())
            opened.append(Stores(reservations, bookings, CachedSettings(bookings), IDS))
        yield opened


def kinds(answers: Sequence[object]) -> Counter[str]:
    """Count the answers by their kind."""
    return Counter(type(answer).__name__ for answer in answers)


async def test_a_thousand_callers_book_one_slot_once(
    servers: list[Stores], postgres_server: PostgresServer
) -> None:
    """One booked, 999 taken, one row; the database's log knows of no deadlock or error."""
    logged_before = len(postgres_server.log())
    answers = await asyncio.gather(
        *(book(servers[n % 2], LIMITS, a_wish(), None) for n in range(CALLERS)),
        return_exceptions=True,
    )
    assert kinds(answers) == {"Booked": 1, "Taken": CALLERS - 1}
    listed, total = await servers[0].bookings.bookings(BookingQuery())
    winner = next(answer for answer in answers if isinstance(answer, Booked))
    assert (total, listed) == (1, [winner.booking])
    logged = postgres_server.log()[logged_before:]
    assert not [word for word in TROUBLE if word in logged], logged


@pytest.mark.parametrize("capacity", [1, 3])
async def test_a_thousand_inserts_past_redis_leave_as_many_as_fit(
    servers: list[Stores], postgres_server: PostgresServer, capacity: int
) -> None:
    """The booking store alone decides as well, whatever Redis let through, without deadlocks.

    A tenth at a time on each server: as many as have a connection, and as many who wait.
    """
    await servers[0].bookings.create_resource(resource("room-1", capacity=capacity), None)
    logged_before = len(postgres_server.log())
    few = [asyncio.Semaphore(20), asyncio.Semaphore(20)]

    async def insert(number: int) -> object:
        async with few[number % 2]:
            return await servers[number % 2].bookings.book(booking(), 0, None)

    answers = await asyncio.gather(*(insert(number) for number in range(CALLERS)))
    assert kinds(answers) == {"Booked": capacity, "Taken": CALLERS - capacity}
    logged = postgres_server.log()[logged_before:]
    assert not [word for word in TROUBLE if word in logged], logged


async def test_an_exhausted_pool_burns_no_reservation(servers: list[Stores]) -> None:
    """A hand-off that finds no connection is refused, and succeeds when it is repeated."""
    stores = servers[0]
    held = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(held, Reserved)
    reservation_id = held.reservation.id
    bookings = stores.bookings
    assert isinstance(bookings, PostgresBookingStore)
    pool = bookings._database._pool
    assert pool is not None
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        with pytest.raises(UnavailableError, match="every connection to the database is in use"):
            await hand_off(stores, Wish(), reservation_id, None)
        assert isinstance(await stores.reservations.read(reservation_id), Live)
        assert isinstance(await reserve(servers[1], LIMITS, a_wish(), None), Taken)
    assert isinstance(await hand_off(stores, Wish(), reservation_id, None), Booked)
