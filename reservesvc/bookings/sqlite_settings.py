"""The transactions on projects and resources, each a function of a connection.

A setting is kept whole, as a JSON document; its times come from the database's clock and
stand in columns of their own.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from reservesvc.bookings.rows import to_json
from reservesvc.bookings.search import page
from reservesvc.bookings.sqlite_clock import NOW_MS
from reservesvc.domain.outcomes import KeyReused, NotFound
from reservesvc.domain.project import Project, Resource
from reservesvc.ports import Idempotency

_SELECT_PROJECTS = "SELECT document, created_ms, updated_ms FROM projects "
_SELECT_RESOURCES = "SELECT document, created_ms, updated_ms FROM resources "
_INSERT_PROJECT = f"""
    INSERT INTO projects (id, slug, document, created_ms, updated_ms)
    VALUES (?, ?, ?, {NOW_MS}, {NOW_MS})
"""  # noqa: S608 - our own expression
_INSERT_RESOURCE = f"""
    INSERT INTO resources (id, document, created_ms, updated_ms) VALUES (?, ?, {NOW_MS}, {NOW_MS})
"""  # noqa: S608 - our own expression
_UPDATE_PROJECT = f"""
    UPDATE projects SET slug = ?, document = ?, updated_ms = {NOW_MS} WHERE id = ?
"""  # noqa: S608 - our own expression
_UPDATE_RESOURCE = f"""
    UPDATE resources SET document = ?, updated_ms = {NOW_MS} WHERE id = ?
"""  # noqa: S608 - our own expression
_SLUG_TAKEN = "SELECT 1 FROM projects WHERE slug = ? AND id <> ?"
_KEY = "SELECT fingerprint, id FROM idempotency_keys WHERE digest = ? AND kind = ?"
_KEEP_KEY = "INSERT INTO idempotency_keys (digest, fingerprint, kind, id) VALUES (?, ?, ?, ?)"
_FORGET_KEYS = "DELETE FROM idempotency_keys WHERE kind = ? AND id = ?"


def create_project(
    connection: sqlite3.Connection, project: Project, idempotency: Idempotency | None
) -> Project | KeyReused | None:
    """Insert the project, or return the one its key made; None where the slug is taken."""
    made = _made_by(connection, idempotency, "project")
    if made is not None:
        return made if isinstance(made, KeyReused) else project_by_id(connection, made)
    if _is_slug_taken(connection, project):
        return None
    connection.execute(_INSERT_PROJECT, (project.id, project.slug, to_json(project)))
    _keep_key(connection, idempotency, "project", project.id)
    _raise_version(connection)
    return project_by_id(connection, project.id)


def update_project(connection: sqlite3.Connection, project: Project) -> Project | NotFound | None:
    """Replace the project; None where another has its slug."""
    if project_by_id(connection, project.id) is None:
        return NotFound(model="Project", id=project.id)
    if _is_slug_taken(connection, project):
        return None
    connection.execute(_UPDATE_PROJECT, (project.slug, to_json(project), project.id))
    _raise_version(connection)
    return project_by_id(connection, project.id)


def delete_project(connection: sqlite3.Connection, project_id: str) -> bool:
    """Delete the project; False where there was none."""
    found = connection.execute("DELETE FROM projects WHERE id = ?", (project_id,)).rowcount > 0
    return found and _deleted(connection, "project", project_id)


def projects(connection: sqlite3.Connection, limit: int, offset: int) -> tuple[list[Project], int]:
    """Return one page of the projects by creation, and how many there are."""
    (total,) = connection.execute("SELECT count(*) FROM projects").fetchone()
    # Within one millisecond, rowid is the order of insertion.
    sql = _SELECT_PROJECTS + "ORDER BY created_ms, rowid LIMIT ? OFFSET ?"
    rows = connection.execute(sql, page(limit, offset))
    return [_project_of(row) for row in rows], total


def project_by_id(connection: sqlite3.Connection, project_id: str) -> Project | None:
    """Return the project."""
    row = connection.execute(_SELECT_PROJECTS + "WHERE id = ?", (project_id,)).fetchone()
    return row and _project_of(row)


def create_resource(
    connection: sqlite3.Connection, resource: Resource, idempotency: Idempotency | None
) -> Resource | KeyReused | None:
    """Register the resource, or return the one its key made; None where the id is taken."""
    made = _made_by(connection, idempotency, "resource")
    if made is not None:
        return made if isinstance(made, KeyReused) else resource_by_id(connection, made)
    if resource_by_id(connection, resource.id) is not None:
        return None
    connection.execute(_INSERT_RESOURCE, (resource.id, to_json(resource)))
    _keep_key(connection, idempotency, "resource", resource.id)
    _raise_version(connection)
    return resource_by_id(connection, resource.id)


def update_resource(connection: sqlite3.Connection, resource: Resource) -> Resource | NotFound:
    """Replace the resource."""
    connection.execute(_UPDATE_RESOURCE, (to_json(resource), resource.id))
    updated = resource_by_id(connection, resource.id)
    if updated is None:
        return NotFound(model="Resource", id=resource.id)
    _raise_version(connection)
    return updated


def delete_resource(connection: sqlite3.Connection, resource_id: str) -> bool:
    """Unregister the resource; False where it was not registered."""
    found = connection.execute("DELETE FROM resources WHERE id = ?", (resource_id,)).rowcount > 0
    return found and _deleted(connection, "resource", resource_id)


def resources(
    connection: sqlite3.Connection, limit: int, offset: int
) -> tuple[list[Resource], int]:
    """Return one page of the registered resources by id, and how many there are."""
    (total,) = connection.execute("SELECT count(*) FROM resources").fetchone()
    sql = _SELECT_RESOURCES + "ORDER BY id LIMIT ? OFFSET ?"
    rows = connection.execute(sql, page(limit, offset))
    return [_resource_of(row) for row in rows], total


def resource_by_id(connection: sqlite3.Connection, resource_id: str) -> Resource | None:
    """Return the resource, if it is registered."""
    row = connection.execute(_SELECT_RESOURCES + "WHERE id = ?", (resource_id,)).fetchone()
    return row and _resource_of(row)


def settings_version(connection: sqlite3.Connection) -> int:
    """Return a number that every change to a project or a resource raises."""
    version: int = connection.execute("SELECT version FROM settings_version").fetchone()[0]
    return version


def _raise_version(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE settings_version SET version = version + 1")


def _is_slug_taken(connection: sqlite3.Connection, project: Project) -> bool:
    row = connection.execute(_SLUG_TAKEN, (project.slug, project.id)).fetchone()
    return row is not None


def _made_by(
    connection: sqlite3.Connection, idempotency: Idempotency | None, kind: str
) -> str | KeyReused | None:
    """Return the id of what the key made, `KeyReused` where for another body, None if unused."""
    if idempotency is None:
        return None
    row = connection.execute(_KEY, (idempotency.digest, kind)).fetchone()
    if row is None:
        return None
    fingerprint, made = row
    return str(made) if fingerprint == idempotency.fingerprint else KeyReused()


def _keep_key(
    connection: sqlite3.Connection, idempotency: Idempotency | None, kind: str, made: str
) -> None:
    if idempotency is not None:
        key = (idempotency.digest, idempotency.fingerprint, kind, made)
        connection.execute(_KEEP_KEY, key)


def _deleted(connection: sqlite3.Connection, kind: str, deleted: str) -> bool:
    # A key answers with what it made; with that gone it has no answer left to give.
    connection.execute(_FORGET_KEYS, (kind, deleted))
    _raise_version(connection)
    return True


def _project_of(row: Sequence[Any]) -> Project:
    document, created_ms, updated_ms = row
    project = msgspec.json.decode(document, type=Project)
    return msgspec.structs.replace(project, created_ms=created_ms, updated_ms=updated_ms)


def _resource_of(row: Sequence[Any]) -> Resource:
    document, created_ms, updated_ms = row
    resource = msgspec.json.decode(document, type=Resource)
    return msgspec.structs.replace(resource, created_ms=created_ms, updated_ms=updated_ms)
