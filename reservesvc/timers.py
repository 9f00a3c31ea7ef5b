"""When to look for timers that have run out: every second, for as long as the service runs."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from reservesvc.domain.booking import Booking
from reservesvc.domain.wish import Limits
from reservesvc.errors import UnavailableError
from reservesvc.flow.due import carry_out, due_bookings
from reservesvc.ports import Stores

PAUSE_S = 1.0
"""between two looks: how late a move may be"""
DOWN_S = 5.0
"""how long a store that could not be asked is left alone"""
JITTER = 0.5
"""how much shorter or longer a pause may be: servers that started together drift apart"""

_log = structlog.get_logger()


class Timers:
    """Carries out what bookings' timers ask for.

    Args:
        stores: where the bookings are.
        limits: how long a claim on a slot may take.
        count: told how each move ended: verb and outcome.
        sleep: waits so many seconds.

    """

    def __init__(
        self,
        stores: Stores,
        limits: Limits,
        count: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stores = stores
        self._limits = limits
        self._count = count
        self._sleep = sleep

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        pause_s = PAUSE_S
        while True:
            await self._sleep(pause_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret
            try:
                async for booking in due_bookings(self._stores):
                    await self._carry_out(booking)
            except UnavailableError as error:
                # Who is asked for something says so louder; here there is time.
                _log.debug("timers_wait", dependency=error.dependency, reason=error.detail)
                self._count("due", "unavailable")
                pause_s = DOWN_S
            except Exception:  # noqa: BLE001  a bug met here must not end it for good
                _log.exception("timers_failed")
                self._count("due", "failed")
                pause_s = DOWN_S
            else:
                pause_s = PAUSE_S

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
