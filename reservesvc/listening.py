"""Listening on an address, and taking the connections that come in.

With no file descriptor left, uvloop's own server closes waiting connections without a word and
may stop listening for good; asyncio's logs a traceback at each attempt. Here such connections
wait until there are descriptors again, and the operator is told once a second at most.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import structlog

BACKLOG = 1_024
"""connections that may wait to be taken"""
AT_ONCE = 16
"""connections that one process takes before it does something else"""
RETRY_S = 0.2
"""how long connections wait after one could not be taken"""
BEGIN_S = 1.0
"""how long a connection that was taken may take to begin, which is a turn of the event loop"""
SAID_EVERY_S = 1.0
_MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_ANY_IPV6 = "::"

_log = structlog.get_logger()


@contextlib.contextmanager
def opened(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Listen on the address, of a name on all its addresses that this machine has.

    `::` stands for every address, of IPv4 as well.

    Raises:
        OSError: it cannot be listened on.

    """
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        for family, address in _addresses(host, port):
            at = (address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:])
            try:
                sockets.append(stack.enter_context(_listening(family, at)))
            except OSError as error:
                if error.errno not in _MISSING:
                    raise
                missing = error
        if missing is not None and not sockets:
            raise missing
        yield sockets


@contextlib.contextmanager
def inherited(descriptors: Sequence[int]) -> Iterator[list[socket.socket]]:
    """Return the sockets that another process listens on and has given to this one."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.socket(fileno=each)) for each in descriptors]


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listening(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != _ANY_IPV6)
        made.bind(address)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


@contextlib.asynccontextmanager
async def accepting(
    sockets: Sequence[socket.socket],
    protocol: Callable[[], asyncio.Protocol],
    failed: Callable[[], None],
) -> AsyncIterator[None]:
    """Take connections while the body runs.

    Args:
        sockets: that listen.
        protocol: makes what talks to one client.
        failed: called each time that a connection could not be taken.

    """
    acceptor = _Acceptor(protocol, failed)
    for each in sockets:
        each.settimeout(0)
        acceptor.begin(each)
    try:
        yield
    finally:
        await acceptor.end(sockets)


class _Acceptor:
    """Takes connections from listening sockets."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], failed: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol, self._failed = protocol, failed
        self._beginning: set[asyncio.Task[object]] = set()
        self._paused: dict[socket.socket, asyncio.TimerHandle] = {}
        self._failures = 0
        self._said_s = -SAID_EVERY_S

    def begin(self, listening: socket.socket) -> None:
        """Take what comes in, from now on."""
        self._paused.pop(listening, None)
        self._loop.add_reader(listening.fileno(), self._accept, listening)

    async def end(self, sockets: Sequence[socket.socket]) -> None:
        """Take no more; return once those that were taken have begun."""
        for each in sockets:
            self._loop.remove_reader(each.fileno())
        for timer in self._paused.values():
            timer.cancel()
        if self._beginning:
            await asyncio.wait(self._beginning, timeout=BEGIN_S)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # another process was quicker, or the client has gone
            except OSError as error:
                self._pause(listening, error)
                return
            self._hand_over(connection)

    def _hand_over(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        beginning = self._loop.create_task(self._begin(connection))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except (OSError, RuntimeError):  # the client has gone; uvloop says it with the latter
            connection.close()

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        self._loop.remove_reader(listening.fileno())
        self._paused[listening] = self._loop.call_later(RETRY_S, self.begin, listening)
        self._failed()
        self._failures += 1
        now_s = time.monotonic()
        if now_s - self._said_s >= SAID_EVERY_S:
            self._said_s = now_s
            _log.error("connections not taken", reason=error.strerror, attempts=self._failures)
            self._failures = 0
