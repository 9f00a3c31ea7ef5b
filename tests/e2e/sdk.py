"""The npm package timekit-sdk as a function: one call, what it resolved or rejected with."""

import json
import os
import subprocess
from typing import Any, NamedTuple

from reservesvc.embedded_server import leashed
from tests.e2e.installation import HERE, Clients


class Shown(NamedTuple):
    """What the SDK shows its user."""

    rejected: bool
    """the promise was rejected; the rest is the reply it was rejected with"""
    status: int
    data: Any
    """the reply's `data`; the whole body of a refusal"""
    meta: dict[str, Any] | None = None
    """what the reply has beside `data`"""


class Sdk:
    """A Node process with one instance of the SDK, for one server.

    Args:
        clients: where Node and the SDK are.
        base: the server's URL with a slash at its end, as the SDK wants it.
        key: of the caller, unless a call names another.

    """

    def __init__(self, clients: Clients, base: str, key: str) -> None:
        self._base = base
        self._key = key
        self._process = subprocess.Popen(
            leashed([str(clients.node), str(HERE / "sdk.cjs")]),
            env=os.environ | {"NODE_PATH": str(clients.modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, method: str, argument: Any = None, *, key: str | None = None, **more: Any
    ) -> Shown:
        """Call `method` with `argument`; `include`, `params` and `headers` go before it."""
        asked = {"base": self._base, "key": key or self._key, "method": method} | more
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked | {"argument": argument}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{method}: Node ended; what it said is on stderr"
        return Shown(**json.loads(line))

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.kill()
