"""One connection to Redis: commands out, replies in, each to the call it belongs to.

Commands of one turn of the event loop leave in one write; replies come back in the order of
the commands.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.reservations.packed import Packed, bulk
from reservesvc.reservations.redis_errors import REDIS, is_of_demoted, refusal
from reservesvc.reservations.scripts import Script

PENDING_MAX = 10_000
"""calls waiting for a reply; more would only wait past their deadline"""
JOINED_MAX = 16
"""commands in one write; waiting for more gains nothing (docs/performance.md)"""
_TOO_MANY = f"more than {PENDING_MAX} calls wait for a reply"
WATCHES_PER_DEADLINE = 4

Call = tuple[float, Script, Packed | None]
"""when a script was called, which one, and with what, as long as it may be sent again"""
_Waiting = tuple[asyncio.Future[Any], Call | None]


def _unobserved(_duration_s: float) -> None:
    """Take no notice."""


def _nothing() -> None:
    """Have nobody to tell."""


class Link(asyncio.Protocol):
    """One connection: bytes out, replies in, in order.

    Taking its StreamWriter out of redis-py's connection is the one private thing used here.
    """

    def __init__(
        self,
        connection: Connection,
        run: str,
        deadline_s: float,
        observe: Callable[[float], None] | None,
    ) -> None:
        self.run = bulk(run)
        self.place = f"{getattr(connection, 'host', '')}:{getattr(connection, 'port', '')}"
        self._observe = observe or _unobserved
        self.is_lost = False
        self.on_lost: Callable[[], None] = _nothing
        self._is_retired = False
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._unsent: list[bytes] = []
        self._reader = hiredis.Reader()
        self._paused = False
        # redis-py is done with the socket; it must neither read from it nor close it.
        self._writer = cast("asyncio.StreamWriter", connection._writer)  # noqa: SLF001  see the class
        connection._writer = connection._reader = None  # noqa: SLF001  see the class
        self._transport = cast("asyncio.Transport", self._writer.transport)
        self._transport.set_protocol(self)
        self._watch_s = deadline_s / WATCHES_PER_DEADLINE
        self._silent_watches = 0
        self._watcher = self._loop.call_later(self._watch_s, self._watch)
        if self._transport.is_closing():  # it was told to whoever was its protocol then
            self._fail("the connection was lost")

    def call(self, script: Script, call: Packed) -> asyncio.Future[list[Any]]:
        """Queue a script call; the future gets its answer, or what kept it from running."""
        command = call.command(script.by_sha, self.run)
        return self._queue(command, self._loop.create_future(), (perf_counter(), script, call))

    def send(self, command: bytes, script: Script | None = None) -> asyncio.Future[Any]:
        """Queue `command`, which may call `script`; the future gets its reply, whatever it is."""
        del script
        return self._queue(command, self._loop.create_future(), None)

    def _queue(
        self, command: bytes, future: asyncio.Future[Any], call: Call | None
    ) -> asyncio.Future[Any]:
        if self.is_lost or len(self._waiting) >= PENDING_MAX:
            reason = "the connection was lost" if self.is_lost else _TOO_MANY
            future.set_exception(UnavailableError(REDIS, reason))
            return future
        is_idle = not self._waiting
        self._waiting.append((future, call))
        self._unsent.append(command)
        if is_idle or len(self._unsent) >= JOINED_MAX:
            self._flush()
        elif len(self._unsent) == 1:
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        if self._unsent and not self._paused and not self.is_lost:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Hand every whole reply to the call it belongs to."""
        self._silent_watches = 0
        self._reader.feed(data)
        now_s = perf_counter()
        try:
            while (reply := self._reader.gets()) is not False:
                future, call = self._waiting.popleft()
                if call is not None:
                    self._observe(now_s - call[0])
                if future.done():  # its caller has given up; the place was kept
                    continue
                if call is not None and isinstance(reply, hiredis.ReplyError):
                    self._refused(reply, future, call)
                else:
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort("the connection sent what is no reply")
        if self._is_retired:
            self._leave()

    def _refused(self, error: Exception, future: asyncio.Future[Any], call: Call) -> None:
        begun_s, script, packed = call
        if packed is not None and is_forgotten(error):
            # It did not run; EVAL runs it and lets Redis remember it for the next EVALSHA.
            command = packed.command(script.in_full, self.run)
            self._queue(command, future, (begun_s, script, None))
        else:
            future.set_exception(self.refused(error))

    def refused(self, error: Exception) -> UnavailableError:
        """Return what an error reply means; where it is a demoted server's, call no more there."""
        if is_of_demoted(error):
            self.retire()
        return refusal(error)

    def retire(self) -> None:
        """Let whoever owns this make a new one, and close once nobody waits any more."""
        self.on_lost()
        self.on_lost = _nothing
        self._is_retired = True
        self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        if not self._waiting:
            self.abort("the server is no primary any more")

    def pause_writing(self) -> None:
        """Keep commands here while the socket takes no more (asyncio's flow control)."""
        self._paused = True

    def resume_writing(self) -> None:
        """Send what was kept."""
        self._paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail exactly the calls that were on this connection."""
        self._fail("the connection was lost" if exc is None else f"the connection broke ({exc})")

    def abort(self, reason: str) -> None:
        """Close the connection at once."""
        self._fail(reason)
        self._transport.abort()

    def _watch(self) -> None:
        self._silent_watches = self._silent_watches + 1 if self._waiting else 0
        if self._silent_watches > WATCHES_PER_DEADLINE:
            self.abort("no reply within the deadline")
        else:
            self._watcher = self._loop.call_later(self._watch_s, self._watch)

    def _fail(self, reason: str) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        self._watcher.cancel()
        sent = len(self._waiting) - len(self._unsent)
        for place, (future, _) in enumerate(self._waiting):
            if not future.done():
                kind = OutcomeUnknownError if place < sent else UnavailableError
                future.set_exception(kind(REDIS, reason))
        self._waiting.clear()
        self._unsent.clear()
        self.on_lost()


def is_forgotten(reply: object) -> bool:
    """Tell whether Redis does not know the script any more, and so did not run it."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")
