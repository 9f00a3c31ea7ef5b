"""Servers of ours over a set of Redis servers and one booking store, as somebody runs them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import cast

from redis.asyncio import Redis, RedisCluster

from tests.faults.bookings import Bookings
from tests.faults.cluster import Cluster
from tests.faults.process import ServerProcess, in_background
from tests.faults.trial import Trial
from tests.scaling.sets import ClusterSet, ReplicatedSet

RedisSet = ReplicatedSet | ClusterSet
"""a set of Sentinels is one of the first kind"""


class Deployment(Cluster):
    """Servers, up and ready inside `async with`; no lines lie between them and what they use.

    Args:
        redis_set: what they reserve in.
        bookings: where the bookings are; a new SQLite file if None.
        servers: how many.
        settings: more of theirs, by name without the prefix.

    """

    def __init__(
        self,
        redis_set: RedisSet,
        *,
        bookings: Bookings | None = None,
        servers: int = 2,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(servers=servers, bookings=bookings)
        self._set = redis_set
        self._settings = settings
        self._sets = AsyncExitStack()

    async def start_redis(self, *, empty: bool = True) -> None:
        """Start the whole set."""
        assert empty, "a set starts with nothing in it"
        self._sets.push(self._set.__exit__)
        await in_background(self._enter)

    def _enter(self) -> None:
        self._set.__enter__()

    def redis_client(self) -> Redis:
        """Return a client of the set, whichever of its servers is the primary now."""
        if isinstance(self._set, ReplicatedSet):
            return Redis(port=self._set.current().port, decode_responses=True, protocol=2)
        port = next(self._set.running()).port
        # It has the same methods, as far as a trial needs any.
        return cast("Redis", RedisCluster("127.0.0.1", port, decode_responses=True, protocol=2))

    async def __aexit__(self, *_: object) -> None:
        """Kill everything."""
        await super().__aexit__()
        await self._sets.aclose()

    async def _server(self, number: int) -> ServerProcess:
        settings = {
            "REDIS_URL": self._set.url,
            "STORE_URL": self.bookings.url(),
            "DEADLINE_MS": round(self.terms.deadline_s * 1000),
            "GRACE_MS": round(self.terms.grace_s * 1000),
        }
        return ServerProcess(f"server-{number}", self.directory, settings | dict(self._settings))


@asynccontextmanager
async def deployed(deployment: Deployment) -> AsyncIterator[Trial]:
    """Run a deployment, and what is to happen to it."""
    async with deployment as running:
        made = Trial(running)
        try:
            yield made
        finally:
            await made.close()
