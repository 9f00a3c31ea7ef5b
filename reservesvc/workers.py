"""Workers: several processes of the service on one port, for machines with several cores.

The first process holds the listening sockets and the embedded Redis, and answers no request.
Workers inherit the sockets: one that dies takes no waiting connection with it, and is replaced.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from reservesvc.counts import SharedCounts
from reservesvc.embedded import next_wait_s
from reservesvc.embedded_server import leashed

_KILL_S = 5.0
"""how much longer than its own shutdown a worker may take to end"""

Tell = Callable[[signal.Signals], None]
"""sends a signal to every worker"""

_log = structlog.get_logger()


def command(
    arguments: Sequence[str], listening: Sequence[socket.socket], redis_url: str | None
) -> list[str]:
    """Return what starts a worker: this process's own command line, and what it inherits.

    Args:
        arguments: the words after `reservesvc`; a flag given twice counts as given last.
        listening: the sockets to take connections from.
        redis_url: the embedded Redis, if the first process runs one.

    """
    descriptors = ",".join(str(each.fileno()) for each in listening)
    own = [f"--socket-fd={descriptors}", "--workers=1"]
    if redis_url is not None:
        own.append(f"--redis-url={redis_url}")
    return [sys.executable, "-m", "reservesvc", *arguments, *own]


@contextlib.asynccontextmanager
async def running(
    words: Sequence[str],
    listening: Sequence[socket.socket],
    counts: Sequence[int],
    shutdown_s: float,
) -> AsyncIterator[Tell]:
    """Keep workers running; at the end let them finish what is in flight.

    Yields what sends a signal to every worker.

    Args:
        words: what starts one.
        listening: the sockets they inherit.
        counts: the memory files they count in (`counts.memory_files`): this process has the
            first, and each worker one of the others.
        shutdown_s: how long one may take to end.

    """
    descriptors = (*(each.fileno() for each in listening), *counts)
    workers = [
        _Worker([*words, f"--counts={SharedCounts.argument(counts, number)}"], descriptors)
        for number in range(1, len(counts))
    ]
    async with contextlib.AsyncExitStack() as stack:
        for worker in workers:
            await worker.start()
            stack.push_async_callback(worker.end, shutdown_s + _KILL_S)
        keeping = [asyncio.create_task(worker.keep()) for worker in workers]

        def tell(number: signal.Signals) -> None:
            for worker in workers:
                worker.tell(number)

        yield tell
        await asyncio.gather(*(worker.end(shutdown_s + _KILL_S) for worker in workers))
        await asyncio.gather(*keeping)


class _Worker:
    """One place among the workers, and the process that fills it."""

    def __init__(self, words: Sequence[str], descriptors: Sequence[int]) -> None:
        self._words = leashed(list(words))
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._ends = asyncio.Event()

    async def start(self) -> None:
        """Start a process.

        Raises:
            OSError: the machine does not let us.

        """
        self._process = await asyncio.create_subprocess_exec(
            *self._words, pass_fds=self._descriptors, start_new_session=True
        )

    async def keep(self) -> None:
        """Start another process whenever one dies, until told to end."""
        loop, wait_s = asyncio.get_running_loop(), 0.0
        while self._process is not None:
            began_s = loop.time()
            code = await self._process.wait()
            if self._ends.is_set():
                return
            wait_s = next_wait_s(wait_s, loop.time() - began_s)
            _log.error("worker ended", code=code, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)
            if not self._ends.is_set():
                await self.start()

    def tell(self, number: signal.Signals) -> None:
        """Send the process a signal, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def end(self, within_s: float) -> None:
        """Ask the process to end, and make it end where it does not."""
        self._ends.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
