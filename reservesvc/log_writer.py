"""Writes log lines from a thread of its own, so that no caller ever waits for a log's reader.

A pipe holds 64 KiB. Once its reader stalls, a write blocks the thread that makes it; in the
event loop's thread that would stop every request, `/livez` and SIGTERM. Non-blocking mode is no
way out: it belongs to the open file, which other processes share.
"""

import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue

from reservesvc.counts import Cells

PAUSE_S = 0.02
"""between two writes: lines of this time leave together, and the thread is woken less often"""
RETRY_S = 0.5
"""between two attempts where the descriptor takes nothing: disk full, reader gone"""
CHUNK_BYTES = 64 << 10
"""in one write to a file"""
Note = Callable[[int], bytes]
"""renders the line that says how many lines were dropped"""


class LogWriter:
    """A buffer of lines, and the thread that writes them to a descriptor.

    What does not fit into the buffer is dropped and counted; from the first line that is dropped
    until the buffer has been taken, so that a gap is in one place, with one note in it.

    Args:
        descriptor: an open file; it stays open.
        note: renders what is said of a gap.
        losses: two numbers to count in: lines that were never written, and attempts that raised.
        buffer_bytes: how many bytes may wait; as many again may be in the thread's hands.

    """

    def __init__(self, descriptor: int, note: Note, losses: Cells, buffer_bytes: int) -> None:
        self.losses = losses
        self._descriptor = descriptor
        self._note = note
        self._buffer_bytes = buffer_bytes
        self._chunk_bytes = _chunk_bytes(descriptor)
        self._texts: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._gap = 0
        self._is_asleep = True
        # Reentrant, as SimpleQueue is: garbage collection may log at any instruction.
        self._lock = threading.RLock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, text: bytes, lines: int = 1) -> None:
        """Leave whole lines to be written; never waits, never raises."""
        with self._lock:
            waiting_bytes = self._waiting_bytes + len(text)
            if self._gap or waiting_bytes > self._buffer_bytes:
                self._gap += lines
                self.losses[0] += lines
                return
            self._texts.append(text)
            self._waiting_bytes = waiting_bytes
            if not self._is_asleep:
                return
            self._is_asleep = False
        self._wake.put(None)

    def close(self, within_s: float) -> None:
        """Write what is buffered, as far as the reader takes it within `within_s`."""
        self._ends.set()
        self._wake.put(None)
        self._thread.join(within_s)

    # From here on: in the thread.

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.get()
            is_last = self._ends.is_set()  # looked at first: what was put before is written
            try:
                self._drain()
            except Exception:  # noqa: BLE001  out of memory, say; the next lines may fare better
                self.losses[1] += 1

    def _drain(self) -> None:
        while texts := self._take():
            for chunk in _chunks(texts, self._chunk_bytes):
                self._write(chunk)
            self._ends.wait(PAUSE_S)

    def _take(self) -> list[bytes]:
        """Take all there is, and a note where lines are missing behind it."""
        with self._lock:
            texts, gap = [*self._texts], self._gap
            self._texts.clear()
            self._waiting_bytes = self._gap = 0
            self._is_asleep = not texts
        return [*texts, self._note(gap)] if gap else texts

    def _write(self, chunk: bytes) -> None:
        """Write all of it, however often it takes; while closing, give up where it fails."""
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process has set its non-blocking mode
                _until_writable(self._descriptor)
            except OSError:
                self.losses[1] += 1
                if self._ends.wait(RETRY_S):
                    return


def _chunks(texts: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """Join whole lines to chunks of at most so many bytes; a longer line is one by itself."""
    chunk: list[bytes] = []
    size = 0
    for part in _parts(texts, most_bytes):
        if size + len(part) > most_bytes:
            yield b"".join(chunk)
            chunk, size = [], 0
        chunk.append(part)
        size += len(part)
    yield b"".join(chunk)


def _parts(texts: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    for text in texts:
        if len(text) <= most_bytes:
            yield text
        else:
            yield from text.splitlines(keepends=True)


def _chunk_bytes(descriptor: int) -> int:
    """Return how much may be written at once.

    Workers share a pipe, and only writes of up to PIPE_BUF bytes stay in one piece there (POSIX,
    write); a file takes any.
    """
    is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
    return CHUNK_BYTES if is_file else select.PIPE_BUF


def _until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(RETRY_S * 1000)
