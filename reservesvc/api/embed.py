"""What the booking widget asks for first: the part of a project that is for the public.

The widget takes the reply as its configuration, lays over it what the page says, and sends
parts of it back. So what a project leaves empty is left out here, for null or an empty list
would override what the page, a customer or the project says; and what the widget cannot do
without is filled in, for otherwise a click throws.
"""

from typing import Any

from msgspec.structs import asdict

from reservesvc.api import changes, render, replies
from reservesvc.api.call import Call
from reservesvc.api.projects import stored
from reservesvc.api.replies import Reply
from reservesvc.domain.graphs import DEFAULT_GRAPH
from reservesvc.domain.project import Project

CUSTOMER_FIELDS: dict[str, dict[str, Any]] = {
    "name": {"title": "Name", "required": True, "split_name": False},
    "email": {"title": "E-mail", "format": "email", "required": True},
}
UI: dict[str, Any] = {
    "display_name": "",
    "availability_view": "agendaWeek",
    "time_date_format": "12h-mdy-sun",
    "show_timezone_helper": True,
    "show_credits": False,
}
LOCALIZATION = {
    "submit_button": "Book it",
    "success_message": "We have received the booking for %s",
    "allocated_resource_prefix": "with",
}


async def by_id(call: Call) -> Reply:
    """Return what a widget needs of the project with this id."""
    return replies.data(config(await stored(call)))


async def by_slug(call: Call) -> Reply:
    """Return what a widget needs of the project with this slug."""
    slug = call.part("slug")
    project = await call.stores.bookings.project_by_slug(slug)
    return replies.data(config(changes.found(project, "Project", slug)))


def config(project: Project) -> dict[str, Any]:
    """Return a project as a widget's configuration."""
    chosen = {
        "availability": project.availability,
        "availability_constraints": render.constraints_of(project),
        "resources": project.resources,
    }
    booking = {"graph": DEFAULT_GRAPH} | _without_none(asdict(project.booking))
    localization = LOCALIZATION | _without_none(_object(project.ui.get("localization")))
    return {
        "id": project.id,
        "name": project.name,
        "slug": project.slug,
        **{name: value for name, value in chosen.items() if value},
        "booking": booking,
        "customer_fields": _customer_fields(project.customer_fields),
        "ui": UI | _without_none(project.ui) | {"localization": localization},
    }


def _customer_fields(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a form; name and email are always among them, first."""
    known = {name: field | _object(asked.get(name)) for name, field in CUSTOMER_FIELDS.items()}
    return known | {name: field for name, field in asked.items() if name not in known}


def _object(value: object) -> dict[str, Any]:
    """Return the value where it is an object; a row that was written by hand may hold anything."""
    return value if isinstance(value, dict) else {}


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
