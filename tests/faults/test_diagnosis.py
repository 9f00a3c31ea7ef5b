"""A server that cannot get into its Redis says why, wherever somebody looks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiohttp import ClientSession

from reservesvc.reservations.redis_errors import EMBEDDED_DOWN
from tests.api.client import RESERVE
from tests.faults.process import ServerProcess, in_background
from tests.servers import RedisServer

REASON = "has no database of the number in RESERVESVC_REDIS_URL"


@pytest_asyncio.fixture
async def servers(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[list[ServerProcess]]:
    """Start a server with a database number out of range, and one whose embedded Redis is gone.

    The second is what a worker is: told the address of an embedded Redis as a setting.
    """
    embedded = f"unix://{tmp_path}/redis/redis.sock"
    started = [
        ServerProcess("number", tmp_path, {"REDIS_URL": f"{redis_server.url}?db=9999"}),
        ServerProcess("embedded", tmp_path, {"REDIS_URL": embedded, "DATA_DIR": tmp_path}),
    ]
    started[0]._settings["DATA_DIR"] = tmp_path / "number"
    for server in started:
        await in_background(server.start)
    await asyncio.gather(*(server.started() for server in started))
    yield started
    for server in started:
        server.close()


async def test_the_cause_is_in_readiness_and_log(servers: list[ServerProcess]) -> None:
    """The same sentence; callers are told that Redis failed, and not why."""
    async with ClientSession() as session:
        for server, reason in zip(servers, (REASON, EMBEDDED_DOWN), strict=True):
            async with session.get(f"{server.url}/readyz") as reply:
                assert reply.status == 503
                assert (await reply.json())["checks"]["redis"]["reason"].startswith(reason)
            async with session.post(f"{server.url}/v2/bookings/reserve", json=RESERVE) as reply:
                assert reply.status == 503
                assert reason not in await reply.text()
            told = await server.reasons()
            assert all(one.startswith(f"redis: {reason}") for one in told)
            assert server.errors() == []
