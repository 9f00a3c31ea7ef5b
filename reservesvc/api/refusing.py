"""A server whose connections answer what is no valid HTTP as everything else is answered.

aiohttp answers such requests by itself, in plain text that repeats the client's bytes. Here they
get a problem, are counted and logged, and the connection is closed so that the reply arrives.
Only documented parts of aiohttp are used, so that this works with every release.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler
from msgspec.structs import replace

from reservesvc.api import malformed
from reservesvc.api.handlers import Application
from reservesvc.api.refusals import INTERNAL_ERROR
from reservesvc.api.replies import Reply

if TYPE_CHECKING:
    from asyncio import Future, Task

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

_FAILED = replace(INTERNAL_ERROR, closes=True)
LINGERING_S = 1.0
"""how long a client that was refused may go on sending before its connection is closed"""


class RefusingConnection(RequestHandler):
    """aiohttp's connection with replies of ours for requests that never reach a handler."""

    __slots__ = ("_application", "_client_ended", "_lingering", "current", "is_ending")

    def __init__(self, manager: web.Server, application: Application, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(manager, **settings)
        self._application = application
        self._lingering: Future[None] | None = None
        self._client_ended = False
        self.current: web.BaseRequest | None = None
        """the request that is being answered; a subclass may answer others"""
        self.is_ending = False
        """whether the reply to come is the last one"""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Reply:
        """Return the reply to what the parser refused, or to a request whose handler failed."""
        del request, status, message
        if isinstance(exc, HttpProcessingError):
            return self._application.refuse(malformed.of_error(exc))
        self.logger.error("the handler of a request failed", exc_info=exc)
        return self._application.refuse(_FAILED)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the reply; where we end the connection and not the client, linger."""
        self.current = None
        finished = await super().finish_response(request, resp, start_time)
        if self.is_ending or (isinstance(resp, Reply) and resp.lingers):
            await self.linger()
        return finished

    async def linger(self) -> None:
        """Close the sending side, and the other once the client has stopped sending.

        Closed while bytes come in, a connection is reset, and the client may lose the reply
        (RFC 9112 section 9.6).
        """
        transport = self.transport
        if transport is not None and not (self._client_ended or transport.is_closing()):
            self._lingering = asyncio.get_running_loop().create_future()
            transport.write_eof()
            transport.resume_reading()
            await asyncio.wait((self._lingering,), timeout=LINGERING_S)
        self.force_close()

    def data_received(self, data: bytes) -> None:
        """Read, unless the client has been refused."""
        if self._lingering is None:
            super().data_received(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """Close, as the client did."""
        self._note_end()
        return None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of everything."""
        self._note_end()
        super().connection_lost(exc)

    def _note_end(self) -> None:
        self._client_ended = True
        if self._lingering is not None and not self._lingering.done():
            self._lingering.set_result(None)

    def close(self) -> None:
        """End after the request that is being answered; a server that stops calls it."""
        self.is_ending = True
        super().close()


class _Request(web.BaseRequest):
    """aiohttp's request, which knows that the connection is about to end."""

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return super().keep_alive and not getattr(self.protocol, "is_ending", False)


class RefusingServer(web.Server):
    """`web.Server` of such connections.

    Args:
        application: what answers and refuses.
        connection: the class of the connections.
        settings: what aiohttp's connections take.

    """

    def __init__(
        self,
        application: Application,
        connection: type[RefusingConnection],
        **settings: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(self._answer, request_factory=self.request)
        self._application = application
        self._connection = connection
        self._settings = settings

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return self._connection(
            self, self._application, loop=asyncio.get_running_loop(), **self._settings
        )

    def request(
        self,
        message: "RawRequestMessage",
        payload: "StreamReader",
        protocol: Any,  # noqa: ANN401
        writer: "AbstractStreamWriter",
        task: "Task[None]",
    ) -> web.BaseRequest:
        """Return the request that a message of the parser is."""
        loop = asyncio.get_running_loop()
        request = protocol.current = _Request(message, payload, protocol, writer, task, loop)
        return request

    async def _answer(self, request: web.BaseRequest) -> Reply:
        problem = malformed.of_request(request)
        if problem is not None:
            return self._application.refuse(problem)
        return await self._application.answer(request)
