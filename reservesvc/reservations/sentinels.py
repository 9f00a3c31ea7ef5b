"""The Sentinels over a set of Redis servers: they name the primary, and may name another later.

A primary that was replaced is told so by Sentinels some ten seconds later. Until then it takes
writes that will be lost, so whoever speaks to it has to ask the Sentinels, and leave.
"""

import asyncio
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from reservesvc.redis_url import RedisUrl


def sentinel_pool(
    url: RedisUrl, terms: dict[str, Any], asking: dict[str, Any]
) -> SentinelConnectionPool:
    """Return what asks the Sentinels at every connection it makes.

    Args:
        url: of the Sentinels.
        terms: options of every connection to Redis.
        asking: options of every connection to a Sentinel.

    """
    options: dict[str, Any] = dict(parse_url(url.node(*url.hosts[0])))
    is_tls = options.pop("connection_class", Connection) is SSLConnection
    del options["host"], options["port"]
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    asked = Sentinel(  # type: ignore[no-untyped-call]  # redis-py
        url.hosts, sentinel_kwargs={**asking, **url.sentinel_login, **tls, "ssl": is_tls}
    )
    kind = SentinelManagedSSLConnection if is_tls else SentinelManagedConnection
    return SentinelConnectionPool(  # type: ignore[no-untyped-call]  # redis-py
        url.service, asked, connection_class=kind, **options, **terms
    )


async def primary_named_by(pool: SentinelConnectionPool) -> str | None:
    """Return the primary's place, as `host:port`; None where no Sentinel knows a healthy one.

    All Sentinels are asked, and the one with the highest configuration epoch is believed, as
    they believe each other (Redis docs, Sentinel, "Configuration epochs"): one that was cut off
    does not lead back to a server that was replaced. It is the first to be asked when `pool`
    connects next.
    """
    asked = pool.sentinel_manager.sentinels
    answers = await asyncio.gather(
        *(sentinel.sentinel_masters() for sentinel in asked), return_exceptions=True
    )
    states = [_state(answer, pool.service_name) for answer in answers]
    newest = max(range(len(asked)), key=lambda number: states[number].get("config-epoch", -1))
    state = states[newest]
    if not state or not pool.sentinel_manager.check_master_state(state, pool.service_name):
        return None
    asked[0], asked[newest] = asked[newest], asked[0]
    return f"{state['ip']}:{state['port']}"


def _state(answer: Any, service: str) -> dict[str, Any]:  # noqa: ANN401  whatever became of asking
    """Return what a Sentinel says of the set; nothing where it does not answer or know it."""
    state: dict[str, Any] = answer.get(service, {}) if isinstance(answer, dict) else {}
    return state
