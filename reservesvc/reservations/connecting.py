"""From the address of a Redis to a connection that is ready for scripts.

redis-py connects, asks Sentinels for the primary, authenticates and wraps TLS; from then on the
socket is the link's.
"""

import asyncio
from typing import Any, cast

from redis.asyncio.connection import Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from reservesvc.errors import UnavailableError
from reservesvc.redis_url import parse
from reservesvc.reservations.info import run_of
from reservesvc.reservations.redis_errors import REDIS, connect_reason
from reservesvc.reservations.sentinels import sentinel_pool

SENTINELS_PER_DEADLINE = 4
"""how many Sentinels that keep silent can be asked within the deadline"""


def pool_of(url: str, deadline_s: float) -> ConnectionPool:
    """Return what makes connections to `url`; each step of connecting has `deadline_s`."""
    parsed = parse(url)
    if parsed.kind == "sentinel":
        return sentinel_pool(
            parsed, _terms(deadline_s), _terms(deadline_s / SENTINELS_PER_DEADLINE)
        )
    return ConnectionPool.from_url(url, **_terms(deadline_s))


async def connect(pool: ConnectionPool, deadline_s: float) -> tuple[Connection, str]:
    """Return a new connection to a primary, and its run.

    Raises:
        UnavailableError: there is none within `deadline_s`.

    """
    connection = cast("Connection", pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py
    try:
        async with asyncio.timeout(deadline_s):
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
            await connection.send_command("INFO", "replication")
            return connection, run_of(await connection.read_response())
    except UnavailableError:
        await connection.disconnect(nowait=True)
        raise
    # RuntimeError: what uvloop says where the connection was lost between two commands.
    except (RedisError, OSError, TimeoutError, RuntimeError) as error:
        await connection.disconnect(nowait=True)
        raise UnavailableError(REDIS, connect_reason(error)) from error


async def ask(url: str, deadline_s: float, *command: str) -> Any:  # noqa: ANN401  a reply is whatever Redis says
    """Return the reply to one command, on a connection of its own to any server, replicas too.

    Raises:
        RedisError: refused, or not connected.
        OSError: not connected.
        TimeoutError: not within `deadline_s`.

    """
    connection = cast("Connection", pool_of(url, deadline_s).make_connection())  # type: ignore[no-untyped-call]  # redis-py
    try:
        async with asyncio.timeout(deadline_s):
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
            await connection.send_command(*command)
            return await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)


def _terms(deadline_s: float) -> dict[str, Any]:
    """Return what holds for every connection: one try, within the deadline."""
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": deadline_s,
        "socket_timeout": deadline_s,
    }
