"""Workers: several processes of the service on one port, for machines with several cores.

The first process holds the listening sockets and the embedded Redis, and answers no request.
Workers inherit the sockets: one that dies takes no waiting connection with it, and is replaced.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import structlog

from reservesvc.children import Child
from reservesvc.counts import SharedCounts
from reservesvc.embedded_server import leashed
from reservesvc.supervised import Supervisor

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
    supervisor: Supervisor,
) -> AsyncIterator[Tell]:
    """Keep workers running; at the end let them finish what is in flight.

    Yields what sends a signal to every worker.

    Args:
        words: what starts one.
        listening: the sockets they inherit.
        counts: the memory files they count in (`counts.memory_files`): this process has the
            first, and each worker one of the others.
        shutdown_s: how long one may take to end.
        supervisor: keeps going what replaces them.

    """
    descriptors = (*(each.fileno() for each in listening), *counts)
    workers: list[Child] = []

    async def launch(number: int) -> Process:
        own = f"--counts={SharedCounts.argument(counts, number)}"
        return await asyncio.create_subprocess_exec(
            *leashed([*words, own]), pass_fds=descriptors, start_new_session=True
        )

    def tell_if_none_is_left() -> None:
        if not any(worker.pid for worker in workers):
            _log.error("no worker left", connections="wait until one is started")

    def tell(number: signal.Signals) -> None:
        for worker in workers:
            worker.tell(number)

    async def end_all() -> None:
        await asyncio.gather(*(worker.end() for worker in workers))

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(end_all)
        for number in range(1, len(counts)):
            start = partial(launch, number)
            worker = Child("worker", start, shutdown_s + _KILL_S, on_down=tell_if_none_is_left)
            workers.append(worker)
            await worker.start()
            await stack.enter_async_context(supervisor.running("worker", worker.keep))
        yield tell
