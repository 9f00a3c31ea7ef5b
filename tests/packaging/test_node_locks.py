"""package-lock.json, wherever npm installs something: exact, hashed, from nowhere in particular."""

import json
from typing import Any

import pytest

from tests.packaging.project import ROOT

_DIRECTORIES = ("benchmarks/peers", "tests/e2e")


def packages(directory: str) -> dict[str, Any]:
    """Return the packages of a lock by where they are put."""
    lock = json.loads((ROOT / directory / "package-lock.json").read_text())
    found: dict[str, Any] = lock["packages"]
    return found


@pytest.mark.parametrize("directory", _DIRECTORIES)
def test_a_node_lock_names_no_place(directory: str) -> None:
    """No address to download from; every package has a hash."""
    locked = packages(directory)
    assert not any("resolved" in package for package in locked.values())
    assert all("integrity" in package for place, package in locked.items() if place)


@pytest.mark.parametrize("directory", _DIRECTORIES)
def test_a_node_lock_is_what_the_manifest_asks_for(directory: str) -> None:
    """`npm ci` would refuse anything else."""
    manifest = json.loads((ROOT / directory / "package.json").read_text())
    assert packages(directory)[""]["dependencies"] == manifest["dependencies"]
