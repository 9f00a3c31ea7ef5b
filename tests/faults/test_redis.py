"""Rows of the fault matrix about Redis, where what each request is told matters."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.builders import IDS, at
from tests.faults.client import PATIENCE_S
from tests.faults.cluster import Cluster
from tests.faults.conftest import Holds
from tests.faults.history import Op
from tests.faults.trial import Trial, slot_of, trial

SLOT = slot_of("room-1")
BLOCKED_S = 6
LAPSED = 100_000
STAY_US_MAX = 20_000
"""how long one call may keep Redis to itself: on a busy machine, for all at once take ten times
as long on an idle one"""


async def contents(redis: Redis) -> dict[str, bytes | None]:
    """Return every key with what it holds, but for what readiness writes."""
    names = [key async for key in redis.scan_iter("*", count=1000)]
    return {key: await redis.dump(key) for key in names if not key.startswith("ready:")}


@asynccontextmanager
async def blocked(cluster: Cluster) -> AsyncIterator[None]:
    """Let a script run that does not end, and kill it after the body.

    Redis takes no command before the script has run for its busy-reply-threshold, five seconds.
    """
    async with cluster.redis_client() as redis, cluster.redis_client() as other:
        await asyncio.gather(redis.ping(), other.ping())  # connected before
        blocking = asyncio.ensure_future(redis.eval("while true do end", 0))
        await asyncio.sleep(0.1)
        yield
        await other.script_kill()
        with pytest.raises(ResponseError, match="killed"):
            await blocking


@pytest.mark.parametrize("after_bytes", [0, 5])
async def test_a_cut_reply_is_an_unknown_outcome(after_bytes: int, holds: Holds) -> None:
    """The script ran, its reply was cut: unknown, and repeating it finds the one effect."""
    async with trial() as made:
        client, line = made.client, made.cluster.proxies[0]
        await client.reserve(slot_of("room-1", 20), 2)  # a warm index
        async with made.fault("reply cut"):
            line.cut_reply(after_bytes)
            cut = await client.reserve(SLOT, 5, key="key")
            line.heal()
        assert (cut.status, cut.unknown) == (503, True)
        repeat = await client.reserve(SLOT, 5, key="key", server=1)
        assert repeat.granted
        async with made.fault("reply cut"):
            line.cut_reply(after_bytes)
            cut = await client.hand_off(repeat)
            line.heal()
        assert cut.status in (503, 201)  # `read` or `unsettle` was cut: nothing is booked yet
        assert (await client.hand_off(repeat, server=1)).granted
        async with made.cluster.redis_client() as redis:
            assert [key async for key in redis.scan_iter("reservation:{room-1}:*")] != []
        await holds(made, [SLOT])


async def test_a_redis_that_is_down(holds: Holds) -> None:
    """Reserving answers 503 within the deadline, and bookings can still be read."""
    async with trial() as made:
        client = made.client
        booked = await client.hand_off(await client.reserve(SLOT, 5))
        async with made.fault("down", loses_data=True):
            made.cluster.redis.kill()
            failed = [await client.reserve(slot_of("room-2"), 5) for _ in range(3)]
            path = f"/v2/bookings/{booked.booking_id}"
            assert await client.request(0, "GET", path) == 200
            assert await client.request(0, "GET", "/readyz") == 503
            await made.cluster.start_redis(empty=True)
        assert all(one.status == 503 and one.says_when for one in failed)
        await holds(made, [SLOT, slot_of("room-2")])


async def test_a_foreign_script_that_blocks_redis(holds: Holds) -> None:
    """For six seconds every request ends within its deadline, as a 503; then all is well.

    The script runs until it is killed, not for so much time of a CPU that others use as well:
    so it ends when the fault does, and what comes after is the service's own time.
    """
    async with trial(deadline_ms=2_000, grace_ms=10_000) as made:
        client = made.client
        held = await client.reserve(SLOT, 60)
        async with made.fault("blocked"), blocked(made.cluster):
            until_s = time.monotonic() + BLOCKED_S
            while time.monotonic() < until_s:
                ops = await asyncio.gather(
                    client.reserve(slot_of("room-2"), 5),
                    client.hand_off(held, server=1),
                    client.read(held),
                )
                assert all(op.status == 503 for op in ops), ops
                assert await client.request(0, "GET", "/livez") == 200
                await asyncio.sleep(0.2)
        assert (await client.hand_off(held)).granted
        await holds(made, [SLOT, slot_of("room-2")])


async def test_a_redis_out_of_memory(holds: Holds) -> None:
    """Nothing is half written; what needs no memory goes on; with memory all goes on."""
    async with trial() as made:
        client = made.client
        held = await client.reserve(SLOT, 60)
        given_back = await client.reserve(slot_of("room-1", 15), 60)
        async with made.fault("full"), made.cluster.redis_client() as redis:
            await redis.config_set("maxmemory", 1)
            before = await contents(redis)
            failed = [
                await client.reserve(slot_of("room-1", 12), 5),
                await client.book(slot_of("room-1", 13), "direct"),
                await client.extend(held, 90),
                await client.hand_off(held),
            ]
            assert await contents(redis) == before
            assert (await client.release(given_back)).status == 204
            await redis.config_set("maxmemory", 0)
        assert all(one.failed for one in failed), failed
        assert (await client.hand_off(held)).status == 201
        await holds(made, [slot_of("room-1", hour) for hour in (10, 12, 13, 15)])


async def test_an_eviction_policy_that_changed() -> None:
    """A server says that it is not ready while Redis may evict reservations."""
    async with trial(servers=1) as made, made.cluster.redis_client() as redis:
        assert await made.client.request(0, "GET", "/readyz") == 200
        await redis.config_set("maxmemory-policy", "volatile-ttl")
        assert await made.client.request(0, "GET", "/readyz") == 503
        await redis.config_set("maxmemory-policy", "noeviction")
        assert await made.client.request(0, "GET", "/readyz") == 200


async def test_many_lapsed_entries(holds: Holds) -> None:
    """However many lie in the way of a claim, no call keeps Redis from others for long."""
    async with trial(servers=1) as made, made.cluster.redis_client() as redis:
        client = made.client
        assert (await client.reserve(SLOT, 60)).granted  # a warm index
        await _lapse(redis)
        await redis.config_set("slowlog-log-slower-than", STAY_US_MAX)
        await redis.slowlog_reset()
        answers: list[Op] = []
        until_s = time.monotonic() + PATIENCE_S
        window = made.begin("lapsed entries")
        while not (answers and answers[-1].granted) and time.monotonic() < until_s:
            answers.append(await client.reserve(slot_of("room-1", 15), 5))
            beside = await client.reserve(slot_of("room-2"), 1)
            assert beside.granted or beside.refused
        made.end(window)
        assert answers[-1].granted, answers
        slow = [one for one in await redis.slowlog_get() if b"EVAL" in one["command"]]
        assert slow == []
        await holds(made, [SLOT, slot_of("room-1", 15)])


async def _lapse(redis: Redis) -> None:
    """Put entries into the index whose reservations are no more."""
    fence = await redis.get("fence:{room-1}")
    for _ in range(LAPSED // 10_000):
        members = {f"r:{at(14)}:1:{IDS.ulid()}": at(13) for _ in range(10_000)}
        await redis.zadd("slots:{room-1}", members)
    assert await redis.get("fence:{room-1}") == fence


async def test_unknown_is_said_to_be_unknown_in_time(holds: Holds) -> None:
    """A stalled Redis costs a request its deadline and no more."""
    async with trial() as made:
        await _stalled(made)
        await holds(made, [SLOT])


async def _stalled(made: Trial) -> None:
    assert await made.is_well(1)  # every server has its connection
    async with made.fault("stalled"):
        made.cluster.proxies[0].stall()
        stalled = await made.client.reserve(SLOT, 5, key="key")
        assert (stalled.status, stalled.unknown) == (503, True)
        assert stalled.done_s - stalled.sent_s < made.cluster.terms.deadline_s + 0.5
        made.cluster.proxies[0].heal()
    repeat = await made.client.reserve(SLOT, 5, key="key", server=1)
    assert repeat.granted
