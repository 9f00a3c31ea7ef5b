"""Indexes as a whole, over a real Redis: found by fence, key and start."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Reserved
from reservesvc.domain.reservation import ReservationId
from reservesvc.ports import Index, Snapshot
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.lifetimes import DAY_MS, Times
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations
from tests.builders import IDS, ROOM, a_claim, at
from tests.servers import RedisServer


@pytest.fixture(params=["", "a*b[c]?\\"])
async def store(
    request: pytest.FixtureRequest, redis_server: RedisServer, redis: Redis
) -> AsyncIterator[RedisReservations]:
    """Give a store under an ordinary prefix, and under one made of a glob's characters."""
    await redis.ping()
    pipeline = Pipeline(redis_server.url, deadline_s=2)
    yield RedisReservations(pipeline, Keys(request.param), IDS, Times(past_ms=DAY_MS))
    await pipeline.close()


async def reserve(
    store: RedisReservations, hour: float, resource_id: str = ROOM, capacity: int = 1
) -> ReservationId:
    """Reserve an hour, and insist on it."""
    claim = a_claim(hour, hour + 1, resource_id=resource_id)
    begun = await store.resync_begin(resource_id)
    assert isinstance(begun, tuple)
    assert await store.resync_install(resource_id, begun[0], Snapshot(fence=1, bookings=[]))
    assert isinstance(await store.reserve(claim, capacity, None), Reserved)
    return claim.id


async def held(store: RedisReservations, resource_id: str | None) -> set[ReservationId]:
    """Return all that a whole round of the search finds."""
    found, cursor = await store.held(0, resource_id)
    while cursor:
        some, cursor = await store.held(cursor, resource_id)
        found += some
    return set(found)


async def test_live_reservations_are_found_by_their_keys(
    store: RedisReservations, redis: Redis
) -> None:
    """All, or those of a resource; what only looks like one is none."""
    mine = {await reserve(store, hour) for hour in (10, 12)}
    others = {await reserve(store, 10, f"{ROOM}-{number}") for number in range(150)}
    await redis.set(f"reservation:{{{ROOM}}}:short", "")
    await redis.set(f"other:reservation:{{{ROOM}}}:{'0' * 26}", "")
    assert await held(store, ROOM) == mine
    assert await held(store, None) == mine | others


async def test_entries_are_found_by_their_start(store: RedisReservations) -> None:
    """What begins then, also where more begin then than fit a page; nothing else."""
    await reserve(store, 9)
    same = {(await reserve(store, 10, capacity=300)).ulid for _ in range(300)}
    found = await store.index(ROOM, at(10))
    assert isinstance(found, Index)
    assert {row.entry.id for row in found.entries} == same


async def test_indexes_reach_back_by_redis_clock(store: RedisReservations, redis: Redis) -> None:
    """As far as a slot may have ended ago."""
    seconds, _ = await redis.time()
    assert abs(await store.since_ms() + DAY_MS - seconds * 1000) < 60_000
