"""The command `reservesvc doctor`: open what `serve` would, look, say what was found.

Opens only what is there: it starts no Redis, makes no file and changes no schema.
"""

import contextlib
import sys
from collections.abc import AsyncIterator

from reservesvc.app import open_bookings, open_redis
from reservesvc.bookings import sqlite_schema
from reservesvc.bookings.settings import CachedSettings
from reservesvc.config import Config
from reservesvc.doctor_report import Progress, as_json, as_text
from reservesvc.doctoring import Doctor
from reservesvc.embedded import EmbeddedRedis
from reservesvc.errors import UnavailableError
from reservesvc.ids import RandomIds
from reservesvc.ports import Stores
from reservesvc.reservations import health
from reservesvc.reservations.cluster import ClusterPipelines
from reservesvc.reservations.health import Servers
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.supervised import Supervisor

MARGIN_S = 1.0
"""beyond the deadline of a request, until it is over for certain"""


async def doctor(config: Config, resource_id: str | None, *, fix: bool, json: bool) -> bool:
    """Print what is wrong, or with `fix` what was and what is left; return whether all is well.

    Raises:
        ConfigError: the booking store has another schema.
        UnavailableError: a store cannot be asked.

    """
    async with _opened(config) as (redis, stores):
        progress = Progress(sys.stderr)
        look_again_s = config.deadline_ms / 1000 + MARGIN_S
        dangers = await _dangers(redis, Keys(config.key_prefix), config.redis_wait)
        report = await Doctor(stores, look_again_s, progress.tell).look(resource_id, fix=fix)
    report.dangers = dangers
    sys.stdout.write(as_json(report) if json else as_text(report))
    return report.is_well


@contextlib.asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[tuple[Pipeline | ClusterPipelines, Stores]]:
    """Open both stores as they are."""
    ids = RandomIds()
    own_url = EmbeddedRedis(config.data_dir).url
    async with contextlib.AsyncExitStack() as stack:
        redis, reservations = open_redis(config, own_url, ids, lambda _: None, Supervisor())
        stack.push_async_callback(redis.close)
        # First, for it is the one more often out of reach.
        await _reached(redis, config)
        if config.store.postgres_url is None:
            sqlite_schema.check_file(config.store.path)
        bookings = await open_bookings(config, lambda _: None)
        stack.push_async_callback(bookings.close)
        yield redis, Stores(reservations, bookings, CachedSettings(bookings), ids)


async def _reached(redis: Pipeline | ClusterPipelines, config: Config) -> None:
    """Connect; where the embedded Redis does not run, say which one that is."""
    try:
        await redis.time_ms()
    except UnavailableError as error:
        if config.redis_url is not None:
            raise
        detail = (
            f"{error.detail} ({config.data_dir.absolute()}): start that, or set "
            "RESERVESVC_REDIS_URL to the Redis that the service uses"
        )
        raise UnavailableError(error.dependency, detail) from error


async def _dangers(redis: Servers, keys: Keys, replicas: int) -> list[str]:
    """Return why reservations are not safe on a Redis that answers."""
    try:
        await health.check(redis, keys, replicas)
    except UnavailableError as error:
        return [str(error)]
    return []
