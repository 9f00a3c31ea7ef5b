"""The thread that writes the log: whatever its reader does, nobody else waits."""

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from reservesvc import log_writer
from reservesvc.log_writer import LogWriter

WITHIN_S = 10.0
LINE = b"x" * 99 + b"\n"
SMALL = 10_050
"""room for a hundred lines, and for a short one"""
PIPE_BYTES = 1 << 16


class Pipe:
    """A pipe whose reader takes what the test lets it."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.losses = [0.0, 0.0]
        self.writer = LogWriter(
            self.write_end, lambda lost: b"lost %d\n" % lost, self.losses, SMALL
        )

    def read(self, until: bytes = b"", size: int = 1 << 20) -> bytes:
        """Read until `until` has come, or once."""
        found = os.read(self.read_end, size)
        while until not in found:
            assert select.select([self.read_end], [], [], WITHIN_S)[0], found[-200:]
            found += os.read(self.read_end, size)
        return found

    def stall(self) -> None:
        """Fill the pipe, and wait until the thread stands in its write."""
        self.writer.put(LINE * (PIPE_BYTES // len(LINE) + 1), lines=0)
        self.writer._buffer_bytes = SMALL
        until(lambda: not self.writer._texts and not select.select([], [self.write_end], [], 0)[1])

    def close(self) -> None:
        """Let the thread end."""
        os.close(self.read_end)
        self.writer.close(WITHIN_S)
        os.close(self.write_end)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """Return a pipe with a writer, which tries again soon."""
    monkeypatch.setattr(log_writer, "RETRY_S", 0.01)
    made = Pipe()
    yield made
    made.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until `holds`, or fail."""
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.002)


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    """What is put is written, soon and once."""
    for number in range(500):
        pipe.writer.put(b"%d\n" % number)
    assert pipe.read(until=b"\n499\n") == b"".join(b"%d\n" % number for number in range(500))


def test_a_stalled_reader_delays_no_caller(pipe: Pipe) -> None:
    """What does not fit is dropped and counted, and the gap is where a line says how large."""
    pipe.writer._buffer_bytes = 2 * PIPE_BYTES
    pipe.stall()
    for _ in range(150):
        pipe.writer.put(LINE)
    pipe.writer.put(b"small\n")  # would fit, but lies behind the gap
    assert pipe.losses[0] == 51
    found = pipe.read(until=b"lost 51\n")
    assert found.removesuffix(b"lost 51\n").endswith(LINE * 100)
    pipe.writer.put(b"it flows\n")
    assert pipe.read(until=b"it flows\n") == b"it flows\n"


def test_close_writes_what_is_buffered(pipe: Pipe) -> None:
    """Whatever was put before `close` has been written when it returns."""
    for number in range(50):
        pipe.writer.put(b"%d\n" % number)
    pipe.writer.close(WITHIN_S)
    assert pipe.read().endswith(b"\n49\n")
    assert not pipe.writer._thread.is_alive()


def test_close_waits_no_longer_than_it_was_told(pipe: Pipe) -> None:
    """A reader that takes nothing does not keep the service from ending."""
    pipe.writer._buffer_bytes = 2 * PIPE_BYTES
    pipe.stall()
    pipe.writer.put(LINE)
    pipe.writer.close(0.05)
    assert pipe.writer._thread.is_alive()


def test_a_reader_that_is_gone_is_counted(pipe: Pipe) -> None:
    """The attempts are counted and go on; `close` does not wait for them."""
    os.close(pipe.read_end)
    pipe.writer.put(LINE)
    until(lambda: pipe.losses[1] >= 3)
    pipe.writer.close(WITHIN_S)
    assert not pipe.writer._thread.is_alive()
    pipe.read_end = os.open(os.devnull, os.O_RDONLY)


def test_a_disk_with_room_again_gets_all_lines(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is written later, whole, where it broke off."""
    answers: list[int | OSError] = [1, OSError(errno.ENOSPC, "full"), OSError(errno.EIO, "x")]
    write = os.write

    def flaky(descriptor: int, text: bytes) -> int:
        answer = answers.pop(0) if answers else len(text)
        if isinstance(answer, OSError):
            raise answer
        return write(descriptor, text[:answer])

    monkeypatch.setattr(os, "write", flaky)
    pipe.writer.put(b"one\n")
    pipe.writer.put(b"two\n")
    assert pipe.read(until=b"two\n") == b"one\ntwo\n"
    assert pipe.losses[1] == 2


def test_non_blocking_mode_set_by_another_process_loses_nothing(pipe: Pipe) -> None:
    """A pipe that says it is full is written to once it is not."""
    os.set_blocking(pipe.write_end, False)
    pipe.writer._buffer_bytes = 4 * PIPE_BYTES
    lines = LINE * (2 * PIPE_BYTES // len(LINE)) + b"last\n"
    pipe.writer.put(lines)
    assert pipe.read(until=b"last\n") == lines
    assert pipe.losses[1] == 0


def test_a_write_to_a_pipe_is_whole_lines_that_stay_together() -> None:
    """Workers share a pipe: a write of up to PIPE_BUF bytes is not mixed with another's."""
    texts = [LINE, LINE * 41, LINE * 3, b"y" * 5_000 + b"\n", LINE]
    chunks = [*log_writer._chunks(texts, select.PIPE_BUF)]
    assert b"".join(chunks) == b"".join(texts)
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    assert [len(chunk) for chunk in chunks if len(chunk) > select.PIPE_BUF] == [5_001]


def test_a_line_about_a_gap_that_cannot_be_rendered_ends_nothing(pipe: Pipe) -> None:
    """The thread goes on after whatever it meets."""
    pipe.writer._note = lambda lost: b"%d" % (lost // 0)
    pipe.writer._buffer_bytes = 0
    pipe.writer.put(LINE)
    pipe.writer._buffer_bytes = SMALL
    pipe.writer._wake.put(None)
    until(lambda: pipe.losses[1] == 1)
    pipe.writer.put(b"on it goes\n")
    assert pipe.read(until=b"on it goes\n") == b"on it goes\n"


def test_putting_from_within_put_does_not_lock_up(pipe: Pipe) -> None:
    """Garbage collection may log at any instruction, those of `put` included."""
    done = threading.Event()

    def nested() -> None:
        with pipe.writer._lock:
            pipe.writer.put(b"from a finalizer\n")
        done.set()

    threading.Thread(target=nested, daemon=True).start()
    assert done.wait(WITHIN_S)
    assert pipe.read(until=b"finalizer\n")
