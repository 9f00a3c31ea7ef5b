"""A connection that is lost while it is being set up is a Redis that is not there, no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from redis.asyncio.connection import Connection

from reservesvc.errors import UnavailableError
from reservesvc.reservations.pipeline import Pipeline
from tests.faults.proxy import FaultProxy
from tests.servers import RedisServer

DEADLINE_S = 5.0
SOON_S = 1.0


@asynccontextmanager
async def piped(server: RedisServer) -> AsyncIterator[Pipeline]:
    """Give a pipeline to `server`, through a line that works."""
    async with FaultProxy(server.socket_path) as line:
        pipeline = Pipeline(line.url, DEADLINE_S)
        yield pipeline
        await pipeline.close()


async def lose(connection: Any) -> None:
    """Let the connection be lost."""
    connection._writer.transport.abort()
    await asyncio.sleep(0)


def test_lost_before_the_first_command(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The production loop's own error about it is told as what it is, and the next call works."""
    original = Connection.on_connect_check_health

    async def losing(self: Any, **how: Any) -> None:
        await lose(self)
        await original(self, **how)

    async def calls() -> None:
        async with piped(redis_server) as pipeline:
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "on_connect_check_health", losing)
                with pytest.raises(UnavailableError, match="cannot be connected to"):
                    await pipeline.command("PING")
            assert await pipeline.command("PING") == b"PONG"

    uvloop.run(calls())


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
def test_lost_as_it_is_ready(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    """Nobody waits until the deadline for a connection that was lost before it was used."""
    original = Connection.read_response

    async def losing(self: Any, **how: Any) -> Any:
        answer = await original(self, **how)
        if b"master_replid" in answer:  # the last that is asked before it counts as ready
            await lose(self)
        return answer

    async def calls() -> None:
        async with piped(redis_server) as pipeline:
            with monkeypatch.context() as patch:
                patch.setattr(Connection, "read_response", losing)
                async with asyncio.timeout(SOON_S):
                    with pytest.raises(UnavailableError):
                        await pipeline.command("PING")
            assert await pipeline.command("PING") == b"PONG"

    run(calls())
