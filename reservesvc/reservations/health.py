"""Whether a Redis is one that reservations are safe on; of several servers, whether all are."""

import asyncio
from typing import Protocol

from reservesvc.errors import UnavailableError
from reservesvc.reservations.info import PRIMARY, parse
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import REDIS, REFUSALS, is_elsewhere
from reservesvc.reservations.scripts import load

READY = load("ready")
READY_MS = 1_000
"""how long the key stays that is written"""
VERSION_MIN = (7, 0)
"""Before 7.0 a script on a replica sees expired keys, and scripts can bypass
`min-replicas-to-write`."""


class Servers(Protocol):
    """What knows all servers: a `Pipeline`, or a `ClusterPipelines`."""

    async def servers(self) -> list[tuple[Pipeline, str]]:
        """Return the pipelines to all of them, each with a hash tag whose keys it has."""
        ...


async def check(redis: Servers, keys: Keys, replicas: int = 0) -> None:
    """Ask every server about itself, then let it write what lapses at once, as a claim writes.

    Args:
        redis: knows the servers.
        keys: names the key that is written.
        replicas: how many each is to have.

    Raises:
        UnavailableError: one does not answer, or is not safe; the sentence names it, where there
            are several, and says what to do.

    """
    asked = (_danger(one, keys.ready(tag), replicas) for one, tag in await redis.servers())
    dangers = [danger for danger in await asyncio.gather(*asked) if danger]
    if dangers:
        raise UnavailableError(REDIS, "; ".join(dangers))


async def _danger(server: Pipeline, key: str, replicas: int) -> str | None:
    """Return what is wrong with one server, its name before it."""
    try:
        info = parse(await server.command("INFO"))
        is_cluster = info.get("cluster_enabled") == "1"
        danger = unsafe(info, replicas)
        if danger is None and is_cluster:
            state = parse(await server.command("CLUSTER", "INFO")).get("cluster_state")
            danger = None if state == "ok" else REFUSALS["CLUSTERDOWN"]
        if danger is None:
            await server.call(READY, [key], [READY_MS])
    except UnavailableError as error:
        # While slots move, requests are sent on to the node that has their keys.
        danger = None if server.name and is_elsewhere(error) else error.detail
    return danger and f"{server.name} {danger}".strip()


def unsafe(info: dict[str, str], replicas: int = 0) -> str | None:
    """Return why reservations are not safe on the Redis that says `info`, or None."""
    version = info.get("redis_version", "0")
    if _numbers(version) < VERSION_MIN:
        return f"is version {version}; use 7.0 or later"
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        return f"has maxmemory-policy {policy}, which may evict reservations; set noeviction"
    if info.get("role") != PRIMARY:
        return REFUSALS["READONLY"]
    if info.get("loading") == "1":
        return "is still loading its data"
    connected = int(info.get("connected_slaves", "0"))
    if connected < replicas:
        return f"has {connected} replicas, and RESERVESVC_REDIS_WAIT asks for {replicas}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
