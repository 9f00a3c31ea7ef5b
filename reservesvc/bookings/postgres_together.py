"""Booking together: who asks while a call is under way is booked by the next, in one transaction.

One round trip and one wait for the disk serve them all. Each is still judged for itself, under
its own fence, in the order of asking on its resource; nobody is refused for what another asked.
Whatever needs more than that is sent alone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from enum import Enum, auto
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import structlog
from msgspec import Struct

from reservesvc.bookings.postgres_bookings import booked, without_wait
from reservesvc.bookings.postgres_errors import DEPENDENCY, LATE
from reservesvc.bookings.postgres_transaction import Session, Work
from reservesvc.bookings.rows import BOOKING_COLUMNS, JSON_FIELDS, booking_values
from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Booked, FenceMoved, Taken
from reservesvc.errors import OutcomeUnknownError, UnavailableError

TOGETHER_MAX = 32
"""The most bookings of one transaction: they keep their resources locked until all are done"""

_log = structlog.get_logger()
_COLUMNS = (*BOOKING_COLUMNS, "blocks", "fence", "due_after_ms")
_HINTS = {
    **dict(zip(BOOKING_COLUMNS, get_type_hints(Booking).values(), strict=True)),
    "fence": int,
    "due_after_ms": int,
}
_ANSWERS: dict[str, FenceMoved | Taken] = {
    "fence_moved": FenceMoved(),
    "taken": Taken(by="booked"),
}


class Sent(Enum):
    """Why one has to be sent alone."""

    ALONE = auto()
    """nothing was changed"""
    AGAIN = auto()
    """it may have been booked"""


Answer = Booked | FenceMoved | Taken | Sent
Carry = Callable[[Work[list[str]], float], Coroutine[Any, Any, list[str]]]
"""Runs work as one transaction, until a time on the event loop's clock"""


class _Ask(Struct, eq=False):
    booking: Booking
    fence: int
    answer: "asyncio.Future[Answer]"
    is_sent: bool = False


class Together:
    """Collects bookings while a call is under way.

    Args:
        carry: runs the transaction.
        patience_s: how long one may take; it is bounded by this also while it waits its turn.

    """

    def __init__(self, carry: Carry, patience_s: float) -> None:
        self._carry = carry
        self._patience_s = patience_s
        self._waiting: list[_Ask] = []
        self._call: asyncio.Task[None] | None = None

    async def book(self, booking: Booking, fence: int) -> Answer:
        """Return what became of the booking, or how to send it alone.

        Raises:
            UnavailableError: its turn did not come in time.

        """
        loop = asyncio.get_running_loop()
        ask = _Ask(booking, fence, loop.create_future())
        self._waiting.append(ask)
        if self._call is None:
            self._call = asyncio.create_task(self._call_until_none_waits())
        try:
            async with asyncio.timeout(self._patience_s):
                return await ask.answer
        except TimeoutError:
            if ask.is_sent:
                return Sent.AGAIN
            raise UnavailableError(DEPENDENCY, LATE) from None

    async def _call_until_none_waits(self) -> None:
        try:
            while self._waiting:
                turn = self._waiting[:TOGETHER_MAX]
                del self._waiting[:TOGETHER_MAX]
                # Who gave up meanwhile has a cancelled answer.
                await self._book([ask for ask in turn if not ask.answer.done()])
        finally:
            self._call = None

    async def _book(self, asks: Sequence[_Ask]) -> None:
        for ask in asks:
            ask.is_sent = True
        until_s = asyncio.get_running_loop().time() + self._patience_s
        # One order for all servers. What waits for a lock all the same is sent alone.
        asks = sorted(asks, key=attrgetter("booking.resource_id"))
        try:
            words = await self._carry(lambda session: _booked(session, asks), until_s)
        except OutcomeUnknownError:
            _tell(asks, [Sent.AGAIN] * len(asks))
        except (UnavailableError, ValueError):
            # Perhaps because of a single one of them.
            _tell(asks, [Sent.ALONE] * len(asks))
        except Exception:  # noqa: BLE001  it is logged, traceback and all
            # A bug. The others still get their turn, and these are not kept waiting.
            _log.exception("booking_together_failed")
            _tell(asks, [Sent.AGAIN] * len(asks))
        else:
            _tell(asks, [_answer(ask, word) for ask, word in zip(asks, words, strict=True)])


def _answer(ask: _Ask, answer: str) -> Answer:
    word, _, due_ms = answer.partition(" ")
    if word == "booked":
        return booked(without_wait(ask.booking), due_ms)
    return _ANSWERS.get(word, Sent.ALONE)


def _tell(asks: Sequence[_Ask], answers: Sequence[Answer]) -> None:
    for ask, answer in zip(asks, answers, strict=True):
        if not ask.answer.done():
            ask.answer.set_result(answer)


async def _booked(session: Session, asks: Sequence[_Ask]) -> list[str]:
    """Return the word of `book` for each, all in one statement."""
    rows = [_row(ask.booking, ask.fence) for ask in asks]
    found = await session.fetch(_BOOK, *(list(column) for column in zip(*rows, strict=True)))
    return [word for (word,) in found]


def _row(booking: Booking, fence: int) -> tuple[object, ...]:
    values = booking_values(without_wait(booking))
    return (*values, booking.blocks, fence, booking.waits_ms)


def _type(column: str) -> str:
    """Return the type of SQL that the values of a column have."""
    if column in JSON_FIELDS:
        return "json"
    hint = _HINTS.get(column, bool)
    kinds = get_args(hint) or (hint,)
    return "bigint" if int in kinds else "boolean" if bool in kinds else "text"


def _statement() -> str:
    lists = ", ".join(f"${number}::{_type(name)}[]" for number, name in enumerate(_COLUMNS, 1))
    values = ", ".join(f"{name} => ask.{name}" for name in _COLUMNS)
    return (
        f"SELECT book({values}, key_digest => NULL, key_fingerprint => NULL, "  # noqa: S608 - our own column names
        f"is_again => false, is_together => true) "
        f"FROM unnest({lists}) AS ask ({', '.join(_COLUMNS)})"
    )


_BOOK = _statement()
