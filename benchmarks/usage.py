"""Who used how much CPU while a load ran."""

import os
import time

from msgspec import Struct

from benchmarks import cpu
from benchmarks.errors import BenchmarkError
from benchmarks.servers import Server

_SETTLE_S = 0.03
"""more than the kernel's unit of CPU time, so that a busy server shows"""
_SETTLE_MAX = 200


class Usage(Struct, frozen=True, kw_only=True):
    """CPU seconds up to one moment, or between two."""

    server_s: float
    store_s: float
    """of Redis or PostgreSQL"""
    harness_s: float
    """wrk included, once it has ended"""
    cores_s: float
    """of all processes, on the cores that the benchmark uses"""

    def since(self, before: "Usage") -> "Usage":
        """Return what was used since `before`."""
        return Usage(
            server_s=self.server_s - before.server_s,
            store_s=self.store_s - before.store_s,
            harness_s=self.harness_s - before.harness_s,
            cores_s=self.cores_s - before.cores_s,
        )

    @property
    def others_s(self) -> float:
        """What went to processes that are not part of the benchmark."""
        return max(0.0, self.cores_s - self.server_s - self.store_s - self.harness_s)


def taken(server: Server, redis_pid: int, cores: set[int]) -> Usage:
    """Return what was used up to now, by a server, its store and whoever is on these cores."""
    store = server.store.pid if server.store else redis_pid
    return Usage(
        server_s=cpu.used_s(server.process.pid),
        store_s=cpu.used_s(store),
        harness_s=sum(os.times()[:4]),
        cores_s=cpu.cores_used_s(cores),
    )


def settle(server: Server) -> None:
    """Return once the server is idle: it still works on what wrk did not wait for.

    Raises:
        BenchmarkError: it goes on and on.

    """
    for _ in range(_SETTLE_MAX):
        before_s = cpu.used_s(server.process.pid)
        time.sleep(_SETTLE_S)
        if cpu.used_s(server.process.pid) == before_s:
            return
    message = f"{server.kind.label} does not come to rest after the load has ended"
    raise BenchmarkError(message)
