"""What the store needs of a connection: scripts run, each with the run of its Redis."""

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from reservesvc.errors import UnavailableError
from reservesvc.reservations.packed import Argument, Packed
from reservesvc.reservations.scripts import Script


class Caller(Protocol):
    """What runs the scripts: a `Pipeline`, or something in its place."""

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

    async def command(self, *arguments: Argument) -> Any:  # noqa: ANN401  a reply is whatever Redis says
        """Send one plain command."""
        ...
