"""One shared connection to one Redis node, for every script call of the process.

Commands of one turn of the event loop leave in one write; replies come back in the order
of the commands. redis-py connects, authenticates and wraps TLS; from then on the socket is
ours, because redis-py's machinery for each call costs more than all the rest of a
reservation (docs/performance.md).

What a caller can rely on: its reply is the reply to its own call, also after other callers
gave up; a call that was not sent raises `UnavailableError`, one that was sent and lost its
reply raises `OutcomeUnknownError`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection, ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.reservations.packed import Argument, Packed, array, bulk, pack
from reservesvc.reservations.scripts import Script

REDIS = "redis"

PENDING_MAX = 10_000
"""calls waiting for a reply; more would only wait past their deadline"""
JOINED_MAX = 16
"""commands in one write; waiting for more gains nothing (docs/performance.md)"""
_TOO_MANY = f"more than {PENDING_MAX} calls wait for a reply"
WATCHES_PER_DEADLINE = 4
RUN_CHARACTERS = 8

REFUSALS = {
    "OOM": "is out of memory (maxmemory is reached)",
    "READONLY": "is a replica; point RESERVESVC_REDIS_URL at the primary",
    "LOADING": "is still loading its data",
    "BUSY": "is busy with somebody else's script",
    "NOAUTH": "asks for a password; put it into RESERVESVC_REDIS_URL",
    "WRONGPASS": "does not accept the password in RESERVESVC_REDIS_URL",
    "NOPERM": "does not let this user run the scripts (ACL)",
    "MISCONF": "cannot write to its disk",
    "NOREPLICAS": "has too few replicas to accept writes",
    "MASTERDOWN": "has lost its primary",
    "CLUSTERDOWN": "is a cluster that is down",
}
"""What an error reply's first word means for an operator."""


class Pipeline:
    """Calls scripts over one shared connection that is replaced when it breaks.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        deadline_s: a connection that owes a reply and stays silent for this long is broken;
            connecting may take as long.
        observe: told the seconds of every call.

    """

    def __init__(
        self, url: str, deadline_s: float, observe: Callable[[float], None] | None = None
    ) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=deadline_s,
            socket_timeout=deadline_s,
        )
        self._deadline_s = deadline_s
        self._observe = observe
        self._link: _Link | None = None
        self._connecting: asyncio.Task[_Link] | None = None

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run `script`; the connection puts its run in front of `arguments` as ARGV[1].

        Raises:
            UnavailableError: the script did not run.
            OutcomeUnknownError: it was sent, its reply is lost.

        """
        return await self.call_packed(script, pack(keys, arguments))

    def call_packed(self, script: Script, call: Packed) -> Awaitable[list[Any]]:
        """Run `script`, as `call` does, with what is packed already.

        No coroutine where there is a connection, for every reservation passes here.
        """
        return self._link.call(script, call) if self._link else self._call_anew(script, call)

    async def _call_anew(self, script: Script, call: Packed) -> list[Any]:
        link = await self._connect()
        return await link.call(script, call)

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run `script` once for each of `calls`, all sent together; errors stand in their places.

        Raises:
            UnavailableError: there is no connection, so none ran.

        """
        begun_s = perf_counter()
        link = self._link or await self._connect()
        replies = await _sent(link, [call.command(script.by_sha, link.run) for call in calls])
        forgotten = [place for place, reply in enumerate(replies) if _is_forgotten(reply)]
        if forgotten:
            again = [calls[place].command(script.in_full, link.run) for place in forgotten]
            for place, reply in zip(forgotten, await _sent(link, again), strict=True):
                replies[place] = reply
        if self._observe:
            self._observe(perf_counter() - begun_s)
        return [
            refusal(reply) if isinstance(reply, hiredis.ReplyError) else reply for reply in replies
        ]

    async def command(self, *arguments: Argument) -> Any:  # noqa: ANN401  a reply is whatever Redis says
        """Send one plain command and return its reply; raises as `call` does."""
        link = self._link or await self._connect()
        reply = await link.send(array(*arguments))
        if isinstance(reply, hiredis.ReplyError):
            raise refusal(reply)
        return reply

    async def close(self) -> None:
        """Close the connection; calls still waiting lose their replies."""
        if self._connecting:
            self._connecting.cancel()
        if self._link:
            self._link.abort("the service is stopping")

    async def _connect(self) -> "_Link":
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._new_link())
            self._connecting.add_done_callback(self._connected)
        # Shielded: one caller giving up must not take the connection from the others.
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task["_Link"]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()
            self._link.on_lost = self._lost
            if self._link.is_lost:
                self._lost()

    def _lost(self) -> None:
        self._link = None

    async def _new_link(self) -> "_Link":
        connection = cast("Connection", self._pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py
        try:
            async with asyncio.timeout(self._deadline_s):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
                await connection.send_command("INFO", "server")
                run = run_of(await connection.read_response())
        # RuntimeError: what uvloop says where the connection was lost between two commands.
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:
            await connection.disconnect(nowait=True)
            raise UnavailableError(REDIS, connect_reason(error)) from error
        return _Link(connection, run, self._deadline_s, self._observe)


_Call = tuple[float, Script, Packed | None]
"""when a script was called, which one, and with what, as long as it may be sent again"""
_Waiting = tuple[asyncio.Future[Any], _Call | None]


def _unobserved(_duration_s: float) -> None:
    """Take no notice."""


class _Link(asyncio.Protocol):
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
        self._observe = observe or _unobserved
        self.is_lost = False
        self.on_lost: Callable[[], None] = lambda: None
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

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """Queue `command`; the future gets its reply, whatever it is."""
        return self._queue(command, self._loop.create_future(), None)

    def _queue(
        self, command: bytes, future: asyncio.Future[Any], call: _Call | None
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

    def _refused(self, error: Exception, future: asyncio.Future[Any], call: _Call) -> None:
        begun_s, script, packed = call
        if packed is not None and _is_forgotten(error):
            # It did not run; EVAL runs it and lets Redis remember it for the next EVALSHA.
            command = packed.command(script.in_full, self.run)
            self._queue(command, future, (begun_s, script, None))
        else:
            future.set_exception(refusal(error))

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


async def _sent(link: "_Link", commands: list[bytes]) -> list[Any]:
    """Send `commands` and return their replies; what kept one from being sent is its reply."""
    futures = [link.send(command) for command in commands]
    return await asyncio.gather(*futures, return_exceptions=True)


def _is_forgotten(reply: object) -> bool:
    """Tell whether Redis does not know the script any more, and so did not run it."""
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


def run_of(info: Any) -> str:  # noqa: ANN401  a reply is whatever Redis says
    """Return what tells one run of a Redis server from the next (INFO's `run_id`)."""
    text = info.decode() if isinstance(info, bytes) else str(info)
    for line in text.splitlines():
        if line.startswith("run_id:"):
            return line.removeprefix("run_id:")[:RUN_CHARACTERS]
    raise UnavailableError(REDIS, "INFO server names no run_id")


def refusal(reply: Exception) -> UnavailableError:
    """Return what an error reply means; the scripts write only after their last check."""
    word = str(reply).partition(" ")[0]
    return UnavailableError(REDIS, REFUSALS.get(word, f"refused a command ({reply})"))


def connect_reason(error: Exception) -> str:
    """Return why no connection came about, without the URL and its password."""
    # redis-py wraps what happened while connecting into one more error.
    kinds = (error, error.__cause__)
    if any(isinstance(kind, AuthenticationError) for kind in kinds):
        return "does not accept the name and password in RESERVESVC_REDIS_URL"
    if any(isinstance(kind, BusyLoadingError) for kind in kinds):
        return REFUSALS["LOADING"]
    if any(isinstance(kind, RedisTimeoutError | TimeoutError) for kind in kinds):
        return "did not answer in time while connecting"
    return "cannot be connected to; is it running where RESERVESVC_REDIS_URL says?"
