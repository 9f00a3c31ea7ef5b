"""The composition root: from a configuration to a running service, and back.

The only module that knows everybody. What is opened first is closed last.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import structlog

from reservesvc import listening, logs, redis_url, startup, workers
from reservesvc.api.application import build
from reservesvc.api.application import runner as runner_of
from reservesvc.api.auth import Keys
from reservesvc.api.handlers import Application
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.postgres_database import Patience
from reservesvc.bookings.settings import CachedSettings
from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.config import Config
from reservesvc.counts import Counts, SharedCounts, memory_files
from reservesvc.domain.wish import Limits
from reservesvc.embedded import EmbeddedRedis
from reservesvc.ids import RandomIds
from reservesvc.key_reload import ReadKeys, hangups, reload_keys
from reservesvc.metrics import Metrics
from reservesvc.ports import Stores
from reservesvc.reservations import health
from reservesvc.reservations.cluster import ClusterPipelines
from reservesvc.reservations.keys import Keys as KeyNames
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.redis_errors import EMBEDDED_DOWN, UNREACHABLE
from reservesvc.reservations.replicated_link import Replication
from reservesvc.reservations.store import RedisReservations, Times
from reservesvc.supervised import Supervisor
from reservesvc.tidying import Tidying
from reservesvc.timers import Timers

_log = structlog.get_logger()
WAITS_PER_DEADLINE = 4
"""replicas that do not answer leave time to say so"""
GARBAGE_MAX = 50_000
"""new objects between two looks of the garbage collector; 700 is Python's own number"""


async def serve(config: Config, read_keys: ReadKeys, counts: Counts | None = None) -> None:
    """Run the service until SIGTERM or SIGINT, then finish what is in flight.

    Args:
        config: what it was told.
        read_keys: reads the API keys again, see `key_reload`.
        counts: where a worker counts for its metrics; None for a process that is not one.

    Raises:
        ReservesvcError: it cannot start; the message says why.
        OSError: the address cannot be listened on.

    """
    async with contextlib.AsyncExitStack() as stack:
        stopped, hung_up = _stop_signals(), hangups()
        files = memory_files(config.workers + 1) if config.workers > 1 else []
        metrics = Metrics(SharedCounts(files, 0) if files else counts)
        logs.count_losses_in(metrics.losses)
        supervisor = Supervisor(metrics.restarted)
        embedded = None
        if config.redis_url is None:
            embedded = await stack.enter_async_context(_embedded_redis(config, supervisor))
        if config.workers > 1:
            workers_of = _workers(config, embedded, files, hung_up, supervisor)
            url = await stack.enter_async_context(workers_of)
        else:
            keys = Keys(config.api_keys)
            reloading = partial(reload_keys, hung_up, read_keys, keys.replace)
            await stack.enter_async_context(supervisor.running("keys", reloading))
            opened = application_of(config, keys, embedded, metrics, supervisor)
            application = await stack.enter_async_context(opened)
            url = await stack.enter_async_context(_listening(config, application))
        if config.socket_fd is None:  # else whoever gave us the socket says what there is to say
            _announce(config, embedded, url)
        _spare_the_collector()
        await stopped.wait()
        _log.info("stopping", finishing_for_s=config.shutdown_s)
    _log.info("stopped")


@contextlib.asynccontextmanager
async def application_of(
    config: Config,
    keys: Keys,
    embedded: EmbeddedRedis | None,
    metrics: Metrics,
    supervisor: Supervisor,
) -> AsyncIterator[Application]:
    """Open the stores and yield the application over them.

    Args:
        config: what to open, and the limits.
        keys: who may call.
        embedded: the Redis to use where the configuration names none.
        metrics: where to count.
        supervisor: keeps going what goes on beside the requests.

    """
    ids = RandomIds()
    own_url = embedded.url if embedded else ""
    observe = metrics.dependency("redis")
    redis, reservations = open_redis(config, own_url, ids, observe, supervisor)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.close)
        bookings = await open_bookings(config, metrics.dependency("store"))
        stack.push_async_callback(bookings.close)
        settings = CachedSettings(bookings)
        stores = Stores(reservations, bookings, settings, ids)
        background = {
            "settings": settings.run,
            "tidying": Tidying(stores, metrics.reservation).run,
            "timers": Timers(stores, _limits(config), metrics.reservation).run,
        }
        for name, work in background.items():
            await stack.enter_async_context(supervisor.running(name, work))
        yield build(
            stores=stores,
            limits=_limits(config),
            keys=keys,
            origins=config.cors_origins,
            checks={
                "redis": partial(
                    health.check, redis, KeyNames(config.key_prefix), config.redis_wait
                ),
                "store": bookings.ping,
                "background": supervisor.check,
            },
            metrics=metrics,
            deadline_ms=config.deadline_ms,
            body_bytes_max=config.body_max_bytes,
            write_line=_line_writer(config),
        )


def open_redis(
    config: Config,
    own_url: str,
    ids: RandomIds,
    observe: Callable[[float], None],
    supervisor: Supervisor,
) -> tuple[Pipeline | ClusterPipelines, RedisReservations]:
    """Return the connection to Redis, made at its first use, and the reservations there.

    Args:
        config: which Redis, and how long things stay in it.
        own_url: where ours is, which is taken if the configuration names none.
        ids: where nonces and tickets come from.
        observe: told the seconds of every call.
        supervisor: keeps going what goes on beside the calls.

    """
    url = config.redis_url.reveal() if config.redis_url else own_url
    terms = (url, config.deadline_ms / 1000, observe, _replication(config))
    redis: Pipeline | ClusterPipelines
    if redis_url.parse(url).kind == "cluster":
        redis = ClusterPipelines(*terms, supervisor=supervisor)
    else:
        # A worker is given our own address as a setting.
        is_own = url == EmbeddedRedis(config.data_dir).url
        unreachable = EMBEDDED_DOWN if is_own else UNREACHABLE
        redis = Pipeline(*terms, unreachable=unreachable, supervisor=supervisor)
    return redis, RedisReservations(redis, KeyNames(config.key_prefix), ids, _times(config))


def _replication(config: Config) -> Replication | None:
    """Return what a reservation waits for before it is acknowledged."""
    if config.redis_wait == 0:
        return None
    within_ms = config.deadline_ms // WAITS_PER_DEADLINE
    return Replication(replicas=config.redis_wait, within_ms=within_ms)


async def open_bookings(
    config: Config, observe: Callable[[float], None]
) -> SqliteBookingStore | PostgresBookingStore:
    """Return the booking store that the configuration names.

    Args:
        config: where it is, and the deadline that its waits have to stay below.
        observe: told the seconds of every call.

    Raises:
        UnavailableError: it cannot be opened.
        ConfigError: its schema is not the one that this code works with.

    """
    url = config.store.postgres_url
    if url is None:
        return await SqliteBookingStore.open(config.store.path, observe=observe)
    patience = Patience.within(config.deadline_ms / 1000)
    return await PostgresBookingStore.open(url, config.store_pool_max, patience, observe)


def _line_writer(config: Config) -> Callable[[msgspec.Struct], None] | None:
    """Return the quick way for request lines; None where they go through structlog."""
    if logs.is_for_people(config.log_format, sys.stderr):
        return None
    if config.log_level not in ("debug", "info"):
        return lambda _: None
    return logs.JsonLines().write


def _limits(config: Config) -> Limits:
    return Limits(
        duration_s_max=config.duration_max_s,
        slot_s_max=config.slot_max_s,
        past_s_max=config.past_max_s,
        ahead_s_max=config.ahead_max_s,
        grace_ms=config.grace_ms,
    )


def _times(config: Config) -> Times:
    return Times(
        life_ms=config.duration_max_s * 1000,
        grace_ms=config.grace_ms,
        past_ms=config.past_max_s * 1000,
        ahead_ms=config.ahead_max_s * 1000,
    )


def _stop_signals() -> asyncio.Event:
    """Return the event that the first SIGTERM or SIGINT sets."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


@contextlib.asynccontextmanager
async def _embedded_redis(config: Config, supervisor: Supervisor) -> AsyncIterator[EmbeddedRedis]:
    """Run a Redis of our own in the data directory."""
    embedded = EmbeddedRedis(config.data_dir)
    await embedded.start()
    try:
        async with supervisor.running("embedded redis", embedded.watch):
            yield embedded
    finally:
        await embedded.stop()


@contextlib.asynccontextmanager
async def _listening(config: Config, application: Application) -> AsyncIterator[str]:
    """Listen, yield the URL, and at the end answer what is in flight before letting go."""
    runner = runner_of(application, keepalive_s=config.keepalive_s, shutdown_s=config.shutdown_s)
    await runner.setup()
    server: Any = runner.server  # not None, once it is set up
    failed = application.metrics.accept_failed
    try:
        with _sockets(config) as sockets:
            async with listening.accepting(sockets, server, failed):
                yield _url(sockets[0].getsockname())
    finally:
        await runner.cleanup()


def _sockets(config: Config) -> contextlib.AbstractContextManager[list[socket.socket]]:
    """Return what listens, here or in the process that started this one."""
    if config.socket_fd is None:
        return listening.opened(config.host, config.port)
    return listening.inherited(config.socket_fd)


@contextlib.asynccontextmanager
async def _workers(
    config: Config,
    embedded: EmbeddedRedis | None,
    files: list[int],
    hung_up: asyncio.Event,
    supervisor: Supervisor,
) -> AsyncIterator[str]:
    """Let workers answer on our sockets, yield the URL, and end them."""
    with listening.opened(config.host, config.port) as sockets:
        words = workers.command(sys.argv[1:], sockets, embedded.url if embedded else None)
        async with (
            workers.running(words, sockets, files, config.shutdown_s, supervisor) as tell,
            supervisor.running("hangups", partial(_pass_on, hung_up, tell)),
        ):
            yield _url(sockets[0].getsockname())


async def _pass_on(hung_up: asyncio.Event, tell: workers.Tell) -> None:
    """Send each SIGHUP on to the workers, which have the keys."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        tell(signal.SIGHUP)


def _url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _spare_the_collector() -> None:
    """Let the garbage collector look at what requests leave behind, seldom, and at nothing else.

    Requests leave no cycles, and what was loaded at the start stays: looking for either cost
    a twelfth of a reservation (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_MAX)


def _announce(config: Config, embedded: EmbeddedRedis | None, url: str) -> None:
    started = startup.Started(
        url=url,
        redis=embedded.url if embedded else str(config.redis_url),
        redis_cli=embedded.cli_hint if embedded else None,
        store=str(config.store),
        day=str(datetime.now(UTC).date() + timedelta(days=30)),
        is_open=not config.api_keys,
    )
    if logs.is_for_people(config.log_format, sys.stderr):
        logs.say(startup.for_people(started))
    else:
        _log.info(
            "started", url=url, redis=started.redis, store=started.store, is_open=started.is_open
        )
