"""Real Redis servers for tests: started on a Unix socket, gone with the tests.

Set `RESERVESVC_TEST_REDIS_SERVER` to the path of a redis-server or valkey-server to run the
tests against it; otherwise it is the binary that the service itself would embed.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from random import sample
from types import MappingProxyType
from typing import Self

from reservesvc.embedded_server import environment, find_server, leashed, options

_START_S = 10.0
_POLL_S = 0.002
_OWN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_FOR_ALL = range(20_000, 32_000)
_FOR_THIS_PROCESS = _FOR_ALL[_OWN::_PROCESSES]
_PORTS = iter(sample(_FOR_THIS_PROCESS, len(_FOR_THIS_PROCESS)))
"""those of this process among several that run tests, and none that the system gives to outgoing
connections (Linux: from 32,768 on): one of those can be taken before its server listens there, or
between its end and its next start"""


class RedisServer:
    """One server of its own, empty at first; stopped with SIGKILL.

    It listens on a Unix socket, and on a TCP port of 127.0.0.1 as well where `port` is given.

    Args:
        appendonly: whether what was written is there again after `restart`.
        port: a free TCP port, for what cannot speak to a Unix socket; 0 for none.
        more: options by name, such as `replicaof`.
        binary: the server to start; the one that the tests run against if empty.

    """

    def __init__(
        self,
        *,
        appendonly: bool = False,
        port: int = 0,
        more: Mapping[str, str] = MappingProxyType({}),
        binary: str = "",
    ) -> None:
        self._binary = binary or server_binary()
        # Not pytest's tmp_path: its names can make the socket's path too long.
        self.directory = Path(tempfile.mkdtemp(prefix="rsv-"))
        self.socket_path = self.directory / "redis.sock"
        self.url = f"unix://{self.socket_path}"
        self.port = port
        self._appendonly = appendonly
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the server and remove its files."""
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start the server and return once it answers.

        Raises:
            AssertionError: it did not; the message is what it logged.

        """
        self.socket_path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            leashed(self._command()), stdin=subprocess.DEVNULL, env=environment()
        )
        deadline_s = time.monotonic() + _START_S
        while not self._answers():
            alive = self._process.poll() is None and time.monotonic() < deadline_s
            assert alive, f"the test server did not start: {self._logged()}"
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """Kill the server as kill -9 does; return once it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill the server and start it again: empty, unless it is `appendonly`."""
        self.kill()
        self.start()

    def close(self) -> None:
        """Kill the server and remove its files."""
        self.kill()
        shutil.rmtree(self.directory)

    def _command(self) -> list[str]:
        extra = ["--appendonly", "yes" if self._appendonly else "no", "--port", str(self.port)]
        more = [
            part for name, value in self._more.items() for part in (f"--{name}", *value.split())
        ]
        return [self._binary, *options(self.socket_path, self.directory), *extra, *more]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_START_S)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def _logged(self) -> str:
        log = self.directory / "redis.log"
        return log.read_text() if log.exists() else "nothing was logged"


def server_binary() -> str:
    """Return the path of the server that the tests run against."""
    return os.environ.get("RESERVESVC_TEST_REDIS_SERVER") or find_server()


def tls_server_binary() -> str | None:
    """Return the path of a server that speaks TLS, or None; the one that is embedded does not."""
    for path in filter(None, map(shutil.which, ("redis-server", "valkey-server"))):
        # With TLS it misses a certificate; without, it does not know the option.
        words = [path, "--port", "0", "--tls-port", "1"]
        run = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_START_S)
        if "Bad directive" not in run.stdout + run.stderr:
            return path
    return None


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing uses, and that nobody was given before."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    message = "all ports are given away"
    raise AssertionError(message)
