"""Replies, written as one piece of bytes.

aiohttp's own reply builds, checks and joins its headers anew each time, which costs about as
much as everything else this service does for a request (docs/performance.md). Every reply here
has the same few headers and its whole body at hand.
"""

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import Any

import msgspec
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

JSON = "application/json"
REQUEST_ID = "Timekit-Request-Id"
_NO_CONTENT = 204
_DRAIN_BYTES = 65_536
"""replies larger than this wait for a slow reader"""
_encode = msgspec.json.Encoder().encode


class Reply(web.StreamResponse):
    """One whole reply.

    Args:
        status: the HTTP status.
        body: all of it.
        headers: beside the ones every reply has.
        content_type: of the body.
        closes: whether the connection is of no more use.

    """

    def __init__(  # its parent's would build what is replaced here
        self,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str = JSON,
        *,
        closes: bool = False,
    ) -> None:
        self._code = status
        self._content = body
        self._named = headers
        self._kind = content_type
        self._closes = closes
        self.lingers = closes
        """whether the client may still be sending bytes that the server will not read"""
        self._id = ""
        self._echo = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._code

    @property
    def keep_alive(self) -> bool:
        """Whether the connection can take another request."""
        return not self._closes

    def stamp(self, request_id: str, echo: str) -> None:
        """Take the request's id, and the header lines that are sent back as they came."""
        self._id = request_id
        self._echo = echo

    def add_lines(self, lines: str) -> None:
        """Take further header lines, each with its end."""
        self._echo += lines

    def put_beside(self, member: bytes) -> None:
        """Add a member to the JSON object that the body is; a reply without a body stays so."""
        if self._content:
            self._content = b"%b,%b}" % (self._content[:-1], member)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the reply; what aiohttp calls once the handler is done."""
        if self.write_to(request):
            await request.writer.drain()
        return None

    def write_to(self, request: web.BaseRequest) -> bool:
        """Write the reply; return whether to wait until the client has taken it.

        Raises:
            ConnectionResetError: the client is gone.

        """
        transport = request.transport
        if transport is None:
            message = "the client is gone"
            raise ConnectionResetError(message)
        self._closes = self._closes or not request.keep_alive
        reply = self._whole(request)
        if self._closes or len(reply) > _DRAIN_BYTES:
            transport.write(reply)
            return True
        _outbox.add(transport, reply)
        return False

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` wrote all there is."""

    def _whole(self, request: web.BaseRequest) -> bytes:
        lines = self._echo
        if self._named:
            lines += "".join([f"{name}: {value}\r\n" for name, value in self._named.items()])
        if self._closes:
            lines += "Connection: close\r\n"
        elif request.version is not HttpVersion11:  # nearly always this very object
            lines += "Connection: keep-alive\r\n" if request.version < HttpVersion11 else ""
        opening = _opening(self._code, self._kind, len(self._content))
        content = b"" if request.method == "HEAD" else self._content
        return b"".join((opening, _date(), f"{self._id}\r\n{lines}\r\n".encode(), content))


class Nothing(Reply):
    """The end of a connection, without a word."""

    def __init__(self) -> None:
        super().__init__(_NO_CONTENT, closes=True)
        self.lingers = False

    def write_to(self, request: web.BaseRequest) -> bool:
        """Write nothing."""
        del request
        return False


def raw(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return a reply of ready-made JSON."""
    return Reply(status, body, headers)


def json(
    value: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a reply of `value` as JSON."""
    return raw(_encode(value), status, headers)


def data(
    value: Any,  # noqa: ANN401 - whatever JSON can say
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a reply of `value` under `data`, as every successful call answers."""
    return json({"data": value}, status, headers)


def no_content() -> Reply:
    """Return the reply of a call that has nothing to say."""
    return Reply(204)


@lru_cache(4096)
def _opening(status: int, content_type: str, length: int) -> bytes:
    """Return how replies with this status, type and length of content begin."""
    opening = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: reservesvc\r\n"
    if status != _NO_CONTENT:  # RFC 9110 section 8.6: no length, for no body
        opening += f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n"
    return opening.encode()


class _Outbox:
    """Writes the replies of one turn of the event loop together, at its end.

    A write wakes whoever waits for it, which costs more than the write; a client that is busy
    with the turn's first reply finds the others without being woken again. A connection that
    is to be closed is not written to from here: its reply has to be gone before.
    """

    def __init__(self) -> None:
        self._replies: list[tuple[asyncio.WriteTransport, bytes]] = []

    def add(self, transport: asyncio.WriteTransport, reply: bytes) -> None:
        """Write `reply` at the end of this turn."""
        if not self._replies:
            asyncio.get_running_loop().call_soon(self.flush)
        self._replies.append((transport, reply))

    def flush(self) -> None:
        """Write what waits."""
        replies, self._replies = self._replies, []
        for transport, reply in replies:
            if not transport.is_closing():  # the client may have gone meanwhile
                transport.write(reply)


_outbox = _Outbox()
flush = _outbox.flush


class _Date:
    """The `Date` line of replies (RFC 9110 section 6.6.1), rendered once a second.

    Behind it comes the name of the request's id, as in every reply.
    """

    def __init__(self) -> None:
        self._second = 0
        self._lines = b""

    def __call__(self) -> bytes:
        second = int(time())
        if second != self._second:
            date = formatdate(second, usegmt=True)
            self._second, self._lines = second, f"Date: {date}\r\n{REQUEST_ID}: ".encode()
        return self._lines


_date = _Date()
