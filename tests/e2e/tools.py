"""Tools that read an OpenAPI document, run as their users run them."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.installation import Clients

_MOST_S = 120.0


def package_tool(clients: Clients, path: str, *words: str, directory: Path) -> str:
    """Run a program of an npm package, given where node_modules has it; return what it printed.

    Raises:
        AssertionError: it ends with an error; the message is what it said.

    """
    return _run([str(clients.node), str(clients.modules / path), *words], directory)


def node(clients: Clients, *words: str, directory: Path) -> str:
    """Run Node, as `package_tool`."""
    return _run([str(clients.node), *words], directory)


def python(*words: str, directory: Path) -> str:
    """Run the Python of the tests, as `package_tool`."""
    has_tools = importlib.util.find_spec("openapi_python_client") is not None
    assert has_tools, "openapi-python-client is missing: `make test` installs requirements/e2e.txt"
    return _run([sys.executable, *words], directory)


def _run(command: list[str], directory: Path) -> str:
    beside = Path(sys.executable).parent
    done = subprocess.run(
        command,
        cwd=directory,
        # `ruff`, which the Python client's generator calls, is beside the Python.
        env=os.environ | {"PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        timeout=_MOST_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command[1:])}:\n{done.stdout}{done.stderr}"
    return done.stdout
