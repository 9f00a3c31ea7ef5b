"""What the peers are installed from: exact, hashed, and from nowhere in particular."""

import json
import re
from typing import Any

from tests.packaging.project import ROOT, lock_text, pinned

_PEERS = ROOT / "benchmarks" / "peers"


def node_lock() -> dict[str, Any]:
    """Return the packages of the Node lock by where they are put."""
    packages: dict[str, Any] = json.loads((_PEERS / "package-lock.json").read_text())["packages"]
    return packages


def test_the_python_lock_names_no_place() -> None:
    """No address of an index, and every requirement has a hash."""
    text = lock_text("benchmarks")
    assert "://" not in text
    assert "--index" not in text
    assert text.splitlines()[1] == "#    make lock"
    logical = text.replace("\\\n", " ").splitlines()
    requirements = [line for line in logical if line and not line.lstrip().startswith("#")]
    assert len(requirements) == len(pinned("benchmarks")) > 0
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in requirements)


def test_the_python_lock_agrees_with_the_service() -> None:
    """Installing the peers changes no package that the service or its tests use."""
    ours, theirs = pinned("development"), pinned("benchmarks")
    assert {name: theirs[name] for name in ours.keys() & theirs.keys()} == {
        name: ours[name] for name in ours.keys() & theirs.keys()
    }


def test_the_node_lock_names_no_place() -> None:
    """No address to download from; every package has a hash."""
    packages = node_lock()
    assert not any("resolved" in package for package in packages.values())
    assert all("integrity" in package for place, package in packages.items() if place)


def test_the_node_lock_is_what_the_manifest_asks_for() -> None:
    """`npm ci` would refuse anything else."""
    manifest = json.loads((_PEERS / "package.json").read_text())
    assert node_lock()[""]["dependencies"] == manifest["dependencies"]
