"""The transactions on registered resources, each a function of a connection."""

import sqlite3
from collections.abc import Sequence

from reservesvc.bookings import sqlite_settings as settings
from reservesvc.bookings.documents import resource_of
from reservesvc.bookings.rows import to_json
from reservesvc.bookings.search import bounded
from reservesvc.bookings.sqlite_clock import NOW_MS
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Resource
from reservesvc.ports import Idempotency

_KIND = "resource"
_SELECT = "SELECT id, document, created_ms, updated_ms FROM resources "
_INSERT = f"""
    INSERT INTO resources (id, document, created_ms, updated_ms) VALUES (?, ?, {NOW_MS}, {NOW_MS})
"""  # noqa: S608 - our own expression
_UPDATE = f"""
    UPDATE resources SET document = ?, updated_ms = {NOW_MS} WHERE id = ?
"""  # noqa: S608 - our own expression


def create(
    connection: sqlite3.Connection, resource: Resource, idempotency: Idempotency | None
) -> Resource | KeyReused | None:
    """Register the resource, or return the one its key made; None where the id is taken."""
    made = settings.made_by(connection, idempotency, _KIND)
    if made is not None:
        return made if isinstance(made, KeyReused) else by_id(connection, made)
    if by_id(connection, resource.id) is not None:
        return None
    connection.execute(_INSERT, (resource.id, to_json(resource)))
    settings.created(connection, idempotency, _KIND, resource.id)
    return by_id(connection, resource.id)


def update(
    connection: sqlite3.Connection, resource: Resource, seen: Resource | None
) -> Resource | NotFound | Overtaken:
    """Replace the resource, if it still is as it was seen."""
    stored = by_id(connection, resource.id)
    if stored is None:
        return NotFound(model="Resource", id=resource.id)
    if seen is not None and stored != seen:
        return Overtaken()
    connection.execute(_UPDATE, (to_json(resource), resource.id))
    settings.raise_version(connection)
    return by_id(connection, resource.id) or stored


def delete(connection: sqlite3.Connection, resource_id: str) -> bool:
    """Unregister the resource; False where it was not registered."""
    found = connection.execute("DELETE FROM resources WHERE id = ?", (resource_id,)).rowcount > 0
    if found:
        settings.deleted(connection, _KIND, resource_id)
    return found


def page(connection: sqlite3.Connection, limit: int, offset: int) -> tuple[list[Resource], int]:
    """Return one page of the registered resources by id, and how many there are."""
    (total,) = connection.execute("SELECT count(*) FROM resources").fetchone()
    sql = _SELECT + "ORDER BY id LIMIT ? OFFSET ?"
    rows = connection.execute(sql, bounded(limit, offset))
    return [resource_of(row) for row in rows], total


def by_id(connection: sqlite3.Connection, resource_id: str) -> Resource | None:
    """Return the resource, if it is registered."""
    row = connection.execute(_SELECT + "WHERE id = ?", (resource_id,)).fetchone()
    return row and resource_of(row)


def of(connection: sqlite3.Connection, resource_ids: Sequence[str]) -> list[Resource]:
    """Return those of the resources that are registered, in no order."""
    # One parameter, for SQLite takes a limited number of them.
    sql = _SELECT + "WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own words
    return [resource_of(row) for row in connection.execute(sql, (to_json(resource_ids),))]
