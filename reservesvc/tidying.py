"""When to tidy: one resource at a time, slowly, for as long as the service runs.

Indexes are found, by their fences, by a SCAN of Redis in small steps: every key is looked at,
a hundred a step, and nothing has to be kept in order while requests are served. What that
costs, and how long a round takes, is in docs/decisions.md.
"""

import asyncio
from collections.abc import AsyncIterator

import structlog

from reservesvc.flow.tidy import tidy
from reservesvc.ports import Stores
from reservesvc.rounds import Count, Rounds, Sleep

PAUSE_S = 0.1
"""between two resources, and between two steps of the search"""
ROUND_S = 30.0
"""between two rounds"""
KEYS_AGE_MS = 25 * 3_600_000
"""keys are promised for 24 hours; the hour more is for clocks that differ"""
KEYS_AT_ONCE = 500

_log = structlog.get_logger()


class Tidying:
    """Goes round all indexes.

    Args:
        stores: to be tidied.
        count: told how each resource ended.
        sleep: waits so many seconds.

    """

    def __init__(self, stores: Stores, count: Count, sleep: Sleep = asyncio.sleep) -> None:
        self._stores = stores
        self._count = count
        self._rounds = Rounds("tidy", ROUND_S, count, sleep)

    async def run(self) -> None:
        """Go round and round, until cancelled."""
        await self._rounds.run(self._round)

    async def _round(self) -> None:
        async for resource_id in self._resources():
            outcome = await tidy(self._stores, resource_id)
            self._count("tidy", outcome)
            if outcome == "resynced":
                _log.warning("tidied", resource_id=resource_id)
            await self._rounds.rest(PAUSE_S)
        await self._forget_keys()

    async def _resources(self) -> AsyncIterator[str]:
        cursor = 0
        while True:
            found, cursor = await self._stores.reservations.indexes(cursor)
            for resource_id in found:
                yield resource_id
            if cursor == 0:
                return
            await self._rounds.rest(PAUSE_S)

    async def _forget_keys(self) -> None:
        while True:
            count = await self._stores.bookings.forget_keys(KEYS_AGE_MS, KEYS_AT_ONCE)
            if count == 0:
                return
            _log.info("forgot_keys", count=count)
            await self._rounds.rest(PAUSE_S)
