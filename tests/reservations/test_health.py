"""Readiness asks Redis to write what a claim would write, and leaves nothing behind."""

import pytest
from redis.asyncio import Redis

from reservesvc.errors import UnavailableError
from reservesvc.reservations import health
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import refusal
from tests.servers import RedisServer

DEADLINE_S = 2.0
NO_LUA = "has no Lua to run scripts with"


async def test_what_is_written_lapses(redis: Redis, redis_server: RedisServer) -> None:
    """One key under the prefix, however often a server is asked, and only for a moment."""
    pipeline = Pipeline(redis_server.url, DEADLINE_S)
    for _ in range(3):
        await health.check(pipeline, Keys("rsv:"))
    await pipeline.close()
    assert [key async for key in redis.scan_iter("*")] == ["rsv:ready:{0}"]
    assert 0 < await redis.pttl("rsv:ready:{0}") <= health.READY_MS


async def test_a_key_that_the_user_may_not_write(redis: Redis, redis_server: RedisServer) -> None:
    """What counts are the rights to the keys that the service uses, prefix and all."""
    await redis.execute_command("ACL", "SETUSER", "u", "on", ">p", "~rsv:*", "+@all")  # type: ignore[no-untyped-call]  # redis-py
    pipeline = Pipeline(redis_server.url.replace("//", "//u:p@", 1), DEADLINE_S)
    await health.check(pipeline, Keys("rsv:"))
    with pytest.raises(UnavailableError, match="use the keys below RESERVESVC_KEY_PREFIX"):
        await health.check(pipeline, Keys("other:"))
    await pipeline.close()
    await redis.execute_command("ACL", "DELUSER", "u")  # type: ignore[no-untyped-call]  # redis-py


@pytest.mark.parametrize("command", ["EVALSHA", "EVAL"])
async def test_a_redis_without_scripts(command: str) -> None:
    """A server whose scripting was renamed away, as some hosts do."""
    with RedisServer(more={"rename-command": f"{command} hidden"}) as server:
        pipeline = Pipeline(server.url, DEADLINE_S)
        with pytest.raises(UnavailableError, match=NO_LUA):
            await health.check(pipeline, Keys())
        await pipeline.close()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("ERR Could not find scripting engine 'lua'", NO_LUA),
        ("ERR unknown command 'EVALSHA', with args beginning with: 'x'", NO_LUA),
        ("ERR something else", "refused a command (ERR something else)"),
    ],
)
def test_what_a_valkey_without_its_lua_module_says(reply: str, reason: str) -> None:
    """Read in its source (9.1, script.c); the binary for tests has the module built in."""
    assert refusal(Exception(reply)).detail.startswith(reason)
