"""Servers of ours that share one Redis and one booking store, each behind a line of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.faults.bookings import Bookings, SqliteFile
from tests.faults.history import Terms
from tests.faults.process import ServerProcess, in_background
from tests.faults.proxy import FaultProxy
from tests.servers import RedisServer

DEADLINE_MS = 1_000
GRACE_MS = 1_500
REDIS_S = 60.0
"""how long a client of ours waits for Redis; redis-py gives up after five seconds otherwise"""


class Cluster:
    """Servers, up and ready inside `async with`.

    Args:
        servers: how many.
        appendonly: whether Redis keeps what it acknowledged when it is killed.
        bookings: where the bookings are; a new SQLite file if None.
        bent: for each server what it is to do at which step, see `bent`.
        environments: for each server, more of its environment.
        stderr: where the servers' logs go instead of files, an open descriptor.
        deadline_ms: of every request.
        grace_ms: of every hand-off.

    """

    def __init__(
        self,
        *,
        servers: int = 2,
        appendonly: bool = False,
        bookings: Bookings | None = None,
        bent: Sequence[str] = (),
        environments: Sequence[Mapping[str, str]] = (),
        stderr: int | None = None,
        deadline_ms: int = DEADLINE_MS,
        grace_ms: int = GRACE_MS,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-logs-"))
        self.redis = RedisServer(appendonly=appendonly)
        self._appendonly = appendonly
        self.bookings = bookings or SqliteFile()
        self.proxies = [FaultProxy(self.redis.socket_path) for _ in range(servers)]
        self.store_proxies: list[FaultProxy] = []
        self.servers: list[ServerProcess] = []
        self.terms = Terms(deadline_s=deadline_ms / 1000, grace_s=grace_ms / 1000)
        self._bent = [*bent, *[""] * servers][:servers]
        self._environments = [*environments, *[{}] * servers][:servers]
        self._stderr = stderr
        self._stack = AsyncExitStack()

    @property
    def urls(self) -> list[str]:
        """Where the servers are."""
        return [server.url for server in self.servers]

    async def __aenter__(self) -> Self:
        """Start everything; return once every server listens."""
        stack = self._stack
        stack.callback(shutil.rmtree, self.directory)
        stack.callback(self.redis.close)
        try:
            await self.start_redis()
            await stack.enter_async_context(self.bookings)
            for number, _ in enumerate(self.proxies):
                self.servers.append(await self._server(number))
                stack.callback(self.servers[-1].close)
                await in_background(self.servers[-1].start)
            await asyncio.gather(*(server.started() for server in self.servers))
        except BaseException:
            await stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill everything."""
        await self._stack.aclose()

    async def _server(self, number: int) -> ServerProcess:
        redis_line = await self._stack.enter_async_context(self.proxies[number])
        store_url = self.bookings.url()
        if self.bookings.port is not None:
            line = await self._stack.enter_async_context(FaultProxy(self.bookings.port))
            self.store_proxies.append(line)
            store_url = self.bookings.url(line.port)
        settings = {
            "REDIS_URL": redis_line.url,
            "STORE_URL": store_url,
            "DEADLINE_MS": round(self.terms.deadline_s * 1000),
            "GRACE_MS": round(self.terms.grace_s * 1000),
        }
        return ServerProcess(
            f"server-{number}",
            self.directory,
            settings,
            self._bent[number],
            self._environments[number],
            self._stderr,
        )

    async def start_redis(self, *, empty: bool = False) -> None:
        """Start Redis; with nothing in it where asked for."""
        if empty:
            shutil.rmtree(self.redis.directory / "appendonlydir", ignore_errors=True)
        await in_background(self.redis.start)
        if self._appendonly:
            # What is promised depends on Redis losing nothing it acknowledged, and `everysec`
            # may, where the disk is slow.
            async with self.redis_client() as client:
                await client.config_set("appendfsync", "always")

    def redis_client(self) -> Redis:
        """Return a client of Redis itself, past the proxies; it waits for a blocked one."""
        return Redis.from_url(
            self.redis.url,
            decode_responses=True,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=REDIS_S,
        )

    async def restart(self, server: ServerProcess) -> None:
        """Start a server that has ended."""
        await in_background(server.start)
        await server.started()
