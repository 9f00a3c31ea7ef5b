"""The embedded Redis: a server of our own, started, watched and stopped with us.

Its files are in `<data dir>/redis`. `<data dir>/lock` is locked by this process and by the
server, so that a data directory has one server at a time, until both have ended.
"""

import asyncio
import contextlib
import os
import shlex
from pathlib import Path
from urllib.parse import quote

import structlog

from reservesvc.embedded_files import lock_directory, make_private, note_holders, socket_path
from reservesvc.embedded_server import environment, find_server, leashed, options
from reservesvc.errors import ConfigError, UnavailableError

_LOCK_S = 5.0
_ANSWER_S = 10.0
"""How long the server may be silent after its start; reading a long file it says so."""
_STOP_S = 10.0
_POLL_S = 0.02
_WAIT_MIN_S = 0.05
_WAIT_MAX_S = 5.0
_STEADY_S = 30.0

_log = structlog.get_logger()


class EmbeddedRedis:
    """One server in a data directory.

    Args:
        data_dir: made, for its owner alone, where missing.
        lock_s: how long to wait for a predecessor that is still ending, in seconds.

    """

    def __init__(self, data_dir: Path, lock_s: float = _LOCK_S) -> None:
        self._data_dir = data_dir.absolute()
        self._directory = self._data_dir / "redis"
        self._socket_path = socket_path(self._directory)
        self._lock_s = lock_s
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The server's address, for redis-py and its kin."""
        return f"unix://{quote(str(self._socket_path))}"

    @property
    def cli_hint(self) -> str:
        """The command that looks inside."""
        return f"redis-cli -s {shlex.quote(str(self._socket_path))}"

    @property
    def pid(self) -> int | None:
        """The server's process id; None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the server and return once it answers; to be called from the main thread.

        Raises:
            ConfigError: no server binary, or the data directory is in use or cannot be used.
            UnavailableError: the server did not come up; the message names its log.

        """
        server = find_server()
        try:
            make_private(self._data_dir)
            make_private(self._directory)
            make_private(self._socket_path.parent)
            lock = self._lock = await lock_directory(self._data_dir, self._lock_s)
        except OSError as error:
            message = f"The data directory {self._data_dir} cannot be used: {error}."
            raise ConfigError(message) from error
        try:
            await self._launch(server, lock)
        except BaseException:
            await self.stop()
            raise

    async def watch(self) -> None:
        """Start the server again whenever it ends; runs until cancelled or stopped."""
        loop = asyncio.get_running_loop()
        wait_s = 0.0
        while (process := self._process) is not None:
            began_s = loop.time()
            code = await process.wait()
            if self._lock is None:
                return
            wait_s = next_wait_s(wait_s, loop.time() - began_s)
            _log.error("embedded redis ended", code=code, restart_in_s=wait_s)
            await asyncio.sleep(wait_s)
            if self._lock is not None:
                await self._relaunch(self._lock)

    async def stop(self) -> None:
        """Stop the server, which writes what it has to its files; harmless when repeated."""
        process, self._process = self._process, None
        lock, self._lock = self._lock, None
        try:
            if process is not None:
                await _end(process)
        finally:
            if lock is not None:
                os.close(lock)

    async def _launch(self, server: str, lock: int) -> None:
        """Start the server, which shares our lock, and wait for its first answer."""
        self._socket_path.unlink(missing_ok=True)
        with (self._directory / "redis.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leashed([server, *options(self._socket_path, self._directory)]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                pass_fds=(lock,),
                # Ctrl-C reaches the whole terminal group; the server must outlast our requests.
                start_new_session=True,
            )
        note_holders(lock, os.getpid(), self._process.pid)
        await self._until_ready(self._process)

    async def _relaunch(self, lock: int) -> None:
        """Start the server again; a failure is logged and left to the next turn of `watch`."""
        try:
            await self._launch(find_server(), lock)
        except (ConfigError, UnavailableError, OSError) as error:
            _log.error("embedded redis not restarted", reason=str(error))
        else:
            _log.warning("embedded redis restarted", pid=self.pid)

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _ANSWER_S
        while (answer := await self._ping()) != b"+PONG\r\n":
            silent = not answer and loop.time() > deadline_s
            if silent or process.returncode is not None:
                await _end(process)
                detail = f"the embedded server did not start; see {self._directory / 'redis.log'}"
                raise UnavailableError("redis", detail)
            await asyncio.sleep(_POLL_S)

    async def _ping(self) -> bytes:
        """Return the server's answer to PING, empty if it does not listen yet."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket_path)
        except OSError:
            return b""
        try:
            writer.write(b"PING\r\n")
            async with asyncio.timeout(_ANSWER_S):
                return await reader.readline()
        except (OSError, TimeoutError):
            return b""
        finally:
            writer.close()


def next_wait_s(wait_s: float, lived_s: float) -> float:
    """Return how long to wait before a restart: longer each time, until one lasted."""
    if lived_s >= _STEADY_S:
        return _WAIT_MIN_S
    return min(max(_WAIT_MIN_S, wait_s * 2), _WAIT_MAX_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the process to end, and make it end where it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
