"""`/v2/projects`: named sets of defaults; a change holds for the next reservation."""

import re
import unicodedata

import msgspec

from reservesvc.api import changes, listing, render, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.decoding import Decoded, Errors
from reservesvc.api.problems import Problem, RefusedError, invalid
from reservesvc.api.replies import Reply
from reservesvc.api.schemas import DefaultsBody, ProjectBody
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.outcomes import KeyReused, NotFound
from reservesvc.domain.project import BookingDefaults, Project
from reservesvc.domain.wish import REQUIRED
from reservesvc.ports import Idempotency

SLUG_RULE = "must be 1 to 64 characters of a-z 0-9 - and begin and end with a letter or a digit"
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
_SLUG_ROOM = 50
"""how much of a slug its name may fill, so that a distinguishing ending still fits"""


async def create(call: Call) -> Reply:
    """Create a project."""
    project = await _new(call)
    key = call.idempotency()
    with changes.to_settings(call.stores):
        outcome = await _insert(call, project, key)
    match outcome:
        case None:
            return call.reject(_slug_taken(project.slug))
        case KeyReused():
            return call.refuse(outcome)
        case _:
            headers = changes.replayed(outcome.id != project.id)
            return replies.data(render.project(outcome), 201, headers)


async def read(call: Call) -> Reply:
    """Return a project."""
    return replies.data(render.project(await _stored(call)))


async def find(call: Call) -> Reply:
    """List the projects."""
    page = listing.asked(call.request)
    found, total = await call.stores.bookings.projects(page.limit, page.offset)
    beside = listing.envelope(call.request, page, len(found), total)
    return replies.json({"data": [render.project(each) for each in found]} | beside)


async def update(call: Call) -> Reply:
    """Change the fields of a project that the body has; the others stay as they are."""
    decoded = await call.decode(schemas.PROJECT)
    project = _changed(await _stored(call), decoded, call.limits.duration_s_max)
    with changes.to_settings(call.stores):
        outcome = await call.stores.bookings.update_project(project)
    match outcome:
        case None:
            return call.reject(_slug_taken(project.slug))
        case NotFound():
            return call.refuse(outcome)
        case _:
            return replies.no_content()


async def delete(call: Call) -> Reply:
    """Delete a project; reservations and bookings that name it stay as they are."""
    project_id = call.part("project_id")
    with changes.to_settings(call.stores):
        deleted = await call.stores.bookings.delete_project(project_id)
    if not deleted:
        return call.refuse(NotFound(model="Project", id=project_id))
    return replies.no_content()


def slug_of(name: str) -> str:
    """Return the slug that follows from a project's name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_ROOM].strip("-") or "project"


async def _new(call: Call) -> Project:
    body, errors = decoded = await call.decode(schemas.PROJECT)
    if body.name is None:
        errors.setdefault("name", [f"name {REQUIRED}"])
    fresh = Project(id=call.stores.ids.uuid(), name="", slug="")
    return _changed(fresh, decoded, call.limits.duration_s_max)


async def _insert(
    call: Call, project: Project, key: Idempotency | None
) -> Project | KeyReused | None:
    """Insert the project; a slug that only follows from its name gets out of the way."""
    store = call.stores.bookings
    if project.slug:
        return await store.create_project(project, key)
    slug = slug_of(project.name)
    outcome = await store.create_project(msgspec.structs.replace(project, slug=slug), key)
    if outcome is not None:
        return outcome
    distinct = f"{slug}-{project.id[:8]}"
    return await store.create_project(msgspec.structs.replace(project, slug=distinct), key)


async def _stored(call: Call) -> Project:
    project_id = call.part("project_id")
    project = await call.stores.bookings.project(project_id)
    if project is None:
        raise RefusedError(changes.not_found("Project", project_id))
    return project


def _changed(project: Project, decoded: Decoded[ProjectBody], duration_s_max: int) -> Project:
    """Return the project with the fields that the body has.

    Raises:
        RefusedError: 422, naming every field that is wrong.

    """
    body, errors = decoded
    _check(body, errors, duration_s_max)
    if errors:
        raise RefusedError(invalid(errors))
    given = changes.given(body, "name", "slug", "reservation_time", "allow_double_bookings", "meta")
    if body.booking is not None:
        given["booking"] = _defaults(project.booking, body.booking)
    return msgspec.structs.replace(project, **given)


def _defaults(defaults: BookingDefaults, body: DefaultsBody) -> BookingDefaults:
    given = changes.given(body, "graph", "what", "where", "description")
    return msgspec.structs.replace(defaults, **given)


def _check(body: ProjectBody, errors: Errors, duration_s_max: int) -> None:
    if body.name is not None and not body.name.strip():
        errors.setdefault("name", ["name must not be empty"])
    if body.slug is not None and not _SLUG.fullmatch(body.slug):
        errors.setdefault("slug", [f"slug {SLUG_RULE}"])
    if body.reservation_time is not None and not 1 <= body.reservation_time <= duration_s_max:
        rule = f"must be from 1 to {duration_s_max} seconds"
        errors.setdefault("reservation_time", [f"reservation_time {rule}"])
    graph = body.booking.graph if body.booking else None
    if graph is not None and graph not in GRAPHS:
        rule = f"must be one of: {', '.join(GRAPHS)}"
        errors.setdefault("booking.graph", [f"booking.graph {rule}"])


def _slug_taken(slug: str) -> Problem:
    return Problem(
        code="slug_taken",
        detail=f"Another project has the slug {slug}; choose another one.",
        errors={"slug": ["slug is taken"]},
    )
