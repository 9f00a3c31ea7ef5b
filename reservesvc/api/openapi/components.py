"""From types to JSON Schema: msgspec's own, with the rows of `fields` laid over."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from reservesvc.api.openapi import fields, shapes
from reservesvc.api.openapi.fields import Schema
from reservesvc.api.openapi.operations import Operation
from reservesvc.domain.wish import Limits

PREFIX = "#/components/schemas/"
_ABOVE = ("description",)
"""members of a row that go beside a choice of types; others into the one that is not null"""


class Components:
    """The schemas of types; those of structs stand apart and are referred to.

    Args:
        operations: whose bodies and replies to describe.
        limits: how much a request may ask for.

    """

    def __init__(self, operations: Iterable[Operation], limits: Limits) -> None:
        types = [shapes.Problem, *_types(operations)]
        schemas, named = _with_plain_names(
            msgspec.json.schema_components(types, ref_template=PREFIX + "{name}")
        )
        self._rows = fields.table(limits)
        self._by_type = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
        self._named = {name: self._refined(schema) for name, schema in named.items()}
        self._named |= fields.named()

    def of(self, kind: Any) -> Schema:  # noqa: ANN401 - a type form
        """Return the schema of a type."""
        return self._by_type[str(kind)]

    def body(self, operation: Operation) -> Schema:
        """Return the schema of an operation's body."""
        if operation.body == list[str]:
            return {"type": "array"} | self._rows["ProjectBody.resources"]
        schema = self.of(operation.body)
        if not operation.required and not operation.kept:
            return schema
        whole = self._named[schema["$ref"].removeprefix(PREFIX)]
        return _demanding(whole, operation.required, operation.required + operation.kept)

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
        return dict(sorted(found.items()))

    def _refined(self, schema: Schema) -> Schema:
        """Return the schema of a struct with what else is known of its fields."""
        title = schema["title"]
        known = {name: self._row(title, name) for name in schema["properties"]}
        properties = {name: _with(each, known[name]) for name, each in schema["properties"].items()}
        required = fields.REQUIRED.get(title, ())
        refined = schema | {"properties": properties}
        if title in fields.OPEN:
            refined["additionalProperties"] = fields.OPEN[title]
        return _demanding(refined, required, required)

    def _row(self, title: str, name: str) -> Schema:
        return self._rows.get(f"{title}.{name}", self._rows.get(name, {}))


def _with_plain_names(
    made: tuple[tuple[Schema, ...], dict[str, Schema]],
) -> tuple[list[Schema], dict[str, Schema]]:
    """Return the schemas with `Data_Booking_`, as msgspec writes `Data[Booking]`, shortened."""
    text = msgspec.json.encode(made).decode()
    schemas, named = msgspec.json.decode(re.sub(rf'"{PREFIX}(\w+?)_+"', rf'"{PREFIX}\1"', text))
    return schemas, {name.rstrip("_"): each for name, each in named.items()}


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
        return without_default | inside | above
    chosen = [each if each == {"type": "null"} else each | inside for each in choices]
    return without_default | {"anyOf": chosen} | above


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
