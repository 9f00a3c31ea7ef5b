"""JSON that was stored: read as the type it should have, and as far as it has it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from reservesvc import unreadable
from reservesvc.domain.nesting import is_deeper
from reservesvc.domain.project import Project, Resource

UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)
"""what reading a stored value can raise"""
DEPTH_MAX = 200
"""deeper than anything that was sent, flat enough to be encoded again"""
T = TypeVar("T")
S = TypeVar("S", bound=Struct)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_decode_any = msgspec.json.Decoder().decode
_PROJECT, _RESOURCE = msgspec.json.Decoder(Project), msgspec.json.Decoder(Resource)


def decoded(decoder: msgspec.json.Decoder[T], text: str | bytes) -> T:
    """Return what the text says.

    Raises:
        Exception: one of `UNREADABLE`; it is no text, no JSON, or not of the type.

    """
    value = decoder.decode(text)
    # No text nests deeper than it has brackets: nearly every one is done here.
    if _brackets(text) > DEPTH_MAX and is_deeper(_decode_any(text), DEPTH_MAX):
        message = "nested too deeply"
        raise ValueError(message)
    return value


def _brackets(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return text.count(b"{") + text.count(b"[")
    return text.count("{") + text.count("[")


def project_of(row: Sequence[Any]) -> Project:
    """Return the project whose id, slug, document and times are `row`."""
    project_id, slug, document, created_ms, updated_ms = row
    named = {"id": project_id, "name": project_id, "slug": slug}
    found = _read(_PROJECT, Project, document, named)
    return msgspec.structs.replace(found, created_ms=created_ms, updated_ms=updated_ms)


def resource_of(row: Sequence[Any]) -> Resource:
    """Return the resource whose id, document and times are `row`."""
    resource_id, document, created_ms, updated_ms = row
    named = {"id": resource_id, "name": resource_id}
    found = _read(_RESOURCE, Resource, document, named)
    return msgspec.structs.replace(found, created_ms=created_ms, updated_ms=updated_ms)


def _read(
    decoder: msgspec.json.Decoder[S], schema: type[S], document: str, named: dict[str, Any]
) -> S:
    """Return the document; what of it cannot be read is as in `named`, or as by default."""
    try:
        return decoded(decoder, document)
    except UNREADABLE:
        found, wrong = _readable(schema, document)
    unreadable.note(schema.__name__.lower(), str(named["id"]), *wrong)
    return schema(**named | found)


def _readable(schema: type[S], document: str) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of the document that can be read, and the names of those that cannot."""
    try:
        raw = decoded(_OBJECT, document)
    except UNREADABLE:
        return {}, ["document"]
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(schema):
        with suppress(*UNREADABLE):
            if field.name in raw:
                found[field.name] = msgspec.convert(raw[field.name], field.type)
    known = (field.name for field in msgspec.structs.fields(schema))
    return found, [name for name in known if name in raw and name not in found]
