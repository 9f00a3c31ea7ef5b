"""Fixtures that every directory of tests may ask for."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import settings
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.postgres import URL_VARIABLE, Databases, PostgresServer, why_none
from tests.servers import RedisServer

# How long an example takes depends on what else the machine does; benchmarks measure.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Run one server for the whole session; `.url`, `.socket_path`, `.restart()`, `.kill()`.

    Whoever kills it starts it again. Its keys are the tests' own: `redis` empties it.
    """
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Connect to the emptied server; one try a command, replies as text."""
    client = Redis.from_url(
        redis_server.url, decode_responses=True, protocol=2, retry=Retry(NoBackoff(), 0)
    )
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL for the whole session; whoever kills it starts it again."""
    reason = why_none()
    if reason is not None and not os.environ.get("CI"):
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Iterator[Databases]:
    """Make databases in the PostgreSQL that the environment names, or in our own."""
    url = os.environ.get(URL_VARIABLE)
    if url is None:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        yield server.databases
        return
    named = Databases(url)
    yield named
    asyncio.run(named.close())
