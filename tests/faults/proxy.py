"""A proxy between the service and a server, which cuts, stalls and delays on demand."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Self

_CHUNK = 65_536


class FaultProxy:
    """Listens on a TCP port of 127.0.0.1 and passes bytes to a Unix socket or a TCP port.

    Faults work on what comes back, and requests arrive, but for `partition`. They hold until
    `heal`.
    """

    def __init__(self, target: Path | int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._takes = asyncio.Event()
        self._takes.set()
        self._cut_after: int | None = None
        self._delay_s = 0.0
        self._refuses = False
        self.port = 0
        self.connections = 0

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cut everything."""
        if self._server:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where a Redis behind the proxy is."""
        return f"redis://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """Keep every reply back."""
        self._open.clear()

    def partition(self) -> None:
        """Keep every request and every reply back; what is on its way arrives late."""
        self._takes.clear()
        self._open.clear()

    def cut_reply(self, after_bytes: int) -> None:
        """Let so many bytes of the next reply through, then close its connection."""
        self._cut_after = after_bytes

    def delay(self, seconds: float) -> None:
        """Let every reply wait."""
        self._delay_s = seconds

    def refuse(self) -> None:
        """Close new connections at once and reset the ones there are."""
        self._refuses = True
        self.reset()

    def reset(self) -> None:
        """Reset every connection there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    def heal(self) -> None:
        """End every fault."""
        self._cut_after = None
        self._delay_s = 0.0
        self._refuses = False
        self._open.set()
        self._takes.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            there = await self._connect()
        except OSError:  # the server behind is down, and so is the way to it
            writer.transport.abort()
            return
        self._writers |= {writer, there[1]}
        for work in (self._requests(reader, there[1]), self._replies(there[0], writer)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._takes.wait()
                writer.write(data)
        self._close(writer)

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await asyncio.sleep(self._delay_s)
                await self._open.wait()
                if self._cut_after is not None:
                    writer.write(data[: self._cut_after])
                    self._cut_after = None
                    break
                writer.write(data)
        self._close(writer)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()
