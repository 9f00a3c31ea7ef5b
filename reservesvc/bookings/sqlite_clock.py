"""The database's clock, as an expression of SQL."""

NOW_MS = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
"""Milliseconds since the Unix epoch, which is Julian day 2440587.5.

`unixepoch('subsec')` would say the same from SQLite 3.42 on.
"""
