"""The files around the embedded Redis: private directories, the lock, the socket's place."""

import asyncio
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from reservesvc.errors import ConfigError

_SOCKET_PATH_MAX_BYTES = 103
"""What macOS' sockaddr_un holds beside a NUL; Linux takes four more."""
_POLL_S = 0.05
_NOTE_MAX_BYTES = 64


def socket_path(directory: Path) -> Path:
    """Return where the server listens: in `directory`, or where the path is short enough.

    The other place is a directory of this user's among the temporary files, named after
    `directory`, so that the same data directory has the same socket every time.
    """
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    name = f"reservesvc-{os.getuid()}-{digest}"
    # The last always fits; whose directory it is, is checked before use.
    parents = (directory, Path(tempfile.gettempdir()) / name, Path("/tmp") / name)  # noqa: S108
    paths = (parent / "redis.sock" for parent in parents)
    return next(path for path in paths if len(os.fsencode(path)) <= _SOCKET_PATH_MAX_BYTES)


def make_private(directory: Path) -> None:
    """Make the directory, for its owner alone; of one that exists, check only the owner.

    Others may have planted a directory among the temporary files. The socket is safe from
    readers of any directory by its own mode.

    Raises:
        OSError: it cannot be made, is no directory, or belongs to somebody else.

    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        message = f"{directory} belongs to another user"
        raise PermissionError(message)


async def lock_directory(directory: Path, wait_s: float) -> int:
    """Return a descriptor that holds the directory's lock, waiting up to `wait_s` for it.

    The lock lasts until every copy of the descriptor is closed, in children as well.

    Raises:
        ConfigError: another process has it; the message says which.
        OSError: the lock file cannot be opened.

    """
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    taken = False
    try:
        taken = await _wait_for(lock, wait_s)
        holders = os.pread(lock, _NOTE_MAX_BYTES, 0).decode("ascii", "replace")
    finally:
        if not taken:
            os.close(lock)
    if not taken:
        message = (
            f"The data directory {directory} is in use by another reservesvc ({holders}): "
            "stop that one, or set RESERVESVC_DATA_DIR to another directory."
        )
        raise ConfigError(message)
    return lock


def note_holders(lock: int, service_pid: int, server_pid: int) -> None:
    """Write into the lock file who holds it, for whoever is refused."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {service_pid}, its Redis is {server_pid}".encode(), 0)


async def _wait_for(lock: int, wait_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + wait_s
    while not _try_lock(lock):
        if loop.time() >= deadline_s:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
