"""From the address of a Redis to a connection that is ready for scripts.

redis-py connects, asks Sentinels for the primary, authenticates and wraps TLS; from then on the
socket is the link's.
"""

import asyncio
from typing import Any, cast

from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from reservesvc import address_files
from reservesvc.errors import UnavailableError
from reservesvc.redis_url import parse
from reservesvc.reservations.diagnosis import diagnose, speaks_no_tls
from reservesvc.reservations.info import run_of
from reservesvc.reservations.redis_errors import (
    REDIS,
    SAYS_NO_TLS,
    UNREACHABLE,
    connect_reason,
    is_lost,
)
from reservesvc.reservations.sentinels import sentinel_pool

SENTINELS_PER_DEADLINE = 4
"""how many Sentinels that keep silent can be asked within the deadline"""
SLOW_PER_DEADLINE = 4
SLOW_S = 0.4
"""when a TLS handshake takes so long that a look at the server is worth it"""


def pool_of(url: str, deadline_s: float) -> ConnectionPool:
    """Return what makes connections to `url`; each step of connecting has `deadline_s`."""
    parsed = parse(url)
    if parsed.kind == "sentinel":
        return sentinel_pool(
            parsed, _terms(deadline_s), _terms(deadline_s / SENTINELS_PER_DEADLINE)
        )
    return ConnectionPool.from_url(url, **_terms(deadline_s))


async def connect(
    pool: ConnectionPool, deadline_s: float, unreachable: str = UNREACHABLE
) -> tuple[Connection, str]:
    """Return a new connection to a primary, and its run.

    Args:
        pool: what makes connections.
        deadline_s: how long that may take.
        unreachable: the sentence where there is no server.

    Raises:
        UnavailableError: there is none within `deadline_s`; the sentence says why.

    """
    connection = _made(pool)
    try:
        async with asyncio.timeout(deadline_s):
            await _connected(connection, pool, deadline_s, unreachable)
            try:
                return connection, run_of(await _asked(connection, "INFO", "replication"))
            except RedisError as error:
                raise UnavailableError(REDIS, connect_reason(error) or unreachable) from error
    # RuntimeError: what uvloop says where the connection was lost between two commands.
    except (OSError, TimeoutError, RuntimeError) as error:
        await connection.disconnect(nowait=True)
        raise UnavailableError(REDIS, connect_reason(error) or unreachable) from error
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


async def ask(url: str, deadline_s: float, *command: str) -> Any:  # noqa: ANN401  a reply is whatever Redis says
    """Return the reply to one command, on a connection of its own to any server, replicas too.

    Raises:
        RedisError: refused, or lost.
        OSError: lost.
        TimeoutError: not within `deadline_s`.
        UnavailableError: not connected.

    """
    pool = pool_of(url, deadline_s)
    connection = _made(pool)
    try:
        async with asyncio.timeout(deadline_s):
            await _connected(connection, pool, deadline_s, UNREACHABLE)
            return await _asked(connection, *command)
    finally:
        await connection.disconnect(nowait=True)


def _made(pool: ConnectionPool) -> Connection:
    return cast("Connection", pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py


async def _asked(connection: Connection, *command: str) -> Any:  # noqa: ANN401  as above
    await connection.send_command(*command)
    return await connection.read_response()


async def _connected(
    connection: Connection, pool: ConnectionPool, deadline_s: float, unreachable: str
) -> None:
    """Connect; where that fails or takes long, find out why.

    Raises:
        UnavailableError: it is known why there is no connection.

    """
    is_tls = isinstance(connection, SSLConnection)
    # Before Sentinels have answered, such a connection does not know yet where to go.
    is_placed = not isinstance(pool, SentinelConnectionPool)
    connecting = asyncio.ensure_future(connection.connect())  # type: ignore[no-untyped-call]  # redis-py
    try:
        await asyncio.wait((connecting,), timeout=min(deadline_s / SLOW_PER_DEADLINE, SLOW_S))
        if not connecting.done() and is_tls and is_placed and await speaks_no_tls(connection):
            raise UnavailableError(REDIS, SAYS_NO_TLS)
        await connecting
    except (RedisError, OSError, RuntimeError) as error:
        why = address_files.problem(pool.connection_kwargs) or connect_reason(error)
        if why is None and is_lost(error):
            why = await diagnose(connection, is_tls=is_tls)
        raise UnavailableError(REDIS, why or unreachable) from error
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)


def _terms(deadline_s: float) -> dict[str, Any]:
    """Return what holds for every connection: one try, within the deadline."""
    return {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": deadline_s,
        "socket_timeout": deadline_s,
    }
