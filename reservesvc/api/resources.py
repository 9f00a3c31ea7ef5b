"""`/v2/resources`: what is known of a resource beyond its id; capacity above all."""

import functools
import zoneinfo

import msgspec

from reservesvc.api import changes, listing, render, replies, schemas
from reservesvc.api.call import Call
from reservesvc.api.decoding import Decoded, Errors
from reservesvc.api.problems import Problem, RefusedError, invalid
from reservesvc.api.replies import Reply
from reservesvc.api.schemas import ResourceBody
from reservesvc.domain.outcomes import KeyReused, NotFound
from reservesvc.domain.project import Resource
from reservesvc.domain.slot import CAPACITY_MAX, RESOURCE_ID_RULE, is_resource_id
from reservesvc.domain.wish import REQUIRED


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
    decoded = await call.decode(schemas.RESOURCE)
    resource = _changed(await _stored(call), decoded)
    with changes.to_settings(call.stores):
        outcome = await call.stores.bookings.update_resource(resource)
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
    if body.name is None:
        errors.setdefault("name", [f"name {REQUIRED}"])
    if body.id is not None and not is_resource_id(body.id):
        errors.setdefault("id", [f"id {RESOURCE_ID_RULE}"])
    return _changed(Resource(id=body.id or call.stores.ids.uuid(), name=""), decoded)


async def _stored(call: Call) -> Resource:
    resource_id = _resource_id(call)
    resource = await call.stores.bookings.resource(resource_id)
    if resource is None:
        raise RefusedError(changes.not_found("Resource", resource_id))
    return resource


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
    body, errors = decoded
    _check(body, errors)
    if errors:
        raise RefusedError(invalid(errors))
    given = changes.given(body, "name", "timezone", "capacity", "email", "meta")
    return msgspec.structs.replace(resource, **given)


def _check(body: ResourceBody, errors: Errors) -> None:
    if body.name is not None and not body.name.strip():
        errors.setdefault("name", ["name must not be empty"])
    if body.timezone is not None and body.timezone not in _timezones():
        rule = "must be an IANA time zone name, such as Europe/Berlin"
        errors.setdefault("timezone", [f"timezone {rule}"])
    if body.capacity is not None and not 1 <= body.capacity <= CAPACITY_MAX:
        rule = f"must be from 1 to {CAPACITY_MAX}"
        errors.setdefault("capacity", [f"capacity {rule}"])


@functools.cache
def _timezones() -> frozenset[str]:
    # Looking through the files of the time zone database takes milliseconds; once is enough.
    return frozenset(zoneinfo.available_timezones() | {"UTC"})


def _id_taken(resource_id: str) -> Problem:
    return Problem(
        code="id_taken",
        detail=f"A resource with this id is registered already; change it with "
        f"PUT /v2/resources/{resource_id}, or choose another id.",
        errors={"id": ["id is taken"]},
    )
