"""Commands straight to Redis over a few connections, 64 at a time on each."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import hiredis

from benchmarks.errors import BenchmarkError
from benchmarks.processes import HOST

PIPELINED = 64
"""as `redis-benchmark -P 64`"""
CONNECTIONS = 8
"""enough for Redis never to wait for the next command"""
_RECEIVE_BYTES = 262_144
_TIMEOUT_S = 30.0


class Direct:
    """Connections to one Redis, used by one caller at a time."""

    def __init__(self, port: int, connections: int = CONNECTIONS) -> None:
        self._connections = [_Connection(port) for _ in range(connections)]

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def send(self, commands: Iterable[bytes], expected: bytes = b"reserved") -> int:
        """Send the commands, in order, and return how many there were.

        Raises:
            BenchmarkError: one was not answered as `expected`.

        """
        blocks = _blocks(commands)
        count = 0
        busy = [one for one in self._connections if one.send(next(blocks, []))]
        while busy:
            connection = busy.pop(0)
            count += connection.receive(expected)
            if connection.send(next(blocks, [])):
                busy.append(connection)
        return count


class _Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        self._owed = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, block: Sequence[bytes]) -> bool:
        """Send the block; False if it is empty."""
        self._owed = len(block)
        if block:
            self._socket.sendall(b"".join(block))
        return bool(block)

    def receive(self, expected: bytes) -> int:
        """Return how many replies came to the last block, once all have."""
        received = 0
        while received < self._owed:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self._socket.recv(_RECEIVE_BYTES))
                continue
            _check(reply, expected)
            received += 1
        return received


def _check(reply: Any, expected: bytes) -> None:  # noqa: ANN401  a reply is whatever Redis says
    if not isinstance(reply, list) or reply[0] != expected:
        message = f"Redis answered {reply!r} where {expected.decode()} was expected"
        raise BenchmarkError(message)


def _blocks(commands: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(commands)
    while block := list(islice(rest, PIPELINED)):
        yield block
