"""The Redis adapter on a real server; every call is held against its script's header."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Busy
from reservesvc.errors import UnavailableError
from reservesvc.ports import Snapshot
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Argument, Pipeline
from reservesvc.reservations.scripts import Script
from reservesvc.reservations.store import RedisReservations, Times
from tests.builders import IDS, ROOM
from tests.lua.headers import Header, header_of
from tests.servers import RedisServer


class CheckedCaller:
    """Passes calls on to a pipeline, if their keys, arguments and answers are as announced."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._headers: dict[str, Header] = {}

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run the script and compare both sides with its header."""
        header = self._headers.setdefault(script.name, header_of(script.name))
        assert header.fits(len(keys), len(arguments) + 1), f"{script.name}: {keys} {arguments}"
        answer = await self._pipeline.call(script, keys, arguments)
        assert answer[0].decode() in header.answers, f"{script.name} answered {answer}"
        return answer

    async def call_many(
        self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]
    ) -> list[list[Any] | UnavailableError]:
        """Run the script for each call, and compare both sides with its header."""
        header = self._headers.setdefault(script.name, header_of(script.name))
        for keys, arguments in calls:
            assert header.fits(len(keys), len(arguments) + 1), f"{script.name}: {keys} {arguments}"
        answers = await self._pipeline.call_many(script, calls)
        for answer in answers:
            assert not isinstance(answer, UnavailableError)
            assert answer[0].decode() in header.answers, f"{script.name} answered {answer}"
        return answers


@pytest.fixture
async def store(redis_server: RedisServer, redis: Redis) -> AsyncIterator[RedisReservations]:
    """Give the adapter on an emptied server; every resource is cold."""
    await redis.ping()
    pipeline = Pipeline(redis_server.url, deadline_s=2)
    yield RedisReservations(CheckedCaller(pipeline), Keys(), IDS, Times())
    await pipeline.close()


@pytest.fixture
async def warm(store: RedisReservations) -> RedisReservations:
    """Give the adapter with a warm, empty index of the tests' room."""
    await install(store, Snapshot(fence=1, bookings=[]))
    return store


async def install(store: RedisReservations, snapshot: Snapshot, resource_id: str = ROOM) -> None:
    """Resync the resource to `snapshot`."""
    begun = await store.resync_begin(resource_id)
    assert not isinstance(begun, Busy)
    ticket, _ = begun
    assert await store.resync_install(resource_id, ticket, snapshot)
