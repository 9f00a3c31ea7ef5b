"""Listening: on which addresses, and what happens when no connection can be taken."""

import asyncio
import errno
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from structlog.testing import capture_logs

from reservesvc import listening
from tests.faults.process import ServerProcess
from tests.servers import RedisServer

LOOP_FACTORIES = [asyncio.new_event_loop, uvloop.new_event_loop]
FAILURES = 3
WITHIN_S = 10
SPARE = 8
"""descriptors that are left to the server"""
V4 = (socket.AF_INET, ("127.0.0.1", 0))
V6 = (socket.AF_INET6, ("::1", 0, 0, 0))
NOWHERE = (socket.AF_INET, ("192.0.2.1", 0))


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


def reaches(address: str, port: int) -> bool:
    """Tell whether a connection can be made."""
    try:
        with socket.create_connection((address, port), timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        pytest.param("::", {"127.0.0.1", "::1"}, marks=needs_ipv6),
        pytest.param("::1", {"::1"}, marks=needs_ipv6),
        ("0.0.0.0", {"127.0.0.1"}),  # noqa: S104 - of no other machine's concern
        ("127.0.0.1", {"127.0.0.1"}),
    ],
)
def test_where_an_address_can_be_reached(host: str, reached: set[str]) -> None:
    """`::` is everything, any other address only itself."""
    with listening.opened(host, 0) as (opened,):
        port = opened.getsockname()[1]
        assert {each for each in ("127.0.0.1", "::1") if reaches(each, port)} == reached


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what makes every name stand for the given addresses."""

    def to(*found: tuple[socket.AddressFamily, tuple[Any, ...]]) -> None:
        rows = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in found]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)

    return to


@needs_ipv6
@pytest.mark.parametrize("order", [(V4, V6), (V6, V4), (NOWHERE, V4, V6, V4)], ids=str)
def test_a_name_is_all_its_addresses(
    resolves: Callable[..., None], order: tuple[object, ...]
) -> None:
    """On one port; an address that the machine does not have is left out."""
    resolves(*order)
    with listening.opened("localhost", 0) as sockets:
        (port,) = {each.getsockname()[1] for each in sockets}
    assert len(sockets) == 2
    assert port


def test_a_name_without_an_address_here_is_refused(resolves: Callable[..., None]) -> None:
    """The error says that it is the address."""
    resolves(NOWHERE)
    with pytest.raises(OSError) as raised, listening.opened("elsewhere", 0):  # noqa: PT011
        pass
    assert raised.value.errno == errno.EADDRNOTAVAIL


@needs_ipv6
def test_a_port_in_use_is_refused(resolves: Callable[..., None]) -> None:
    """On any of the addresses; nothing is left open."""
    with listening.opened("127.0.0.1", 0) as (taken,):
        port = taken.getsockname()[1]
        resolves((socket.AF_INET6, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port)))
        with pytest.raises(OSError) as raised, listening.opened("localhost", port):  # noqa: PT011
            pass
    assert raised.value.errno == errno.EADDRINUSE
    assert not reaches("::1", port)


class Crowded(socket.socket):
    """Listens, and says a few times that there is no descriptor for a connection."""

    failures_left = FAILURES

    def accept(self) -> tuple[socket.socket, Any]:
        """Fail, or take a connection."""
        if self.failures_left:
            self.failures_left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Greeting(asyncio.Protocol):
    """Says a word; the client closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it."""
        cast("asyncio.Transport", transport).write(b"hello")


@pytest.mark.parametrize("new_loop", LOOP_FACTORIES, ids=["asyncio", "uvloop"])
def test_connections_wait_until_they_can_be_taken(
    new_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure is counted, one line is logged, and the client is served in the end."""
    monkeypatch.setattr(listening, "RETRY_S", 0.01)
    counted = []

    async def talk() -> bytes:
        with Crowded(socket.AF_INET, socket.SOCK_STREAM) as crowded:
            crowded.bind(("127.0.0.1", 0))
            crowded.listen()
            async with (
                listening.accepting([crowded], Greeting, lambda: counted.append(1)),
                asyncio.timeout(WITHIN_S),
            ):
                reader, writer = await asyncio.open_connection(*crowded.getsockname())
                said = await reader.readexactly(5)
                writer.close()
                return said

    with capture_logs() as lines, asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(talk()) == b"hello"
    assert len(counted) == FAILURES
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("connections not taken", "Too many open files")
    ]


@asynccontextmanager
async def running(
    redis_server: RedisServer, directory: Path, **settings: object
) -> AsyncIterator[ServerProcess]:
    """Start a server that stops in the end."""
    named = {"REDIS_URL": redis_server.url, "DATA_DIR": directory / "data", **settings}
    server = ServerProcess("server", directory, named)
    server.start()
    try:
        await server.started()
        yield server
    finally:
        server.close()


@needs_ipv6
@pytest.mark.parametrize("workers", [1, 2])
async def test_both_kinds_of_address_with_and_without_workers(
    redis_server: RedisServer, tmp_path: Path, workers: int
) -> None:
    """`--host ::` serves clients of IPv4 and of IPv6."""
    keys = f"shop:service:{'s' * 32}"
    async with running(redis_server, tmp_path, HOST="::", WORKERS=workers, API_KEYS=keys) as server:
        for address in ("127.0.0.1", "::1"):
            connection = HTTPConnection(address, server.port, timeout=WITHIN_S)
            connection.request("GET", "/livez")
            assert connection.getresponse().status == 200
            connection.close()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits a process as Linux can")
async def test_a_server_without_file_descriptors_recovers(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Clients beyond the limit wait and are served later; a line a second at most tells of it."""
    async with running(redis_server, tmp_path) as server:
        in_use = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        most = in_use + SPARE
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))
        with ExitStack() as stack:
            clients = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                for _ in range(3 * SPARE)
            ]
            await asyncio.sleep(2.5)
            lines = [line for line in server.lines() if line["event"] == "connections not taken"]
            for client in clients[: 2 * SPARE]:
                client.close()
            waiting = clients[2 * SPARE :]
            for client in waiting:
                client.settimeout(WITHIN_S)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            replies = await asyncio.to_thread(lambda: [_all_of(client) for client in waiting])
    assert 1 <= len(lines) <= 4
    assert {line["reason"] for line in lines} == {"Too many open files"}
    assert all(reply.startswith(b"HTTP/1.1 200 ") for reply in replies)
    counted = replies[-1].partition(b"\nreservesvc_accept_failures_total ")[2].split()[0]
    assert float(counted) >= sum(line["attempts"] for line in lines)


def _all_of(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))
