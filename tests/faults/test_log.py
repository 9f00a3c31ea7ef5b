"""Rows of the fault matrix about the log: its reader is late, stalls or goes, its disk is full."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from reservesvc.embedded_server import leashed
from tests.faults.checks import SLACK_S
from tests.faults.client import Client
from tests.faults.conftest import Holds
from tests.faults.history import History, Op, Slot, Terms
from tests.faults.process import ROOT, ServerProcess, in_background
from tests.faults.trial import Trial, slot_of, trial

REQUESTS = 24
WITHIN_S = 10.0
STOP_S = 8.0
"""SIGTERM has to end a server within this, its log's last two seconds included"""
SLOTS = [slot_of(f"room-{number}") for number in range(REQUESTS)]


@contextmanager
def stalled() -> Iterator[int]:
    """Give the write end of a pipe that is full and that nothing reads."""
    reader, writer = os.pipe()
    fill(writer)
    yield writer
    os.close(reader)
    os.close(writer)


@contextmanager
def gone() -> Iterator[int]:
    """Give the write end of a pipe that has no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextmanager
def full() -> Iterator[int]:
    """Give a file on a disk that is full."""
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is Linux'")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextmanager
def read_only() -> Iterator[int]:
    """Give a descriptor that cannot be written to at all."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def fill(writer: int) -> None:
    """Write to a pipe until it takes no more."""
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n" * 512)
    os.set_blocking(writer, True)


LOGS = {"stalled": stalled, "gone": gone, "full": full, "read-only": read_only}
ROWS = [
    ("stalled", "json"),
    ("gone", "console"),
    ("full", "console"),
    ("read-only", "json"),
]


@asynccontextmanager
async def trial_with(log: int, log_format: str, *bent: str) -> AsyncIterator[Trial]:
    """Run one server whose log goes to the descriptor."""
    environment = {"RESERVESVC_LOG_FORMAT": log_format, "RESERVESVC_LOG_LEVEL": "debug"}
    async with trial(
        servers=1, stderr=log, environments=[environment], bent=["; ".join(bent)]
    ) as made:
        yield made


async def live_through(made: Trial, slots: Sequence[Slot]) -> list[Op]:
    """Reserve, read, book and release, and return how all of it was answered."""
    done = []
    for slot in slots:
        held = await made.client.reserve(slot, 60)
        done += [held, await made.client.read(held)]
        end = made.client.release if len(done) % 4 else made.client.hand_off
        done.append(await end(held))
    return done


@pytest.mark.parametrize(("log", "log_format"), ROWS)
async def test_a_bad_log_costs_nothing(log: str, log_format: str, holds: Holds) -> None:
    """Every request is answered well, `/livez` and SIGTERM as well, and the exit status is 0."""
    with LOGS[log]() as descriptor:
        async with trial_with(descriptor, log_format, "small log") as made:
            window = made.begin(f"log {log}")
            done = await live_through(made, SLOTS)
            assert all(op.granted for op in done)
            assert await made.client.request(0, "GET", "/livez") == 200
            assert await made.client.request(0, "GET", "/readyz") == 200
            assert await lost(made) > 0
            made.end(window)
            await holds(made, SLOTS)
            server = made.cluster.servers[0]
            begun_s = time.monotonic()
            server.terminate()
            assert await server.ended() == 0
            assert time.monotonic() - begun_s < STOP_S


async def lost(made: Trial) -> float:
    """Return how many lines were dropped and how many writes failed, by the metrics."""
    url = f"{made.cluster.urls[0]}/metrics"
    async with made.client._session.get(url) as reply:
        text = await reply.text()
    names = ("reservesvc_log_lines_dropped_total ", "reservesvc_log_failures_total ")
    lines = [line for line in text.splitlines() if line.startswith(names)]
    assert len(lines) == len(names)
    return sum(float(line.split()[1]) for line in lines)


async def test_a_reader_that_comes_late(holds: Holds) -> None:
    """It gets whole lines, each once, and a line that says how many are missing."""
    reader, writer = os.pipe()
    fill(writer)
    async with trial_with(writer, "json", "small log") as made:
        window = made.begin("log late")
        done = await live_through(made, SLOTS)
        assert all(op.granted for op in done)
        os.set_blocking(reader, False)
        lines = await read_until(reader, lambda line: line["event"] == "log_lines_dropped")
        made.end(window)
        await holds(made, SLOTS)
        server = made.cluster.servers[0]
        server.terminate()
        assert await server.ended() == 0
    lines += parsed(os.read(reader, 1 << 20))
    os.close(reader)
    os.close(writer)
    assert lines[-1]["event"] == "stopped"
    (gap,) = [line for line in lines if line["event"] == "log_lines_dropped"]
    ids = [line["request_id"] for line in lines if line["event"] == "request"]
    assert len(ids) == len({*ids})
    before_the_gap = [line for line in lines[: lines.index(gap)] if line.get("route") != "/livez"]
    requests = [line for line in before_the_gap if line["event"] == "request"]
    assert 0 < len(requests) < len(done)
    assert int(str(gap["dropped"])) >= len(done) - len(requests)
    assert gap["level"] == "warning"


async def read_until(
    reader: int, holds: Callable[[dict[str, object]], bool]
) -> list[dict[str, object]]:
    """Read lines until one holds."""
    text, until_s = b"", time.monotonic() + WITHIN_S
    while True:
        assert time.monotonic() < until_s, text[-500:]
        with suppress(BlockingIOError):
            text += os.read(reader, 1 << 20)
        if text.endswith(b"\n") and any(map(holds, parsed(text))):
            return parsed(text)
        time.sleep(0.01)


def parsed(text: bytes) -> list[dict[str, object]]:
    """Return the lines, each of them JSON; what filled the pipe is left out."""
    return [json.loads(line) for line in text.decode().splitlines() if line]


async def test_a_log_call_that_raises_is_found() -> None:
    """Without the guard the requests of the same trial fail, after their work was done."""
    reader, writer = os.pipe()
    async with trial_with(writer, "console", "without a log that never raises") as made:
        os.close(reader)
        await made.client.reserve(SLOTS[0], 2)
        found = await made.judge(SLOTS[:1], waiting_s=SLACK_S)
    os.close(writer)
    assert any(one.startswith("errors_are_allowed: ") for one in found), found


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="rsv-"))
    yield path / "data"
    shutil.rmtree(path, ignore_errors=True)  # its Redis may be removing files itself


async def test_the_embedded_redis_comes_back_without_a_log(data_dir: Path) -> None:
    """Killed, it is started again, and the service reserves; it needs no log for that."""
    with gone() as descriptor:
        settings = {"DATA_DIR": data_dir, "LOG_FORMAT": "console"}
        server = ServerProcess("embedded", data_dir.parent, settings, stderr=descriptor)
        client = Client([server.url], History(terms=Terms(deadline_s=2, grace_s=10)))
        try:
            await in_background(server.start)
            await server.started()
            killed = redis_pid(data_dir)
            os.kill(killed, signal.SIGKILL)
            until_s = time.monotonic() + WITHIN_S
            while redis_pid(data_dir) == killed or not await is_ready(client):
                assert time.monotonic() < until_s
                time.sleep(0.02)
            assert (await client.reserve(SLOTS[0], 60)).granted
            server.terminate()
            assert await server.ended() == 0
        finally:
            await client.close()
            server.close()


async def is_ready(client: Client) -> bool:
    """Tell whether the server calls itself ready."""
    return await client.request(0, "GET", "/readyz") == 200


def redis_pid(data_dir: Path) -> int:
    """Return the process id of the embedded Redis, from the note in the lock file."""
    return int((data_dir / "lock").read_text().rpartition(" ")[2])


@pytest.mark.skipif(sys.platform != "linux", reason="sees open files through Linux' /proc")
def test_a_closed_stderr_is_no_other_file(data_dir: Path) -> None:
    """Started with its standard files closed, it serves, and writes its log into nothing else."""
    server = ServerProcess("closed", data_dir.parent, {"DATA_DIR": data_dir})
    words = f"exec {sys.executable} -m reservesvc serve <&- >&- 2>&-"
    with subprocess.Popen(
        leashed(["/bin/sh", "-c", words]), cwd=ROOT, env=server._environment()
    ) as process:
        until_s = time.monotonic() + WITHIN_S
        while not server.is_live():
            assert time.monotonic() < until_s
            assert process.poll() is None
        files = {Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in range(3)}
        process.terminate()
        assert process.wait(WITHIN_S) == 0
    assert files == {Path(os.devnull)}
