"""A SQLite file, its two connections and the thread each of them lives in.

Knows threads, the lock and the file; knows nothing of bookings. Work is a function of a
connection and runs as one transaction in one hop to a thread: a caller who goes away
meanwhile cannot leave a transaction half done.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self, TypeVar

from reservesvc.bookings import sqlite_file, sqlite_schema, sqlite_transaction
from reservesvc.bookings.sqlite_errors import DEPENDENCY
from reservesvc.bookings.sqlite_lock import FileLock
from reservesvc.bookings.sqlite_transaction import Work
from reservesvc.errors import UnavailableError

_STEPS_BETWEEN_CHECKS = 10_000
"""Steps of SQLite's virtual machine (well under a millisecond) between looks at the clock"""

T = TypeVar("T")


class Database:
    """One SQLite file: writes in one thread, reads in another.

    Reads do not queue behind the fsyncs of writes; they see what is committed (WAL).

    Args:
        path: the file; it and its directory are created where they are missing.
        busy_s: how long a call waits for others to let go of the file.
        read_s: how long one read may take.
        connection_class: what the connections are made of.

    """

    def __init__(
        self,
        path: Path,
        busy_s: float,
        read_s: float,
        connection_class: type[sqlite3.Connection],
        observe: Callable[[float], None],
    ) -> None:
        self._path = path
        self._busy_s = busy_s
        self._read_s = read_s
        self._connection_class = connection_class
        self._observe = observe
        self._writing = ThreadPoolExecutor(1, "bookings-write")
        self._reading = ThreadPoolExecutor(1, "bookings-read")
        self._read_until_s = 0.0

    async def open(self) -> Self:
        """Open the file, create and migrate it where needed.

        Raises:
            UnavailableError: the file cannot be opened.
            ConfigError: it is no booking store, or one of a newer version.

        """
        deadline_s = self._deadline_s()
        try:
            await self._run(self._writing, lambda: self._open(deadline_s))
        except BaseException:
            self._end_threads()
            raise
        return self

    async def close(self) -> None:
        """Finish what was begun, then close the file. May be called again."""
        deadline_s = self._deadline_s()
        try:
            with suppress(UnavailableError):
                await self._run(self._writing, lambda: self._close(deadline_s))
        finally:
            self._end_threads()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction that may change the file.

        Raises:
            UnavailableError: nothing was changed.
            OutcomeUnknownError: `work` may have been done.

        """
        # The time in the thread's queue counts: behind a lock that does not come free, every
        # call gives up in good time, not one after the other.
        deadline_s = self._deadline_s()
        return await self._run(self._writing, lambda: self._write(work, deadline_s))

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction that sees one state of the file.

        Raises:
            UnavailableError: the file cannot be read, or `work` took too long.

        """
        return await self._run(self._reading, lambda: self._read(work))

    def _deadline_s(self) -> float:
        return time.monotonic() + self._busy_s

    async def _run(self, threads: ThreadPoolExecutor, task: Callable[[], T]) -> T:
        began_s = time.perf_counter()
        try:
            future = asyncio.get_running_loop().run_in_executor(threads, task)
        except RuntimeError as error:
            raise UnavailableError(DEPENDENCY, "the booking store is closed") from error
        try:
            return await future
        finally:
            self._observe(time.perf_counter() - began_s)

    def _end_threads(self) -> None:
        self._writing.shutdown(wait=False)
        self._reading.shutdown(wait=False)

    # From here on: in the writing thread.

    def _open(self, deadline_s: float) -> None:
        with sqlite_file.opening(self._path), ExitStack() as undo:
            sqlite_file.create_directory(self._path)
            self._lock = FileLock(self._path)
            undo.callback(self._lock.close)
            with self._lock.held(deadline_s):
                self._inode = sqlite_file.create(self._path)
                self._writer = sqlite_file.writer(self._path, self._busy_s, self._connection_class)
                undo.callback(self._writer.close)
                sqlite_schema.migrate(self._writer)
                self._reader = self._reading.submit(self._open_reader).result()
            undo.pop_all()

    def _close(self, deadline_s: float) -> None:
        with ExitStack() as stack:
            # Without the lock as well: SQLite checkpoints on closing only where it finds
            # that nobody else has the file open.
            with suppress(UnavailableError):
                stack.enter_context(self._lock.held(deadline_s))
            self._reading.submit(self._reader.close).result()
            self._writer.close()
        self._lock.close()

    def _write(self, work: Work[T], deadline_s: float) -> T:
        with self._lock.held(deadline_s):
            sqlite_file.check_in_place(self._path, self._inode)
            return sqlite_transaction.write(self._writer, work, deadline_s)

    # From here on: in the reading thread.

    def _open_reader(self) -> sqlite3.Connection:
        reader = sqlite_file.reader(self._path, self._busy_s, self._connection_class)
        reader.set_progress_handler(self._is_late, _STEPS_BETWEEN_CHECKS)
        return reader

    def _is_late(self) -> bool:
        return time.monotonic() > self._read_until_s

    def _read(self, work: Work[T]) -> T:
        self._read_until_s = time.monotonic() + self._read_s
        return sqlite_transaction.read(self._reader, work)
