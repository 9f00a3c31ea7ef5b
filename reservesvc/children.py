"""A child process that is started again whenever it ends, for as long as that takes.

Starting one can fail for a while: no process, memory or file descriptor is left.
"""

import asyncio
import contextlib
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable

import structlog

from reservesvc.errors import UnavailableError
from reservesvc.supervised import next_pause_s

Launch = Callable[[], Awaitable[Process]]
Settle = Callable[[Process], Awaitable[None]]

_log = structlog.get_logger()


async def _at_once(process: Process) -> None:
    """Take a process for usable as soon as it runs."""
    del process


def _take_no_notice() -> None:
    """Take no notice."""


class Child:
    """One place, and the process that fills it.

    Args:
        name: of the place, as the log calls it.
        launch: starts a process.
        stop_s: how long a process may take to end before it is killed.
        settle: returns once the process is usable; where it raises, the process is ended.
        on_down: called whenever there is no process: one ended, or could not be started.

    """

    def __init__(
        self,
        name: str,
        launch: Launch,
        stop_s: float,
        settle: Settle = _at_once,
        on_down: Callable[[], None] = _take_no_notice,
    ) -> None:
        self._name = name
        self._launch = launch
        self._stop_s = stop_s
        self._settle = settle
        self._on_down = on_down
        self._process: Process | None = None
        self._ends = False

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the first process.

        Raises:
            UnavailableError: the machine does not let us; the message says why.

        And whatever else `launch` and `settle` raise.

        """
        try:
            await self._start()
        except OSError as error:
            raise UnavailableError(self._name, f"cannot be started: {error}") from error

    async def _start(self) -> None:
        self._process = await self._launch()
        try:
            await self._settle(self._process)
        except BaseException:
            await self._end(self._process)
            raise

    async def keep(self) -> None:
        """Start another process whenever one ends, until cancelled or `end` is called."""
        loop, pause_s = asyncio.get_running_loop(), 0.0
        while self._process and not self._ends:
            began_s = loop.time()
            code = await self._process.wait()
            if not self._ends:
                pause_s = next_pause_s(pause_s, loop.time() - began_s)
                self._tell("ended", pause_s, code=code)
                pause_s = await self._replace(pause_s)

    def tell(self, number: signal.Signals) -> None:
        """Send the process a signal, if it runs."""
        if self.pid is not None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def end(self) -> None:
        """Ask the process to end, and make it end where it does not; start no other."""
        self._ends = True
        if self._process and self._process.returncode is None:
            await self._end(self._process)

    async def _replace(self, pause_s: float) -> float:
        """Pause and start a process until one starts; return the last pause."""
        while True:
            await asyncio.sleep(pause_s)
            if self._ends:
                return pause_s
            try:
                await self._start()
            except Exception as error:  # noqa: BLE001  whatever it is, it may pass
                pause_s = next_pause_s(pause_s, 0)
                self._tell("not restarted", pause_s, reason=str(error) or type(error).__name__)
            else:
                _log.warning(f"{self._name} restarted", pid=self.pid)
                return pause_s

    def _tell(self, what: str, pause_s: float, **fields: object) -> None:
        _log.error(f"{self._name} {what}", **fields, restart_in_s=pause_s)
        self._on_down()

    async def _end(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._stop_s):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
