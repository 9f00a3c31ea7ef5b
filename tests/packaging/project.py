"""The checkout as the packaging tests see it."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def pyproject() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pinned(lock: str) -> dict[str, str]:
    """Return name → version of what a file in requirements/ pins."""
    return dict(_PINNED.findall(lock_text(lock)))


def lock_text(lock: str) -> str:
    """Return the text of a file in requirements/."""
    return (ROOT / "requirements" / f"{lock}.txt").read_text()


def name_of(requirement: str) -> str:
    """Return the name that a requirement such as `redis[hiredis]>=8` begins with."""
    found = _NAME.match(requirement)
    assert found is not None
    return found[0]


def files(directory: str) -> set[str]:
    """Return the paths of a directory's files, from the checkout's root, caches left out."""
    found = (path for path in (ROOT / directory).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}
