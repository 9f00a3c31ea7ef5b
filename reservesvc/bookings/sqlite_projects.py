"""The transactions on projects, each a function of a connection."""

import sqlite3

from reservesvc.bookings import sqlite_settings as settings
from reservesvc.bookings.documents import project_of
from reservesvc.bookings.rows import to_json
from reservesvc.bookings.search import bounded
from reservesvc.bookings.sqlite_clock import NOW_MS
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Project
from reservesvc.ports import Idempotency

_KIND = "project"
_SELECT = "SELECT id, slug, document, created_ms, updated_ms FROM projects "
_INSERT = f"""
    INSERT INTO projects (id, slug, document, created_ms, updated_ms)
    VALUES (?, ?, ?, {NOW_MS}, {NOW_MS})
"""  # noqa: S608 - our own expression
_UPDATE = f"""
    UPDATE projects SET slug = ?, document = ?, updated_ms = {NOW_MS} WHERE id = ?
"""  # noqa: S608 - our own expression
_SLUG_TAKEN = "SELECT 1 FROM projects WHERE slug = ? AND id <> ?"


def create(
    connection: sqlite3.Connection, project: Project, idempotency: Idempotency | None
) -> Project | KeyReused | None:
    """Insert the project, or return the one its key made; None where the slug is taken."""
    made = settings.made_by(connection, idempotency, _KIND)
    if made is not None:
        return made if isinstance(made, KeyReused) else by_id(connection, made)
    if _is_slug_taken(connection, project):
        return None
    connection.execute(_INSERT, (project.id, project.slug, to_json(project)))
    settings.created(connection, idempotency, _KIND, project.id)
    return by_id(connection, project.id)


def update(
    connection: sqlite3.Connection, project: Project, seen: Project | None
) -> Project | NotFound | Overtaken | None:
    """Replace the project, if it still is as it was seen; None where another has its slug."""
    stored = by_id(connection, project.id)
    if stored is None:
        return NotFound(model="Project", id=project.id)
    if seen is not None and stored != seen:
        return Overtaken()
    if _is_slug_taken(connection, project):
        return None
    connection.execute(_UPDATE, (project.slug, to_json(project), project.id))
    settings.raise_version(connection)
    return by_id(connection, project.id)


def delete(connection: sqlite3.Connection, project_id: str) -> bool:
    """Delete the project; False where there was none."""
    found = connection.execute("DELETE FROM projects WHERE id = ?", (project_id,)).rowcount > 0
    if found:
        settings.deleted(connection, _KIND, project_id)
    return found


def page(connection: sqlite3.Connection, limit: int, offset: int) -> tuple[list[Project], int]:
    """Return one page of the projects by creation, and how many there are."""
    (total,) = connection.execute("SELECT count(*) FROM projects").fetchone()
    # Within one millisecond, rowid is the order of insertion.
    sql = _SELECT + "ORDER BY created_ms, rowid LIMIT ? OFFSET ?"
    rows = connection.execute(sql, bounded(limit, offset))
    return [project_of(row) for row in rows], total


def by_id(connection: sqlite3.Connection, project_id: str) -> Project | None:
    """Return the project."""
    row = connection.execute(_SELECT + "WHERE id = ?", (project_id,)).fetchone()
    return row and project_of(row)


def by_slug(connection: sqlite3.Connection, slug: str) -> Project | None:
    """Return the project that has the slug."""
    row = connection.execute(_SELECT + "WHERE slug = ?", (slug,)).fetchone()
    return row and project_of(row)


def _is_slug_taken(connection: sqlite3.Connection, project: Project) -> bool:
    row = connection.execute(_SLUG_TAKEN, (project.slug, project.id)).fetchone()
    return row is not None
