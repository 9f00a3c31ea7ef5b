"""Counts in memory, of one process or of several that share them, for the metrics.

A process that runs alone counts in plain lists. Workers of one service each count in a memory
file of their own that the others can read, so that any of them can tell the sum, and so that the
counts of a worker that was killed stay: its successor goes on with the same file.
"""

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import suppress
from typing import Protocol, Self, cast

import msgspec

Key = tuple[str | int | None, ...]
"""what is counted: the kind first, then its labels"""
Cells = MutableSequence[float]
"""the numbers kept for a key"""
MEMORY_BYTES = 4 * 1024 * 1024
"""of each worker; takes memory only where it is written: about 200 bytes a key"""
GAUGE = "gauge"
"""the kind of what is true of a running process only, such as its requests in flight"""
_HEAD = struct.Struct("=qq")
"""process id, bytes used"""
_RECORD = struct.Struct("=II")
"""bytes of the key, number of cells; the key and the cells follow"""
_ALIGNED = 8
_decode = msgspec.json.Decoder(tuple[str | int | None, ...]).decode
_encode = msgspec.json.encode


class Counts(Protocol):
    """Where a process counts, and what all processes of its service have counted."""

    def cells(self, key: Key, size: int) -> Cells:
        """Return `size` numbers, 0 at first, for the process to count `key` in."""
        ...

    def totals(self) -> dict[Key, list[float]]:
        """Return the sums over all processes; of gauges, over those that run."""
        ...

    def processes(self) -> dict[int, int] | None:
        """Return number of worker → process id; None where the process runs alone."""
        ...


class OwnCounts:
    """Counts of a process that runs alone."""

    def __init__(self) -> None:
        self._cells: dict[Key, list[float]] = {}

    def cells(self, key: Key, size: int) -> Cells:
        """Return `size` numbers, 0 at first, for the process to count `key` in."""
        return self._cells.setdefault(key, [0.0] * size)

    def totals(self) -> dict[Key, list[float]]:
        """Return what was counted."""
        return self._cells

    def processes(self) -> None:
        """Return None: the process runs alone."""


class SharedCounts:
    """Counts of a process that runs beside others.

    Args:
        descriptors: of the memory files, one a process; see `memory_files`.
        number: which of them this process writes, from 0.

    """

    def __init__(self, descriptors: Sequence[int], number: int) -> None:
        self._descriptors = descriptors
        self._memory = mmap.mmap(descriptors[number], MEMORY_BYTES)
        self._view = memoryview(self._memory)
        self._cells: dict[Key, Cells] = {}
        _, self._used = _HEAD.unpack_from(self._memory)
        self._used = self._used or _HEAD.size
        for key, start, size in _records(self._memory[: self._used]):
            self._cells[key] = self._at(start, size)
            if key[0] == GAUGE:
                for place in range(size):
                    self._cells[key][place] = 0.0
        self._write_head()

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return the counts that `argument` describes to a worker."""
        number, _, descriptors = text.partition(":")
        return cls([int(each) for each in descriptors.split(",")], int(number))

    @staticmethod
    def argument(descriptors: Sequence[int], number: int) -> str:
        """Return what tells a worker its counts on the command line."""
        return f"{number}:{','.join(map(str, descriptors))}"

    def cells(self, key: Key, size: int) -> Cells:
        """Return `size` numbers for the process to count `key` in; its predecessor's go on.

        Where the memory is full the numbers are the process's own and missing in the totals.
        """
        if key not in self._cells:
            self._cells[key] = self._added(key, size)
        return self._cells[key]

    def totals(self) -> dict[Key, list[float]]:
        """Return the sums over all processes; of gauges, over those that run."""
        sums: dict[Key, list[float]] = {}
        for descriptor in self._descriptors:
            pid, memory = _read(descriptor)
            runs = _runs(pid)
            for key, start, size in _records(memory):
                if runs or key[0] != GAUGE:
                    mine = struct.unpack_from(f"={size}d", memory, start)
                    before = sums.get(key, [0.0] * size)
                    sums[key] = [some + more for some, more in zip(before, mine, strict=True)]
        return sums

    def processes(self) -> dict[int, int]:
        """Return number → process id of those that run; 0 is the first process."""
        pids = {number: _read(each)[0] for number, each in enumerate(self._descriptors)}
        return {number: pid for number, pid in pids.items() if _runs(pid)}

    def _added(self, key: Key, size: int) -> Cells:
        """Write the record before the number of bytes used, which makes others read it."""
        name = _encode(key)
        name += b" " * (-len(name) % _ALIGNED)
        start = self._used + _RECORD.size + len(name)
        end = start + size * _ALIGNED
        if end > MEMORY_BYTES:
            return [0.0] * size
        _RECORD.pack_into(self._memory, self._used, len(name), size)
        self._memory[self._used + _RECORD.size : start] = name
        self._used = end
        self._write_head()
        return self._at(start, size)

    def _at(self, start: int, size: int) -> Cells:
        cells = self._view[start : start + size * _ALIGNED].cast("d")
        return cast("Cells", cells)  # a memoryview has what is needed of it

    def _write_head(self) -> None:
        _HEAD.pack_into(self._memory, 0, os.getpid(), self._used)


def memory_files(count: int) -> list[int]:
    """Return the descriptors of `count` files without a name, for processes to share."""
    return [_memory_file() for _ in range(count)]


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("reservesvc-counts")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, MEMORY_BYTES)
    return descriptor


def _read(descriptor: int) -> tuple[int, bytes]:
    """Return the process id in a memory file and the part of the file that is used."""
    pid, used = _HEAD.unpack(os.pread(descriptor, _HEAD.size, 0))
    return pid, os.pread(descriptor, used, 0)


def _records(memory: bytes) -> Iterator[tuple[Key, int, int]]:
    """Yield key, offset of the first cell and number of cells of each record."""
    at = _HEAD.size
    while at + _RECORD.size <= len(memory):
        length, size = _RECORD.unpack_from(memory, at)
        start = at + _RECORD.size + length
        yield _decode(memory[at + _RECORD.size : start]), start, size
        at = start + size * _ALIGNED


def _runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, 0)
            return True
    return False
