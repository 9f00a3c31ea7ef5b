"""The shared connection under faults: no caller ever gets another's reply.

Every call asks Redis to echo a number of its own, through a script, and checks it.
"""

import asyncio
import gc
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.reservations.info import run_of
from reservesvc.reservations.link import PENDING_MAX
from reservesvc.reservations.packed import pack
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import refusal
from reservesvc.reservations.scripts import Script
from tests.faults.proxy import FaultProxy
from tests.servers import RedisServer

_ECHO = b"redis.call('INCR', KEYS[1]); return {'echo', ARGV[2]}"
ECHO = Script("echo", _ECHO, hashlib.sha1(_ECHO, usedforsecurity=False).hexdigest().encode())
DEADLINE_S = 0.4


async def echo(pipeline: Pipeline, number: int) -> None:
    """Send a number and insist that it is what comes back."""
    answer = await pipeline.call(ECHO, ["calls"], [number])
    assert answer == [b"echo", str(number).encode()]


@asynccontextmanager
async def piped(server: RedisServer) -> AsyncIterator[tuple[Pipeline, FaultProxy]]:
    """Give a pipeline through a proxy."""
    async with FaultProxy(server.socket_path) as proxy:
        pipeline = Pipeline(proxy.url, DEADLINE_S)
        yield pipeline, proxy
        await pipeline.close()


async def outcomes(pipeline: Pipeline, numbers: range) -> dict[str, int]:
    """Send all at once and count how they ended; a wrong reply fails the test."""
    results = await asyncio.gather(
        *(echo(pipeline, number) for number in numbers), return_exceptions=True
    )
    counts = {"ok": 0, "unknown": 0, "unavailable": 0}
    for result in results:
        match result:
            case None:
                counts["ok"] += 1
            case OutcomeUnknownError():
                counts["unknown"] += 1
            case UnavailableError():
                counts["unavailable"] += 1
            case other:
                raise AssertionError(other)
    return counts


async def test_many_callers_share_one_connection(redis_server: RedisServer, redis: Redis) -> None:
    """Five thousand calls at once go over one connection, each to its own reply."""
    async with piped(redis_server) as (pipeline, proxy):
        assert (await outcomes(pipeline, range(5_000)))["ok"] == 5_000
        assert proxy.connections == 1
        assert await redis.get("calls") == "5000"


async def test_a_cut_reply_is_an_unknown_outcome(redis_server: RedisServer, redis: Redis) -> None:
    """The script ran, its reply was cut in half: said to be unknown, and the next call works."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 1)
        proxy.cut_reply(after_bytes=7)
        with pytest.raises(OutcomeUnknownError):
            await echo(pipeline, 2)
        assert await redis.get("calls") == "2"
        await echo(pipeline, 3)
        assert proxy.connections == 2


@pytest.mark.parametrize("after_bytes", [0, 1, 5, 30, 100])
async def test_a_cut_fails_exactly_the_calls_without_a_reply(
    redis_server: RedisServer, redis: Redis, after_bytes: int
) -> None:
    """Of twenty calls in one write those whose reply came whole are fine, the others unknown."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.cut_reply(after_bytes)
        counts = await outcomes(pipeline, range(1, 16))
        assert counts["unavailable"] == 0
        assert counts["unknown"] > 0
        assert counts["ok"] + counts["unknown"] == 15
        assert await redis.get("calls") == "16"


async def test_a_stalled_redis_is_given_up_in_time(redis_server: RedisServer, redis: Redis) -> None:
    """No reply within the deadline: unknown, for all who wait; after it heals all is well."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.stall()
        begun_s = asyncio.get_running_loop().time()
        counts = await outcomes(pipeline, range(100))
        assert counts == {"ok": 0, "unknown": 100, "unavailable": 0}
        assert asyncio.get_running_loop().time() - begun_s < 4 * DEADLINE_S
        proxy.heal()
        await echo(pipeline, 1)
        assert await redis.get("calls") == "102"


async def test_a_refused_connection_is_no_unknown_outcome(redis_server: RedisServer) -> None:
    """What was never sent did not happen."""
    async with piped(redis_server) as (pipeline, proxy):
        proxy.refuse()
        counts = await outcomes(pipeline, range(50))
        assert counts == {"ok": 0, "unknown": 0, "unavailable": 50}
        proxy.heal()
        assert (await outcomes(pipeline, range(50)))["ok"] == 50


async def test_a_connection_that_stalls_while_connecting_is_given_up(
    redis_server: RedisServer,
) -> None:
    """The handshake has the same deadline as a call."""
    async with piped(redis_server) as (pipeline, proxy):
        proxy.stall()
        counts = await outcomes(pipeline, range(10))
        assert counts == {"ok": 0, "unknown": 0, "unavailable": 10}


async def test_callers_who_give_up_shift_nobodys_reply(redis_server: RedisServer) -> None:
    """Ten thousand calls cancelled at random moments among others that must be right."""
    draw = random.Random(7)  # noqa: S311  any order will do
    async with piped(redis_server) as (pipeline, proxy):
        given_up = 0
        for round_ in range(100):
            tasks = [asyncio.create_task(echo(pipeline, round_ * 200 + i)) for i in range(200)]
            leaving = set(draw.sample(tasks, 100))
            for task in leaving:
                for _ in range(draw.randrange(4)):
                    await asyncio.sleep(0)
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for task, result in zip(tasks, results, strict=True):
                assert result is None or (
                    task in leaving and isinstance(result, asyncio.CancelledError)
                )
            given_up += len(leaving)
        assert given_up == 10_000
        assert proxy.connections == 1


async def test_a_batch_that_is_given_up_leaves_nothing_behind(redis_server: RedisServer) -> None:
    """Its caller goes while Redis is silent: no reply of it fails later without being heard of."""
    unheard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.stall()
        calls = [pack(["calls"], [number]) for number in range(10)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DEADLINE_S / 4):
                await pipeline.call_many(ECHO, calls)
        # Others wait still, until the connection is given up for broken.
        assert (await outcomes(pipeline, range(1)))["unknown"] == 1
    gc.collect()
    assert unheard == []


async def test_script_flush_in_a_loop_loses_nothing(
    redis_server: RedisServer, redis: Redis
) -> None:
    """Redis forgets the scripts again and again; every call still runs exactly once."""
    async with piped(redis_server) as (pipeline, _):
        stopped = asyncio.Event()

        async def flush() -> int:
            flushed = 0
            while not stopped.is_set():
                await redis.script_flush()
                flushed += 1
            return flushed

        flushing = asyncio.create_task(flush())
        for start in range(0, 2_000, 100):
            assert (await outcomes(pipeline, range(start, start + 100)))["ok"] == 100
        stopped.set()
        assert await flushing > 10
        assert await redis.get("calls") == "2000"


async def test_resets_under_load_never_mix_replies(redis_server: RedisServer, redis: Redis) -> None:
    """The connection is torn down forty times; calls end right, unknown or not sent."""
    async with piped(redis_server) as (pipeline, proxy):
        totals = {"ok": 0, "unknown": 0, "unavailable": 0}
        for start in range(0, 8_000, 200):
            calls = asyncio.create_task(outcomes(pipeline, range(start, start + 200)))
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
            proxy.reset()
            for kind, count in (await calls).items():
                totals[kind] += count
        ran = int(await redis.get("calls") or 0)
        assert totals["ok"] <= ran <= totals["ok"] + totals["unknown"]
        assert sum(totals.values()) == 8_000


async def test_a_restarted_redis_is_another_run(redis: Redis) -> None:
    """After kill -9 and restart the next call finds the new process, and knows that it is new."""
    await redis.ping()
    with RedisServer() as server:
        pipeline = Pipeline(server.url, DEADLINE_S)
        before = await pipeline.call(RUN, ["k"], [])
        server.kill()
        with pytest.raises(UnavailableError):
            await pipeline.call(RUN, ["k"], [])
        server.start()
        after = await pipeline.call(RUN, ["k"], [])
        assert before != after
        await pipeline.close()


_RUN = b"return {'run', ARGV[1]}"
RUN = Script("run", _RUN, hashlib.sha1(_RUN, usedforsecurity=False).hexdigest().encode())


async def test_more_calls_than_redis_can_answer_are_refused(redis_server: RedisServer) -> None:
    """Beyond the queue's end a call fails at once instead of waiting past its deadline."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.stall()
        counts = await outcomes(pipeline, range(PENDING_MAX + 10))
        assert counts == {"ok": 0, "unknown": PENDING_MAX, "unavailable": 10}


async def test_an_error_reply_is_the_callers_alone(redis_server: RedisServer) -> None:
    """A script that fails among others fails for its own caller, with a sentence."""
    body = b"return redis.error_reply('OOM command not allowed')"
    script = Script("oom", body, hashlib.sha1(body, usedforsecurity=False).hexdigest().encode())
    async with piped(redis_server) as (pipeline, _):
        results = await asyncio.gather(
            echo(pipeline, 1),
            pipeline.call(script, [], []),
            echo(pipeline, 2),
            return_exceptions=True,
        )
        assert results[0] is None
        assert results[2] is None
        assert isinstance(results[1], UnavailableError)
        assert results[1].detail == "is out of memory (maxmemory is reached)"


async def test_a_password_never_shows(redis_server: RedisServer) -> None:
    """Neither a wrong password nor an unreachable host is repeated in the error."""
    pipeline = Pipeline("redis://user:s3cret@127.0.0.1:1/0", DEADLINE_S)
    with pytest.raises(UnavailableError) as caught:
        await pipeline.command("PING")
    assert "s3cret" not in str(caught.value)
    pipeline = Pipeline(redis_server.url.replace("unix://", "unix://user:s3cret@"), DEADLINE_S)
    with pytest.raises(UnavailableError) as caught:
        await pipeline.command("PING")
    assert caught.value.detail == "does not accept the name and password in RESERVESVC_REDIS_URL"


async def test_what_was_not_written_yet_did_not_happen(
    redis_server: RedisServer, redis: Redis
) -> None:
    """The connection goes while calls wait for their turn to be written: those are no unknowns."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.stall()
        calls = asyncio.create_task(outcomes(pipeline, range(5)))
        for _ in range(2):  # the calls begin one turn after their task, and are written after
            await asyncio.sleep(0)
        await pipeline.close()
        assert await calls == {"ok": 0, "unknown": 1, "unavailable": 4}
        assert int(await redis.get("calls") or 0) <= 2


async def test_a_closed_pipeline_fails_those_who_wait(redis_server: RedisServer) -> None:
    """Nobody waits for a reply that nobody reads any more."""
    async with piped(redis_server) as (pipeline, proxy):
        await echo(pipeline, 0)
        proxy.stall()
        waiting = asyncio.create_task(echo(pipeline, 1))
        await asyncio.sleep(0)
        await pipeline.close()
        with pytest.raises(OutcomeUnknownError, match="stopping"):
            await waiting


def test_what_an_error_reply_means_is_a_sentence() -> None:
    """Known words have a sentence, unknown ones are quoted."""
    assert refusal(Exception("READONLY You can't write")).detail.startswith("is a replica")
    assert "WEIRD thing" in refusal(Exception("WEIRD thing")).detail


def test_a_server_that_does_not_name_its_run_is_refused() -> None:
    """Without a run nobody could tell a restarted Redis from the old one."""
    assert run_of(b"role:master\r\nmaster_replid:0123456789abcdef\r\n") == "01234567"
    with pytest.raises(UnavailableError):
        run_of(b"role:master\r\n")


def test_a_replica_has_no_run() -> None:
    """Its history of writes is its primary's, and would count as the same after a failover."""
    with pytest.raises(UnavailableError, match="is a replica"):
        run_of(b"role:slave\r\nmaster_replid:0123456789abcdef\r\n")
