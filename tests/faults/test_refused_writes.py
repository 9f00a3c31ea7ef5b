"""Rows of the fault matrix about a Redis that answers and takes no writes, whatever the reason.

A server that cannot reserve must not call itself ready, and says what its Redis said.
"""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from reservesvc.reservations.redis_errors import REFUSALS
from tests.faults.conftest import Holds
from tests.faults.history import Op
from tests.faults.trial import Trial, slot_of, trial
from tests.servers import free_port

SLOT, OTHER = slot_of("room-1"), slot_of("room-1", 12)
READY_S = 1.0
"""how long a readiness probe may take, and its answer to get here"""
MARGIN_S = 0.5

Breaks = Callable[[Trial, Redis], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def out_of_memory(_: Trial, redis: Redis) -> AsyncIterator[None]:
    """Let maxmemory be less than what is used."""
    await redis.config_set("maxmemory", "1mb")
    yield
    await redis.config_set("maxmemory", 0)


@asynccontextmanager
async def full_disk(made: Trial, redis: Redis) -> AsyncIterator[None]:
    """Let no file of Redis grow any more; its next write finds that out."""
    await redis.config_set("appendonly", "yes")
    async with asyncio.timeout(10):
        while (await redis.info("persistence"))["aof_rewrite_in_progress"]:
            await asyncio.sleep(0.01)
    pid = made.cluster.redis.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    await redis.set("any", "thing", px=1)
    async with asyncio.timeout(10):
        while (await redis.info("persistence"))["aof_last_write_status"] == "ok":
            await asyncio.sleep(0.01)
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    async with asyncio.timeout(10):
        while (await redis.info("persistence"))["aof_last_write_status"] != "ok":
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_replica(_: Trial, redis: Redis) -> AsyncIterator[None]:
    """Let it follow a primary that is not there."""
    await redis.execute_command("REPLICAOF", "127.0.0.1", free_port())  # type: ignore[no-untyped-call]  # redis-py
    yield
    await redis.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]  # redis-py


@asynccontextmanager
async def too_few_replicas(_: Trial, redis: Redis) -> AsyncIterator[None]:
    """Let it insist on a replica that it does not have."""
    await redis.config_set("min-replicas-to-write", 1)
    yield
    await redis.config_set("min-replicas-to-write", 0)


def without(*rights: str) -> Breaks:
    """Return what takes rights away from the user."""

    @asynccontextmanager
    async def taken(_: Trial, redis: Redis) -> AsyncIterator[None]:
        await redis.execute_command("ACL", "SETUSER", "default", *(f"-{one}" for one in rights))  # type: ignore[no-untyped-call]  # redis-py
        yield
        await redis.execute_command("ACL", "SETUSER", "default", *(f"+{one}" for one in rights))  # type: ignore[no-untyped-call]  # redis-py

    return taken


@asynccontextmanager
async def busy(made: Trial, redis: Redis) -> AsyncIterator[None]:
    """Run a script that does not end."""
    await redis.config_set("busy-reply-threshold", 1)
    async with made.cluster.redis_client() as other:
        await other.ping()
        running = asyncio.ensure_future(other.eval("while true do end", 0))
        await asyncio.sleep(0.05)
        yield
        await redis.script_kill()
        with pytest.raises(ResponseError, match="killed"):
            await running


WAYS: dict[str, tuple[Breaks, str]] = {
    "out of memory": (out_of_memory, REFUSALS["OOM"]),
    "full disk": (full_disk, REFUSALS["MISCONF"]),
    "a replica": (a_replica, REFUSALS["READONLY"]),
    "too few replicas": (too_few_replicas, REFUSALS["NOREPLICAS"]),
    "no right to scripts": (without("@scripting"), "does not let this user run EVALSHA (ACL)"),
    "no right to SET": (without("set"), "does not let this user run SET (ACL)"),
    "busy": (busy, REFUSALS["BUSY"]),
}


async def readiness(url: str) -> tuple[int, str]:
    """Return the status of `/readyz`, and why Redis is not well."""
    async with (
        asyncio.timeout(READY_S + MARGIN_S),
        ClientSession() as session,
        session.get(f"{url}/readyz") as reply,
    ):
        return reply.status, (await reply.json())["checks"]["redis"].get("reason", "")


def attempts(made: Trial, held: Op) -> list[Awaitable[Op]]:
    """Ask for what writes."""
    client = made.client
    return [
        client.reserve(OTHER, 5),
        client.reserve(slot_of("room-2"), 5),
        client.extend(held, 90),
        client.hand_off(held),
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_a_redis_that_refuses_writes(way: str, holds: Holds) -> None:
    """Not ready, with the reason; every claim a 503 with the same reason; then all goes on."""
    if way == "full disk" and sys.platform != "linux":
        pytest.skip("only Linux limits another process' files")
    breaks, reason = WAYS[way]
    async with trial(servers=1) as made, made.cluster.redis_client() as redis:
        held = await made.client.reserve(SLOT, 60)
        assert await made.is_well(5)
        async with made.fault(way), breaks(made, redis):
            server = made.cluster.servers[0]
            logged = server.logged()
            told = await readiness(server.url)
            failed = await asyncio.gather(*attempts(made, held))
            again = await readiness(server.url)
        assert (told[0], again[0]) == (503, 503)
        assert told[1].startswith(reason)
        assert again[1].startswith(reason)
        *claims, extended, booked = failed
        assert all(op.status == 503 and op.says_when for op in claims), claims
        # Without SET a hand-off goes on, for it only needs the index.
        assert extended.failed, failed
        assert booked.failed or way == "no right to SET", failed
        assert all(reason in one for one in await server.reasons(logged))
        assert (await made.client.hand_off(held)).granted
        await holds(made, [SLOT, OTHER, slot_of("room-2")])
