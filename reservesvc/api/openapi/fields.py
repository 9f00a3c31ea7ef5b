"""What fields mean and which values they take, beyond their types.

One word means one thing everywhere, so that most rows are of a field's name; a row of a struct's
field goes before it. Ranges and patterns are those the code compares with.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from reservesvc.api import batch, constraints, wishes
from reservesvc.api.openapi.names import reference
from reservesvc.api.problems import PROBLEMS
from reservesvc.api.project_fields import SLUG, UI_CHOICES
from reservesvc.domain import settings
from reservesvc.domain.constraints import WEEKDAYS
from reservesvc.domain.customer import TO_BOOK
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.offers import MODES
from reservesvc.domain.project import RESOURCES_MAX
from reservesvc.domain.reservation import ULID
from reservesvc.domain.search_settings import RULES
from reservesvc.domain.slot import CAPACITY_MAX, RESOURCE_ID
from reservesvc.domain.wish import DEFAULT_DURATION_S, Limits

Schema = dict[str, Any]
_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", str: "string"}
ID: Schema = {"type": "string", "pattern": f"^{RESOURCE_ID.pattern}$"}
RESERVATION_ID: Schema = {
    "type": "string",
    "pattern": rf"^{RESOURCE_ID.pattern}\.{ULID.pattern}$",
}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-",
}
"""times count from 1970"""
ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
INPUTS = "ActionInputs"
"""name of the schema of what an action is given"""
ACTIONS = sorted(
    {
        action
        for graph in GRAPHS.values()
        for state in graph.states.values()
        for action in state.actions
    }
)
_ZONE_PATTERN = "^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
"""what all names of time zones fit, and some that are none"""
_ZONE = reference("TimeZone")
_DAY = reference("Weekday")


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_CLOCK: Schema = {
    "description": "an hour from 0 to 24, or a time such as 09:30",
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 24},
        {"type": "string", "pattern": "^(([01]?[0-9]|2[0-3])(:[0-5][0-9])?|24(:00)?)$"},
    ],
}
_MOMENT: Schema = {
    "type": "string",
    "pattern": f"^{constraints.MOMENT.pattern}$",
    "description": "a date, or a time with or without an offset",
}
_HOURS = {"start": _CLOCK, "end": _CLOCK}
_MEMBERS: dict[str, dict[str, Schema]] = {
    "hours": _HOURS,
    "day_and_time": {"day": _DAY} | _HOURS,
    "day": {"day": _DAY},
    "days": {"days": {"type": "array", "minItems": 1, "items": _DAY}},
    "period": {"start": _MOMENT, "end": _MOMENT},
}
"""kind of a constraint → its fields; the others have none"""
_TIMEOUT: Schema = {
    "type": "object",
    "description": "How long a booking waits for its payment.",
    "properties": {
        "time": {"type": "integer", "minimum": 1},
        "unit": {
            "type": "string",
            "enum": [unit + end for unit in settings.UNITS_MS for end in ("", "s")],
        },
    },
    "required": ["time", "unit"],
    "additionalProperties": True,
}
_AUTO_COMPLETE: Schema = {
    "type": "object",
    "description": "Whether a booking completes by itself, one hour after its end.",
    "properties": {"enabled": {"type": "boolean"}},
    "required": ["enabled"],
    "additionalProperties": True,
}
_SETTINGS: dict[str, Schema] = {
    settings.MAX_SEATS: {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": settings.SEATS_MAX,
        "description": "of a group",
    },
    settings.TIMEOUT: _nullable(reference("PaymentTimeout")),
    settings.AUTO_COMPLETE: _nullable(reference("AutoComplete")),
} | {name: {"type": [_JSON_TYPES[kind], "null"]} for name, (kind, _) in wishes.SETTINGS.items()}
_SETTINGS_OF_BOOKINGS: Schema = ANY_OBJECT | {
    "description": "Kept as they are; `allow_double_bookings` books what is taken.",
    "properties": _SETTINGS,
}
OPEN: Mapping[str, Schema | bool] = {
    "BookingAttributes": reference(INPUTS),
    "Customer": True,
    "WidgetUi": True,
}
"""struct → what its further members are; the names of these are not known before"""
_SEARCH: dict[str, Schema] = {
    name: {"type": [_JSON_TYPES[kind], "null"]} for name, (kind, _) in RULES.items()
} | {
    "mode": _nullable(reference("SearchMode")),
    "quantity": {"type": ["integer", "null"], "minimum": 1, "maximum": CAPACITY_MAX},
}
_UNLESS = "asked for where no project has it"
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ReserveBody": ("resource_id",),
    "BatchBody": ("mode", "reservations"),
    "ExtendBody": ("reservation_id", "duration"),
    "RescheduleBody": ("start", "end"),
    "UpdateBookingBody": ("meta",),
    "AssignmentBody": ("resource_id",),
}
"""struct → the fields that every request with it has, and that are not null"""


def table(limits: Limits) -> dict[str, Schema]:
    """Return the rows: what is added to the schema of a field that is not null."""
    seconds = {"minimum": 1, "maximum": limits.duration_s_max}
    ids = {"items": ID, "maxItems": RESOURCES_MAX}
    listed: Schema = {
        "items": reference("Constraint"),
        "maxItems": constraints.COUNT_MAX,
    }
    return {
        "start": TIME | {"description": "when the slot begins"},
        "end": TIME | {"description": f"after start, by {limits.slot_s_max} s at most"},
        "resource_id": ID | {"description": "what is reserved or booked; registered or not"},
        "reservation_id": RESERVATION_ID | {"description": "as reserving answered it"},
        "project_id": {"description": "the project whose settings hold where the request has none"},
        "what": {"description": f"what is booked, for people; {_UNLESS}"},
        "where": {"description": f"where it takes place; {_UNLESS}"},
        "description": {"description": f"more about it; {_UNLESS}"},
        "customer": reference("CustomerDetails")
        | {"description": f"booking needs {' and '.join(TO_BOOK)}; other fields are kept"},
        "graph": reference("Graph") | {"description": "the kind of life the booking leads"},
        "quantity": {
            "minimum": 1,
            "maximum": CAPACITY_MAX,
            "description": "units of the resource's capacity; 1 where left out",
        },
        "duration": seconds
        | {
            "description": "how long to hold, in seconds; else the project's reservation_time, "
            f"else {DEFAULT_DURATION_S}"
        },
        "reservation_time": seconds | {"description": "how long to hold a slot, in seconds"},
        "action": reference("LegacyAction"),
        "event": {"description": "the older form of the slot and its texts"},
        "meta": reference("Meta"),
        "participants": {"items": {"type": "string"}},
        "settings": reference("BookingSettings"),
        settings.TIMEOUT: reference("PaymentTimeout"),
        settings.AUTO_COMPLETE: reference("AutoComplete"),
        "due_at": {"description": "when it goes on by itself"},
        "BatchBody.mode": {"enum": list(batch.MODES)},
        "BatchBody.reservations": {
            "type": "array",
            "minItems": 1,
            "maxItems": batch.ITEMS_MAX,
            "items": reference("ReserveBody"),
        },
        "AvailabilityBody.mode": reference("SearchMode")
        | {"description": "which resources a slot lists"},
        "AvailabilityBody.quantity": {
            "minimum": 1,
            "maximum": CAPACITY_MAX,
            "description": "how many units a slot has free; 1 where left out",
        },
        "AvailabilityBody.resources": ids
        | {"description": "required, unless the project has them"},
        "from": {"description": "a time with an offset, or plain English; now where left out"},
        "to": {"description": "as from; four weeks later where left out"},
        "length": {"description": "of each slot, such as 1 hour or 1.5 hours"},
        "buffer": {"description": "how long before and after has to be free, too"},
        "timeslot_increments": {"description": "from one slot's start to the next one's"},
        "constraints": listed,
        "availability_constraints": listed,
        "output_timezone": _ZONE | {"description": "times come with its offset"},
        "ProjectBody.resources": ids,
        "availability": reference("SearchDefaults"),
        "customer_fields": reference("CustomerFields"),
        "ui": reference("WidgetUi"),
        "slug": {"pattern": f"^{SLUG.pattern}$", "description": "follows from the name"},
        "name": {"pattern": r"\S"},
        "timezone": _ZONE | {"description": "whose clock constraints go by"},
        "capacity": {"minimum": 1, "maximum": CAPACITY_MAX, "description": "units at once"},
        "ResourceBody.id": ID | {"description": "a new UUID where left out"},
        "remaining_ms": {"minimum": 0, "description": "how much longer the slot is held"},
        "lifetime_ms": {
            "minimum": 0,
            "description": "from created_at to expires_at, as they are now",
        },
        "ignored_fields": {"description": "members of the request's body that are no fields"},
        "server_time": {"description": "what Redis' clock showed"},
        "possible_actions": {
            "items": reference("BookingAction"),
            "description": "what can be done with it in its state",
        },
        "available_actions": {
            "items": reference("BookingAction"),
            "description": "the same as possible_actions",
        },
        "Problem.code": {"enum": list(PROBLEMS), "description": "programs decide by it"},
        "completed": {"description": "whether no action is open any more"},
        "retry_after_ms": {"minimum": 0, "description": "when trying again can help"},
        "errors": {"description": "field → what is wrong with it"},
        "outcome": {"description": "the change may have happened; repeat the request to find out"},
        "item": {"description": "which item of a cart, from 0"},
    }


def named() -> dict[str, Schema]:
    """Return the schemas that stand apart and belong to no struct."""
    return {
        INPUTS: ANY_OBJECT | {"description": "What an action is told; the booking keeps it."},
        "AutoComplete": _AUTO_COMPLETE,
        "BookingAction": _choice("What can be done with a booking.", ACTIONS),
        "BookingSettings": _SETTINGS_OF_BOOKINGS,
        "Constraint": _constraint(),
        "CustomerDetails": _customer(),
        "CustomerFields": {
            "type": "object",
            "description": "What a booking widget asks its customers for.",
            "additionalProperties": ANY_OBJECT,
        },
        "Graph": _choice("The kinds of life that a booking may lead.", GRAPHS),
        "LegacyAction": _choice("What old integrations send; it changes nothing.", wishes.ACTIONS),
        "Meta": ANY_OBJECT | {"description": "Any object; it is kept as it is."},
        "PaymentTimeout": _TIMEOUT,
        "SearchDefaults": _search_defaults(),
        "SearchMode": _choice("Which resources a slot lists.", MODES),
        "TimeZone": _time_zone(),
        "Weekday": _choice("A day of the week.", WEEKDAYS),
        "WidgetUi": _widget_ui(),
    }


def _choice(description: str, values: Iterable[str]) -> Schema:
    return {"type": "string", "description": description, "enum": list(values)}


def _customer() -> Schema:
    texts = {name: {"type": ["string", "null"]} for name in wishes.CUSTOMER_TEXTS}
    description = "Who books, as far as it is known; further members are kept as they are."
    return ANY_OBJECT | {"description": description, "properties": texts}


def _search_defaults() -> Schema:
    description = "The fields of a search where the request has none; other members are kept."
    return ANY_OBJECT | {"description": description, "properties": _SEARCH}


def _widget_ui() -> Schema:
    choices = {name: {"type": "string", "enum": [*each]} for name, each in UI_CHOICES.items()}
    return ANY_OBJECT | {
        "description": "How a booking widget looks; members that it does not know are kept.",
        "properties": choices | {"localization": ANY_OBJECT},
    }


def _time_zone() -> Schema:
    """Return the schema of a time zone's name: a pattern, for a list of them would be outdated."""
    return {
        "type": "string",
        "description": "The IANA's name of a time zone.",
        "pattern": _ZONE_PATTERN,
        "examples": ["Europe/Berlin", "America/New_York", "UTC"],
    }


def _constraint() -> Schema:
    """Return the schema of one constraint: an object with one member."""
    return {
        "type": "object",
        "description": "When a resource may be booked, or not, on the clock of its time zone.",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: _member(kind) for name, (_, kind) in constraints.NAMES.items()},
    }


def _member(kind: str) -> Schema:
    members = _MEMBERS.get(kind)
    if members is None:
        return {"description": "whatever it is: the name says all"}
    return {"type": "object", "properties": members, "required": list(members)}
