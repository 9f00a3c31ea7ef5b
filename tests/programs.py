"""Programs and libraries of the system that some tests need: found, installed or done without."""

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends")
_tried: set[str] = set()


def needed(find: Callable[[], T | None], package: str) -> T:
    """Return what `find` finds; as root on a system with apt, install the package where missing.

    Without it the test is skipped, and fails where `CI` is set: there everything is to be run.

    Args:
        find: looks for a program or a library.
        package: which has it on Debian and Ubuntu.

    """
    found = installed(find, package)
    missing = f"install {package} (on Debian and Ubuntu: apt install {package})"
    if found is None and not os.environ.get("CI"):
        pytest.skip(missing)
    assert found is not None, missing
    return found


def installed(find: Callable[[], T | None], package: str) -> T | None:
    """Return what `find` finds, perhaps after the package was installed, or None."""
    found = find()
    if found is None and package not in _tried:
        _tried.add(package)
        _install(package)
        found = find()
    return found


def _install(package: str) -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    # In runlevel 1 nothing that a package brings is started (invoke-rc.d(8)).
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (("apt-get", "update"), (*_INSTALL, package)):
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
