"""SQLite: what was acknowledged survives kill -9, and the file stays whole."""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from reservesvc.bookings.sqlite import SqliteBookingStore

ROOT = Path(__file__).parents[2]
ROUNDS = 4
SERVERS = 2


def start_server(path: Path, name: str) -> subprocess.Popen[str]:
    """Start a process that books until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bookings.endless_bookings", str(path), name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_after(server: subprocess.Popen[str], bookings: int) -> list[str]:
    """Kill -9 the process once it acknowledged so many; return all it acknowledged."""
    assert server.stdout is not None
    acknowledged = [server.stdout.readline() for _ in range(bookings)]
    server.kill()
    rest, _ = server.communicate()
    whole_lines = rest.splitlines(keepends=True)
    return [line.strip() for line in acknowledged + whole_lines if line.endswith("\n")]


def stored(path: Path) -> set[str]:
    """Check the whole file; return the ids of its bookings."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in connection.execute("SELECT id FROM bookings")}


async def test_killed_servers_lose_no_acknowledged_booking(tmp_path: Path) -> None:
    """Two servers write one file and are killed mid-write, again and again."""
    path = tmp_path / "bookings.sqlite"
    acknowledged: set[str] = set()
    lots = random.Random(20_261_122)  # noqa: S311 - where to cut, not what to guess
    for number in range(ROUNDS):
        servers = [start_server(path, f"round{number}-server{one}") for one in range(SERVERS)]
        for server in servers:
            done = kill_after(server, lots.randint(5, 60))
            assert len(done) >= 5
            acknowledged.update(done)
        assert acknowledged <= stored(path)
    store = await SqliteBookingStore.open(path)
    await store.ping()
    assert all([await store.booking(one) for one in sorted(acknowledged)[:5]])
    await store.close()
