"""What the store needs of a connection: scripts run, each with the run of its Redis."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from reservesvc.errors import UnavailableError
from reservesvc.reservations.packed import Argument, Packed
from reservesvc.reservations.scripts import Script


class Caller(Protocol):
    """What runs the scripts: a `Pipeline`, a `ClusterPipelines`, or something in its place."""

    async def call(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> list[Any]:
        """Run `script`; ARGV[1] is put in front of `arguments`."""
        ...

    def call_packed(self, script: Script, call: Packed) -> Awaitable[list[Any]]:
        """Run `script`, as `call` does, with what is packed already."""
        ...

    async def call_many(
        self, script: Script, calls: Sequence[Packed]
    ) -> list[list[Any] | UnavailableError]:
        """Run `script` once for each of `calls`; errors stand in their places."""
        ...

    async def scan(self, cursor: int, pattern: str, count: int) -> tuple[list[bytes], int]:
        """Return keys that match `pattern`, of all servers, and where to go on; 0 begins and ends.

        A step looks at about `count` keys.
        """
        ...

    async def time_ms(self) -> int:
        """Return the time of Redis; of a Cluster, that of one of its nodes."""
        ...

    async def renew(self, key: str) -> None:
        """Ask the server that has `key` once more which run of Redis it is."""
        ...
