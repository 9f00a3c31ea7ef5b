"""Which members of a body no field has, and schemas that refuse any."""

from functools import cache, reduce
from operator import or_
from typing import Any, get_args

import msgspec
from msgspec import Struct

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@cache
def strict(schema: type[Struct]) -> type[Struct]:
    """Return a kind of `schema` whose decoder refuses members that no field has.

    It decodes as quickly as `schema` itself. So it is tried first, and only a body with such
    members, or with a wrong one, is looked at again.
    """
    nested = [
        (field.name, reduce(or_, map(_strict, get_args(field.type))), field.default)
        for field in msgspec.structs.fields(schema)
        if any(map(is_struct, get_args(field.type)))
    ]
    return msgspec.defstruct(
        schema.__name__,
        nested,
        bases=(schema,),
        kw_only=True,
        gc=schema.__struct_config__.gc,
        forbid_unknown_fields=True,
    )


def names(schema: type[Struct], body: bytes | msgspec.Raw, prefix: str = "") -> list[str]:
    """Return the members of the JSON object that no field has, inner ones as `event.foo`."""
    try:
        members = _members(body)
    except (msgspec.DecodeError, RecursionError):
        return []
    known, found = _known(schema), []
    for name, value in members.items():
        if name not in known:
            found.append(prefix + name)
        for kind in known.get(name, ()):
            found += names(kind, value, f"{prefix}{name}.")
    return found


def is_struct(kind: Any) -> bool:  # noqa: ANN401 - a type form
    """Tell whether the type is a schema."""
    return isinstance(kind, type) and issubclass(kind, Struct)


@cache
def _known(schema: type[Struct]) -> dict[str, list[type[Struct]]]:
    """Return the fields by name, each with the schemas of the objects that it may hold."""
    return {
        field.encode_name: list(filter(is_struct, get_args(field.type)))
        for field in msgspec.structs.fields(schema)
    }


def _strict(kind: Any) -> Any:  # noqa: ANN401 - a type form
    return strict(kind) if is_struct(kind) else kind
