"""A child process is started again whenever it ends, however long that takes."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process

import pytest
from structlog.testing import capture_logs

from reservesvc import supervised
from reservesvc.children import Child
from reservesvc.errors import UnavailableError

WITHIN_S = 10.0
STOP_S = 5.0
SLEEPER = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)")


class Launcher:
    """Starts processes, or fails as often as it is told."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.started: list[Process] = []
        self.again = asyncio.Event()

    async def __call__(self) -> Process:
        """Start a process that sleeps."""
        if self.failures:
            raise self.failures.pop(0)
        self.started.append(await asyncio.create_subprocess_exec(*SLEEPER))
        if len(self.started) > 1:
            self.again.set()
        return self.started[-1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause for a moment only."""
    monkeypatch.setattr(supervised, "PAUSE_MIN_S", 0.001)
    monkeypatch.setattr(supervised, "PAUSE_MAX_S", 0.002)


async def test_a_child_that_cannot_be_started_is_tried_until_it_can() -> None:
    """No process, no memory, no descriptor, no thread: each is said, and tried again."""
    launch, downs = Launcher(), list[object]()
    child = Child("worker", launch, STOP_S, on_down=lambda: downs.append(child.pid))
    await child.start()
    launch.failures = [
        BlockingIOError(11, "Resource temporarily unavailable"),
        OSError(12, "Cannot allocate memory"),
        OSError(24, "Too many open files"),
        RuntimeError("can't start new thread"),
    ]
    keeping = asyncio.create_task(child.keep())
    with capture_logs() as logged:
        launch.started[0].kill()
        async with asyncio.timeout(WITHIN_S):
            await launch.again.wait()
            while logged[-1]["event"] != "worker restarted":
                await asyncio.sleep(0.002)
    assert [line["event"] for line in logged] == [
        "worker ended",
        *["worker not restarted"] * 4,
        "worker restarted",
    ]
    assert logged[0]["code"] == -signal.SIGKILL
    assert logged[1]["reason"] == "[Errno 11] Resource temporarily unavailable"
    assert downs == [None] * 5
    assert child.pid == launch.started[1].pid
    await child.end()
    async with asyncio.timeout(WITHIN_S):
        await keeping
    assert launch.started[1].returncode == -signal.SIGTERM


async def test_a_first_start_that_fails_is_a_sentence() -> None:
    """A service that cannot start its child ends with the reason, and no traceback."""
    launch = Launcher()
    launch.failures = [OSError(24, "Too many open files")]
    with pytest.raises(UnavailableError) as failed:
        await Child("worker", launch, STOP_S).start()
    assert str(failed.value) == "worker: cannot be started: [Errno 24] Too many open files"


async def test_a_child_that_does_not_settle_is_ended() -> None:
    """It leaves no process behind, and the error is the caller's."""
    launch = Launcher()

    async def refuse(_: Process) -> None:
        message = "it does not answer"
        raise ValueError(message)

    child = Child("worker", launch, STOP_S, refuse)
    with pytest.raises(ValueError, match="does not answer"):
        await child.start()
    assert child.pid is None
    assert launch.started[0].returncode == -signal.SIGTERM


async def test_the_end_comes_while_no_process_can_be_started() -> None:
    """What is told to end meanwhile starts nothing more."""
    launch = Launcher()
    child = Child("worker", launch, STOP_S)
    await child.start()
    launch.failures = [OSError(11, "no process left")] * 1_000
    keeping = asyncio.create_task(child.keep())
    launch.started[0].kill()
    async with asyncio.timeout(WITHIN_S):
        while len(launch.failures) > 990:
            await asyncio.sleep(0.002)
        await child.end()
        await keeping
    assert len(launch.started) == 1
