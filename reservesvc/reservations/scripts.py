"""The Lua scripts as they are sent to Redis: found, put together, hashed; once a process."""

import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import force_setattr

from reservesvc.reservations.packed import bulk

NAMES = (
    "reserve",
    "read",
    "extend",
    "release",
    "unsettle",
    "settle",
    "busy",
    "usage",
    "resync_begin",
    "resync_install",
    "ready",
)
_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)
_HEADER = re.compile(r"\A--\[\[.*?\]\]\n", re.DOTALL)


class Script(Struct, frozen=True):
    """One verb's script."""

    name: str
    body: bytes
    sha: bytes
    """SHA-1 of the body in hex: what EVALSHA names it by"""

    by_sha: bytes = b""
    """how a call begins of a script that Redis knows"""
    in_full: bytes = b""
    """how a call begins that brings the script along"""

    def __post_init__(self) -> None:
        """Pack once what every call begins with."""
        force_setattr(self, "by_sha", bulk(b"EVALSHA") + bulk(self.sha))
        force_setattr(self, "in_full", bulk(b"EVAL") + bulk(self.body))


def folder() -> Traversable:
    """Return where the scripts are: in the package, or beside it in a checkout."""
    packaged = resources.files("reservesvc") / "lua"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "lua"


def source(name: str) -> str:
    """Return the text of one file of the folder, such as `reserve` or `include/clock`."""
    return (folder() / f"{name}.lua").read_text(encoding="utf-8")


def load(name: str) -> Script:
    """Return the script `name` with its includes in place and its header left out."""
    text = _HEADER.sub("", source(name))
    body = _INCLUDE.sub(lambda found: source(f"include/{found[1]}"), text).encode()
    digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
    return Script(name, body, digest.encode())


def load_all() -> dict[str, Script]:
    """Return every script by its name."""
    return {name: load(name) for name in NAMES}
