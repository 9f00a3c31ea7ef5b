"""The lock that lets one connection at a time write to a SQLite file, whoever has it open.

SQLite has locks of its own, but before 3.51.3 two connections that write or checkpoint at
the same instant can corrupt the file (the WAL-reset bug, sqlite.org/wal.html), and Python
3.11 commonly comes with 3.40. Hence a lock around everything that writes, opens or closes.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reservesvc.bookings.sqlite_errors import DEPENDENCY
from reservesvc.errors import UnavailableError

_RETRY_S = 0.001
_MODE = 0o600
_BUSY = "another process of this service keeps the database file to itself"


def poll(attempt: Callable[[], bool], deadline_s: float) -> bool:
    """Try until `attempt` succeeds, at least once; False where it had not by `deadline_s`.

    Args:
        attempt: does it and returns True, or returns False at once.
        deadline_s: on the clock of `time.monotonic`.

    """
    while not attempt():
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_RETRY_S)
    return True


class FileLock:
    """An exclusive lock on `<file>.lock`, gone with the process that holds it.

    Whoever wants the lock first takes its turn, `<file>.turn`, and keeps that until it has
    the lock. Without it, a process with much to write would let go and take the lock again
    before another, which looks only now and then, ever saw it free.

    Raises:
        OSError: a lock file can be neither opened nor created.

    """

    def __init__(self, file: Path) -> None:
        self._lock = _open(file.with_name(f"{file.name}.lock"))
        try:
            self._turn = _open(file.with_name(f"{file.name}.turn"))
        except OSError:
            os.close(self._lock)
            raise

    @contextmanager
    def held(self, deadline_s: float) -> Iterator[None]:
        """Hold the lock.

        Raises:
            UnavailableError: others kept it until `deadline_s`.

        """
        _acquire(self._turn, deadline_s)
        try:
            _acquire(self._lock, deadline_s)
        finally:
            _release(self._turn)
        try:
            yield
        finally:
            _release(self._lock)

    def close(self) -> None:
        """Close the lock files; they stay, for another process may have them open."""
        os.close(self._lock)
        os.close(self._turn)


def _acquire(descriptor: int, deadline_s: float) -> None:
    if not poll(lambda: _try_flock(descriptor), deadline_s):
        raise UnavailableError(DEPENDENCY, _BUSY)


def _release(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
