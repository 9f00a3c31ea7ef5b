"""`/v2/projects/{project_id}/resources`: among which resources a project's searches look."""

from collections.abc import Callable

from msgspec.structs import replace

from reservesvc.api import changes, listing, projects, render, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.decoding import Errors, as_list
from reservesvc.api.problems import RefusedError, invalid
from reservesvc.api.project_fields import resource_ids
from reservesvc.api.replies import Reply
from reservesvc.domain.outcomes import NotFound, Overtaken
from reservesvc.domain.project import RESOURCES_MAX, Project
from reservesvc.domain.slot import RESOURCE_ID_RULE, is_resource_id
from reservesvc.domain.wish import REQUIRED

Ids = tuple[str, ...]


async def find(call: Call) -> Reply:
    """List the project's resources in the order in which they were given."""
    page = listing.asked(call.request)
    ids = (await projects.stored(call)).resources
    shown = ids[page.offset : page.offset + page.limit]
    found = await call.stores.settings.resources(shown)
    beside = listing.envelope(call.request, page, len(shown), len(ids))
    return replies.json({"data": [render.resource(each) for each in found]} | beside)


async def add(call: Call) -> Reply:
    """Add a resource; one that is there already stays where it is."""
    body, errors = await call.decode(schemas.ASSIGNMENT)
    call.idempotency()  # looked at and not kept: a repeat has no further effect by itself
    added = body.resource_id or ""
    if not is_resource_id(added):
        rule = RESOURCE_ID_RULE if added else REQUIRED
        errors.setdefault("resource_id", [f"resource_id {rule}"])
    if errors:
        raise RefusedError(invalid(errors))
    call.resource_id = added
    outcome = await _change(call, lambda ids: ids if added in ids else (*ids, added))
    if isinstance(outcome, NotFound):
        return call.refuse(outcome)
    resource = await call.stores.settings.resource(added)
    return replies.data(render.resource(resource), 201)


async def replace_all(call: Call) -> Reply:
    """Make the list in the body, which stands there by itself, the project's resources."""
    errors: Errors = {}
    ids = resource_ids(as_list(await call.body()), "resources", errors)
    if errors:
        raise RefusedError(invalid(errors))
    outcome = await _change(call, lambda _: ids)
    return call.refuse(outcome) if isinstance(outcome, NotFound) else replies.no_content()


async def remove(call: Call) -> Reply:
    """Take a resource out of the project; the resource itself stays as it is."""
    removed = call.part("resource_id")

    def without(ids: Ids) -> Ids:
        if removed not in ids:
            raise RefusedError(changes.not_found("Resource", removed))
        return tuple(each for each in ids if each != removed)

    outcome = await _change(call, without)
    return call.refuse(outcome) if isinstance(outcome, NotFound) else replies.no_content()


async def _change(call: Call, change: Callable[[Ids], Ids]) -> Project | NotFound:
    """Replace the project's resources by what `change` makes of them.

    Raises:
        RefusedError: 404, there is no such project; 422, they are too many; or as `change`.

    """

    async def attempt() -> Project | NotFound | Overtaken:
        seen = await projects.stored(call)
        ids = change(seen.resources)
        if len(ids) > RESOURCES_MAX:
            rule = f"must not be added: a project has at most {RESOURCES_MAX} resources"
            raise RefusedError(invalid({"resource_id": [f"resource_id {rule}"]}))
        outcome = await call.stores.bookings.update_project(replace(seen, resources=ids), seen)
        # Its slug is the one it has, so that nobody else can have it.
        return outcome or NotFound(model="Project", id=seen.id)

    with changes.to_settings(call.stores):
        return await changes.repeatedly(attempt)
