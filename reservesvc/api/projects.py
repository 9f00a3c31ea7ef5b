"""`/v2/projects`: named sets of defaults; a change holds for the next reservation."""

import re

from anyascii import anyascii
from msgspec.structs import replace

from reservesvc.api import changes, listing, project_fields, render, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.problems import Problem
from reservesvc.api.replies import Reply
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Project
from reservesvc.domain.wish import REQUIRED
from reservesvc.ports import Idempotency

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
    return replies.data(render.project(await stored(call)))


async def find(call: Call) -> Reply:
    """List the projects."""
    page = listing.asked(call.request)
    found, total = await call.stores.bookings.projects(page.limit, page.offset)
    beside = listing.envelope(call.request, page, len(found), total)
    return replies.json({"data": [render.project(each) for each in found]} | beside)


async def update(call: Call) -> Reply:
    """Change the fields of a project that the body has; the others stay as they are."""
    body, errors = decoded = await call.decode(schemas.PROJECT)
    changes.check_kept(body, ("name", "slug"), errors)

    async def attempt() -> Project | NotFound | Overtaken | str:
        seen = await stored(call)
        project = project_fields.changed(seen, decoded, call.limits)
        outcome = await call.stores.bookings.update_project(project, seen)
        return project.slug if outcome is None else outcome

    with changes.to_settings(call.stores):
        outcome = await changes.repeatedly(attempt)
    match outcome:
        case str():
            return call.reject(_slug_taken(outcome))
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


async def stored(call: Call) -> Project:
    """Return the project that the path names.

    Raises:
        RefusedError: 404, there is none.

    """
    project_id = call.part("project_id")
    project = await call.stores.bookings.project(project_id)
    return changes.found(project, "Project", project_id)


def slug_of(name: str) -> str:
    """Return the slug that follows from a project's name, transliterated where it is not ASCII."""
    plain = anyascii(name).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_ROOM].strip("-") or "project"


async def _new(call: Call) -> Project:
    body, errors = decoded = await call.decode(schemas.PROJECT)
    if not isinstance(body.name, str):
        errors.setdefault("name", [f"name {REQUIRED}"])
    fresh = Project(id=call.stores.ids.uuid(), name="", slug="")
    return project_fields.changed(fresh, decoded, call.limits)


async def _insert(
    call: Call, project: Project, key: Idempotency | None
) -> Project | KeyReused | None:
    """Insert the project; a slug that only follows from its name gets out of the way."""
    store = call.stores.bookings
    if project.slug:
        return await store.create_project(project, key)
    slug = slug_of(project.name)
    outcome = await store.create_project(replace(project, slug=slug), key)
    if outcome is not None:
        return outcome
    distinct = f"{slug}-{project.id[:8]}"
    return await store.create_project(replace(project, slug=distinct), key)


def _slug_taken(slug: str) -> Problem:
    return Problem(
        code="slug_taken",
        detail=f"Another project has the slug {slug}; choose another one.",
        errors={"slug": ["slug is taken"]},
    )
