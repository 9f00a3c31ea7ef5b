"""What goes round beside the requests, with every pause noted, until enough of them were made."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from reservesvc.rounds import JITTER, Count, Sleep


class Watched:
    """One such thing, made with what counts for it and what it sleeps with."""

    def __init__(
        self, make: Callable[[Count, Sleep], Callable[[], Awaitable[None]]], verb: str, pauses: int
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.pauses_s: list[float] = []
        self._verb = verb
        self._left = pauses
        self._run = make(self._count, self._sleep)

    async def run(self) -> None:
        """Run until the last pause."""
        with pytest.raises(asyncio.CancelledError):
            await self._run()

    def _count(self, verb: str, outcome: str) -> None:
        assert verb == self._verb
        self.outcomes[outcome] += 1

    async def _sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)
        self._left -= 1
        if self._left < 0:
            raise asyncio.CancelledError


def about(seconds: float) -> Any:
    """Return what compares equal to `seconds`, give or take the jitter."""
    return pytest.approx(seconds, rel=JITTER)
