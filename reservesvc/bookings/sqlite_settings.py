"""What projects and resources share: their version, and the keys that made them.

A setting is kept whole, as a JSON document; its times come from the database's clock and
stand in columns of their own.
"""

import sqlite3

from reservesvc.domain.outcomes import KeyReused
from reservesvc.ports import Idempotency

_KEY = "SELECT fingerprint, id FROM idempotency_keys WHERE digest = ? AND kind = ?"
_KEEP_KEY = "INSERT INTO idempotency_keys (digest, fingerprint, kind, id) VALUES (?, ?, ?, ?)"
_FORGET_KEYS = "DELETE FROM idempotency_keys WHERE kind = ? AND id = ?"


def version(connection: sqlite3.Connection) -> int:
    """Return a number that every change to a project or a resource raises."""
    number: int = connection.execute("SELECT version FROM settings_version").fetchone()[0]
    return number


def raise_version(connection: sqlite3.Connection) -> None:
    """Let every server know that a setting was changed."""
    connection.execute("UPDATE settings_version SET version = version + 1")


def made_by(
    connection: sqlite3.Connection, idempotency: Idempotency | None, kind: str
) -> str | KeyReused | None:
    """Return the id of what the key made; `KeyReused` where that was for another body."""
    if idempotency is None:
        return None
    row = connection.execute(_KEY, (idempotency.digest, kind)).fetchone()
    if row is None:
        return None
    fingerprint, made = row
    return idempotency.judge((str(made), str(fingerprint)))


def created(
    connection: sqlite3.Connection, idempotency: Idempotency | None, kind: str, made: str
) -> None:
    """Note that the key made a setting, and that settings have changed."""
    keep_key(connection, idempotency, kind, made)
    raise_version(connection)


def keep_key(
    connection: sqlite3.Connection, idempotency: Idempotency | None, kind: str, made: str
) -> None:
    """Note what the key made, if there is one."""
    if idempotency is not None:
        key = (idempotency.digest, idempotency.fingerprint, kind, made)
        connection.execute(_KEEP_KEY, key)


def deleted(connection: sqlite3.Connection, kind: str, gone: str) -> None:
    """Forget the key that made a setting, note that settings have changed."""
    # A key answers with what it made; with that gone it has no answer left to give.
    connection.execute(_FORGET_KEYS, (kind, gone))
    raise_version(connection)
