"""The transactions on projects, each a function of a session."""

from reservesvc.bookings import postgres_settings as settings
from reservesvc.bookings.documents import project_of
from reservesvc.bookings.postgres_rows import NOW_MS, one
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import to_json
from reservesvc.bookings.search import bounded
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Project
from reservesvc.ports import Idempotency

_KIND = "project"
_COLUMNS = "id, slug, document, created_ms, updated_ms"
_SELECT = f"SELECT {_COLUMNS} FROM projects "  # noqa: S608 - our own column names
# One look at the clock: both times of a new project are the same.
_INSERT = f"""
    INSERT INTO projects (id, slug, document, created_ms, updated_ms)
    SELECT $1, $2, $3, now_ms, now_ms FROM (SELECT {NOW_MS} AS now_ms) AS clock
    ON CONFLICT (slug) DO NOTHING
    RETURNING {_COLUMNS}
"""  # noqa: S608 - our own expression
_UPDATE = f"""
    UPDATE projects SET slug = $2, document = $3, updated_ms = {NOW_MS} WHERE id = $1
    RETURNING {_COLUMNS}
"""  # noqa: S608 - our own expression
_SLUG_TAKEN = "SELECT FROM projects WHERE slug = $1 AND id <> $2"


async def create(
    session: Session, project: Project, idempotency: Idempotency | None
) -> Project | KeyReused | None:
    """Insert the project, or return the one its key made; None where the slug is taken."""
    await settings.lock(session)
    made = await settings.made_by(session, idempotency, _KIND)
    if made is not None:
        return made if isinstance(made, KeyReused) else await by_id(session, made)
    row = await session.fetchrow(_INSERT, project.id, project.slug, to_json(project))
    if row is None:
        return None
    await settings.created(session, idempotency, _KIND, project.id)
    return project_of(row)


async def update(
    session: Session, project: Project, seen: Project | None
) -> Project | NotFound | Overtaken | None:
    """Replace the project, if it still is as it was seen; None where another has its slug."""
    await settings.lock(session)
    stored = await by_id(session, project.id)
    if stored is None:
        return NotFound(model="Project", id=project.id)
    if seen is not None and stored != seen:
        return Overtaken()
    if await one(session, _SLUG_TAKEN, project.slug, project.id) is not None:
        return None
    row = await session.fetchrow(_UPDATE, project.id, project.slug, to_json(project))
    await settings.raise_version(session)
    return project_of(row)


async def delete(session: Session, project_id: str) -> bool:
    """Delete the project; False where there was none."""
    await settings.lock(session)
    found = await one(session, "DELETE FROM projects WHERE id = $1 RETURNING id", project_id)
    if found is not None:
        await settings.deleted(session, _KIND, project_id)
    return found is not None


async def page(session: Session, limit: int, offset: int) -> tuple[list[Project], int]:
    """Return one page of the projects by creation, and how many there are."""
    (total,) = await session.fetchrow("SELECT count(*) FROM projects")
    sql = _SELECT + "ORDER BY created_ms, number LIMIT $1 OFFSET $2"
    rows = await session.fetch(sql, *bounded(limit, offset))
    return [project_of(row) for row in rows], total


async def by_id(session: Session, project_id: str) -> Project | None:
    """Return the project."""
    row = await one(session, _SELECT + "WHERE id = $1", project_id)
    return None if row is None else project_of(row)


async def by_slug(session: Session, slug: str) -> Project | None:
    """Return the project that has the slug."""
    row = await one(session, _SELECT + "WHERE slug = $1", slug)
    return None if row is None else project_of(row)
