"""A connection that acknowledges a reservation only once replicas have it.

Each write to the socket that holds calls which promise something ends in one WAIT (Redis docs,
WAIT), and nothing follows it until its reply is there, for Redis answers nothing else on this
connection meanwhile. What came up until then leaves together. So the price is one exchange with
the replicas for as many reservations as come up during one.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import hiredis
from msgspec import Struct
from redis.asyncio.connection import Connection

from reservesvc.errors import OutcomeUnknownError
from reservesvc.reservations.link import Call, Link
from reservesvc.reservations.packed import Packed, array
from reservesvc.reservations.redis_errors import REDIS
from reservesvc.reservations.scripts import Script

PROMISES = {
    "reserve": (b"reserved", b"replayed"),
    "extend": (b"extended",),
    "release": (b"released",),
}
"""the scripts that promise something, and the answers that do

What else is written needs no replica: an index that lost it is cold after a failover.
"""


class Replication(Struct, frozen=True):
    """How many replicas have to have a reservation, and how long that may take."""

    replicas: int
    within_ms: int

    @property
    def reason(self) -> str:
        """Tell an operator what did not come about."""
        return f"did not get it to {self.replicas} replica(s) within {self.within_ms} ms"


class ReplicatedLink(Link):
    """One connection on which promises wait for replicas."""

    def __init__(
        self,
        connection: Connection,
        run: str,
        deadline_s: float,
        observe: Callable[[float], None] | None,
        replication: Replication,
    ) -> None:
        self._replication = replication
        self._wait = array(b"WAIT", replication.replicas, replication.within_ms)
        self._promised = False
        self._is_waiting = False
        self._unconfirmed: list[tuple[asyncio.Future[Any], Any]] = []
        super().__init__(connection, run, deadline_s, observe)

    def call(self, script: Script, call: Packed) -> asyncio.Future[list[Any]]:
        """Queue a script call, as `Link` does; a promise waits for the replicas."""
        return self._confirmed(script, super().call(script, call))

    def send(self, command: bytes, script: Script | None = None) -> asyncio.Future[Any]:
        """Queue `command`, as `Link` does; a promise waits for the replicas."""
        self._promised = self._promised or (script is not None and script.name in PROMISES)
        answered = super().send(command)
        return self._confirmed(script, answered) if script else answered

    def _queue(
        self, command: bytes, future: asyncio.Future[Any], call: Call | None
    ) -> asyncio.Future[Any]:
        self._promised = self._promised or (call is not None and call[1].name in PROMISES)
        return super()._queue(command, future, call)

    def _flush(self) -> None:
        if self._is_waiting or self._paused or self.is_lost or not self._unsent:
            return
        if self._promised:
            self._promised, self._is_waiting = False, True
            told = self._loop.create_future()
            told.add_done_callback(self._told)
            self._waiting.append((told, None))
            self._unsent.append(self._wait)
        super()._flush()

    def _confirmed(self, script: Script, answered: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Return a future of its own for what has to wait; else `answered` itself."""
        if script.name not in PROMISES:
            return answered
        confirmed = self._loop.create_future()
        answered.add_done_callback(partial(self._answered, confirmed, PROMISES[script.name]))
        return confirmed

    def _answered(
        self,
        confirmed: asyncio.Future[Any],
        promises: tuple[bytes, ...],
        answered: asyncio.Future[Any],
    ) -> None:
        """Keep a promise back until the WAIT after it is answered.

        asyncio calls back in the order of the replies, so this is before `_told`.
        """
        error = answered.exception()
        if confirmed.done():  # its caller has given up
            return
        if error is not None:
            confirmed.set_exception(error)
        elif isinstance(answered.result(), list) and answered.result()[0] in promises:
            self._unconfirmed.append((confirmed, answered.result()))
        else:
            confirmed.set_result(answered.result())

    def _told(self, told: asyncio.Future[Any]) -> None:
        """Hand out the promises that the replicas have; what they may lack is unknown."""
        self._is_waiting = False
        kept, self._unconfirmed = self._unconfirmed, []
        is_kept = told.exception() is None and self._is_enough(told.result())
        for confirmed, answer in kept:
            if confirmed.done():
                continue
            if is_kept:
                confirmed.set_result(answer)
            else:
                confirmed.set_exception(OutcomeUnknownError(REDIS, self._replication.reason))
        self._flush()

    def _is_enough(self, reply: object) -> bool:
        """Tell whether so many replicas have it; Redis refuses WAIT where it is demoted."""
        if isinstance(reply, hiredis.ReplyError):
            self.retire()
        return isinstance(reply, int) and reply >= self._replication.replicas
