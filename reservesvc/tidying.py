"""When to tidy: one resource at a time, slowly, for as long as the service runs.

Indexes are found, by their fences, by a SCAN of Redis in small steps: every key is looked at,
a hundred a step, and nothing has to be kept in order while requests are served. What that
costs, and how long a round takes, is in docs/decisions.md.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog

from reservesvc.errors import UnavailableError
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Stores

PAUSE_S = 0.1
"""between two resources, and between two steps of the search"""
ROUND_S = 30.0
"""between two rounds"""
DOWN_S = 5.0
"""how long a store that could not be asked is left alone"""
JITTER = 0.5
"""how much shorter or longer a pause may be: servers that started together drift apart"""
KEYS_AGE_MS = 25 * 3_600_000
"""keys are promised for 24 hours; the hour more is for clocks that differ"""
KEYS_AT_ONCE = 500

_log = structlog.get_logger()


class Tidying:
    """Goes round all indexes.

    Args:
        stores: to be tidied.
        count: told how each resource ended: verb and outcome.
        sleep: waits so many seconds.

    """

    def __init__(
        self,
        stores: Stores,
        count: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stores = stores
        self._count = count
        self._sleep = sleep

    async def run(self) -> None:
        """Go round and round, until cancelled."""
        pause_s = ROUND_S
        while True:
            await self._rest(pause_s)
            try:
                await self._round()
            except UnavailableError as error:
                # Who is asked for something says so louder; here there is time.
                _log.debug("tidying_waits", dependency=error.dependency, reason=error.detail)
                self._count("tidy", "unavailable")
                pause_s = DOWN_S
            except Exception:  # noqa: BLE001  a bug met here must not end it for good
                _log.exception("tidying_failed")
                self._count("tidy", "failed")
                pause_s = ROUND_S
            else:
                pause_s = ROUND_S

    async def _round(self) -> None:
        async for resource_id in self._resources():
            outcome = await tidy(self._stores, resource_id)
            self._count("tidy", outcome)
            if outcome == "resynced":
                _log.warning("tidied", resource_id=resource_id)
            await self._rest(PAUSE_S)
        await self._forget_keys()

    async def _resources(self) -> AsyncIterator[str]:
        cursor = 0
        while True:
            found, cursor = await self._stores.reservations.indexes(cursor)
            for resource_id in found:
                yield resource_id
            if cursor == 0:
                return
            await self._rest(PAUSE_S)

    async def _forget_keys(self) -> None:
        while True:
            count = await self._stores.bookings.forget_keys(KEYS_AGE_MS, KEYS_AT_ONCE)
            if count == 0:
                return
            _log.info("forgot_keys", count=count)
            await self._rest(PAUSE_S)

    async def _rest(self, pause_s: float) -> None:
        await self._sleep(pause_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret
