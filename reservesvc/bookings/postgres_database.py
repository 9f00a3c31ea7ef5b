"""A PostgreSQL database and the pool of connections to it.

Knows connections, time limits and second attempts; knows nothing of bookings. Every limit is
well below the deadline of a request, so that a request ends by being told why.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Protocol, Self, TypeVar

import asyncpg
from asyncpg import ClientConfigurationError, Record
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from reservesvc.bookings import postgres_transaction as transaction
from reservesvc.bookings.postgres_address import Address, address_of, begin_session
from reservesvc.bookings.postgres_errors import (
    DEPENDENCY,
    DRIVER_ERRORS,
    SHARED_SESSION,
    UNUSABLE_URL,
    connect_reason,
    reconnect_reason,
)
from reservesvc.bookings.postgres_transaction import CollidedError, Session, Work
from reservesvc.errors import ConfigError, OutcomeUnknownError, UnavailableError

T = TypeVar("T")

ATTEMPTS = 3
"""How often a transaction that collided with others is begun"""
_PAUSE_S = 0.01
"""How long to keep away before beginning again"""
_OPEN_S = 10.0
"""How long opening and closing may take; no request waits for them"""
_SESSION = "SELECT pg_backend_pid()"
_ROUNDS = 3
_EXHAUSTED = "every connection to the database is in use"


class Run(Protocol):
    """A way to run work as a transaction: `postgres_transaction.write` or `act`."""

    def __call__(self, session: Session, work: Work[T], until_s: float, /) -> Awaitable[T]:
        """Run `work`."""
        ...


class Patience(Struct, frozen=True, kw_only=True):
    """How long to wait for what."""

    call_s: float
    """one call of the store, all in all"""
    acquire_s: float
    """a connection of the pool"""
    statement_s: float
    """one statement, as the server counts"""
    lock_s: float
    """a lock that another transaction holds, as the server counts"""
    idle_s: float
    """for us to go on with a transaction, as the server counts: it holds locks meanwhile"""

    @classmethod
    def within(cls, deadline_s: float) -> Self:
        """Return the limits that let a request end before its deadline."""
        return cls(
            call_s=deadline_s * 0.75,
            acquire_s=deadline_s * 0.25,
            statement_s=deadline_s * 0.4,
            lock_s=deadline_s * 0.3,
            idle_s=deadline_s * 0.5,
        )

    def session_settings(self) -> dict[str, str]:
        """Return what each session is told when it begins; 0 would mean for ever."""
        limits_s = {
            "statement_timeout": self.statement_s,
            "lock_timeout": self.lock_s,
            "idle_in_transaction_session_timeout": self.idle_s,
        }
        limits_ms = {name: str(max(1, round(s * 1000))) for name, s in limits_s.items()}
        return {
            # A statement without BEGIN has no other place to say it.
            "default_transaction_isolation": "read committed",
            **limits_ms,
        }


class Database:
    """One PostgreSQL database.

    Args:
        url: where it is, `postgresql://…`.
        pool_max: the most connections to have at once.
        patience: how long to wait for what.
        observe: told the seconds of every call.

    """

    def __init__(
        self, url: str, pool_max: int, patience: Patience, observe: Callable[[float], None]
    ) -> None:
        self._url = url
        self._address = address_of(url)
        self._pool_max = pool_max
        self.patience = patience
        self._observe = observe
        self._pool: asyncpg.Pool[Record] | None = None

    async def open(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the database cannot be reached, does not let us in, or gives us no
                session of our own.
            ConfigError: the URL says what no driver understands.

        """
        with connecting(self._url):
            async with asyncio.timeout(_OPEN_S):
                self._pool = await asyncpg.create_pool(
                    self._address.url,
                    min_size=1,
                    max_size=self._pool_max,
                    server_settings=self._address.startup,
                    init=self._begin,
                    # No statement here leaves anything behind in a session, so that asyncpg's
                    # own clean-up would be a round trip for nothing.
                    reset=_leave,
                )
                is_ours = await has_sessions(self._pool, self._address)
        if not is_ours:
            await self.close()
            raise UnavailableError(DEPENDENCY, SHARED_SESSION)
        return self

    async def _begin(self, connection: object) -> None:
        settings = self._address.session | self.patience.session_settings()
        await begin_session(connection, settings)

    async def close(self) -> None:
        """Finish what was begun, then disconnect. May be called again."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_OPEN_S):
                await pool.close()
        except DRIVER_ERRORS:
            pool.terminate()

    async def write(self, work: Work[T], again: Work[T] | None = None) -> T:
        """Run `work` in a transaction that may change the database.

        Args:
            work: what to do.
            again: what to do on another connection where the answer to COMMIT was lost. It
                must first wait for a lock that `work` took, for then `work` has ended, and
                what it finds is the answer.

        Raises:
            UnavailableError: nothing was changed.
            OutcomeUnknownError: `work` may have been done.

        """
        return await self._changed(transaction.write, work, again, self.until_s())

    async def act(self, work: Work[T], again: Work[T], until_s: float) -> T:
        """Run `work`, whose one changing statement is a transaction of its own.

        Args:
            work: what to do.
            again: what to do on another connection where its answer was lost; what it finds
                is the answer, even if `work` arrives after it.
            until_s: when to give up, on the event loop's clock.

        Raises:
            UnavailableError: nothing was changed.
            OutcomeUnknownError: `work` may have been done.

        """
        return await self._changed(transaction.act, work, again, until_s)

    async def act_once(self, work: Work[T], until_s: float) -> T:
        """Run `work` as `act` does, and leave it to the caller to look.

        Raises:
            UnavailableError: nothing was changed.
            OutcomeUnknownError: `work` may have been done.

        """
        with self._observed():
            return await self._once(transaction.act, work, until_s)

    async def resolve(self, again: Work[T], until_s: float) -> T:
        """Run what `act` would run where the answer was lost.

        Raises:
            OutcomeUnknownError: it could not be run, and so nobody knows.

        """
        with self._observed():
            return await self._resolved(transaction.act, again, until_s)

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that sees one state of the database.

        Raises:
            UnavailableError: it cannot be read.

        """
        with self._observed():
            until_s = self.until_s()
            async with self._session(until_s) as session:
                return await transaction.read(session, work, until_s)

    async def look(self, work: Work[T]) -> T:
        """Run `work`, a single statement that reads.

        Raises:
            UnavailableError: it cannot be read.

        """
        with self._observed():
            until_s = self.until_s()
            async with self._session(until_s) as session:
                return await transaction.look(session, work, until_s)

    async def _changed(self, run: Run, work: Work[T], again: Work[T] | None, until_s: float) -> T:
        with self._observed():
            now_s = asyncio.get_running_loop().time()
            if again is None:
                return await self._tried(run, work, until_s)
            try:
                return await self._tried(run, work, (now_s + until_s) / 2)
            except OutcomeUnknownError:
                return await self._resolved(run, again, until_s)

    async def _resolved(self, run: Run, again: Work[T], until_s: float) -> T:
        try:
            return await self._tried(run, again, until_s)
        except UnavailableError as error:
            raise OutcomeUnknownError(error.dependency, error.detail) from error

    async def _tried(self, run: Run, work: Work[T], until_s: float) -> T:
        for _ in range(ATTEMPTS - 1):
            with suppress(CollidedError):
                return await self._once(run, work, until_s)
            # Lets those go first who were in the way, and who were waiting for our locks.
            await asyncio.sleep(_PAUSE_S)
        return await self._once(run, work, until_s)

    async def _once(self, run: Run, work: Work[T], until_s: float) -> T:
        async with self._session(until_s) as session:
            return await run(session, work, until_s)

    @asynccontextmanager
    async def _session(self, until_s: float) -> AsyncIterator["PoolConnectionProxy[Record]"]:
        pool = self._pool
        if pool is None:
            raise UnavailableError(DEPENDENCY, "the booking store is closed")
        connection = await self._acquired(pool, until_s)
        try:
            yield connection
        finally:
            # Never waits for the server: a session in doubt was ended before.
            await pool.release(connection)

    async def _acquired(
        self, pool: "asyncpg.Pool[Record]", until_s: float
    ) -> "PoolConnectionProxy[Record]":
        acquire_until_s = asyncio.get_running_loop().time() + self.patience.acquire_s
        try:
            async with asyncio.timeout_at(min(until_s, acquire_until_s)):
                return await pool.acquire()
        except DRIVER_ERRORS as error:
            is_exhausted = pool.get_size() == self._pool_max and pool.get_idle_size() == 0
            detail = _EXHAUSTED if is_exhausted else reconnect_reason(error, self._url)
            raise UnavailableError(DEPENDENCY, detail) from error

    def until_s(self) -> float:
        """Return when a call that begins now has to end, on the event loop's clock."""
        return asyncio.get_running_loop().time() + self.patience.call_s

    @contextmanager
    def _observed(self) -> Iterator[None]:
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self._observe(time.perf_counter() - began_s)


@contextmanager
def connecting(url: str) -> Iterator[None]:
    """Turn what fails while connecting to `url` into a sentence."""
    try:
        yield
    except DRIVER_ERRORS as error:
        if isinstance(error, ClientConfigurationError):
            raise ConfigError(UNUSABLE_URL) from error
        raise UnavailableError(DEPENDENCY, connect_reason(error, url)) from error
    except ValueError as error:
        raise ConfigError(UNUSABLE_URL) from error


async def has_sessions(pool: "asyncpg.Pool[Record]", address: Address) -> bool:
    """Tell whether each connection keeps a session of the database for itself.

    Behind a pooler that lends sessions for a transaction, two connections that take turns get
    the same session, or one of them different ones. The second is not the pool's, which begins
    with one.
    """
    async with pool.acquire() as first:
        try:
            second = await asyncpg.connect(address.url, server_settings=address.startup)
        except DRIVER_ERRORS:  # there may be no room for another one just now
            return True
        try:
            rounds = [[await c.fetchval(_SESSION) for c in (first, second)] for _ in range(_ROUNDS)]
        finally:
            await second.close()
    return rounds[0][0] != rounds[0][1] and all(one == rounds[0] for one in rounds)


async def _leave(_: object) -> None:
    """Leave a session as it is."""
