"""The Redis adapter on a real server; every call is held against its script's header."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from reservesvc.domain.outcomes import Busy
from reservesvc.errors import UnavailableError
from reservesvc.ports import Snapshot
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.packed import Argument, Packed, pack
from reservesvc.reservations.pipeline import Pipeline
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
        return await self.call_packed(script, pack(keys, arguments))

    async def call_packed(self, script: Script, call: Packed) -> list[Any]:
        """Run the script and compare both sides with its header."""
        self._check(script, call)
        answer = await self._pipeline.call_packed(script, call)
        self._check_answer(script, answer)
        return answer

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run the script for each call, and compare both sides with its header."""
        for call in calls:
            self._check(script, call)
        answers = await self._pipeline.call_many(script, calls)
        for answer in answers:
            assert not isinstance(answer, UnavailableError)
            self._check_answer(script, answer)
        return answers

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Return keys that match."""
        return await self._pipeline.scan(cursor, pattern, count)

    async def time_ms(self) -> int:
        """Return the time of Redis."""
        return await self._pipeline.time_ms()

    async def renew(self, key: str) -> None:
        """Ask for the run."""
        await self._pipeline.renew(key)

    def _check(self, script: Script, call: Packed) -> None:
        header = self._headers.setdefault(script.name, header_of(script.name))
        assert header.fits(call.keys_count, call.arguments_count + 1), f"{script.name}: {call}"

    def _check_answer(self, script: Script, answer: list[Any]) -> None:
        answers = self._headers[script.name].answers
        assert answer[0].decode() in answers, f"{script.name} answered {answer}"


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
