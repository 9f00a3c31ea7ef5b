"""What a Redis is like that does not let us connect: asked in the clear, on a socket of its own.

A server that takes no more clients says so and closes; by then redis-py has sent its first
command and reports a reset. A port that speaks TLS resets what is none, and one that speaks none
waits for the rest of a command that never comes. So where it is not plain why a connection does
not come about, the server is asked once more, in the simplest way.
"""

import asyncio
import ssl
from typing import Any

from reservesvc.reservations.redis_errors import (
    ENDS_TLS,
    SAYS_NO_TLS,
    SPEAKS_TLS,
    connect_reason,
    said,
)

LISTEN_S = 0.1
"""how long to wait for a server that speaks first, which happens only where it refuses us"""
ANSWER_S = 0.3

_READ_MAX = 256


async def diagnose(connection: Any, *, is_tls: bool) -> str | None:  # noqa: ANN401  redis-py's kinds share no base with what is read here
    """Return why the server ended `connection`, as far as it can be found out; never raises.

    Args:
        connection: redis-py's, which says where the server is.
        is_tls: whether it speaks TLS.

    """
    try:
        async with asyncio.timeout(LISTEN_S + 3 * ANSWER_S):
            first, answer = await _exchange(connection)
            if first.startswith(b"-"):
                return said(first)
            if not is_tls:
                return SPEAKS_TLS if not answer and await _speaks_tls(connection) else None
            return SAYS_NO_TLS if _is_redis(answer) else await _end_of_tls(connection)
    except (OSError, TimeoutError, RuntimeError):
        return None


async def speaks_no_tls(connection: Any) -> bool:  # noqa: ANN401  as above
    """Tell whether the server answers in the clear where TLS is expected; never raises."""
    try:
        async with asyncio.timeout(LISTEN_S + ANSWER_S):
            return _is_redis((await _exchange(connection))[1])
    except (OSError, TimeoutError, RuntimeError):
        return False


def _is_redis(answer: bytes) -> bool:
    return answer.startswith((b"+", b"-"))


async def _exchange(connection: Any) -> tuple[bytes, bytes]:  # noqa: ANN401  as above
    """Return what the server says by itself, or else what it answers to PING."""
    reader, writer = await _opened(connection)
    try:
        first = await _read(reader, LISTEN_S)
        if first:
            return first, b""
        writer.write(b"PING\r\n")
        return b"", await _read(reader, ANSWER_S)
    finally:
        writer.transport.abort()


async def _speaks_tls(connection: Any) -> bool:  # noqa: ANN401  as above
    """Tell whether a TLS handshake comes about, with whatever certificate."""
    if getattr(connection, "path", None) is not None:
        return False
    _, writer = await _opened_by_tls(connection)
    writer.transport.abort()
    return True


async def _end_of_tls(connection: Any) -> str:  # noqa: ANN401  as above
    """Return why the server ends TLS; it says so to a client that writes nothing meanwhile."""
    try:
        reader, writer = await _opened_by_tls(connection)
        try:
            await asyncio.wait_for(reader.read(_READ_MAX), ANSWER_S)
        finally:
            writer.transport.abort()
    except ssl.SSLError as error:
        return connect_reason(error) or ENDS_TLS
    except (OSError, TimeoutError):
        pass
    return ENDS_TLS


async def _opened_by_tls(connection: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401  as above
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection(connection.host, connection.port, ssl=context)


async def _opened(connection: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401  as above
    path = getattr(connection, "path", None)
    if path is not None:
        return await asyncio.open_unix_connection(path)
    return await asyncio.open_connection(connection.host, connection.port)


async def _read(reader: asyncio.StreamReader, within_s: float) -> bytes:
    """Return what arrives within the time; nothing where nothing does."""
    try:
        async with asyncio.timeout(within_s):
            return await reader.read(_READ_MAX)
    except (OSError, TimeoutError):
        return b""
