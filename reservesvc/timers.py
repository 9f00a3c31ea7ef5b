"""When to look for timers that have run out: every second, for as long as the service runs."""

import asyncio

import structlog

from reservesvc.domain.booking import Booking
from reservesvc.domain.wish import Limits
from reservesvc.errors import UnavailableError
from reservesvc.flow.due import carry_out, due_bookings
from reservesvc.ports import Stores
from reservesvc.rounds import Count, Rounds, Sleep

PAUSE_S = 1.0
"""between two looks: how late a move may be"""

_log = structlog.get_logger()


class Timers:
    """Carries out what bookings' timers ask for.

    Args:
        stores: where the bookings are.
        limits: how long a claim on a slot may take.
        count: told how each move ended.
        sleep: waits so many seconds.

    """

    def __init__(
        self, stores: Stores, limits: Limits, count: Count, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._count = count
        self._rounds = Rounds("due", PAUSE_S, count, sleep)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await self._rounds.run(self._look)

    async def _look(self) -> None:
        async for booking in due_bookings(self._stores):
            await self._carry_out(booking)

    async def _carry_out(self, booking: Booking) -> None:
        try:
            outcome: str = await carry_out(self._stores, self._limits, booking)
        except UnavailableError as error:
            # The others may be luckier: theirs is another resource, or needs no Redis.
            _log.debug("timer_waits", booking_id=booking.id, reason=error.detail)
            outcome = "unavailable"
        except Exception:  # noqa: BLE001  nor must it stand before all that are due later
            _log.exception("timer_failed", booking_id=booking.id)
            outcome = "failed"
        self._count("due", outcome)
        if outcome == "moved":
            _log.info("due", booking_id=booking.id, state=booking.due_state)
