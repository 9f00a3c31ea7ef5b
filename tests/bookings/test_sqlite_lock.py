"""SQLite: one writer at a time among all processes, each in its turn, nobody for ever."""

import asyncio
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reservesvc.bookings.sqlite import SqliteBookingStore
from reservesvc.bookings.sqlite_lock import FileLock, poll
from reservesvc.domain.outcomes import Booked
from reservesvc.errors import UnavailableError
from tests.bookings.builders import booking

BUSY_S = 0.3
SOON_S = 5.0


@contextmanager
def held_elsewhere(lock: Path) -> Iterator[None]:
    """Have another process hold the lock."""
    program = [sys.executable, str(Path(__file__).with_name("lock_holder.py")), str(lock)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.communicate()


async def test_a_lock_held_elsewhere_refuses_in_good_time(tmp_path: Path) -> None:
    """Writers give up together after `busy_s`, readers go on, and release brings all back."""
    path = tmp_path / "bookings.sqlite"
    store = await SqliteBookingStore.open(path, busy_s=BUSY_S)
    with held_elsewhere(tmp_path / "bookings.sqlite.lock"):
        begun_s = time.monotonic()
        answers = await asyncio.gather(
            *(store.book(booking(), 0, None) for _ in range(20)), return_exceptions=True
        )
        took_s = time.monotonic() - begun_s
        assert all(type(answer) is UnavailableError for answer in answers)
        assert "another process of this service" in str(answers[0])
        assert BUSY_S <= took_s < 2 * BUSY_S + 1
        assert await store.booking("any") is None
        with pytest.raises(UnavailableError, match="another process"):
            await SqliteBookingStore.open(path, busy_s=0)
    assert isinstance(await store.book(booking(), 0, None), Booked)
    await store.close()


async def test_a_store_closes_although_the_lock_is_held(tmp_path: Path) -> None:
    """Closing waits its turn, but no neighbour that hangs keeps a server from stopping."""
    path = tmp_path / "bookings.sqlite"
    store = await SqliteBookingStore.open(path, busy_s=BUSY_S)
    first = booking()
    await store.book(first, 0, None)
    with held_elsewhere(tmp_path / "bookings.sqlite.lock"):
        begun_s = time.monotonic()
        await store.close()
        assert BUSY_S <= time.monotonic() - begun_s < BUSY_S + 1
    reopened = await SqliteBookingStore.open(path)
    assert await reopened.booking(first.id) == first
    await reopened.close()


async def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    """The lock goes with the process, also on kill -9."""
    store = await SqliteBookingStore.open(tmp_path / "bookings.sqlite", busy_s=SOON_S)
    lock = tmp_path / "bookings.sqlite.lock"
    program = [sys.executable, str(Path(__file__).with_name("lock_holder.py")), str(lock)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        waiting = asyncio.create_task(store.book(booking(), 0, None))
        await asyncio.sleep(0)
        holder.kill()
        assert isinstance(await waiting, Booked)
    await store.close()


def test_the_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """Between taking and letting go, nobody else gets in, of four who try all the time."""
    inside: list[int] = []
    most_inside: list[int] = []

    def enter(number: int) -> None:
        lock = FileLock(tmp_path / "file")
        for _ in range(25):
            with lock.held(time.monotonic() + SOON_S):
                inside.append(number)
                most_inside.append(len(inside))
                inside.remove(number)
        lock.close()

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_inside == [1] * 100


def test_whoever_waits_gets_its_turn(tmp_path: Path) -> None:
    """A process that takes the lock again at once cannot keep another waiting for long."""
    greedy, patient = FileLock(tmp_path / "file"), FileLock(tmp_path / "file")
    begun, done = threading.Event(), threading.Event()

    def take_again_and_again() -> None:
        while not done.is_set():
            with greedy.held(time.monotonic() + SOON_S):
                begun.set()
                # As long as a commit takes: all but a few microseconds are spent inside.
                time.sleep(0.003)

    def turns_s() -> Iterator[float]:
        for _ in range(10):
            begun.clear()
            begun.wait()
            begun_s = time.monotonic()
            with patient.held(begun_s + SOON_S):
                yield time.monotonic() - begun_s

    thread = threading.Thread(target=take_again_and_again)
    thread.start()
    try:
        assert sorted(turns_s())[5] < 0.05
    finally:
        done.set()
        thread.join()
        greedy.close()
        patient.close()


def test_polling_tries_at_least_once() -> None:
    """A deadline that has passed still leaves one try, and only one."""
    tries: list[bool] = []

    def attempt() -> bool:
        tries.append(True)
        return False

    assert poll(attempt, time.monotonic() - 1) is False
    assert poll(lambda: True, time.monotonic() - 1) is True
    assert tries == [True]


def test_lock_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """Who may not read the bookings may not hold them up either."""
    FileLock(tmp_path / "file").close()
    modes = {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert modes == {0o600}


def test_no_lock_file_stays_open_where_one_cannot_be_made(tmp_path: Path) -> None:
    """Failing to take part leaves nothing behind."""
    (tmp_path / "file.turn").mkdir()
    with pytest.raises(IsADirectoryError):
        FileLock(tmp_path / "file")
    with held_elsewhere(tmp_path / "file.lock"):
        assert (tmp_path / "file.lock").exists()
