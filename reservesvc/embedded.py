"""The embedded Redis: a server of our own, started, watched and stopped with us.

Its files are in `<data dir>/redis`. `<data dir>/lock` is locked by this process and by the
server, so that a data directory has one server at a time, until both have ended.
"""

import asyncio
import contextlib
import os
import shlex
from asyncio.subprocess import Process
from pathlib import Path
from urllib.parse import quote

from reservesvc.children import Child
from reservesvc.embedded_files import lock_directory, make_private, note_holders, socket_path
from reservesvc.embedded_server import environment, find_server, leashed, options
from reservesvc.errors import ConfigError, UnavailableError

_LOCK_S = 5.0
_ANSWER_S = 10.0
"""How long the server may be silent after its start; reading a long file it says so."""
_STOP_S = 10.0
_POLL_S = 0.02


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
        self._child = Child("embedded redis", self._launch, _STOP_S, self._until_ready)

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
        return self._child.pid

    async def start(self) -> None:
        """Start the server and return once it answers; to be called from the main thread.

        Raises:
            ConfigError: no server binary, or the data directory is in use or cannot be used.
            UnavailableError: the server did not come up; the message names its log.

        """
        find_server()  # nothing is made where there is none
        try:
            make_private(self._data_dir)
            make_private(self._directory)
            make_private(self._socket_path.parent)
            self._lock = await lock_directory(self._data_dir, self._lock_s)
        except OSError as error:
            message = f"The data directory {self._data_dir} cannot be used: {error}."
            raise ConfigError(message) from error
        try:
            await self._child.start()
        except BaseException:
            await self.stop()
            raise

    async def watch(self) -> None:
        """Start the server again whenever it ends; runs until cancelled or stopped."""
        await self._child.keep()

    async def stop(self) -> None:
        """Stop the server, which writes what it has to its files; harmless when repeated."""
        try:
            await self._child.end()
        finally:
            lock, self._lock = self._lock, None
            if lock is not None:
                os.close(lock)

    async def _launch(self) -> Process:
        """Start the server, which shares our lock."""
        lock = self._lock
        if lock is None:
            message = "the embedded server was stopped"
            raise UnavailableError("redis", message)
        command = [find_server(), *options(self._socket_path, self._directory)]
        self._socket_path.unlink(missing_ok=True)
        with (self._directory / "redis.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *leashed(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                pass_fds=(lock,),
                # Ctrl-C reaches the whole terminal group; the server must outlast our requests.
                start_new_session=True,
            )
        with contextlib.suppress(OSError):  # on a full disk the note has to do without
            note_holders(lock, os.getpid(), process.pid)
        return process

    async def _until_ready(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _ANSWER_S
        while (answer := await self._ping()) != b"+PONG\r\n":
            silent = not answer and loop.time() > deadline_s
            if silent or process.returncode is not None:
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
