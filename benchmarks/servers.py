"""Servers of a run: started with what they need, and told where it is."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct

from benchmarks import slots
from benchmarks.errors import MissingError
from benchmarks.kinds import ROOT, Kind
from benchmarks.postgres_server import postgres_server
from benchmarks.processes import HOST, Process, free_port, running
from benchmarks.redis_server import RedisServer


class Server(Struct, frozen=True, kw_only=True):
    """A running server."""

    kind: Kind
    port: int
    process: Process
    store: Process | None
    """the database that it has to itself"""


class Setting(Struct, frozen=True, kw_only=True):
    """What servers of a run share."""

    directory: Path
    redis: RedisServer
    script: Path
    server_core: int | None
    load_core: int | None


@contextmanager
def serving(kind: Kind, setting: Setting) -> Iterator[Server]:
    """Run a server of this kind beside the body.

    Raises:
        MissingError: it needs what is not installed.
        BenchmarkError: it did not start.

    """
    for module in kind.modules:
        if importlib.util.find_spec(module) is None:
            message = f"the package {module} is not installed (requirements/benchmarks.txt)"
            raise MissingError(message)
    if kind.behind != "postgres":
        yield from _started(kind, setting, {}, None)
        return
    with postgres_server(setting.directory, setting.load_core, is_durable=False) as (store, url):
        yield from _started(kind, setting, {"PEER_POSTGRES_URL": url}, store)


def _started(
    kind: Kind, setting: Setting, extra: dict[str, str], store: Process | None
) -> Iterator[Server]:
    port = free_port()
    data = Path(mkdtemp(prefix=f"{kind.name}-", dir=setting.directory))
    environ = _environ(kind, setting, port) | extra
    command = kind.command(data, port)
    with running(
        kind.name, command, setting.directory, core=setting.server_core, environ=environ
    ) as up:
        up.wait_for_port(port)
        yield Server(kind=kind, port=port, process=up, store=store)


def _environ(kind: Kind, setting: Setting, port: int) -> dict[str, str]:
    """Return what tells a server where things are; ours gets its default configuration."""
    if kind.is_ours:
        return {
            "PYTHONPATH": str(ROOT),
            "RESERVESVC_REDIS_URL": f"redis://{HOST}:{setting.redis.port}/0",
            "RESERVESVC_API_KEYS": f"bench:admin:{slots.KEY}",
        }
    return {
        "PYTHONPATH": str(ROOT),
        "NODE_ENV": "production",
        "PEER_PORT": str(port),
        "PEER_REDIS_PORT": str(setting.redis.port),
        "PEER_SCRIPT": str(setting.script),
    }
