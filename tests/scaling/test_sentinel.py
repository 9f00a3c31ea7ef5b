"""The primary that Sentinels name: found with the right names and passwords, told without them."""

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError

from reservesvc.errors import UnavailableError
from reservesvc.metrics import Metrics
from reservesvc.reservations import health
from reservesvc.reservations import pipeline as pipeline_module
from reservesvc.reservations.connecting import pool_of
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.sentinels import primary_named_by
from reservesvc.supervised import Supervisor
from tests.scaling.conftest import DEADLINE_S
from tests.scaling.scripts import COUNT, count
from tests.scaling.sets import POLL_S, SERVICE, SentinelSet

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
    await health.check(pipeline, Keys())
    primary.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{primary.port} has maxmemory-policy"):
        await health.check(pipeline, Keys())
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


async def test_a_primary_that_was_replaced_is_left_before_it_is_told() -> None:
    """Until Sentinels make it a replica, some ten seconds later, it takes writes for nothing."""
    with SentinelSet() as running:
        pipeline = Pipeline(running.url, DEADLINE_S)
        await pipeline.call_packed(COUNT, count("room-1"))
        assert pipeline.name == running.primary.place
        assert running.ask_sentinel(running.ports[-1], "SENTINEL", "FAILOVER", SERVICE) == "OK"
        while pipeline.name != running.replica.place:
            await asyncio.sleep(POLL_S)
            await pipeline.call_packed(COUNT, count("room-1"))
        assert running.primary.is_primary, "it stayed until the old one was told"
        await pipeline.close()


async def test_a_primary_is_kept_while_no_sentinel_answers(
    sentinels: SentinelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Sentinel that names no other primary is no reason to leave the one that answers."""
    asked = asyncio.Semaphore(0)

    async def unknown(_: SentinelConnectionPool) -> None:
        asked.release()

    monkeypatch.setattr(pipeline_module, "FOLLOW_S", 0)
    monkeypatch.setattr(pipeline_module, "primary_named_by", unknown)
    pipeline = Pipeline(sentinels.url.replace("://", f"://{LOGIN}") + OPTIONS, DEADLINE_S)
    connection = await pipeline.command("CLIENT", "ID")
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):
            await asked.acquire()
    assert await pipeline.command("CLIENT", "ID") == connection
    await pipeline.close()


async def test_sentinels_are_asked_on_after_an_answer_that_cannot_be_read(
    sentinels: SentinelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nothing expects ends no polling: the primary that is named next is gone to."""
    failures, asked = [KeyError("flags"), TypeError("epoch")], asyncio.Event()

    async def named(_: SentinelConnectionPool) -> str:
        if failures:
            raise failures.pop()
        asked.set()
        return "10.0.0.1:1"

    monkeypatch.setattr(pipeline_module, "FOLLOW_S", 0)
    monkeypatch.setattr(pipeline_module, "primary_named_by", named)
    metrics = Metrics()
    supervisor = Supervisor(metrics.restarted)
    url = sentinels.url.replace("://", f"://{LOGIN}") + OPTIONS
    pipeline = Pipeline(url, DEADLINE_S, supervisor=supervisor)
    connection = await pipeline.command("CLIENT", "ID")
    async with asyncio.timeout(DEADLINE_S):
        await asked.wait()
    restarts = 'reservesvc_background_restarts_total{task="sentinels"} 2.0'
    assert restarts in metrics.render().decode()
    assert await pipeline.command("CLIENT", "ID") != connection
    await pipeline.close()


class Told:
    """A Sentinel that says where the primary is, or fails."""

    def __init__(self, epoch: int, port: int, flags: str = "master") -> None:
        self._state = {"ip": "10.0.0.1", "port": port, "config-epoch": epoch}
        self._is_healthy = {
            "is_master": "master" in flags,
            "is_sdown": "s_down" in flags,
            "is_odown": False,
            "num-other-sentinels": 2,
        }

    async def sentinel_masters(self) -> dict[str, dict[str, object]]:
        """Answer as redis-py does."""
        if not self._state["port"]:
            message = "gone"
            raise RedisConnectionError(message)
        return {SERVICE: {**self._state, **self._is_healthy}}


GONE = Told(9, 0)


@pytest.mark.parametrize(
    ("sentinels", "place"),
    [
        ([Told(3, 1)], "10.0.0.1:1"),
        ([Told(2, 1), Told(3, 2), Told(1, 3)], "10.0.0.1:2"),
        ([GONE, Told(1, 3), GONE], "10.0.0.1:3"),
        ([Told(2, 1), Told(3, 2, "master,s_down")], None),
        ([GONE], None),
    ],
    ids=["one", "the newest word counts", "who answers counts", "not a sick one", "nobody knows"],
)
async def test_the_newest_word_of_all_sentinels_counts(
    sentinels: list[Told], place: str | None
) -> None:
    """A Sentinel that was cut off leads nobody back; who knows best is asked first next time."""
    pool = pool_of(f"redis+sentinel://10.0.0.9/{SERVICE}", DEADLINE_S)
    assert isinstance(pool, SentinelConnectionPool)
    pool.sentinel_manager.sentinels = list(sentinels)
    assert await primary_named_by(pool) == place
    if place is not None:
        first = await pool.sentinel_manager.discover_master(SERVICE)
        assert "{}:{}".format(*first) == place
