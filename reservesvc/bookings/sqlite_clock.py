"""The database's clock, as an expression of SQL, and read."""

import sqlite3

NOW_MS = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
"""Milliseconds since the Unix epoch, which is Julian day 2440587.5.

`unixepoch('subsec')` would say the same from SQLite 3.42 on.
"""


def clock(connection: sqlite3.Connection) -> int:
    """Return what the clock shows."""
    now_ms: int = connection.execute(f"SELECT {NOW_MS}").fetchone()[0]
    return now_ms
