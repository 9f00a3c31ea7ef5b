"""Rows of the fault matrix about what goes on beside the requests, and about child processes."""

import asyncio
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.faults.client import Client
from tests.faults.conftest import Holds
from tests.faults.history import History, Op, Terms
from tests.faults.process import ServerProcess, in_background
from tests.faults.test_log import is_ready, redis_pid
from tests.faults.trial import Trial, slot_of, trial

WITHIN_S = 20.0
REFRESHED_S = 3.0
"""when a server has heard of a changed setting for long: it asks every 0.4 s"""
SLOT = slot_of("room-1")
ROOM = {"id": "room-1", "name": "room-1", "capacity": 2}
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")


async def until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds, or fail."""
    until_s = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < until_s, what
        await asyncio.sleep(0.02)


async def hear_of_a_change(made: Trial) -> Op:
    """Raise a capacity at one server; return what the other, which knew the old one, then says."""
    await made.client.release(await made.client.reserve(SLOT, 5))
    assert await made.client.request(1, "POST", "/v2/resources", ROOM) == 201
    made.history.terms = replace(made.history.terms, capacities={"room-1": 2})
    await made.client.reserve(SLOT, 30)
    until_s = time.monotonic() + REFRESHED_S
    second = await made.client.reserve(SLOT, 30)
    while second.refused and time.monotonic() < until_s:
        await asyncio.sleep(0.1)
        second = await made.client.reserve(SLOT, 30)
    return second


async def metric(made: Trial, name: str) -> float:
    """Return a metric of the first server."""
    async with made.client._session.get(f"{made.cluster.urls[0]}/metrics") as reply:
        text = await reply.text()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


async def test_background_work_that_failed_goes_on() -> None:
    """What refreshes settings raises once: it begins again, and changes are heard of."""
    async with trial(bent=["fail before settings_version"]) as made:
        second = await hear_of_a_change(made)
        assert second.granted
        name = 'reservesvc_background_restarts_total{task="settings"}'
        assert await metric(made, name) == 1
        assert any(line["event"] == "background_work_failed" for line in log_of(made))
        assert await made.client.request(0, "GET", "/readyz") == 200


async def test_background_work_that_is_not_supervised_is_found() -> None:
    """Without the supervision a slot is refused for nothing, for ever."""
    bent = ["without supervision; fail before settings_version"]
    async with trial(bent=bent) as made:
        await hear_of_a_change(made)
        found = await made.judge([SLOT])
    assert any(one.startswith("refusals_have_a_cause: ") for one in found), found


def log_of(made: Trial) -> Iterator[dict[str, Any]]:
    """Return the lines of the first server."""
    return made.cluster.servers[0].lines()


async def test_background_work_that_stays_down_is_told() -> None:
    """It goes on answering, and calls itself unready with the name of what fails."""
    async with trial(servers=1, bent=["break before settings_version"]) as made:
        url = f"{made.cluster.urls[0]}/readyz"

        async def is_told() -> bool:
            async with made.client._session.get(url) as reply:
                checks = (await reply.json())["checks"]
                told = checks["background"].get("reason", "")
                return reply.status == 503 and told.startswith("settings failed ")

        await until("readiness names the work", is_told)
        assert (await made.client.reserve(SLOT, 5)).granted


@linux
async def test_workers_that_cannot_be_started(holds: Holds) -> None:
    """They are tried until they can be, the log says so, and a request that waits is answered."""
    workers = {"RESERVESVC_WORKERS": "2"}
    async with trial(servers=1, environments=[workers]) as made:
        server, client = made.cluster.servers[0], made.client
        booked = await client.hand_off(await client.reserve(SLOT, 60))
        async with made.fault("no worker can be started", freezes=True):
            limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
            for pid in children_of(server.pid):
                os.kill(pid, signal.SIGKILL)
            await until(
                "it is said", lambda: said(server, "no worker left", "worker not restarted")
            )
            waits = asyncio.create_task(client.reserve(slot_of("room-2"), 60))
            await asyncio.sleep(0.1)  # it is on its way, and nothing takes it
            assert not waits.done()
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            assert (await waits).granted
        await until("two run again", lambda: run_again(server))
        made.forgive()
        assert booked.granted
        await holds(made, [SLOT, slot_of("room-2")])


async def run_again(server: ServerProcess) -> bool:
    """Tell whether there are two workers."""
    return len(children_of(server.pid)) == 2


def children_of(pid: int) -> list[int]:
    """Return the process ids of the children."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def said(server: ServerProcess, *events: str) -> bool:
    """Tell whether the log has all of these."""
    return {*events} <= {str(line.get("event")) for line in server.lines()}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory whose path is short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="rsv-"))
    yield path / "data"
    shutil.rmtree(path, ignore_errors=True)  # its Redis may be removing files itself


@linux
async def test_an_embedded_redis_that_cannot_be_started(data_dir: Path) -> None:
    """It is tried until it can be, the log says why not, and then the service reserves again."""
    server = ServerProcess("embedded", data_dir.parent, {"DATA_DIR": data_dir})
    client = Client([server.url], History(terms=Terms(deadline_s=2, grace_s=10)))
    try:
        await in_background(server.start)
        await server.started()
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(redis_pid(data_dir), signal.SIGKILL)
        await until("it is said", lambda: said(server, "embedded redis not restarted"))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
        await until("it is ready", lambda: is_ready(client))
        assert (await client.reserve(SLOT, 60)).granted
        server.terminate()
        assert await server.ended() == 0
    finally:
        await client.close()
        server.close()
