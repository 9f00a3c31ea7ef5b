"""Stored values that cannot be read: logged once each, and passed over."""

from functools import lru_cache

import structlog

REMEMBERED_MAX = 1024
"""how many values are remembered as logged; one that was forgotten may be logged again"""
_log = structlog.get_logger()


@lru_cache(REMEMBERED_MAX)
def note(kind: str, row_id: str, *fields: str) -> None:
    """Log that fields of a stored row cannot be read.

    Args:
        kind: what the row is, such as `booking`.
        row_id: the row's id.
        fields: the names of the fields; never their values.

    """
    _log.warning("stored_value_unreadable", kind=kind, id=row_id, fields=fields)
