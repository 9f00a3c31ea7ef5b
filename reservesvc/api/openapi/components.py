"""From types to JSON Schema: msgspec's own, with the rows of `fields` laid over."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from reservesvc.api.openapi import fields, names, shapes
from reservesvc.api.openapi.fields import Schema
from reservesvc.api.openapi.names import PREFIX
from reservesvc.api.openapi.operations import Operation
from reservesvc.domain.wish import Limits

_ABOVE = ("description",)
"""members of a row that go beside a choice of types; others into the one that is not null"""


class Components:
    """The schemas of types; those of structs stand apart and are referred to.

    Args:
        operations: the calls whose bodies and replies to describe, by the name of the route.
        limits: how much a request may ask for.

    """

    def __init__(self, operations: dict[str, Operation], limits: Limits) -> None:
        types = [shapes.Problem, *_types(operations.values())]
        schemas, named = _with_plain_names(
            msgspec.json.schema_components(types, ref_template=PREFIX + "{name}")
        )
        self._rows = fields.table(limits)
        self._by_type = {
            str(kind): _explicit(schema) for kind, schema in zip(types, schemas, strict=True)
        }
        self._named = {name: self._refined(schema) for name, schema in named.items()}
        self._named |= fields.named()
        self._bodies = {
            name: self._body(name, each) for name, each in operations.items() if each.body
        }

    def of(self, kind: Any) -> Schema:  # noqa: ANN401 - a type form
        """Return the schema of a type."""
        return self._by_type[str(kind)]

    def body(self, route_name: str) -> Schema:
        """Return the schema of a call's body."""
        return self._bodies[route_name]

    def named(self, used: str) -> dict[str, Schema]:
        """Return the schemas that stand apart and that `used`, the document as text, refers to."""
        found: dict[str, Schema] = {}
        texts = [used]
        while texts:
            text = texts.pop()
            for name in self._named.keys() - found.keys():
                if f'"{PREFIX}{name}"' in text:
                    found[name] = self._named[name]
                    texts.append(msgspec.json.encode(found[name]).decode())
        return found

    def _body(self, route_name: str, operation: Operation) -> Schema:
        """Return the schema of a body; one that asks for more than its struct gets its own name."""
        if operation.body == list[str]:
            return {"type": "array"} | self._rows["ProjectBody.resources"]
        if operation.body == dict[str, Any]:
            return names.reference(fields.INPUTS)
        schema = self.of(operation.body)
        if not operation.required and not operation.kept:
            return schema
        whole = self._named[schema["$ref"].removeprefix(PREFIX)]
        name = names.pascal([*route_name.split("_"), "body"])
        self._named[name] = _demanding(
            whole, operation.required, operation.required + operation.kept
        )
        return names.reference(name)

    def _refined(self, schema: Schema) -> Schema:
        """Return the schema of a struct with what else is known of its fields."""
        title = schema["title"]
        known = {name: self._row(title, name) for name in schema["properties"]}
        properties = {name: _with(each, known[name]) for name, each in schema["properties"].items()}
        required = fields.REQUIRED.get(title, ())
        # Without its title: generators would name their types by it.
        refined = {name: each for name, each in schema.items() if name != "title"}
        refined["properties"] = properties
        if title in fields.OPEN:
            refined["additionalProperties"] = fields.OPEN[title]
        return _demanding(refined, required, required)

    def _row(self, title: str, name: str) -> Schema:
        return self._rows.get(f"{title}.{name}", self._rows.get(name, {}))


def _with_plain_names(
    made: tuple[tuple[Schema, ...], dict[str, Schema]],
) -> tuple[list[Schema], dict[str, Schema]]:
    """Return the schemas with `Data_Booking_`, as msgspec writes `Data[Booking]`, put plainly."""
    text = re.sub(
        rf'"{PREFIX}(\w+)"',
        lambda found: f'"{PREFIX}{names.of_schema(found[1])}"',
        msgspec.json.encode(made).decode(),
    )
    schemas, named = msgspec.json.decode(text)
    return schemas, {names.of_schema(name): each for name, each in named.items()}


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[str, Any] = {}
    for each in operations:
        kinds = (each.body, *each.replies.values())
        found |= {str(kind): kind for kind in kinds if kind is not None}
    return list(found.values())


def _with(schema: Schema, row: Schema) -> Schema:
    """Return a field's schema with its row."""
    above = {name: row[name] for name in _ABOVE if name in row}
    inside = {name: member for name, member in row.items() if name not in above}
    without_default = {name: member for name, member in schema.items() if name != "default"}
    choices = schema.get("anyOf")
    if choices is None:
        return _laid_over(without_default, inside) | above
    chosen = [each if each == {"type": "null"} else _laid_over(each, inside) for each in choices]
    return without_default | {"anyOf": chosen} | above


def _laid_over(schema: Schema, row: Schema) -> Schema:
    """Return a schema with a row; a reference in the row says everything by itself."""
    return row if "$ref" in row else _explicit(schema | row)


def _explicit(schema: Schema) -> Schema:
    """Return the schema with what generators ask for: the type of an enum, the members of objects.

    JSON Schema takes an object without either as one of any members; openapi-typescript as one of
    none.
    """
    if isinstance(schema.get("items"), dict):
        return schema | {"items": _explicit(schema["items"])}
    if "enum" in schema:
        return {"type": "string"} | schema
    said = {"properties", "additionalProperties"} & schema.keys()
    return schema if schema.get("type") != "object" or said else schema | fields.ANY_OBJECT


def _demanding(schema: Schema, required: Iterable[str], filled: Iterable[str]) -> Schema:
    """Return the schema of a struct some fields of which have to be there, or be not null."""
    properties = dict(schema["properties"])
    for name in filled:
        properties[name] = _not_null(properties[name])
    demanded = [*schema.get("required", ()), *required]
    return schema | {"properties": properties, "required": demanded}


def _not_null(schema: Schema) -> Schema:
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    beside = {name: member for name, member in schema.items() if name != "anyOf"}
    return kinds[0] | beside if len(kinds) == 1 else schema
