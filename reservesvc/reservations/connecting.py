"""From the address of a Redis to a connection that is ready for scripts.

redis-py connects, authenticates and wraps TLS; from then on the socket is the link's.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from redis.asyncio.connection import Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from reservesvc.errors import UnavailableError
from reservesvc.reservations.link import Link
from reservesvc.reservations.redis_errors import REDIS, connect_reason

RUN_CHARACTERS = 8


def pool_of(url: str, deadline_s: float) -> ConnectionPool:
    """Return what makes connections to `url`; each step of connecting has `deadline_s`."""
    return ConnectionPool.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=deadline_s,
        socket_timeout=deadline_s,
    )


async def connect(
    pool: ConnectionPool, deadline_s: float, observe: Callable[[float], None] | None
) -> Link:
    """Return a new connection, ready for calls.

    Raises:
        UnavailableError: there is none within `deadline_s`.

    """
    connection = cast("Connection", pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py
    try:
        async with asyncio.timeout(deadline_s):
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
            await connection.send_command("INFO", "server")
            run = run_of(await connection.read_response())
    # RuntimeError: what uvloop says where the connection was lost between two commands.
    except (RedisError, OSError, TimeoutError, RuntimeError) as error:
        await connection.disconnect(nowait=True)
        raise UnavailableError(REDIS, connect_reason(error)) from error
    return Link(connection, run, deadline_s, observe)


def run_of(info: Any) -> str:  # noqa: ANN401  a reply is whatever Redis says
    """Return what tells one run of a Redis server from the next (INFO's `run_id`)."""
    text = info.decode() if isinstance(info, bytes) else str(info)
    for line in text.splitlines():
        if line.startswith("run_id:"):
            return line.removeprefix("run_id:")[:RUN_CHARACTERS]
    raise UnavailableError(REDIS, "INFO server names no run_id")
