"""Rows of the fault matrix about the booking store, on both engines."""

import asyncio
import re
import resource
import sqlite3
import subprocess
import sys

import pytest

from tests.faults.bookings import ENGINES, SqliteFile, made_of
from tests.faults.conftest import Holds
from tests.faults.process import ROOT
from tests.faults.trial import slot_of, trial

READ_ONLY = {"linux": "/sys", "darwin": "/System"}
"""where nobody can make a file, not even root"""
SLOT, OTHER = slot_of("room-1"), slot_of("room-1", 12)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_store_that_cannot_be_written(engine: str, holds: Holds) -> None:
    """Reserving goes on, a hand-off answers 503, and its reservation stays to be tried again."""
    async with trial(bookings=made_of(engine)) as made:
        client = made.client
        held = await client.reserve(SLOT, 60)
        async with made.fault("locked"), made.cluster.bookings.locked():
            failed = await client.hand_off(held)
            assert (await client.reserve(OTHER, 60)).granted
            assert (await client.read(held)).granted
            direct = await client.book(slot_of("room-1", 14), "direct", key="direct")
        assert (failed.status, failed.says_when) == (503, True)
        assert direct.status == 503
        assert (await client.hand_off(held, server=1)).granted
        assert (await client.book(direct.slot, "direct", key="direct", server=1)).granted
        await holds(made, [SLOT, OTHER, direct.slot])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process' files")
async def test_a_full_disk(holds: Holds) -> None:
    """Nothing more can be written: 503, what was booked stands, and room brings it all back."""
    async with trial(bookings=SqliteFile()) as made:
        client, servers = made.client, made.cluster.servers
        booked = await client.hand_off(await client.reserve(SLOT, 60))
        held = await client.reserve(OTHER, 60)
        async with made.fault("disk full"):
            unlimited = [resource.prlimit(one.pid, resource.RLIMIT_FSIZE) for one in servers]
            for server in servers:
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            failed = [await client.hand_off(held, server=number) for number in (0, 1)]
            path = f"/v2/bookings/{booked.booking_id}"
            assert [await client.request(number, "GET", path) for number in (0, 1)] == [200, 200]
            assert await client.request(0, "GET", "/readyz") == 503
            for server, limits in zip(servers, unlimited, strict=True):
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        assert [one.status for one in failed] == [503, 503]
        assert (await client.hand_off(held)).granted
        await holds(made, [SLOT, OTHER])


def test_a_read_only_directory() -> None:
    """A server whose bookings could not be kept does not start, and says why in a sentence."""
    url = f"sqlite:///{READ_ONLY[sys.platform]}/bookings.sqlite3"
    command = [sys.executable, "-m", "reservesvc", "serve", "--port", "0", "--store-url", url]
    run = subprocess.run(
        [*command, "--redis-url", "redis://127.0.0.1:1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    assert re.fullmatch(r"reservesvc: store: .+\n", run.stderr)


async def test_a_foreign_writer(holds: Holds) -> None:
    """A program that holds the file locked costs a 503; the next hand-off books."""
    store = SqliteFile()
    async with trial(bookings=store) as made:
        held = await made.client.reserve(SLOT, 60)
        async with made.fault("foreign writer"):
            foreign = sqlite3.connect(store.path, isolation_level=None)
            foreign.execute("BEGIN IMMEDIATE")
            failed = await made.client.hand_off(held)
            await asyncio.sleep(1)
            foreign.execute("ROLLBACK")
            foreign.close()
        assert failed.status == 503
        assert (await made.client.hand_off(held)).granted
        await holds(made, [SLOT])
