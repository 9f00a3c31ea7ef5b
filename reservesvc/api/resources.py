"""`/v2/resources`: what is known of a resource beyond its id; capacity above all."""

import msgspec

from reservesvc.api import changes, constraints, listing, render, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.decoding import Decoded, Errors
from reservesvc.api.problems import Problem, RefusedError, invalid
from reservesvc.api.replies import Reply
from reservesvc.api.schemas import ResourceBody
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import Resource
from reservesvc.domain.slot import CAPACITY_MAX, RESOURCE_ID_RULE, is_resource_id
from reservesvc.domain.text import VISIBLE_RULE, is_visible
from reservesvc.domain.wish import REQUIRED
from reservesvc.domain.zones import ZONE_RULE, zone


async def create(call: Call) -> Reply:
    """Register a resource, under the id in the body or a new one."""
    resource = await _new(call)
    key, store = call.idempotency(), call.stores.bookings
    # An id that is there already can only be answered by its Idempotency-Key.
    known = key is not None and await store.resource(resource.id) is not None
    with changes.to_settings(call.stores):
        outcome = await store.create_resource(resource, key)
    match outcome:
        case None:
            return call.reject(_id_taken(resource.id))
        case KeyReused():
            return call.refuse(outcome)
        case _:
            call.resource_id = outcome.id
            headers = changes.replayed(known or outcome.id != resource.id)
            return replies.data(render.resource(outcome), 201, headers)


async def read(call: Call) -> Reply:
    """Return a registered resource."""
    return replies.data(render.resource(await _stored(call)))


async def find(call: Call) -> Reply:
    """List the registered resources."""
    page = listing.asked(call.request)
    found, total = await call.stores.bookings.resources(page.limit, page.offset)
    beside = listing.envelope(call.request, page, len(found), total)
    return replies.json({"data": [render.resource(each) for each in found]} | beside)


async def update(call: Call) -> Reply:
    """Change the fields of a resource that the body has; its id stays, as do the others."""
    body, errors = decoded = await call.decode(schemas.RESOURCE)
    changes.check_kept(body, ("name",), errors)

    async def attempt() -> Resource | NotFound | Overtaken:
        seen = await _stored(call)
        return await call.stores.bookings.update_resource(_changed(seen, decoded), seen)

    with changes.to_settings(call.stores):
        outcome = await changes.repeatedly(attempt)
    if isinstance(outcome, NotFound):
        return call.refuse(outcome)
    return replies.no_content()


async def delete(call: Call) -> Reply:
    """Unregister a resource; its id may still be used, with capacity 1."""
    resource_id = _resource_id(call)
    with changes.to_settings(call.stores):
        deleted = await call.stores.bookings.delete_resource(resource_id)
    if not deleted:
        return call.refuse(NotFound(model="Resource", id=resource_id))
    return replies.no_content()


async def _new(call: Call) -> Resource:
    decoded = await call.decode(schemas.RESOURCE)
    body, errors = decoded
    if not isinstance(body.name, str):
        errors.setdefault("name", [f"name {REQUIRED}"])
    return _changed(Resource(id=body.id or call.stores.ids.uuid(), name=""), decoded)


async def _stored(call: Call) -> Resource:
    resource_id = _resource_id(call)
    resource = await call.stores.bookings.resource(resource_id)
    return changes.found(resource, "Resource", resource_id)


def _resource_id(call: Call) -> str:
    resource_id = call.part("resource_id")
    if not is_resource_id(resource_id):
        raise RefusedError(changes.not_found("Resource", resource_id))
    call.resource_id = resource_id
    return resource_id


def _changed(resource: Resource, decoded: Decoded[ResourceBody]) -> Resource:
    """Return the resource with the fields that the body has.

    Raises:
        RefusedError: 422, naming every field that is wrong.

    """
    body, errors = decoded[0], dict(decoded[1])
    _check(body, errors)
    values = changes.given(body, resource) | constraints.read_field(body, errors)
    if errors:
        raise RefusedError(invalid(errors))
    return msgspec.structs.replace(resource, **values | {"id": resource.id})


def _check(body: ResourceBody, errors: Errors) -> None:
    if body.id is not None and not is_resource_id(body.id):
        errors.setdefault("id", [f"id {RESOURCE_ID_RULE}"])
    if isinstance(body.name, str) and not is_visible(body.name):
        errors.setdefault("name", [f"name {VISIBLE_RULE}"])
    if isinstance(body.timezone, str) and zone(body.timezone) is None:
        errors.setdefault("timezone", [f"timezone {ZONE_RULE}"])
    if isinstance(body.capacity, int) and not 1 <= body.capacity <= CAPACITY_MAX:
        rule = f"must be from 1 to {CAPACITY_MAX}"
        errors.setdefault("capacity", [f"capacity {rule}"])


def _id_taken(resource_id: str) -> Problem:
    return Problem(
        code="id_taken",
        detail=f"A resource with this id is registered already; change it with "
        f"PUT /v2/resources/{resource_id}, or choose another id.",
        errors={"id": ["id is taken"]},
    )
