"""One shared connection to one Redis server, for every script call of the process.

Commands of one turn of the event loop leave in one write; replies come back in the order
of the commands. redis-py connects, authenticates and wraps TLS; from then on the socket is
ours, because redis-py's machinery for each call costs more than all the rest of a
reservation (docs/performance.md).

What a caller can rely on: its reply is the reply to its own call, also after other callers
gave up; a call that was not sent raises `UnavailableError`, one that was sent and lost its
reply raises `OutcomeUnknownError`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import hiredis
from redis.asyncio.sentinel import SentinelConnectionPool

from reservesvc.errors import UnavailableError
from reservesvc.reservations.connecting import connect, pool_of
from reservesvc.reservations.info import run_of
from reservesvc.reservations.link import Link, is_forgotten
from reservesvc.reservations.packed import Argument, Packed, array, bulk, pack
from reservesvc.reservations.redis_errors import UNREACHABLE
from reservesvc.reservations.replicated_link import ReplicatedLink, Replication
from reservesvc.reservations.scripts import Script
from reservesvc.reservations.sentinels import primary_named_by
from reservesvc.supervised import Supervisor

ANY_TAG = "0"
"""a hash tag: one server has the keys of all"""
FOLLOW_S = 1.0
"""how often Sentinels are asked whether the primary is still the one that is called"""


class Pipeline:
    """Calls scripts over one shared connection that is replaced when it breaks.

    Args:
        url: of one server, or of the Sentinels that name it.
        deadline_s: a connection that owes a reply and stays silent for this long is broken;
            connecting may take as long.
        observe: told the seconds of every call.
        replication: how many replicas a reservation has to reach; None for none.
        name: of the server, where there are several.
        connect_s: how long connecting may take, where that is less.
        unreachable: the sentence where there is no server.
        supervisor: keeps the question to the Sentinels going.

    """

    def __init__(
        self,
        url: str,
        deadline_s: float,
        observe: Callable[[float], None] | None = None,
        replication: Replication | None = None,
        name: str = "",
        connect_s: float | None = None,
        unreachable: str = UNREACHABLE,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._unreachable = unreachable
        self._supervisor = supervisor or Supervisor()
        self._connect_s = connect_s or deadline_s
        self._pool = pool_of(url, self._connect_s)
        self._deadline_s = deadline_s
        self._observe = observe
        self._replication = replication
        self._name = name
        self._link: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._following: asyncio.Task[None] | None = None
        self._is_retired = False

    @property
    def name(self) -> str:
        """The server's name; empty where there is no other."""
        named_by_sentinels = isinstance(self._pool, SentinelConnectionPool) and self._link
        return self._link.place if self._link and named_by_sentinels else self._name

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
        commands = [call.command(script.by_sha, link.run) for call in calls]
        replies = await _sent(link, script, commands)
        forgotten = [place for place, reply in enumerate(replies) if is_forgotten(reply)]
        if forgotten:
            again = [calls[place].command(script.in_full, link.run) for place in forgotten]
            for place, reply in zip(forgotten, await _sent(link, script, again), strict=True):
                replies[place] = reply
        if self._observe:
            self._observe(perf_counter() - begun_s)
        return [
            link.refused(reply) if isinstance(reply, hiredis.ReplyError) else reply
            for reply in replies
        ]

    async def command(self, *arguments: Argument) -> Any:  # noqa: ANN401  a reply is whatever Redis says
        """Send one plain command and return its reply; raises as `call` does."""
        link = self._link or await self._connect()
        reply = await link.send(array(*arguments))
        if isinstance(reply, hiredis.ReplyError):
            raise link.refused(reply)
        return reply

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Return keys that match `pattern`, and where to go on; raises as `call` does."""
        following, names = await self.command("SCAN", cursor, "MATCH", pattern, "COUNT", count)
        return names, int(following)

    async def time_ms(self) -> int:
        """Return the time of Redis; raises as `call` does."""
        seconds, microseconds = map(int, await self.command("TIME"))
        return seconds * 1000 + microseconds // 1000

    async def renew(self, key: str) -> None:
        """Ask once more which run of Redis this is; raises as `call` does.

        It can be another on the same connection: a primary begins a new history of writes when
        it gets its first replica, or has had none for long.
        """
        del key  # every key is on the one server
        link = self._link or await self._connect()
        reply = await link.send(array("INFO", "replication"))
        if isinstance(reply, hiredis.ReplyError):
            raise link.refused(reply)
        try:
            link.run = bulk(run_of(reply))
        except UnavailableError:
            link.retire()
            raise

    async def servers(self) -> list[tuple["Pipeline", str]]:
        """Return the pipelines to all servers, each with a hash tag of its own: this one."""
        return [(self, ANY_TAG)]

    def retire(self) -> None:
        """Close the connection once nobody waits for a reply any more."""
        self._is_retired = True
        if self._link:
            self._link.retire()

    async def close(self) -> None:
        """Close the connection; calls still waiting lose their replies."""
        if self._connecting:
            self._connecting.cancel()
        if self._link:
            self._link.abort("the service is stopping")
        if isinstance(self._pool, SentinelConnectionPool):
            await self._pool.sentinel_manager.aclose()

    async def _connect(self) -> Link:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._new_link())
            self._connecting.add_done_callback(self._connected)
        # Shielded: one caller giving up must not take the connection from the others.
        return await asyncio.shield(self._connecting)

    async def _new_link(self) -> Link:
        connection, run = await connect(self._pool, self._connect_s, self._unreachable)
        if self._replication is None:
            return Link(connection, run, self._deadline_s, self._observe)
        return ReplicatedLink(connection, run, self._deadline_s, self._observe, self._replication)

    def _connected(self, task: asyncio.Task[Link]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._link = task.result()
            self._link.on_lost = self._lost
            if isinstance(self._pool, SentinelConnectionPool):
                follow = partial(self._follow, self._link, self._pool)
                self._following = asyncio.create_task(self._supervisor.keep("sentinels", follow))
            if self._link.is_lost:
                self._lost()
            if self._is_retired:
                self.retire()

    async def _follow(self, link: Link, pool: SentinelConnectionPool) -> None:
        """Leave a server that was replaced, which it may not know itself for long."""
        place: str | None = link.place
        while place in (link.place, None):
            await asyncio.sleep(FOLLOW_S)
            place = await primary_named_by(pool)
        link.retire()

    def _lost(self) -> None:
        self._link = None
        if self._following:
            self._following.cancel()


async def _sent(link: Link, script: Script, commands: list[bytes]) -> list[Any]:
    """Send `commands` and return their replies; what kept one from being sent is its reply.

    Replies come in order and many at once: waiting for one after the other hardly ever waits,
    and costs a fifth of what `asyncio.gather` does.
    """
    futures = [link.send(command, script) for command in commands]
    replies: list[Any] = []
    try:
        for future in futures:
            try:
                replies.append(await future)
            except UnavailableError as error:
                replies.append(error)
    finally:
        for future in futures[len(replies) :]:  # none, unless the caller gave up
            # The one that was waited for is cancelled already, and has no exception to hear of.
            if not future.cancel() and not future.cancelled():
                future.exception()
    return replies
