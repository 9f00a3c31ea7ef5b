"""A piece of work as one transaction, and what its failure means for the caller.

Before COMMIT was sent nothing has changed (`UnavailableError`); from then until its answer
arrived, nobody knows (`OutcomeUnknownError`). A statement without BEGIN brings its COMMIT
along. A session whose state is in doubt is ended, so
that the pool never lends it again; the server undoes what it had begun.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar

from asyncpg import DataError, InterfaceError, PostgresError

from reservesvc.bookings.postgres_errors import (
    DEPENDENCY,
    DRIVER_ERRORS,
    is_collision,
    is_refusal,
    sentence,
)
from reservesvc.domain.outcomes import (
    FenceMoved,
    KeyReused,
    NoSeat,
    NotFound,
    NotOpen,
    Overdue,
    Taken,
)
from reservesvc.errors import OutcomeUnknownError, UnavailableError

T = TypeVar("T")

# Said in full, for a database or a user may have other defaults.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ROLL_BACK_S = 0.2
"""How long a ROLLBACK may take before the session is ended instead"""
_REFUSALS = (FenceMoved, KeyReused, NoSeat, NotFound, NotOpen, Overdue, Taken)
"""Outcomes that change nothing: they are rolled back, which waits for no disk"""


class Session(Protocol):
    """What is used of a connection (asyncpg's, or one that a pool lends)."""

    async def execute(self, query: str, /, *values: object) -> str:
        """Run the query and return its command tag."""
        ...

    async def fetch(self, query: str, /, *values: object) -> list[Any]:
        """Return every row."""
        ...

    async def fetchrow(self, query: str, /, *values: object) -> Any:  # noqa: ANN401 - a Record or None
        """Return the first row, or None."""
        ...

    def terminate(self) -> None:
        """Close the connection without a word to the server."""
        ...


Work = Callable[[Session], Awaitable[T]]
"""What is to be done; it must not end the transaction, and may be done again from the start"""


class CollidedError(UnavailableError):
    """Others were in the way; nothing was changed, and trying again at once can help."""


async def write(session: Session, work: Work[T], until_s: float) -> T:
    """Run `work` in a transaction that may change the database.

    Args:
        session: idle, in no transaction.
        work: what to do.
        until_s: when to give up, on the event loop's clock.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: `work` may have been done.

    """
    async with _undoing(session, until_s):
        await session.execute(_BEGIN)
        result = await work(session)
    if isinstance(result, _REFUSALS):
        await _roll_back(session)
    else:
        await _commit(session, until_s)
    return result


async def act(session: Session, work: Work[T], until_s: float) -> T:
    """Run `work`, whose one changing statement is a transaction of its own: one round trip.

    Raises:
        UnavailableError: nothing was changed.
        OutcomeUnknownError: `work` may have been done.

    """
    async with _ending(session, until_s, otherwise=OutcomeUnknownError):
        return await work(session)


async def read(session: Session, work: Work[T], until_s: float) -> T:
    """Run `work` in a transaction that sees one state of the database.

    Raises:
        UnavailableError: it could not be read.

    """
    async with _undoing(session, until_s):
        await session.execute(_BEGIN_READING)
        result = await work(session)
    await _roll_back(session)
    return result


async def look(session: Session, work: Work[T], until_s: float) -> T:
    """Run `work`, a single statement that reads; without BEGIN, it costs one round trip.

    Raises:
        UnavailableError: it could not be read.

    """
    async with _ending(session, until_s):
        return await work(session)


@asynccontextmanager
async def _ending(
    session: Session, until_s: float, otherwise: type[UnavailableError] = UnavailableError
) -> AsyncIterator[None]:
    """Give up at `until_s`; end a session of which nobody knows what it is doing.

    What the server did not refuse in so many words is `otherwise`.
    """
    try:
        async with asyncio.timeout_at(until_s):
            yield
    except DRIVER_ERRORS as error:
        if isinstance(error, DataError) and error.__cause__ is not None:
            # asyncpg could not send a value: the caller's mistake, which stays what it is.
            # Without asyncpg's words, for they quote the value.
            raise error.__cause__ from None
        if not isinstance(error, PostgresError):
            _end(session)
        kind = otherwise
        if is_collision(error):
            kind = CollidedError
        elif is_refusal(error):
            kind = UnavailableError
        raise kind(DEPENDENCY, sentence(error)) from error
    except asyncio.CancelledError:
        _end(session)
        raise


@asynccontextmanager
async def _undoing(session: Session, until_s: float) -> AsyncIterator[None]:
    """As `_ending`, and roll back what was begun when anything fails."""
    async with _ending(session, until_s):
        try:
            yield
        except Exception:
            await _roll_back(session)
            raise


async def _commit(session: Session, until_s: float) -> None:
    try:
        async with asyncio.timeout_at(until_s):
            status = await session.execute("COMMIT")
    except DRIVER_ERRORS as error:
        _end(session)
        # Even where the server says no: told to shut down while it waits for a standby, it
        # says so after the commit was made.
        raise OutcomeUnknownError(DEPENDENCY, sentence(error)) from error
    except asyncio.CancelledError:
        _end(session)
        raise
    if status != "COMMIT":
        raise UnavailableError(DEPENDENCY, "the database rolled the transaction back")


async def _roll_back(session: Session) -> None:
    try:
        async with asyncio.timeout(_ROLL_BACK_S):
            await session.execute("ROLLBACK")
    except DRIVER_ERRORS:
        _end(session)
    except asyncio.CancelledError:
        _end(session)
        raise


def _end(session: Session) -> None:
    # A pool takes a connection back by itself once it finds that it is lost, and says so here.
    with suppress(InterfaceError):
        session.terminate()
