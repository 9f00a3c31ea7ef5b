"""A connection that answers a request by one task, where the request came whole.

aiohttp wakes a task that waits for the connection's next request, and that task starts another
one for the request: three turns of the event loop before a handler runs. Here the handler's
task is started as soon as the request is parsed, which is worth a tenth of a reservation
(docs/performance.md). Requests that come in pieces, behind one another, broken, or as the
connection's last go aiohttp's own way. While a handler runs here, what comes in is kept in
aiohttp's own queue.

This leans on private attributes of aiohttp. It is used with the releases that it was read and
tested with; with any other, `Server` is aiohttp's own.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_writer import StreamWriter
from aiohttp.web_protocol import RequestHandler

if TYPE_CHECKING:
    from asyncio import Future, Task, Transport
    from collections.abc import Awaitable, Callable

    from aiohttp.http import HttpRequestParser
    from aiohttp.streams import StreamReader

    from reservesvc.api.replies import Reply

FITTING = ("3", "14")
"""the aiohttp releases whose `RequestHandler` was read"""


class WholeRequest:
    """What nearly every request is asked for, at hand; aiohttp's own request for all else.

    Making the latter, and asking its properties, costs 4 % of a reservation.
    """

    __slots__ = (
        "_connection",
        "_full",
        "_message",
        "content",
        "headers",
        "method",
        "raw_path",
        "version",
    )
    keep_alive = True

    def __init__(
        self, message: RawRequestMessage, payload: "StreamReader", connection: "Connection"
    ) -> None:
        self.content = payload
        self.headers = message.headers
        self.method = message.method
        self.raw_path = message.path
        self.version = message.version
        self._message = message
        self._connection = connection
        self._full: web.BaseRequest | None = None

    @property
    def transport(self) -> "Transport | None":
        """The way to the client; None once it is gone."""
        return self._connection.transport

    def body(self) -> bytes:
        """Return the body; reading it from `content` as a stream costs 1 % of a reservation."""
        return b"".join(getattr(self.content, "_buffer", ()))  # an empty body's has none

    def __getattr__(self, name: str) -> object:
        if self._full is None:
            self._full = self._connection.full_request(self._message, self.content)
        return getattr(self._full, name)


class Connection(RequestHandler):
    """`RequestHandler.start` waits for its `_waiter`; taken away meanwhile, nobody wakes it."""

    __slots__ = ()

    if TYPE_CHECKING:  # none of these is None while there is a connection
        _manager: web.Server
        _parser: HttpRequestParser
        _request_handler: Callable[[web.BaseRequest], Awaitable[Reply]]
        _task_handler: Task[None]

    def data_received(self, data: bytes) -> None:
        """Parse, and answer at once what came whole while nothing else was going on."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            super().data_received(data)
            return
        self._waiter = None
        super().data_received(data)
        if len(self._messages) == 1 and not self._upgraded and not self._reading_paused:
            message, payload = self._messages[0]
            if isinstance(message, RawRequestMessage) and _is_ordinary(message, payload):
                self._begin(message, payload, waiter)
                return
        self._waiter = waiter
        if self._messages:
            waiter.set_result(None)

    def _begin(
        self, message: RawRequestMessage, payload: "StreamReader", waiter: "Future[None]"
    ) -> None:
        """Do as `start` does with a message."""
        self._messages.clear()
        self._parser.message_consumed()
        self._manager.requests_count += 1
        self._request_in_progress = True
        request: Any = WholeRequest(message, payload, self)
        # With a name: making one up costs as much as starting the task.
        asyncio.Task(self._answer(request, waiter), loop=self._loop, name="answer")

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        """Do nothing where nothing was paused, as at the end of nearly every body."""
        if resume_parser or self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def full_request(self, message: RawRequestMessage, payload: "StreamReader") -> web.BaseRequest:
        """Return the request that aiohttp would have made of a message."""
        writer = StreamWriter(self, self._loop)
        return web.BaseRequest(message, payload, self, writer, self._task_handler, self._loop)

    async def _answer(self, request: web.BaseRequest, waiter: "Future[None]") -> None:
        try:
            reply = await self._request_handler(request)
            if reply.write_to(request):
                await request.writer.drain()
            self._keepalive = reply.keep_alive
        except ConnectionError:
            self._keepalive = False  # the client is gone
        finally:
            self._end(waiter)

    def _end(self, waiter: "Future[None]") -> None:
        """Leave the connection as `start` and `shutdown` expect to find it."""
        self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)
        self._waiter = waiter
        if self._close or self._force_close or not self._keepalive:
            self.close()
            self._loop.call_soon(self.force_close)  # the reply leaves at the end of this turn
        elif self._messages:
            waiter.set_result(None)
        else:
            self._await_next()

    def _await_next(self) -> None:
        """Have the connection reaped when it has been idle for too long."""
        close_time = self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)


def _is_ordinary(message: RawRequestMessage, payload: "StreamReader") -> bool:
    return payload.is_eof() and not message.should_close


class _Server(web.Server):
    """`web.Server` of such connections."""

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


def server_of(version: str) -> type[web.Server]:
    """Return the server to use with this release of aiohttp."""
    return _Server if tuple(version.split(".")[:2]) == FITTING else web.Server


Server = server_of(aiohttp.__version__)
