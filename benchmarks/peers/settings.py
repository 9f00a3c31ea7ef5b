"""What the harness tells a peer, through the environment; all of it on loopback."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

HOST = "127.0.0.1"


class Script(Struct, frozen=True, kw_only=True):
    """The service's claim script and the constants that its caller sends with it."""

    body: str
    sha: str
    run: str
    """of the Redis server, as the fence key names it"""
    past_ms: int
    ahead_ms: int
    index_ttl_ms: int
    sweep: int


def port() -> int:
    """Return the port to listen on."""
    return int(os.environ["PEER_PORT"])


def redis_url() -> str:
    """Return where Redis is."""
    return f"redis://{HOST}:{os.environ['PEER_REDIS_PORT']}/0"


def postgres_url() -> str:
    """Return where PostgreSQL is."""
    return os.environ["PEER_POSTGRES_URL"]


def script() -> Script:
    """Return the script; `benchmarks.script_export` wrote it."""
    return msgspec.json.decode(Path(os.environ["PEER_SCRIPT"]).read_bytes(), type=Script)
