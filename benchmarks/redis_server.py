"""The Redis under all servers of a run: the binary the service would embed, without a disk.

Nothing is written to files, so that one run's disk does not become another's waiting time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.processes import HOST, Process, free_port, running
from reservesvc.embedded_server import environment, find_server
from reservesvc.reservations.info import RUN_CHARACTERS
from reservesvc.reservations.keys import Keys

FENCE_MS = 86_400_000
_LOOKS = 300_000
"""more than the tables of a million entries have buckets, each of which one look moves"""
_LOOKS_JOINED = 5_000


class RedisServer:
    """A running Redis."""

    def __init__(self, process: Process, port: int) -> None:
        self.port = port
        self.client: Redis = Redis(HOST, port)
        self._process = process
        info: Any = self.client.info("server")
        number = info.get("valkey_version") or info["redis_version"]
        self.version = f"{info.get('server_name', 'redis')} {number}"
        history: Any = self.client.info("replication")
        self.run = str(history["master_replid"])[:RUN_CHARACTERS]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def entries(
        self, resource_ids: list[str], since_ms: float = -inf, until_ms: float = inf
    ) -> int:
        """Return how many entries these resources' indexes have that start in that time."""
        names = [Keys().slots(one) for one in resource_ids]
        counts: Any = [self.client.zcount(name, since_ms, until_ms) for name in names]
        return sum(counts)

    def empty(self) -> None:
        """Remove every key; SYNC, lest it goes on in the background of a measurement."""
        command: Any = self.client.execute_command
        command("FLUSHALL", "SYNC")

    def warm(self, resource_ids: list[str]) -> None:
        """Make indexes warm, for callers that know no resync."""
        for resource_id in resource_ids:
            self.client.set(Keys().fence(resource_id), f"1:{self.run}", px=FENCE_MS)

    def settle(self, resource_id: str) -> None:
        """Let the tables of keys, of TTLs and of one index end the growing they have begun.

        A table that has outgrown itself moves a few of its entries with every look into it.
        """
        fence, index = Keys().fence(resource_id), Keys().slots(resource_id)
        for _ in range(_LOOKS // _LOOKS_JOINED):
            pipeline = self.client.pipeline(transaction=False)
            for _ in range(_LOOKS_JOINED):
                pipeline.pttl(fence)
                pipeline.zscore(index, "")
            pipeline.execute()

    def script_us(self) -> tuple[int, float]:
        """Return how many scripts ran and the microseconds they took, by Redis' own count."""
        stats: Any = self.client.info("commandstats")
        found = stats.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        return found["calls"], float(found["usec"])

    def script_load(self, body: bytes) -> str:
        """Let Redis remember a script for EVALSHA; return what EVALSHA calls it."""
        return str(self.client.script_load(body))

    def memory_bytes(self) -> int:
        """Return the memory it has in use."""
        info: Any = self.client.info("memory")
        return int(info["used_memory"])


@contextmanager
def redis_server(
    directory: Path, core: int | None, path: str | None = None
) -> Iterator[RedisServer]:
    """Run an empty server beside the body: the binary at `path`, or the embedded one."""
    port = free_port()
    command = [path or find_server(), *_options(directory, port)]
    with running("redis", command, directory, core=core, environ=environment()) as up:
        up.wait_for_port(port)
        server = RedisServer(up, port)
        try:
            yield server
        finally:
            server.client.close()


def _options(directory: Path, port: int) -> list[str]:
    values = {
        "bind": HOST,
        "port": str(port),
        "dir": str(directory),
        "daemonize": "no",
        "appendonly": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in values.items() for part in (f"--{name}", value)]
