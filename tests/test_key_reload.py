"""SIGHUP: real processes read the keys file again, and end neither then nor later."""

import asyncio
import os
import signal
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.faults.process import POLL_S, ServerProcess
from tests.servers import RedisServer

PATIENCE_S = 20.0
SIGHUP_BIT = 1 << (signal.SIGHUP - 1)


pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' /proc")


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Make a keys file with the key `first`."""
    file = tmp_path / "keys"
    file.write_text(line_of("first"))
    return file


@pytest.fixture(params=["1", "2"], ids=["one process", "workers"])
def server(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path, keys_file: Path
) -> Iterator[ServerProcess]:
    """Start a server that reads the keys file."""
    settings = {
        "REDIS_URL": redis_server.url,
        "DATA_DIR": tmp_path / "data",
        "API_KEYS_FILE": keys_file,
        "WORKERS": request.param,
    }
    started = ServerProcess("server", tmp_path, settings)
    started.start()
    yield started
    started.close()


def line_of(secret: str) -> str:
    """Return the line of a keys file for a key that is called like its secret."""
    return f"{secret}:service:sha256${sha256(secret.encode()).hexdigest()}\n"


def status(server: ServerProcess, secret: str) -> int:
    """Return the status of a request with this key, on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("GET", "/v2/resources", headers={"Authorization": f"Bearer {secret}"})
        return connection.getresponse().status
    finally:
        connection.close()


def reasons(server: ServerProcess) -> list[str]:
    """Return why keys were not read, as the log has it."""
    return [each["reason"] for each in server.lines() if each["event"] == "keys not read"]


async def test_sighup_reads_the_keys_file_again(server: ServerProcess, keys_file: Path) -> None:
    """New keys count and old ones no longer; a file that cannot be used changes nothing."""
    await server.started()
    await all_listen(server)
    assert (status(server, "first"), status(server, "second")) == (200, 401)
    keys_file.write_text(line_of("second"))
    os.kill(server.pid, signal.SIGHUP)
    await logged(server, "keys read")
    assert [status(server, each) for each in ("first", "second") * 4] == [401, 200] * 4
    for text in ("second:service:letmein\n", ""):
        keys_file.write_text(text)
        before = len(reasons(server))
        os.kill(server.pid, signal.SIGHUP)
        await logged(server, "keys not read", before)
        assert [status(server, each) for each in ("first", "second") * 4] == [401, 200] * 4
    assert "letmein" not in server.log.read_text()
    server.terminate()
    assert await server.ended() == 0


async def logged(server: ServerProcess, event: str, before: int = 0) -> None:
    """Wait until every process that has keys has logged `event` once more."""
    processes = len(with_keys(server))
    async with asyncio.timeout(PATIENCE_S):
        while [each["event"] for each in server.lines()].count(event) < before + processes:
            await asyncio.sleep(POLL_S)


async def all_listen(server: ServerProcess) -> None:
    """Wait until every process that has keys has a handler for SIGHUP."""
    async with asyncio.timeout(PATIENCE_S):
        while not all(map(handles_sighup, with_keys(server))):
            await asyncio.sleep(POLL_S)


def with_keys(server: ServerProcess) -> list[int]:
    """Return the process ids of the workers, or of the server where it has none."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [int(pid) for pid in children] or [server.pid]


def handles_sighup(pid: int) -> bool:
    """Tell whether the process has a handler for SIGHUP (proc(5): SigCgt, SigBlk)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    blocked = next(line.split()[1] for line in lines if line.startswith("SigBlk:"))
    return bool(int(caught, 16) & ~int(blocked, 16) & SIGHUP_BIT)
