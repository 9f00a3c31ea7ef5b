"""A real PgBouncer for tests, before a PostgreSQL of theirs; gone with the tests."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.postgres import unprivileged
from tests.programs import needed
from tests.servers import free_port

PACKAGE = "pgbouncer"
_START_S = 10.0
_POLL_S = 0.01


def binary() -> str | None:
    """Return the path of the program, which Debian keeps where only root looks; or None."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer:
    """One pooler that lets everybody in, to any database of the server.

    Args:
        server_port: of the PostgreSQL, on 127.0.0.1.
        mode: `session` or `transaction`.
        more: further lines of its configuration; `{directory}` is its directory, in which it may
            read.

    """

    def __init__(self, server_port: int, mode: str = "session", *more: str) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-pgb-"))
        self._lines = [
            "[databases]",
            f"* = host=127.0.0.1 port={server_port} user=postgres",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1,127.0.0.2",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = any",
            f"pool_mode = {mode}",
            *(line.format(directory=self.directory) for line in more),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.directory.chmod(0o755)
        (self.directory / "pgbouncer.ini").write_text("\n".join(self._lines))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it and remove its files."""
        self.kill()
        shutil.rmtree(self.directory)

    def start(self) -> None:
        """Start it and return once it takes connections."""
        program = needed(binary, PACKAGE)
        assert program is not None, "no PgBouncer"
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                unprivileged([program, str(self.directory / "pgbouncer.ini")]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until_s = time.monotonic() + _START_S
        while not self._listens():
            is_alive = self._process.poll() is None and time.monotonic() < until_s
            assert is_alive, (self.directory / "log").read_text()
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill it as kill -9 does: every connection through it is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
