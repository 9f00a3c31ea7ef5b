"""The transactions on registered resources, each a function of a session."""

from collections.abc import Sequence

from reservesvc.bookings import postgres_settings as settings
from reservesvc.bookings.documents import resource_of
from reservesvc.bookings.postgres_rows import NOW_MS, one
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import to_json
from reservesvc.bookings.search import bounded
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Resource
from reservesvc.ports import Idempotency

_KIND = "resource"
_COLUMNS = "id, document, created_ms, updated_ms"
_SELECT = f"SELECT {_COLUMNS} FROM resources "  # noqa: S608 - our own column names
# One look at the clock: both times of a new resource are the same.
_INSERT = f"""
    INSERT INTO resources (id, capacity, document, created_ms, updated_ms)
    SELECT $1, $2, $3, now_ms, now_ms FROM (SELECT {NOW_MS} AS now_ms) AS clock
    ON CONFLICT (id) DO NOTHING
    RETURNING {_COLUMNS}
"""  # noqa: S608 - our own expression
_UPDATE = f"""
    UPDATE resources SET capacity = $2, document = $3, updated_ms = {NOW_MS} WHERE id = $1
    RETURNING {_COLUMNS}
"""  # noqa: S608 - our own expression


async def create(
    session: Session, resource: Resource, idempotency: Idempotency | None
) -> Resource | KeyReused | None:
    """Register the resource, or return the one its key made; None where the id is taken."""
    await settings.lock(session)
    made = await settings.made_by(session, idempotency, _KIND)
    if made is not None:
        return made if isinstance(made, KeyReused) else await by_id(session, made)
    row = await session.fetchrow(_INSERT, *_values(resource))
    if row is None:
        return None
    await settings.created(session, idempotency, _KIND, resource.id)
    return resource_of(row)


async def update(
    session: Session, resource: Resource, seen: Resource | None
) -> Resource | NotFound | Overtaken:
    """Replace the resource, if it still is as it was seen."""
    await settings.lock(session)
    stored = await by_id(session, resource.id)
    if stored is None:
        return NotFound(model="Resource", id=resource.id)
    if seen is not None and stored != seen:
        return Overtaken()
    row = await session.fetchrow(_UPDATE, *_values(resource))
    await settings.raise_version(session)
    return resource_of(row)


async def delete(session: Session, resource_id: str) -> bool:
    """Unregister the resource; False where it was not registered."""
    await settings.lock(session)
    found = await one(session, "DELETE FROM resources WHERE id = $1 RETURNING id", resource_id)
    if found is not None:
        await settings.deleted(session, _KIND, resource_id)
    return found is not None


async def page(session: Session, limit: int, offset: int) -> tuple[list[Resource], int]:
    """Return one page of the registered resources by id, and how many there are."""
    (total,) = await session.fetchrow("SELECT count(*) FROM resources")
    sql = _SELECT + "ORDER BY id LIMIT $1 OFFSET $2"
    rows = await session.fetch(sql, *bounded(limit, offset))
    return [resource_of(row) for row in rows], total


async def by_id(session: Session, resource_id: str) -> Resource | None:
    """Return the resource, if it is registered."""
    row = await one(session, _SELECT + "WHERE id = $1", resource_id)
    return None if row is None else resource_of(row)


async def of(session: Session, resource_ids: Sequence[str]) -> list[Resource]:
    """Return those of the resources that are registered, in no order."""
    rows = await session.fetch(_SELECT + "WHERE id = ANY($1)", list(resource_ids))
    return [resource_of(row) for row in rows]


def _values(resource: Resource) -> tuple[str, int, str]:
    return resource.id, resource.capacity, to_json(resource)
