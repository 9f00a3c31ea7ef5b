"""Whether a Redis is one that reservations are safe on; of several servers, whether all are."""

import asyncio
from typing import Protocol

from reservesvc.errors import UnavailableError
from reservesvc.reservations.info import PRIMARY, parse
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import REDIS, REFUSALS

VERSION_MIN = (7, 0)
"""Before 7.0 a script on a replica sees expired keys, and scripts can bypass
`min-replicas-to-write`."""


class Servers(Protocol):
    """Whoever knows all servers: a `Pipeline`, or a `ClusterPipelines`."""

    async def servers(self) -> list[Pipeline]:
        """Return the pipelines to all of them."""
        ...


async def check(redis: Servers, replicas: int = 0) -> None:
    """Ask every server about itself.

    Args:
        redis: knows the servers.
        replicas: how many each is to have.

    Raises:
        UnavailableError: one does not answer, or is not safe; the sentence names it, where there
            are several, and says what to do.

    """
    found = await asyncio.gather(*(_danger(one, replicas) for one in await redis.servers()))
    dangers = [danger for danger in found if danger]
    if dangers:
        raise UnavailableError(REDIS, "; ".join(dangers))


async def _danger(server: Pipeline, replicas: int) -> str | None:
    """Return what is wrong with one server, its name before it."""
    try:
        info = parse(await server.command("INFO"))
        danger = unsafe(info, replicas)
        if danger is None and info.get("cluster_enabled") == "1":
            state = parse(await server.command("CLUSTER", "INFO")).get("cluster_state")
            danger = None if state == "ok" else REFUSALS["CLUSTERDOWN"]
    except UnavailableError as error:
        danger = error.detail
    return danger and f"{server.name} {danger}".strip()


def unsafe(info: dict[str, str], replicas: int = 0) -> str | None:
    """Return why reservations are not safe on the Redis that says `info`, or None."""
    version = info.get("redis_version", "0")
    if _numbers(version) < VERSION_MIN:
        return f"is version {version}; use 7.0 or later"
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        return f"has maxmemory-policy {policy}, which may evict reservations; set noeviction"
    role = info.get("role", "unknown")
    if role != PRIMARY:
        return f"is a {role}; point RESERVESVC_REDIS_URL at the primary"
    if info.get("loading") == "1":
        return "is still loading its data"
    connected = int(info.get("connected_slaves", "0"))
    if connected < replicas:
        return f"has {connected} replicas, and RESERVESVC_REDIS_WAIT asks for {replicas}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
