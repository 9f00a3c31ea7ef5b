"""The primary that Sentinels name: found with the right names and passwords, told without them."""

import asyncio
from collections.abc import Iterator

import pytest

from reservesvc.errors import UnavailableError
from reservesvc.reservations import health
from reservesvc.reservations.pipeline import Pipeline
from tests.scaling.conftest import DEADLINE_S
from tests.scaling.scripts import COUNT, count
from tests.scaling.sets import SentinelSet

LOGIN = "app:s3cret@"
OPTIONS = "?db=2&sentinel_username=asker&sentinel_password=s3cret"


@pytest.fixture(scope="module")
def sentinels() -> Iterator[SentinelSet]:
    """Run a set whose Redis and whose Sentinels know a user with a password."""
    with SentinelSet() as running:
        running.primary.ask("ACL", "SETUSER", "app", "on", ">s3cret", "~*", "+@all")
        for port in running.ports:
            words = ("asker", "on", ">s3cret", "~*", "&*", "+@all")
            running.ask_sentinel(port, "ACL", "SETUSER", *words)
        yield running


async def test_the_primary_is_found_and_named(sentinels: SentinelSet) -> None:
    """Calls run there, in the database that was named; readiness says which server it means."""
    primary = sentinels.primary
    pipeline = Pipeline(sentinels.url.replace("://", f"://{LOGIN}") + OPTIONS, DEADLINE_S)
    assert (await pipeline.call_packed(COUNT, count("room-1")))[1] == 1
    assert primary.info("db2", "keyspace") != ""
    await health.check(pipeline)
    primary.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{primary.port} has maxmemory-policy"):
        await health.check(pipeline)
    primary.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await pipeline.close()


async def test_one_sentinel_that_answers_is_enough(sentinels: SentinelSet) -> None:
    """The others are passed over."""
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:2,127.0.0.1:{sentinels.ports[0]}/shop"
    pipeline = Pipeline(url, DEADLINE_S)
    async with asyncio.timeout(DEADLINE_S):
        assert (await pipeline.call_packed(COUNT, count("room-2")))[1] == 1
    await pipeline.close()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("/shop", "/ship", "has no primary that a Sentinel knows as healthy"),
        ("app:s3cret", "app:wr0ng", "does not accept the name and password"),
        (
            "sentinel_password=s3cret",
            "sentinel_password=wr0ng",
            "are their service name and password",
        ),
    ],
)
async def test_a_wrong_name_is_told_without_the_password(
    sentinels: SentinelSet, old: str, new: str, reason: str
) -> None:
    """The sentence says where to look."""
    url = sentinels.url.replace("://", f"://{LOGIN}") + OPTIONS
    assert old in url
    pipeline = Pipeline(url.replace(old, new), DEADLINE_S)
    with pytest.raises(UnavailableError, match=reason) as caught:
        await pipeline.call_packed(COUNT, count("room-1"))
    assert "s3cret" not in str(caught.value)
    assert "wr0ng" not in str(caught.value)
    await pipeline.close()
