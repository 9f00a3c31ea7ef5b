"""A connection that answers a request by one task, where the request came whole.

aiohttp wakes a task that waits for the connection's next request, and that task starts another
one for the request: three turns of the event loop before a handler runs. Here the handler's
task is started as soon as the request is parsed, which is worth a tenth of a reservation
(docs/performance.md). Requests that come in pieces, behind one another, broken, or as the
connection's last go aiohttp's own way. While a handler runs here, what comes in is kept in
aiohttp's own queue.

Three more things are done here: a client that closes its sending side gets its answers, a body
that is arriving when the server stops is still read, and requests before a malformed one are
answered though they came in one piece with it.

This leans on private attributes of aiohttp. It is used with the releases that it was read and
tested with; with any other, connections are of `RefusingConnection`, which does without.
"""

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from reservesvc.api.refusing import RefusingConnection
from reservesvc.api.replies import Nothing, Reply, flush

if TYPE_CHECKING:
    from asyncio import Future, Task, Transport

    from aiohttp.http import HttpRequestParser
    from aiohttp.streams import StreamReader

    from reservesvc.api.refusing import RefusingServer

FITTING = ("3", "14")
"""the aiohttp releases whose `RequestHandler` was read"""


class _EndError(Exception):
    """Nothing more follows; queued behind the last request, it ends the connection."""


_END = _ErrInfo(status=0, exc=_EndError(), message="")


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

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return not self._connection.is_ending

    def body(self) -> bytes:
        """Return the body; reading it from `content` as a stream costs 1 % of a reservation."""
        return b"".join(getattr(self.content, "_buffer", ()))  # an empty body's has none

    def __getattr__(self, name: str) -> object:
        if self._full is None:
            self._full = self._connection.full_request(self._message, self.content)
        return getattr(self._full, name)


class Connection(RefusingConnection):
    """`RequestHandler.start` waits for its `_waiter`; taken away meanwhile, nobody wakes it."""

    __slots__ = ()

    if TYPE_CHECKING:  # none of these is None while there is a connection
        _manager: RefusingServer
        _parser: HttpRequestParser
        _task_handler: Task[None]

    def data_received(self, data: bytes) -> None:
        """Parse, and answer at once what came whole while nothing else was going on."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            self._queue(data)
            return
        self._waiter = None
        super().data_received(data)
        if len(self._messages) == 1 and not self._upgraded and not self._reading_paused:
            message, payload = self._messages[0]
            if isinstance(message, RawRequestMessage) and _is_ordinary(message, payload):
                self._begin(message, payload, waiter)
                return
        self._mend()
        self._waiter = waiter
        if self._messages:
            waiter.set_result(None)

    def _queue(self, data: bytes) -> None:
        """Parse what comes while something else is going on."""
        if self.is_ending:
            self._finish_body(data)
        else:
            super().data_received(data)
            self._mend()

    def _finish_body(self, data: bytes) -> None:
        """Read on for the request that is being answered, and ignore the ones behind it."""
        body = self._arriving()
        if body is not None and self._lingering is None:
            try:
                self._parser.feed_data(data)
            except HttpProcessingError:
                _break(body, RequestPayloadError())

    def _arriving(self) -> "StreamReader | None":
        """Return the body that has not come whole yet, if there is one."""
        if self._messages:
            body = self._messages[-1][1]
        elif self.current is not None:
            body = self.current.content
        else:
            return None
        return None if body.is_eof() else body

    def _mend(self) -> None:
        """Put right what aiohttp made of a parser's error.

        A body that breaks is an error of its own request, which may wait for it. Requests that
        were parsed before the error are still in the parser.
        """
        if not (self._messages and isinstance(self._messages[-1][0], _ErrInfo)):
            return
        error, body = self._messages.pop(), self._arriving()
        if body is not None:
            _break(body, RequestPayloadError())
            error = (_END, EMPTY_PAYLOAD)
        self._messages += _parsed_before(self._parser)
        self._messages.append(error)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """Go on until everything is answered; close at once where nothing was asked.

        RFC 9112 section 9.6 lets clients close their sending side behind the last request.
        """
        super().eof_received()
        flush()  # a reply may wait for the end of the turn
        waiter, body = self._waiter, self._arriving()
        if waiter is not None and not waiter.done() and not self._messages:
            return False
        if body is not None:
            _break(body, ConnectionResetError())
        self._messages.append((_END, EMPTY_PAYLOAD))
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Reply:
        """Return the reply to an error, none where the client has no more requests."""
        if isinstance(exc, _EndError):
            return Nothing()
        return super().handle_error(request, status, exc, message)

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
            try:
                reply = await self._application.answer(request)
            except Exception as error:  # noqa: BLE001 - a bug, which has to be answered too
                reply = self.handle_error(request, exc=error)
            if reply.write_to(request):
                await request.writer.drain()
            self._keepalive = reply.keep_alive
            if self.is_ending:
                await self.linger()
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
    version = message.version
    return (
        payload.is_eof()
        and not message.should_close
        and (version is HttpVersion11 or version == HttpVersion10)
    )


def _break(body: "StreamReader", error: Exception) -> None:
    """Tell who reads a body that it does not go on."""
    body.set_exception(error)
    body.feed_eof()  # so that aiohttp does not wait for more


def _is_whole(message: RawRequestMessage, body: "StreamReader") -> bool:
    """Tell whether a request ended; one whose body is refused at its head has an empty one."""
    is_refused = body is EMPTY_PAYLOAD and hdrs.TRANSFER_ENCODING in message.headers
    return body.is_eof() and not is_refused


def _parsed_before(parser: "HttpRequestParser") -> "list[tuple[RawRequestMessage, StreamReader]]":
    """Return the whole requests that a parser found before its error and did not hand out.

    It has no method for it; the garbage collector tells what it holds.
    """
    for held in gc.get_referents(parser):
        if isinstance(held, list) and held and isinstance(held[0][0], RawRequestMessage):
            found = [(message, body) for message, body in held if _is_whole(message, body)]
            held.clear()
            return found
    return []


def connection_of(version: str) -> type[RefusingConnection]:
    """Return the class of connections to use with this release of aiohttp."""
    return Connection if tuple(version.split(".")[:2]) == FITTING else RefusingConnection


CONNECTION = connection_of(aiohttp.__version__)
