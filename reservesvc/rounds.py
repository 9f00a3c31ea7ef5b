"""Work that goes round and round beside the requests, whatever is down or wrong meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from reservesvc.errors import UnavailableError

DOWN_S = 5.0
"""how long a store that could not be asked is left alone"""
JITTER = 0.5
"""how much shorter or longer a pause may be: servers that started together drift apart"""

Count = Callable[[str, str], None]
"""told how something ended: verb and outcome"""
Sleep = Callable[[float], Awaitable[object]]
_log = structlog.get_logger()


class Rounds:
    """Does one round after the other.

    Args:
        verb: what a round does, for the log and the metrics.
        pause_s: between two rounds.
        count: told of rounds that failed.
        sleep: waits so many seconds.

    """

    def __init__(
        self, verb: str, pause_s: float, count: Count, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._verb = verb
        self._pause_s = pause_s
        self._count = count
        self._sleep = sleep

    async def run(self, once: Callable[[], Awaitable[None]]) -> None:
        """Pause and do a round, until cancelled."""
        pause_s = self._pause_s
        while True:
            await self.rest(pause_s)
            pause_s = await self._attempt(once)

    async def rest(self, pause_s: float) -> None:
        """Wait about so long."""
        await self._sleep(pause_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret

    async def _attempt(self, once: Callable[[], Awaitable[None]]) -> float:
        """Do a round; return how long to pause after it."""
        try:
            await once()
        except UnavailableError as error:
            # Who is asked for something says so louder; here there is time.
            _log.debug(f"{self._verb}_waits", dependency=error.dependency, reason=error.detail)
            self._count(self._verb, "unavailable")
            return DOWN_S
        except Exception:  # noqa: BLE001  a bug met here must not end it for good
            _log.exception(f"{self._verb}_failed")
            self._count(self._verb, "failed")
            return max(self._pause_s, DOWN_S)
        return self._pause_s
