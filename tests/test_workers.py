"""Workers: real processes on one socket, replaced when they die, gone with their parent."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from reservesvc import workers
from tests.servers import RedisServer, free_port

_STEP_S = 0.02
_PATIENCE_S = 20.0


class Service:
    """`reservesvc serve --workers 2` and what can be seen of it."""

    def __init__(self, redis_url: str, data_dir: Path) -> None:
        self.port = free_port()
        self._log = (data_dir / "log").open("wb")
        words = [sys.executable, "-m", "reservesvc", "serve", "--workers", "2"]
        words += ["--port", str(self.port), "--redis-url", redis_url, "--data-dir", str(data_dir)]
        self.process = subprocess.Popen(words, stderr=self._log)

    async def status(self, path: str, body: dict[str, object] | None = None) -> int:
        """Return the status of a request, 0 where nobody answers."""
        data = json.dumps(body).encode() if body else None
        request = Request(f"http://127.0.0.1:{self.port}{path}", data)
        with suppress(OSError):
            reply = await asyncio.to_thread(urlopen, request, None, 5)
            with reply:
                return int(reply.status)
        return 0

    def workers(self) -> set[int]:
        """Return the process ids of the workers that run."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def close(self) -> None:
        """Kill what is left."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture
def service(redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """Start two workers."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("sees its processes through Linux' /proc")
    started = Service(redis_server.url, tmp_path)
    yield started
    started.close()


async def until(condition: object) -> None:
    """Wait until `condition()`, an awaitable or not, is true."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            value = condition()  # type: ignore[operator]  # some function
            if await value if asyncio.iscoroutine(value) else value:
                return
            await asyncio.sleep(_STEP_S)


async def ready(service: Service) -> bool:
    """Tell whether the service answers."""
    return await service.status("/readyz") == 200


def gone(pid: int) -> bool:
    """Tell whether the process is no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


async def test_a_worker_that_dies_is_replaced(service: Service) -> None:
    """Two answer, one is killed, two answer again; requests are answered throughout."""
    await until(lambda: ready(service))
    await until(lambda: len(service.workers()) == 2)
    before = service.workers()
    os.kill(min(before), signal.SIGKILL)
    assert await service.status("/livez") == 200
    await until(lambda: len(service.workers()) == 2 and service.workers() != before)
    await until(lambda: ready(service))


async def test_sigterm_ends_all_of_them(service: Service) -> None:
    """The workers finish and the service exits with 0."""
    await until(lambda: ready(service))
    children = service.workers()
    service.process.terminate()
    await until(lambda: service.process.poll() is not None)
    assert service.process.returncode == 0
    assert all(gone(pid) for pid in children)


async def test_kill_leaves_no_worker(service: Service) -> None:
    """The workers get SIGTERM from the kernel when the first process dies."""
    await until(lambda: ready(service))
    children = service.workers()
    service.process.kill()
    await until(lambda: all(gone(pid) for pid in children))


def test_a_worker_is_started_with_the_same_flags_and_what_it_inherits() -> None:
    """The last of two equal flags counts, so ours go last."""
    with workers.listen("127.0.0.1", 0) as listening:
        words = workers.command(["serve", "--workers", "4"], listening, "unix:///r.sock")
    assert words[1:6] == ["-m", "reservesvc", "serve", "--workers", "4"]
    assert words[6:] == [
        f"--socket-fd={listening_fd(words)}",
        "--workers=1",
        "--redis-url=unix:///r.sock",
    ]


def listening_fd(words: list[str]) -> str:
    """Return the descriptor among `words`."""
    return next(word.partition("=")[2] for word in words if word.startswith("--socket-fd"))
