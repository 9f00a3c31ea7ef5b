"""Which core does what: the server has one to itself, Redis and the load share the other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct


class Cores(Struct, frozen=True):
    """The cores in use, by number; None where the kernel may choose."""

    server: int | None
    load: int | None
    """of Redis or PostgreSQL, of the load generator and of the harness"""

    @property
    def used(self) -> set[int]:
        """All cores that processes of the benchmark may be on."""
        named = {core for core in (self.server, self.load) if core is not None}
        return named or os.sched_getaffinity(0)


FREE = Cores(None, None)
"""for rows that want every process wherever there is room"""


def choose() -> Cores:
    """Return the first two cores this process may use, or one for both."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[min(1, len(allowed) - 1)])


@contextmanager
def on(core: int | None) -> Iterator[None]:
    """Start processes on `core`: a child inherits the place of the thread that starts it."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
