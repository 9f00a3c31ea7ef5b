"""Whether a Redis is one that reservations are safe on."""

from reservesvc.errors import UnavailableError
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import REDIS

VERSION_MIN = (7, 0)
"""Before 7.0 a script on a replica sees expired keys, and scripts can bypass
`min-replicas-to-write`."""


async def check(pipeline: Pipeline) -> None:
    """Ask Redis about itself.

    Raises:
        UnavailableError: it does not answer, or is not safe; the sentence says what to do.

    """
    danger = unsafe(parse(await pipeline.command("INFO")))
    if danger:
        raise UnavailableError(REDIS, danger)


def parse(info: object) -> dict[str, str]:
    """Return INFO's reply by field (Redis docs, INFO: a `field:value` a line)."""
    text = info.decode() if isinstance(info, bytes) else str(info)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def unsafe(info: dict[str, str]) -> str | None:
    """Return why reservations are not safe on the Redis that says `info`, or None."""
    version = info.get("redis_version", "0")
    if _numbers(version) < VERSION_MIN:
        return f"is version {version}; use 7.0 or later"
    policy = info.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        return f"has maxmemory-policy {policy}, which may evict reservations; set noeviction"
    role = info.get("role", "unknown")
    if role != "master":
        return f"is a {role}; point RESERVESVC_REDIS_URL at the primary"
    if info.get("loading") == "1":
        return "is still loading its data"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
